"""tools/venv.sh on machines that lack things, made of stand-in interpreters on a PATH of its own; once with the real Python."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "venv.sh"

# An interpreter that can do what $CAN says: ensurepip, virtualenv, pip.  An environment made of it has a pip that takes notes.
PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >>"$NOTES"
can() { case " $CAN " in *" $1 "*) ;; *) echo "$1 is not available" >&2; exit 1 ;; esac }
made() { mkdir -p "$1/bin"; touch "$1/pyvenv.cfg"; cp "$SELF" "$1/bin/python"; }
for last; do :; done
case "$*" in
  "-c import sys; sys.exit"*) case " $CAN " in *" old "*) exit 1 ;; esac ;;
  "-c import sys; print"*) echo 3.11 ;;
  --version) echo Python 3.11.2 ;;
  "-m venv --without-pip "*) can venv; made "$last" ;;
  "-m venv "*) can venv; mkdir -p "$last/bin"; touch "$last/pyvenv.cfg"; can ensurepip; made "$last"; touch "$last/pip" ;;
  "-m virtualenv "*) can virtualenv; made "$last"; touch "$last/pip" ;;
  "-m pip --python "*) can pip; touch "$4/../../pip" 2>/dev/null || touch "$(dirname "$4")/../pip" ;;
  "-m pip --version") [ -f "$(dirname "$0")/../pip" ] ;;
  "-m pip install "*) case " $CAN " in *" nothing "*) echo "ERROR: no network" >&2; exit 1 ;; esac ;;
esac
"""


@dataclass
class Machine:
    tree: Path
    programs: Path

    def run(self, extras: str = "engines,shop", can: str = "venv ensurepip", **more: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.programs), "NOTES": str(self.programs.parent / "notes"), "CAN": can,
                       "SELF": str(self.programs / "python3.13"), **more}
        return subprocess.run([self.tree / "tools/venv.sh", extras], env=environment, text=True, capture_output=True, timeout=120,
                              cwd="/")

    def installs(self) -> list[str]:
        notes = (self.programs.parent / "notes").read_text().splitlines()
        return [line.split(" -e ")[1] for line in notes if " -m pip install " in line]

    def made(self) -> int:
        return (self.programs.parent / "notes").read_text().count(" -m venv ")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs, tree = tmp_path / "bin", tmp_path / "tree"
    programs.mkdir()
    (tree / "tools").mkdir(parents=True)
    tools = "sh sed tr sort paste cksum du cut sleep rm mkdir touch cp cat ls mktemp tail dirname basename echo printf"
    for tool in tools.split():
        if found := shutil.which(tool):
            (programs / tool).symlink_to(found)
    (programs / "python3.13").write_text(PYTHON)
    (programs / "python3.13").chmod(0o755)
    shutil.copy(SCRIPT, tree / "tools/venv.sh")
    (tree / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "notes").touch()
    return Machine(tree, programs)


def test_a_new_tree_gets_an_environment_and_the_extras_asked_for(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.installs() == [".[engines,shop]"]


def test_nothing_is_installed_again_until_pyproject_changes(machine: Machine) -> None:
    machine.run()
    machine.run()
    machine.run("shop")
    assert machine.installs() == [".[engines,shop]"]
    (machine.tree / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    machine.run("shop")
    assert machine.installs() == [".[engines,shop]", ".[shop]"]
    assert machine.made() == 1


def test_what_was_installed_for_the_demo_stays_when_the_tests_need_more(machine: Machine) -> None:
    machine.run()
    machine.run("shop,test")
    machine.run("engines")
    assert machine.installs() == [".[engines,shop]", ".[engines,shop,test]"]


def test_a_moved_tree_gets_a_new_environment(machine: Machine) -> None:
    machine.run()
    moved = machine.tree.rename(machine.tree.with_name("moved tree"))
    said = Machine(moved, machine.programs).run()
    assert said.returncode == 0
    assert "making it anew" in said.stderr
    assert machine.made() == 2
    assert (moved / ".venv/.holdfast-place").read_text().strip() == str(moved)


@pytest.mark.parametrize("harm", ["python is gone", "pip is gone", "never finished"])
def test_a_broken_environment_is_made_anew(machine: Machine, harm: str) -> None:
    machine.run()
    if harm == "python is gone":
        (machine.tree / ".venv/bin/python").unlink()
    elif harm == "pip is gone":
        (machine.tree / ".venv/pip").unlink()
    else:
        shutil.rmtree(machine.tree / ".venv/bin")
    assert machine.run().returncode == 0
    assert machine.made() == 2
    assert len(machine.installs()) == 2


def test_without_ensurepip_virtualenv_helps(machine: Machine) -> None:
    done = machine.run(can="venv virtualenv")
    assert done.returncode == 0, done.stderr
    assert "made .venv with virtualenv" in done.stderr
    assert "ensurepip is not available" not in done.stderr, "what was tried in vain is no news when another way worked"
    assert len(machine.installs()) == 1


def test_without_ensurepip_the_systems_pip_helps(machine: Machine) -> None:
    done = machine.run(can="venv pip")
    assert done.returncode == 0, done.stderr
    assert "made .venv with the system's pip" in done.stderr
    assert len(machine.installs()) == 1


def test_without_ensurepip_uv_helps(machine: Machine) -> None:
    uv = machine.programs / "uv"
    uv.write_text(
        '#!/bin/sh\nfor last; do :; done\n'
        'mkdir -p "$last/bin"; touch "$last/pyvenv.cfg" "$last/pip"; cp "$SELF" "$last/bin/python"\n')
    uv.chmod(0o755)
    assert "made .venv with uv" in machine.run(can="").stderr
    assert len(machine.installs()) == 1


def test_without_any_way_the_package_to_install_is_named_and_nothing_is_left(machine: Machine) -> None:
    refused = machine.run(can="venv")
    assert refused.returncode == 2
    assert "ensurepip" in refused.stderr
    assert "apt install python3-venv" in refused.stderr
    assert "python3.11-venv" in refused.stderr
    assert not (machine.tree / ".venv").exists()


def test_an_old_python_is_refused_with_what_to_do(machine: Machine) -> None:
    refused = machine.run(can="old venv ensurepip")
    assert refused.returncode == 2
    assert "Python >= 3.11" in refused.stderr
    assert "remedy" in refused.stderr


def test_the_first_python_that_is_new_enough_is_taken(machine: Machine) -> None:
    (machine.programs / "python3.13").rename(machine.programs / "python3.12")
    (machine.programs / "python3.13").write_text("#!/bin/sh\nexit 127  # a shim without a Python behind it\n")
    (machine.programs / "python3.13").chmod(0o755)
    done = machine.run(SELF=str(machine.programs / "python3.12"))
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_no_environment_is_not_deleted(machine: Machine) -> None:
    mine = machine.tree / ".venv/notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    refused = machine.run()
    assert refused.returncode == 2
    assert "move it away" in refused.stderr
    assert mine.read_text() == "mine"


def test_the_reason_of_pip_is_shown_and_the_next_run_tries_again(machine: Machine) -> None:
    failed = machine.run(can="venv ensurepip nothing")
    assert failed.returncode == 2
    assert "ERROR: no network" in failed.stderr
    assert machine.run().returncode == 0


@pytest.mark.real
def test_the_real_python_makes_an_environment_that_runs_what_was_installed(tmp_path: Path) -> None:
    # The build backend is part of the tree, so that nothing is downloaded.
    (tmp_path / "tools").mkdir()
    shutil.copy(SCRIPT, tmp_path / "tools/venv.sh")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "holdfast"\nversion = "1"\n')
    (tmp_path / "backend.py").write_text(
        "import os, zipfile\n"
        "def build_editable(folder, config_settings=None, metadata_directory=None):\n"
        "    info, name = 'holdfast-1.dist-info', 'holdfast-1-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:\n"
        "        wheel.writestr('hello.py', 'print(\"hello\")')\n"
        "        metadata = 'Metadata-Version: 2.1\\nName: holdfast\\nVersion: 1\\nProvides-Extra: test\\n'\n"
        "        wheel.writestr(info + '/METADATA', metadata)\n"
        "        tags = 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'\n"
        "        wheel.writestr(info + '/WHEEL', tags)\n"
        "        wheel.writestr(info + '/RECORD', '')\n"
        "    return name\n")
    environment = {**os.environ, "PYTHON": getattr(sys, "_base_executable", sys.executable), "PIP_NO_INDEX": "1"}
    done = subprocess.run([tmp_path / "tools/venv.sh", "test"], env=environment, text=True, capture_output=True, timeout=120)
    if "cannot make a virtual environment" in done.stderr:
        pytest.skip("this Python has no ensurepip and the machine no other way")
    assert done.returncode == 0, done.stderr
    assert subprocess.check_output([tmp_path / ".venv/bin/python", "-m", "hello"], text=True, cwd="/") == "hello\n"
