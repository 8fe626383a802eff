"""What runs leave and what is found again: folders, records, passwords; and what the machine refuses."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from builder import realistic, write

from holdfast.blueprint import Program, Site
from holdfast.cli import main, service, up
from holdfast.cli.look import _no_host
from holdfast.cli.render import REPLACE
from holdfast.errors import Refused
from holdfast.lab.doctor import explained

EXAMPLES = Path(__file__).parents[2] / "examples"
CLASSIC = service.sensible(str(EXAMPLES / "classic"))

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


# ---- folders and records


def test_a_folder_into_which_nothing_was_put_goes_again(tmp_path: Path) -> None:
    with pytest.raises(Refused), service.run_folder(str(tmp_path / "runs"), "shop"):
        service.newest(str(tmp_path), "x", "y")
    assert not (tmp_path / "runs").exists()


def test_a_folder_with_a_record_stays(tmp_path: Path) -> None:
    with service.run_folder(str(tmp_path / "runs"), "shop") as folder:
        (folder / "record.sqlite").touch()
    assert (folder / "record.sqlite").exists()


@pytest.mark.parametrize("verb", ["drill", "up"])
def test_a_missing_program_is_told_before_anything_is_made(say: Said, tmp_path: Path, verb: str) -> None:
    (tmp_path / "topology.yaml").write_text(
        "service: shop\ntiers:\n  entry: {engine: haproxy, replicas: 2, program: ./none, routes: {http: web}}\n"
        '  web: {engine: command, replicas: 2, run: sleep 9}\nprobes: {pages: {http: "http://entry/"}}\n')

    code, _, err = say(verb)

    assert code == 2
    assert "is not a program" in err
    assert "seed" not in err
    assert not (tmp_path / "holdfast-runs").exists()


def test_a_file_that_is_no_record_is_told(say: Said, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.sqlite").executescript("CREATE TABLE a (b)")

    for name in ("/bin/ls", "other.sqlite"):
        code, out, err = say("report", name)
        assert code == 2
        assert f"{name}  this is no record of a run" in err
        assert not out
    assert not Path("/bin/report.html").exists()


def test_a_record_may_have_another_name(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "monday.sqlite")

    _, out, _ = say("report", "monday.sqlite")

    assert "power_cut" in out
    assert (tmp_path / "monday.html").exists()


def test_a_run_that_is_not_there_is_told_with_those_that_are(say: Said, tmp_path: Path) -> None:
    for name in ("shop-1", "shop-2"):
        write(realistic(), tmp_path / "holdfast-runs" / name / "record.sqlite")

    _, _, err = say("report", "nosuch")

    assert "there is no run nosuch" in err
    assert "shop-1" in err
    assert "shop-2" in err


def test_a_page_that_cannot_be_written_is_no_reason_to_hide_the_table(say: Said, tmp_path: Path) -> None:
    write(realistic(), tmp_path / "run" / "record.sqlite")
    (tmp_path / "run" / "report.html").mkdir()

    code, out, err = say("report", "run")

    assert code == 0
    assert "power_cut" in out
    assert "page not written: " in err


# ---- up


def test_passwords_that_were_made_are_there_for_psql_and_for_a_shell(tmp_path: Path) -> None:
    up._write_passwords(CLASSIC, tmp_path, {"db-app": "made", "db-superuser": "too"})

    assert (tmp_path / "pgpass").read_text() == "*:*:app:app:made\n"
    assert (tmp_path / "passwords.env").read_text() == "DB_APP_PASSWORD=made\nDB_SUPERUSER_PASSWORD=too\n"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_nothing_is_written_where_no_password_was_made(tmp_path: Path) -> None:
    up._write_passwords(CLASSIC, tmp_path, {})

    assert not list(tmp_path.iterdir())


def test_how_to_reach_the_database_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert up.psql(CLASSIC, "entry", 8081, tmp_path / "run", {"db-app": "made"}) == (
        "PGPASSFILE=run/pgpass psql -h 127.0.0.1 -p 8081 -U app app")
    assert up.psql(CLASSIC, "entry", 8081, tmp_path / "run", {}) == "psql -h 127.0.0.1 -p 8081 -U app app"


def test_a_shell_finds_what_runs_there() -> None:
    site = Site(lab="namespaces", programs={
        "postgres": Program(name="postgres", path="/usr/lib/postgresql/15/bin/postgres", version="15", source="Debian")})

    assert up.path_of(site).split(":")[-1] == "/usr/lib/postgresql/15/bin"


@pytest.mark.parametrize(("name", "told"), [
    ("entry", "entry is a tier, not a host\n  remedy: name one of its hosts: entry1, entry2"),
    ("wbe1", "there is no host wbe1\n  remedy: name one of entry1, entry2, client"),
    ("client", "cannot be stepped into: gone"),
])
def test_a_shell_into_what_is_no_host_is_told_with_the_hosts(name: str, told: str) -> None:
    instances = [{"host": "entry1", "tier": "entry"}, {"host": "entry2", "tier": "entry"}]
    assert told in str(_no_host(name, "gone", {"hosts": ["entry1", "entry2", "client"], "instances": instances}))


# ---- render and doctor


def test_a_rendered_file_says_who_must_put_the_secrets_in(say: Said, tmp_path: Path) -> None:
    say("render", EXAMPLES / "classic", "-o", "out", "--no-check")

    holding = [path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file() and "secret://" in path.read_text()]
    assert holding
    assert all(text.startswith(REPLACE) for text in holding)


@pytest.mark.parametrize(("refused", "reason", "remedy"), [
    (OSError(errno.ENOSPC, f"unshare: {os.strerror(errno.ENOSPC)}"), "max_user_namespaces is 0", "sysctl -w user.max_user"),
    (OSError(errno.EPERM, f"unshare: {os.strerror(errno.EPERM)}"), "seccomp or AppArmor?", "--lab loopback"),
    (OSError(errno.EPERM, f"mount proc on /proc: {os.strerror(errno.EPERM)}"), "mount proc on /proc: Operation", "loopback"),
    (OSError(errno.ENODEV, "mount x: No such device"), "mount x: No such device", "run as root"),
])
def test_what_the_kernel_refuses_is_told_with_its_likely_cause(refused: OSError, reason: str, remedy: str) -> None:
    found = explained(str(refused))

    assert reason in found[0]
    assert "Errno" not in found[0]
    assert remedy in found[1]
