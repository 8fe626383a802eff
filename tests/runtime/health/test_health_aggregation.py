"""From many statuses to one: what must hold for every set of checks, groups and needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.health import Check, CheckReport, Group, Health, Result, Status
from holdfast.runtime.health.judge import attributed, causes, grouped, verdict
from holdfast.runtime.health.results import worst

STATUS = st.sampled_from(Status)
GROUPS = (
    Group("any", critical=True, at_least=1), Group("two", critical=True, at_least=2), Group("soft", critical=False, at_least=2),
    Group("label", critical=None),
)


@st.composite
def reports(draw: st.DrawFn, group: st.SearchStrategy[str] | None = None) -> list[CheckReport]:
    wanted = st.sampled_from(["", *(group.name for group in GROUPS)]) if group is None else group
    return [
        CheckReport(
            name=f"c{number}", status=(status := draw(STATUS)), said=status, message="", critical=draw(st.booleans()),
            group=draw(wanted))
        for number in range(draw(st.integers(0, 8)))
    ]


def judged(found: list[CheckReport]) -> Status:
    return verdict(found, grouped(found, GROUPS))


SEVERITY = {Status.PASS: 0, Status.WARN: 1, Status.FAIL: 2}


@given(reports())
def test_the_whole_passes_only_when_everything_passes(found: list[CheckReport]) -> None:
    well = all(report.status is Status.PASS for report in found)
    complete = all(group.good >= (group.at_least or 0) for group in grouped(found, GROUPS))
    assert (judged(found) is Status.PASS) == (well and complete)


@given(reports(st.just("")))
def test_without_groups_the_whole_fails_exactly_when_a_critical_check_fails(found: list[CheckReport]) -> None:
    assert (judged(found) is Status.FAIL) == any(report.critical and report.status is Status.FAIL for report in found)


@given(reports(), st.data())
def test_when_a_check_gets_worse_the_whole_does_not_get_better(found: list[CheckReport], data: st.DataObject) -> None:
    if not found:
        return
    number = data.draw(st.integers(0, len(found) - 1))
    worse = data.draw(st.sampled_from([each for each in Status if SEVERITY[each] >= SEVERITY[found[number].status]]))
    changed = [*found]
    changed[number] = replace(found[number], status=worse)
    assert SEVERITY[judged(changed)] >= SEVERITY[judged(found)]


@given(reports(), st.randoms())
def test_the_order_of_the_checks_does_not_matter(found: list[CheckReport], random: Any) -> None:
    shuffled = [*found]
    random.shuffle(shuffled)
    assert judged(shuffled) is judged(found)


@given(reports(st.sampled_from(["two", "soft"])))
def test_a_quorum_counts_those_that_do_not_fail(found: list[CheckReport]) -> None:
    for group in grouped(found, GROUPS):
        members = [report for report in found if report.group == group.name]
        good = sum(report.status is not Status.FAIL for report in members)
        assert (group.good, group.members) == (good, len(members))
        assert (group.status is Status.FAIL) == (good < 2)
        assert group.status is not Status.PASS or worst(report.status for report in members) is Status.PASS
    assert judged([report for report in found if report.group == "soft"]) is not Status.FAIL, "not critical as a whole"


@st.composite
def needing(draw: st.DrawFn) -> tuple[list[CheckReport], dict[str, list[str]]]:
    found = draw(reports(st.just("")))
    names = [report.name for report in found]
    # Only earlier ones: no circles, as the registration sees to it.
    return found, {name: draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
                   for number, name in enumerate(names)}


@given(needing())
def test_every_failure_is_a_cause_or_names_a_cause_that_it_needs(made: tuple[list[CheckReport], dict[str, list[str]]]) -> None:
    found, needs = made
    explained = attributed(found, needs)
    by_name = {report.name: report for report in explained}
    roots = causes(explained)
    assert bool(roots) == any(report.status is Status.FAIL for report in found)
    for report in explained:
        if report.cause:
            assert report.status is Status.FAIL
            assert report.cause in roots
            assert report.cause in below(report.name, needs)
        elif report.status is Status.FAIL:
            assert not any(by_name[need].status is Status.FAIL for need in needs[report.name])
    assert [replace(report, cause="") for report in explained] == found, "an explanation changes no status"


def below(name: str, needs: dict[str, list[str]]) -> set[str]:
    return {each for need in needs[name] for each in (need, *below(need, needs))}


def test_a_dead_database_is_one_cause_and_not_five_symptoms() -> None:
    health = Health()
    health.add(
        Check("network", lambda: True),
        Check("database", lambda: Result("fail", "refused"), needs="network"),
        *(Check(name, lambda: Result("fail"), needs="database") for name in ("orders", "prices", "users", "carts")),
        Check("reports", lambda: Result("fail"), needs=("orders", "mail")), Check("mail", lambda: True),
    )
    report = health.ask()
    assert report.causes == ("database",)
    assert {check.cause for check in report.checks if check.status == "fail"} == {"", "database"}
    assert report["reports"].cause == "database"


def test_one_of_three_replicas_lost_is_a_warning_and_two_are_a_failure() -> None:
    health = Health()
    health.group("replicas", at_least=2)
    dead: set[str] = set()

    def member(name: str) -> Check:
        return Check(name, lambda: Result("fail", "gone") if name in dead else True, group="replicas", ttl_s=0)

    health.add(member("a"), member("b"), member("c"))
    assert health.ask().status == "pass"
    dead.add("a")
    assert (health.ask().status, health.ask().groups[0].good) == ("warn", 2)
    dead.add("b")
    assert health.ask().status == "fail"


def test_a_quorum_that_too_few_are_registered_for_is_never_healthy() -> None:
    health = Health()
    health.group("replicas", at_least=2)
    health.check("only", group="replicas")(lambda: True)
    assert health.ask().status == "fail"
