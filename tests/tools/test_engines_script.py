"""tools/engines.sh with stand-ins for apt in a folder of its own: what it says, and that its guards are always taken back."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "engines.sh"
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

APT_CACHE = """#!/bin/sh
case "$*" in
  "policy etcd-server") echo "  Candidate: ${ETCD_SERVER:-3.4.23}" ;;
  "policy "*) echo "  Candidate: 1.0" ;;
  "depends postgresql") printf 'postgresql\\n  Depends: postgresql-15\\n' ;;
esac
"""

# Installing does what Debian's packages do: programs, links that enable services, and a cluster unless told not to.
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$ENGINES_ROOT/apt.log"
case "$*" in
  *--simulate*) echo "Inst libextra (1)"; [ -z "${REMOVES:-}" ] || echo "Remv $REMOVES [1]"; exit 0 ;;
  *" update"*) mkdir -p "$ENGINES_ROOT/var/lib/apt/lists/partial"; touch "$ENGINES_ROOT/var/lib/apt/lists/x_Packages"; exit 0 ;;
esac
cat "$ENGINES_ROOT/usr/sbin/policy-rc.d" >"$ENGINES_ROOT/policy.seen"
cat "$ENGINES_ROOT"/etc/postgresql-common/createcluster.d/*.conf >"$ENGINES_ROOT/cluster.seen"
if [ -n "${SLOW:-}" ]; then touch "$ENGINES_ROOT/installing"; sleep 1; fi
[ -z "${BREAKS:-}" ] || exit 100
wants="$ENGINES_ROOT/etc/systemd/system/multi-user.target.wants"
mkdir -p "$wants"
for unit in haproxy.service mine.service; do ln -sf "/lib/systemd/system/$unit" "$wants/$unit"; done
ln -sf /lib/systemd/system/etcd.service "$ENGINES_ROOT/etc/systemd/system/etcd2.service"
for name in haproxy nginx keepalived etcd postgres ip curl ps redis-server; do
  printf '#!/bin/sh\\n' >"$ENGINES_ROOT/bin/$name"
done
chmod +x "$ENGINES_ROOT"/bin/*
"""


@dataclass
class Machine:
    folder: Path

    @property
    def policy(self) -> Path:
        return self.folder / "usr/sbin/policy-rc.d"

    @property
    def wants(self) -> Path:
        return self.folder / "etc/systemd/system/multi-user.target.wants"

    def environment(self, **more: str) -> dict[str, str]:
        places = {"ENGINES_ROOT": str(self.folder), "OS_RELEASE": str(self.folder / "os-release")}
        return {"PATH": str(self.folder / "bin"), **places, **more}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin/bash", self.script, *words], env=self.environment(**more), text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=30)

    @property
    def script(self) -> Path:
        """A copy that looks nowhere but in this machine for programs."""
        text = SCRIPT.read_text().replace("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n", "")
        (self.folder / "engines.sh").write_text(text)
        return self.folder / "engines.sh"

    def log(self) -> str:
        log = self.folder / "apt.log"
        return log.read_text() if log.exists() else ""

    def left_behind(self) -> list[str]:
        return [str(path) for path in self.folder.rglob("*holdfast*")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("bash", "sh", "sed", "grep", "find", "sort", "tail", "head", "xargs", "comm", "basename", "dirname", "readlink",
                 "mkdir", "rmdir", "rm", "mv", "ln", "chmod", "cat", "touch", "sleep", "id", "echo", "printf"):
        if found := shutil.which(tool):
            (programs / tool).symlink_to(found)
    for name, text in (("apt-cache", APT_CACHE), ("apt-get", APT_GET)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "os-release").write_text(DEBIAN)
    (tmp_path / "etc").mkdir()
    lists = tmp_path / "var/lib/apt/lists"
    (lists / "partial").mkdir(parents=True)
    (lists / "x_Packages").touch()
    return Machine(tmp_path)


def test_a_dry_run_names_packages_and_versions_and_what_will_not_happen_and_changes_nothing(machine: Machine) -> None:
    said = machine.run("--dry-run")
    assert said.returncode == 0, said.stderr
    for line in ("haproxy        1.0", "nginx          1.0", "keepalived", "etcd-server    3.4.23", "postgresql-15  1.0",
                 "and what these need: libextra", "no service is started or enabled", "no database cluster is created"):
        assert line in said.stdout
    assert "install -y" not in machine.log()
    assert not machine.policy.exists()


def test_where_the_server_of_etcd_is_no_package_of_its_own_the_old_name_is_taken(machine: Machine) -> None:
    assert "\n  etcd           1.0" in machine.run("--dry-run", ETCD_SERVER="(none)").stdout


def test_while_packages_are_installed_no_service_may_start_and_no_cluster_is_made(machine: Machine) -> None:
    done = machine.run("--yes")
    assert done.returncode == 0, done.stderr
    assert "exit 101" in (machine.folder / "policy.seen").read_text()
    assert "create_main_cluster = false" in (machine.folder / "cluster.seen").read_text()
    assert not machine.policy.exists()
    assert not (machine.folder / "etc/postgresql-common").exists()
    assert machine.left_behind() == []


def test_services_that_the_packages_enabled_are_disabled_and_those_enabled_before_stay(machine: Machine) -> None:
    machine.wants.mkdir(parents=True)
    (machine.wants / "mine.service").symlink_to("/lib/systemd/system/mine.service")
    assert machine.run("--yes").returncode == 0
    assert [path.name for path in machine.wants.iterdir()] == ["mine.service"]
    assert not (machine.folder / "etc/systemd/system/etcd2.service").is_symlink()


def test_a_policy_and_a_cluster_setting_of_the_users_own_are_back_afterwards(machine: Machine) -> None:
    machine.policy.parent.mkdir(parents=True)
    machine.policy.write_text("#!/bin/sh\nexit 0 # mine\n")
    own = machine.folder / "etc/postgresql-common/createcluster.d/own.conf"
    own.parent.mkdir(parents=True)
    own.write_text("port = 6000\n")
    assert machine.run("--yes").returncode == 0
    assert "exit 101" in (machine.folder / "policy.seen").read_text()
    assert "mine" in machine.policy.read_text()
    assert own.read_text() == "port = 6000\n"
    assert machine.left_behind() == []


def test_the_guards_are_taken_back_when_apt_fails(machine: Machine) -> None:
    failed = machine.run("--yes", BREAKS="1")
    assert failed.returncode == 100
    assert not machine.policy.exists()
    assert machine.left_behind() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_guards_are_taken_back_when_a_person_interrupts(machine: Machine, how: signal.Signals) -> None:
    running = subprocess.Popen(
        [machine.folder / "bin/bash", machine.script, "--yes"], env=machine.environment(SLOW="1"), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while not (machine.folder / "installing").exists():
        assert running.poll() is None
        time.sleep(0.01)
    os.killpg(running.pid, how)
    assert running.wait(10) != 0
    assert not machine.policy.exists()
    assert machine.left_behind() == []


def test_what_a_killed_run_left_behind_is_cleared_by_the_next_one(machine: Machine) -> None:
    machine.policy.parent.mkdir(parents=True)
    machine.policy.write_text("#!/bin/sh\n# holdfast: temporary, no service shall start while packages are installed\nexit 101\n")
    machine.policy.with_name("policy-rc.d.before-holdfast").write_text("#!/bin/sh\nexit 0 # mine\n")
    assert machine.run("--yes").returncode == 0
    assert "mine" in machine.policy.read_text()


def test_a_second_run_finds_nothing_to_do(machine: Machine) -> None:
    assert machine.run("--yes").returncode == 0
    before = machine.log()
    again = machine.run("--yes")
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    assert machine.log() == before, "apt was not even asked"


def test_redis_is_installed_only_for_the_tests_and_is_as_little_started(machine: Machine) -> None:
    assert "redis" not in machine.run("--dry-run").stdout
    assert "redis-server" in machine.run("--dry-run", "--tests").stdout
    assert machine.run("--yes", "--tests").returncode == 0
    assert "redis-server" in machine.log().splitlines()[-1]
    assert "exit 101" in (machine.folder / "policy.seen").read_text()
    assert "redis-server" in machine.run("--yes", "--tests").stdout


def test_old_package_lists_are_renewed_first_but_not_by_a_dry_run(machine: Machine) -> None:
    shutil.rmtree(machine.folder / "var")
    assert "apt-get update would come first" in machine.run("--dry-run").stdout
    assert " update" not in machine.log()
    assert machine.run("--yes").returncode == 0
    assert " update" in machine.log()


def test_nothing_is_installed_if_something_would_be_removed(machine: Machine) -> None:
    refused = machine.run("--yes", REMOVES="precious")
    assert refused.returncode == 2
    assert "apt would remove precious" in refused.stderr
    assert "install -y" not in machine.log()


def test_other_systems_are_told_what_to_install_by_hand(machine: Machine) -> None:
    (machine.folder / "os-release").write_text("ID=fedora\n")
    refused = machine.run()
    assert refused.returncode == 2
    assert "Debian and Ubuntu only" in refused.stderr
    assert "make demo" in refused.stderr


def test_a_word_it_does_not_know_is_refused(machine: Machine) -> None:
    assert machine.run("--now").returncode == 2
