"""Shaped links between three hosts, measured from inside them: as root, and as a user without any privilege."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.lab import doctor

pytestmark = pytest.mark.real

# An ordinary user, or a user namespace in which root has another number.
START = """
import os, sys
from holdfast.lab import linux
from holdfast.lab.namespaces import outer
if sys.argv[1] == "ordinary" and os.geteuid() == 0:
    linux.become(1000, 1000)
sys.exit(outer.enter(sys.argv[2:], module="inside_links"))
"""


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    refused = doctor.machine().namespaces_refused
    if refused and os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(f"no namespaces: {refused}")
    if refused:
        pytest.skip(f"no namespaces: {refused}")


STORIES = (
    "delay", "loss", "rate", "one_way", "pairs", "ports", "bulk", "replaced", "waiting", "power", "unknown", "bereft", "faults",
)  # fmt: skip


@pytest.fixture(params=["root", "ordinary"], scope="module")
def who(request: pytest.FixtureRequest) -> str:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("not root")
    return str(request.param)


def command(who: str, folder: Path, *stories: str) -> tuple[list[str], dict[str, str]]:
    argv = [sys.executable, "-c", START, who, str(folder / "run"), *stories]
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    return argv, {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def told(who: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What each story of inside_links saw; they are run one after the other in one lab, when the first is asked for."""
    folder = tmp_path_factory.mktemp("links")
    argv, env = command(who, folder, *STORIES)
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    stories: dict[str, dict[str, Any]] = {}
    for line in done.stdout.splitlines():
        stories.update(json.loads(line))

    def tell(story: str) -> dict[str, Any]:
        seen = dict(stories[story])
        assert "failed" not in seen, seen["failed"]
        assert seen.pop("left") == [], "a network without rules has no more links than before"
        return seen

    return tell


def test_a_delayed_link_takes_its_delay_give_or_take_the_jitter(told):
    seen = told("delay")

    median_s, lost = seen["slow"]
    assert 0.045 <= median_s <= 0.062
    assert lost == 0
    assert seen["other"][0] < 0.01, "the link to the third host is as fast as before"


def test_a_lossy_link_loses_its_share(told):
    seen = told("loss")

    _, lost = seen["lossy"]
    deviation = (0.3 * 0.7 / 600) ** 0.5
    assert abs(lost - 0.3) < 4 * deviation
    assert seen["other"][1] == 0


def test_a_slow_link_carries_its_rate_and_no_more(told):
    seen = told("rate")

    assert 0.9e6 < seen["train"] < 1.1e6, "a train of packets is drawn out"
    assert 0.7e6 < seen["bulk"] < 1.05e6, "and so is a TCP connection"


def test_a_cut_of_one_direction_leaves_the_other(told):
    seen = told("one_way")

    assert (seen["a to b"], seen["b to a"], seen["a to c"]) == (0, 1, 1)
    assert seen["echo"] == [None, 1], "an echo needs both"


def test_a_cut_pair_does_not_hear_each_other_and_everyone_else_does(told):
    seen = told("pairs")

    assert {pair for pair, share in seen.items() if share == 0} == {"a to b", "b to a"}
    assert {share for share in seen.values()} == {0, 1}


def test_a_cut_of_ports_leaves_all_others_open(told):
    seen = told("ports")

    assert not seen["cut"]
    assert seen["other port"]
    assert seen["other host"]
    assert seen["echo"][1] == 0


def test_whatever_no_rule_touches_goes_through_at_full_speed_and_intact(told):
    seen = told("bulk")

    assert seen["through"] > 20e6
    assert seen["delayed"] > 20e6
    assert seen["intact"] == 100_000_000


def test_rules_come_and_go_under_a_connection_and_leave_no_link_behind(told):
    seen = told("replaced")

    assert seen["intact"] == 120_000_000
    assert seen["during"]
    assert seen["before"] == seen["after"] == []
    median_s, lost = seen["normal"]
    assert median_s < 0.01
    assert lost == 0


def test_what_a_rule_held_back_is_delivered_when_the_rule_goes(told):
    assert told("waiting")["heard"] == 1


def test_power_and_plug_work_under_rules(told):
    seen = told("power")

    assert seen["a to c"] == 1
    assert seen["off"] == [], "a host without power has no cable"
    assert 0.045 < seen["booted"][0] < 0.08, "who boots comes up under the rules in force"
    assert [seen[name] for name in ("unplugged", "still", "still too")] == [[None, 1]] * 3
    assert 0.045 < seen["plugged"][0] < 0.08
    assert seen["seen by us"], "a shaped host still reaches holdfast's own address"


def test_an_unknown_host_is_an_error_and_changes_nothing(told):
    assert told("unknown") == {"said": "there is no host nobody", "links": []}


def test_a_relay_that_dies_is_replaced_by_the_next_rules(told):
    seen = told("bereft")

    assert seen["cut off"] == [None, 1]
    assert 0.015 < seen["again"][0] < 0.05
    assert seen["troubles"] == ["the relay of shaped links ended, and cut off b"], "whoever measures must hear of it"


def test_every_network_fault_is_proven_while_it_lasts_and_at_no_other_time(told):
    seen = told("faults")

    assert seen.pop("links") == []
    assert len(seen) == 12
    for name, words in seen.items():
        assert words["during"], name
        assert words["before"] == words["after"] == "", name


def processes_in(folder: Path) -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd").startswith(str(folder)):
                    yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


def test_kill_9_leaves_no_relay_and_no_link(who, tmp_path):
    argv, env = command(who, tmp_path, "forever")
    running = subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert running.stdout
    assert running.stdout.readline() == "shaped\n"
    assert any("link_relay" in line for line in processes_in(tmp_path))

    running.kill()
    running.communicate(timeout=10)

    until_s = time.monotonic() + 5
    while left := list(processes_in(tmp_path)):
        assert time.monotonic() < until_s, left
        time.sleep(0.05)
    links = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    assert not [name for name in links if name.startswith(("hf", "hs-", "hb-"))]
