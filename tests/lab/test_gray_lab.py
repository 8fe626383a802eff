"""Faults that leave a program alive, struck for real in a small lab: as root, and as a user without any privilege."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.lab import doctor, memory

pytestmark = pytest.mark.real

START = """
import os, sys
from holdfast.lab import linux
from holdfast.lab.namespaces import outer
if sys.argv[1] == "ordinary" and os.geteuid() == 0:
    linux.become(1000, 1000)
sys.exit(outer.enter(sys.argv[2:], module="inside_gray"))
"""
SEEN_BY_REQUESTS = ("wrong", "wrong at times", "slow", "cut", "skewed", "read-only")


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    refused = doctor.machine().namespaces_refused
    _, missing = doctor.find_programs(["envoy", "libfaketime"], {})
    reason = f"no namespaces: {refused}" if refused else "; ".join(problem.what for problem in missing.values())
    if reason and os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


ORDINARY = pytest.param("ordinary", marks=pytest.mark.soak if os.geteuid() == 0 else ())


@pytest.fixture(params=["root", ORDINARY], scope="module")
def who(request: pytest.FixtureRequest) -> str:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not root")
    return str(request.param)


def command(who: str, folder: Path, *only: str) -> tuple[list[str], dict[str, str]]:
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    argv = [sys.executable, "-c", START, who, str(folder / "run"), *only]
    return argv, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def told(who: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What each case of inside_gray saw; they are struck one after the other in one lab, when the first is asked for."""
    folder = tmp_path_factory.mktemp("gray")
    argv, env = command(who, folder)
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        seen.update(json.loads(line))
    return lambda case: seen[case]


@pytest.mark.parametrize("case", SEEN_BY_REQUESTS)
def test_it_is_proven_while_it_lasts_and_at_no_other_time(told: Callable[[str], dict[str, Any]], case: str) -> None:
    seen = told(case)

    assert seen["during"], "no proof while it lasted"
    assert seen["before"] == seen["after"] == "", "a fault that does not strike would be taken for one that does"
    assert seen["serves"] == "yes"
    assert seen["left"] == ["web1/command"], "nothing of the fault is left on the host"


@pytest.mark.parametrize("case", ["wrong", "wrong at times", "slow", "cut", "skewed"])
def test_the_program_lives_all_the_while(told: Callable[[str], dict[str, Any]], case: str) -> None:
    assert told(case)["alive"] == ["running"]


def test_the_proofs_say_what_was_seen(told: Callable[[str], dict[str, Any]]) -> None:
    assert "3 of 3 requests to web1 were answered 500, its own 200, and health 200" in told("wrong")["during"]
    assert re.search(r"3 of 3 requests to web1 took [6-9]\d\d ms or more, one of its own ", told("slow")["during"])
    assert "web1 knocks at back1 in vain, client does not" in told("cut")["during"]
    assert "off by -3600 s" in told("skewed")["during"] or "off by -3599 s" in told("skewed")["during"]
    assert "Read-only file system" in told("read-only")["during"]


def test_memory_runs_out_where_a_limit_can_be_set_and_else_it_is_skipped_with_the_reason(
    told: Callable[[str], dict[str, Any]], who: str
) -> None:
    seen = told("starved")
    here = memory.ground()
    if "skipped" in seen:
        assert who == "ordinary" or seen["skipped"] == here
        assert "is not ours to write" in seen["skipped"] or "memory controller" in seen["skipped"]
        return
    assert isinstance(here, memory.Ground)
    assert "OOM killer struck web1/command" in seen["during"]
    assert (seen["before"], seen["after"], seen["serves"]) == ("", "", "yes")
    assert not list(here.parent.glob("holdfast-*.web1.command"))


def test_a_disk_stalls_where_a_file_system_can_be_stopped_and_else_it_is_skipped_with_the_reason(
    told: Callable[[str], dict[str, Any]], who: str
) -> None:
    seen = told("stalled")
    if "skipped" in seen:
        _, missing = doctor.find_programs(["bindfs"], {})
        assert who == "ordinary" or missing
        assert "/dev/fuse" in seen["skipped"] or "bindfs" in seen["skipped"]
        return
    assert "half of 12 small files on the disk of web1 took" in seen["during"]
    assert (seen["before"], seen["after"], seen["serves"]) == ("", "", "yes")
    assert seen["alive"] == ["running"]


def test_whoever_measures_hears_of_an_envoy_that_dies_while_it_stands_in_front(told: Callable[[str], dict[str, Any]]) -> None:
    seen = told("bereft")
    assert seen["before"] == []
    assert seen["during"] == seen["after"] == ["web1/front ended, and whatever was sent there was refused"]
    assert seen["serves"] == "yes"


def test_kill_9_in_the_middle_of_a_memory_limit_leaves_no_group_of_the_machine(tmp_path: Path) -> None:
    if isinstance(here := memory.ground(), str):
        pytest.skip(here)
    argv, env = command("root", tmp_path, "starved")
    running = subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert running.stdout
    assert running.stdout.readline() == "struck\n"
    mine = {path.name for path in here.parent.glob("holdfast-*.web1.command")}
    assert mine

    running.kill()
    running.communicate(timeout=10)

    until_s = time.monotonic() + 3
    while left := mine & {path.name for path in here.parent.glob("holdfast-*")}:
        assert time.monotonic() < until_s, left
        time.sleep(0.05)
