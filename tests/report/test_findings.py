"""Which verdict a run gets, and which exit code."""

import dataclasses

import pytest
from builder import answers, one_drill, realistic

from holdfast import errors
from holdfast.record.event import Event
from holdfast.record.store import Record
from holdfast.report.findings import judge

SKIP = {"name": "cut", "fault": "power_cut", "target": "primary", "reason": "loopback has no power to cut"}


def outage(length_s, *, limit_s=30.0, **more):
    asked = list(answers("orders", drill="kill", begin_s=5.0, end_s=20.0, troubles=[(10.0, 10.0 + length_s, "refused")]))
    return one_drill(asked, objectives={"write_outage_s": limit_s, "lost_writes": 0},
                     probes={"orders": {"kind": "ledger", "every_s": 0.02, "patience_s": 2.0, "writes": True}}, **more)


def with_outcome(record, outcome, reason=""):
    events = tuple(
        dataclasses.replace(event, detail={"outcome": outcome, "reason": reason}) if event.kind == "drill.ended" else event
        for event in record.events
    )
    return dataclasses.replace(record, events=events)


def test_a_run_that_kept_every_objective_is_met():
    report = judge(realistic())
    assert (report.verdict, report.exit_code) == ("met", errors.MET)
    assert {drill.verdict for drill in report.drills} == {"met"}
    assert report.summary == "5 drills: 5 met; every objective was met."


def test_an_outage_beyond_its_objective_is_violated_and_said_in_one_sentence():
    report = judge(outage(3.0, limit_s=2.0))
    assert (report.verdict, report.exit_code) == ("violated", errors.VIOLATED)
    (finding,) = report.drills[0].violations
    assert finding.objective == "write_outage_s"
    assert finding.sentence.startswith("orders: write outage of 3.0")
    assert finding.sentence.endswith("2 s are allowed")


def test_an_outage_without_end_violates_any_limit():
    report = judge(outage(100.0, limit_s=10_000.0))
    assert report.exit_code == errors.VIOLATED
    assert "did not come back" in report.drills[0].violations[0].sentence


def test_one_lost_write_is_a_violation():
    report = judge(realistic(lost=1))
    assert [drill.verdict for drill in report.drills] == ["met", "met", "met", "violated", "met"]
    assert "1 of 1890 acknowledged writes were lost" in report.drills[3].violations[0].sentence


def test_writes_that_were_not_audited_are_inconclusive_not_safe():
    record = outage(1.0)
    record = dataclasses.replace(record, events=tuple(event for event in record.events if event.kind != "audit"))
    assert judge(record).exit_code == errors.INCONCLUSIVE


def test_a_planned_switchover_must_lose_nothing_even_without_an_objective():
    record = outage(1.0, fault="switchover", events={"lost": 2})
    record = dataclasses.replace(record, meta={**record.meta, "objectives": {}})
    assert judge(record).exit_code == errors.VIOLATED


def test_failed_reads_are_judged_only_where_an_objective_says_so():
    record = realistic()
    assert record.meta["objectives"]["errors"] is None
    assert judge(record).verdict == "met"
    strict = dataclasses.replace(record, meta={**record.meta, "objectives": {**record.meta["objectives"], "errors": 5}})
    assert [drill.verdict for drill in judge(strict).drills][:2] == ["met", "violated"]


def test_a_drill_may_have_objectives_of_its_own():
    record = realistic()
    drills = [{**drill, "objectives": {"write_outage_s": 0.5}} if drill["fault"] == "switchover" else drill
              for drill in record.meta["drills"]]
    report = judge(dataclasses.replace(record, meta={**record.meta, "drills": drills}))
    assert [drill.verdict for drill in report.drills] == ["met", "met", "met", "met", "violated"]


@pytest.mark.parametrize(
    ("outcome", "exit_code"),
    [("void", errors.NOT_STRUCK), ("unsteady", errors.UNSTEADY), ("not_mended", errors.NOT_CLEANED)],
)
def test_what_shows_nothing_is_never_green(outcome, exit_code):
    report = judge(with_outcome(outage(1.0), outcome, "because"))
    assert (report.verdict, report.exit_code) == (outcome, exit_code)


def test_what_could_not_be_mended_comes_before_what_was_violated():
    report = judge(with_outcome(outage(5.0, limit_s=1.0), "not_mended"))
    assert report.exit_code == errors.NOT_CLEANED
    assert report.drills[0].violations


def test_skipped_drills_leave_the_run_green_but_incomplete_unless_strict():
    record = realistic(skipped=[SKIP])
    assert (judge(record).verdict, judge(record).exit_code) == ("incomplete", errors.MET)
    assert judge(record, strict=True).exit_code == errors.INCONCLUSIVE


def test_a_run_in_which_nothing_was_executed_is_inconclusive():
    events = (Event(at_s=0.0, kind="run.began", subject="shop"), Event(at_s=1.0, kind="run.ended", subject="shop"))
    for skipped in ([], [SKIP]):
        report = judge(Record(meta={"skipped": skipped}, events=events, asked=()))
        assert (report.verdict, report.exit_code) == ("inconclusive", errors.INCONCLUSIVE)
        assert "No drill was executed" in report.summary


def test_a_run_that_crashed_is_inconclusive_but_what_it_violated_stands():
    for length_s, exit_code in ((1.0, errors.INCONCLUSIVE), (5.0, errors.VIOLATED)):
        record = outage(length_s, limit_s=2.0)
        crashed = dataclasses.replace(record, events=tuple(event for event in record.events if event.kind != "run.ended"))
        report = judge(crashed)
        assert report.crashed
        assert report.exit_code == exit_code


def test_availability_is_not_invented_from_drills():
    report = judge(realistic())
    assert len(report.not_judged) == 1
    assert report.not_judged[0].startswith("availability 99.95%: not judged")
    assert not any(finding.objective == "availability" for drill in report.drills for finding in drill.findings)


def test_a_planned_change_that_refused_a_write_is_violated_however_short_it_was():
    writes = {"orders": {"kind": "ledger", "every_s": 0.02, "patience_s": 2.0, "writes": True}}
    for troubles, verdict in (([], "met"), ([(10.0, 10.05, "refused")], "violated")):
        asked = list(answers("orders", drill="kill", begin_s=5.0, end_s=20.0, troubles=troubles))
        report = judge(one_drill(asked, objectives={"write_outage_s": 30.0, "failed_writes": 0}, probes=writes))
        assert report.drills[0].verdict == verdict
    (finding,) = report.drills[0].violations
    assert finding.objective == "failed_writes"
    assert finding.sentence.endswith("failed writes; 0 are allowed")
