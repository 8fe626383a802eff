"""The examples, run for real, broken for real."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

from holdfast.record.store import read


def result(ran: Ran) -> dict[str, object]:
    assert ran.code == 0, ran.err[-3000:] + ran.out[-3000:]
    found: dict[str, object] = json.loads(ran.out)
    return found


def by_name(found: dict[str, object]) -> dict[str, dict[str, object]]:
    drills = found["drills"]
    assert isinstance(drills, list)
    return {drill["name"]: drill for drill in drills}


def test_the_shop_survives_five_ways_to_break_it_and_loses_no_acknowledged_write(
    holdfast: Callable[..., Ran], tmp_path: Path
) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    needs_namespaces()

    found = result(holdfast("drill", EXAMPLES / "shop", "--seed", 1, "--json", "--strict"))

    drills = by_name(found)
    assert set(drills) == {"kill web", "freeze web", "kill db postgres", "power_cut db", "switchover db"}
    assert found["verdict"] == "met"
    assert {drill["verdict"] for drill in drills.values()} == {"met"}
    assert [drill["lost_writes"] for drill in drills.values()] == [0] * 5
    assert drills["kill web"]["errors"] == 0
    assert drills["power_cut db"]["write_outage_s"] > 5, "a primary that dies in silence is missed no sooner than its lease ends"
    _the_record_tells_what_happened_in_order(tmp_path)
    assert holdfast("report").code == 0


def _the_record_tells_what_happened_in_order(folder: Path) -> None:
    (path,) = folder.glob("holdfast-runs/*/record.sqlite")
    kinds = [event.kind for event in read(path).events if event.drill == "power_cut db"]
    expected = ["drill.began", "drill.steady", "drill.struck", "drill.verified", "drill.mended", "audit", "drill.ended"]
    assert [kind for kind in kinds if kind in expected] == expected
    assert (path.parent / "report.html").read_text().lstrip().startswith("<!doctype html>")


def test_the_classic_stack_survives_six_ways_and_its_address_moves(holdfast: Callable[..., Ran]) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd")
    needs_namespaces()

    found = result(holdfast("drill", EXAMPLES / "classic", "--seed", 1, "--json", "--strict"))

    drills = by_name(found)
    assert len(drills) == 6
    assert {drill["verdict"] for drill in drills.values()} == {"met"}
    assert drills["power_cut entry"]["lost_writes"] == 0


def test_an_ordinary_user_gets_the_same_lab_and_an_isolated_primary_loses_no_write(
    ordinary: Callable[..., Ran], isolating: object
) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd")
    needs_namespaces()

    found = result(ordinary("drill", isolating, "--seed", 5, "--json"))

    (drill,) = by_name(found).values()
    assert found["run"]["lab"] == "namespaces"
    assert drill["lost_writes"] == 0
    assert drill["verdict"] == "met"


@pytest.mark.parametrize("verb", ["drill", "up"])
def test_a_program_that_dies_at_start_is_shown_with_its_last_lines(
    holdfast: Callable[..., Ran], dying: object, verb: str
) -> None:
    needs_namespaces()

    ran = holdfast(verb, dying, limit_s=120)

    assert ran.code == 3
    assert "web1/command" in ran.err
    assert "no such harbour" in ran.err
    assert "Traceback" not in ran.err


def test_without_namespaces_the_loopback_lab_does_what_it_can_and_says_what_not(holdfast: Callable[..., Ran]) -> None:
    needs("envoy", "patroni", "postgres", "etcd")
    wanted = ["--only", "kill web", "--only", "switchover", "--only", "power_cut"]

    ran = holdfast("drill", EXAMPLES / "shop", "--lab", "loopback", "--seed", 3, *wanted, "--json")

    found = result(ran)
    drills = by_name(found)
    assert found["verdict"] == "incomplete"
    assert drills["power_cut db"]["outcome"] == "skipped"
    assert "power cut" in drills["power_cut db"]["reason"]
    assert drills["kill web"]["verdict"] == drills["switchover db"]["verdict"] == "met"
    assert any("fidelity" in note for note in found["run"]["lab_notes"])


def test_rendered_files_are_accepted_by_their_programs_own_checkers(holdfast: Callable[..., Ran]) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd")
    needs_namespaces()

    ran = holdfast("render", EXAMPLES / "classic", "-o", "out")

    assert ran.code == 0, ran.err
    for program in ("entry1/haproxy", "entry2/keepalived", "db3/patroni"):
        assert any(line.split()[:2] == [program, "accepted"] for line in ran.out.splitlines()), ran.out
