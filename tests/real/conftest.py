"""Tests here run real programs in real labs.

What is missing skips them by name; HOLDFAST_REQUIRE_ENGINES=1 makes that a failure.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.lab import doctor

EXAMPLES = Path(__file__).parents[2] / "examples"
REQUIRED = os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.real)


def needs(*programs: str) -> None:
    """Skip, or fail where engines are required, naming what is missing."""
    _, missing = doctor.find_programs(programs, {})
    _missing("; ".join(f"{problem.what} ({problem.remedy})" for problem in missing.values()))


def needs_namespaces() -> None:
    machine = doctor.machine()
    _missing(f"no namespaces: {machine.namespaces_refused}" if machine.namespaces_refused else "")


def _missing(reason: str) -> None:
    if reason and REQUIRED:
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def holdfast(tmp_path: Path) -> Callable[..., Ran]:
    """Run the command as a user would, in an empty folder."""

    def run(*words: object, limit_s: float = 240) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *map(str, words)], cwd=tmp_path, capture_output=True, text=True,
            timeout=limit_s, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command and go on; what the test leaves running is killed afterwards."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: object, **options: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *map(str, words)], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"}, **options,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def processes_naming(word: str) -> list[str]:
    """Command lines of all processes on this machine that name something of this test, but ourselves."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(entry / "cwd")
            except OSError:
                continue
            if word in line or where.startswith(word):
                found.append(line)
    return found


def wait_until(true: Callable[[], object], limit_s: float, what: str) -> None:
    until_s = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < until_s, f"{what} did not happen within {limit_s:g} s"
        time.sleep(0.05)


@pytest.fixture
def isolating(tmp_path: Path) -> Path:
    """The classic stack whose only drill takes the primary off the network."""
    text = (EXAMPLES / "classic" / "topology.yaml").read_text()
    folder = tmp_path / "isolating"
    folder.mkdir()
    shop = EXAMPLES / "shop" / "app.py"
    text = text.replace("../shop/app.py", str(shop))
    (folder / "topology.yaml").write_text(text + "\ndrills:\n  - {fault: isolate, tier: db, target: primary}\n")
    return folder


@pytest.fixture
def dying(tmp_path: Path) -> Path:
    """A service whose program ends at once."""
    folder = tmp_path / "dying"
    folder.mkdir()
    (folder / "app.py").write_text("import sys; sys.exit('no such harbour')\n")
    (folder / "topology.yaml").write_text(
        "service: dying\n"
        "tiers:\n"
        "  web: {engine: command, replicas: 2, run: python3 app.py, port: 8080, health: /}\n"
        'probes:\n  pages: {http: "http://web/", every: 100ms}\n'
    )
    return folder


@pytest.fixture
def ordinary(tmp_path: Path) -> Callable[..., Ran]:
    """Run the command as a user without any privilege: as we are, or in a user namespace where root has another number."""

    def run(*words: object, limit_s: float = 240) -> Ran:
        code = (
            "import os, sys, runpy\n"
            "from holdfast.lab import linux\n"
            "if os.geteuid() == 0:\n"
            "    linux.become(1000, 1000)\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'holdfast', *sys.argv[1:]])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, timeout=limit_s,
            env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
