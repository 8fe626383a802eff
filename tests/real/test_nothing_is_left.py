"""Whatever happens to holdfast, nothing of a lab stays behind: no process, no mount, no link, no shared memory.

`make soak` does the same at twenty random moments of a whole suite.
"""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces, processes_naming

from tools.soak.residue import kill_at

Start = Callable[..., "subprocess.Popen[str]"]


def left_behind(folder: Path) -> list[str]:
    """What could stay of a run that ended by itself: processes that name its folder, mounts in it, our links."""
    found = processes_naming(str(folder))
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]
    found += [line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("hf")]
    return found


@pytest.mark.parametrize("moment_s", [0.3, 2.4, 6.2, 9.4])
def test_kill_9_at_any_moment_leaves_nothing(tmp_path: Path, moment_s: float) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()

    outcome = kill_at(moment_s, tmp_path, "drill", EXAMPLES / "shop", "--seed", 1)

    assert outcome.passed, f"{outcome.said}: {outcome.figures}"


@pytest.mark.parametrize(("after_s", "number"), [(0.5, signal.SIGINT), (3.0, signal.SIGTERM), (9.0, signal.SIGINT)])
def test_an_interrupted_drill_cleans_up_and_keeps_its_evidence(
    started: Start, tmp_path: Path, after_s: float, number: int
) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()
    running = started("drill", EXAMPLES / "shop", "--seed", 1, start_new_session=True)
    time.sleep(after_s)
    if after_s > 2:  # evidence is kept from the moment when there is some
        until_s = time.monotonic() + 20
        while not list(tmp_path.glob("holdfast-runs/*/record.sqlite")) and time.monotonic() < until_s:
            time.sleep(0.05)

    # A terminal sends Ctrl-C to the whole group; a service manager sends SIGTERM to the command alone.
    if number == signal.SIGINT:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)

    _, err = running.communicate(timeout=20)
    # A shell shows 130 either way: an interrupt that met Python in an `exec` of its own (as where a dataclass is made, while
    # modules are still imported) makes the interpreter end by the signal although it was dealt with.
    assert running.returncode in (130, -signal.SIGINT if after_s < 2 else 130), err
    assert "Traceback" not in err
    assert not left_behind(tmp_path)
    if after_s > 2:
        assert list(tmp_path.glob("holdfast-runs/*/record.sqlite"))


def test_up_serves_until_it_is_told_to_end(started: Start, holdfast: Callable[..., Ran], tmp_path: Path) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()
    running = started("up", EXAMPLES / "shop", "--publish", "18080", start_new_session=True)
    assert running.stdout
    line = running.stdout.readline()
    assert "is up" in line, running.stderr.read() if running.stderr else ""

    page = urllib.request.urlopen("http://127.0.0.1:18080/", timeout=10).read().decode()
    status = holdfast("status")
    inside = holdfast("shell", "db1", "--", "hostname")

    assert "shop" in page
    assert status.code == 0
    assert "primary" in status.out
    assert inside.out.strip() == "db1"
    taken = holdfast("up", EXAMPLES / "shop", "--publish", "18080")
    assert taken.code == 2
    assert "port 18080" in taken.err
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=20)
    assert not left_behind(tmp_path)
