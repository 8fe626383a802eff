"""What was not measured, or measured badly, is never green and is said in so many words."""

import dataclasses
import json

import pytest
from builder import PROBES, answers, one_drill, realistic

from holdfast import errors
from holdfast.record.event import Event
from holdfast.record.store import Record
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.page import page
from holdfast.report.progress import told
from holdfast.report.terminal import table

READS = {"pages": PROBES["pages"]}
WRITES = {"orders": PROBES["orders"]}


def reads(troubles=(), *, objectives, **more):
    asked = list(answers("pages", drill="kill", begin_s=5.0, end_s=20.0, troubles=troubles))
    return one_drill(asked, probes=READS, objectives=objectives, **more)


def writes(troubles=(), *, objectives, longest_s=60.0, hold_s=1.0, end_s=30.0, **more):
    asked = list(answers("orders", drill="kill", begin_s=5.0, end_s=end_s, troubles=troubles))
    record = one_drill(asked, probes=WRITES, objectives=objectives, **more)
    drills = [{**record.meta["drills"][0], "hold_s": hold_s, "longest_s": longest_s}]
    return dataclasses.replace(record, meta={**record.meta, "drills": drills})


def changed(record, kind, **detail):
    events = tuple(dataclasses.replace(event, detail={**event.detail, **detail}) if event.kind == kind else event
                   for event in record.events)
    return dataclasses.replace(record, events=events)


def everywhere(record):
    report = judge(record)
    return {width: table(report, width=width, colour=False) for width in (60, 100, 160)} | {"page": page(record, report)}


def test_lost_writes_that_no_audit_could_count_are_inconclusive_and_never_nought():
    record = changed(realistic(), "audit", lost=None, resurrected=None, problem="db2: gone",
                     per_node={"db1": {"missing": 0}, "db3": {"missing": 4}})
    report = judge(record)
    assert (report.verdict, report.exit_code) == ("inconclusive", errors.INCONCLUSIVE)
    for text in everywhere(record).values():
        assert "not known" in text
        assert "0 of " not in text
    assert "db2: gone" in table(report, width=100, colour=False)
    assert "db1 0, db3 4" in page(record, report)
    told_json = as_json(report)["drills"][0]
    assert told_json["lost_writes"] is None
    assert told_json["audits"][0]["missing"] == {"db1": 0, "db3": 4}
    event = next(event for event in record.events if event.kind == "audit")
    line, _ = told(event, [], None)
    assert "nobody knows whether writes were lost: db2: gone" in line


def test_writes_that_came_back_are_always_a_violation():
    report = judge(changed(writes(objectives={"write_outage_s": 30.0}), "audit", resurrected=2))
    assert report.exit_code == errors.VIOLATED
    assert report.drills[0].violations[0].sentence == "2 writes refused and present all the same"


@pytest.mark.parametrize(("probes", "sentence"), [
    (READS, "write outage ≤ 30 s: not judged, since no ledger writes"),
    (WRITES, "read outage ≤ 5 s: not judged, since no probe reads"),
])
def test_an_objective_that_nothing_measures_is_not_judged_in_so_many_words(probes, sentence):
    limits = {"write_outage_s": 30.0, "read_outage_s": 5.0, "lost_writes": 0, "errors": None}
    asked = list(answers(next(iter(probes)), drill="kill", begin_s=5.0, end_s=20.0))
    record = one_drill(asked, probes=probes, objectives=limits)
    report = judge(record)
    assert report.verdict == "met"
    assert sentence in report.not_judged
    assert any("lost writes" in told for told in report.not_judged) == (probes is READS)
    for text in everywhere(record).values():
        assert ("lost writes ≤ 0" in text or "lost ≤ 0" in text or "lost\u00a0≤\u00a00" in text) == (probes is WRITES)
    for width in (60, 100):
        assert "not judged, since" in " ".join(table(report, width=width, colour=False).split())


def test_an_objective_of_one_drill_that_nothing_measures_is_not_judged_either():
    record = reads(objectives={"read_outage_s": 5.0})
    drills = [{**record.meta["drills"][0], "objectives": {"write_outage_s": 1.0}}]
    report = judge(dataclasses.replace(record, meta={**record.meta, "drills": drills}))
    assert report.not_judged == ("kill: write outage ≤ 1 s: not judged, since no ledger writes",)


def test_a_drill_of_which_nothing_is_measured_is_inconclusive():
    report = judge(reads(objectives={"write_outage_s": 30.0, "lost_writes": 0}))
    assert report.exit_code == errors.INCONCLUSIVE
    assert "nothing measured what the objectives ask for" in report.summary


@pytest.mark.parametrize("objectives", [{}, {"lost_writes": 0}, {"availability": 0.999, "lost_writes": 0}])
def test_a_run_without_objectives_says_that_nothing_was_judged(objectives):
    record = reads(objectives=objectives)
    report = judge(record)
    assert (report.verdict, report.exit_code) == ("inconclusive", errors.INCONCLUSIVE)
    for text in everywhere(record).values():
        assert "no objectives declared: nothing was judged" in text


def test_an_outage_that_only_mending_ended_violates_where_the_drill_waits_for_failover():
    record = writes([(10.0, 18.1, "refused")], objectives={"write_outage_s": 30.0}, longest_s=8.0, events={"mended_s": 18.05})
    report = judge(record)
    assert report.exit_code == errors.VIOLATED
    assert "until what was broken had been mended, after 8.1" in report.drills[0].violations[0].sentence
    told_json = as_json(report)["drills"][0]
    assert told_json["unbounded"]
    assert told_json["paths"][0]["outages"][0]["ended_by_mending"]


def test_an_outage_that_only_mending_ended_is_marked_where_the_user_said_how_long():
    record = writes([(10.0, 18.1, "refused")], objectives={"write_outage_s": 30.0}, longest_s=8.0, hold_s=8.0,
                    events={"mended_s": 18.05})
    report = judge(record)
    assert report.verdict == "met"
    assert "ended by mending; 30 s are allowed" in report.drills[0].findings[0].sentence
    for text in everywhere(record).values():
        assert "ended by mending" in text


def test_asking_that_stopped_makes_the_path_inconclusive():
    record = writes(objectives={"write_outage_s": 30.0})
    late = tuple(dataclasses.replace(one, asked_s=23.2, answered_s=23.21) if 12.0 <= one.due_s < 23.2 else one
                 for one in record.asked)
    report = judge(dataclasses.replace(record, asked=late))
    assert report.exit_code == errors.INCONCLUSIVE
    assert "our own asking stopped for 11.2 s" in report.drills[0].findings[0].sentence
    path = as_json(report)["drills"][0]["paths"][0]
    assert path["doubt"] == "our own asking stopped for 11.2 s"
    assert path["late_max_s"] == pytest.approx(11.2, abs=0.02)
    assert path["late_p50_s"] <= path["late_p99_s"] <= path["late_max_s"]


def test_missing_answers_make_the_path_inconclusive():
    record = writes(objectives={"write_outage_s": 30.0})
    holes = tuple(one for one in record.asked if not 15.0 < one.due_s < 15.5)
    report = judge(dataclasses.replace(record, asked=holes))
    assert report.exit_code == errors.INCONCLUSIVE
    assert "missing from the record" in report.drills[0].findings[0].sentence


def test_the_objective_of_errors_counts_failed_reads_and_the_column_all_that_failed():
    asked = [*answers("orders", drill="kill", begin_s=5.0, end_s=20.0, troubles=[(10.0, 11.0, "refused")]),
             *answers("pages", drill="kill", begin_s=5.0, end_s=20.0, troubles=[(10.0, 10.5, "refused")])]
    record = one_drill(asked, objectives={"errors": 10})
    report = judge(record)
    assert report.verdict == "met"
    assert report.drills[0].findings[0].sentence == "10 failed reads; 10 are allowed"
    drill = as_json(report)["drills"][0]
    assert (drill["errors"], drill["failed_reads"], drill["refused_writes"]) == (60, 10, 50)


def test_a_gap_that_violates_is_told_as_one_and_drawn():
    record = reads([(10.0, 10.15, "held")], objectives={"read_outage_s": 0.01})
    report = judge(record)
    (finding,) = report.drills[0].violations
    assert "no good answer to a read for" in finding.sentence
    assert "no read outage" not in finding.sentence
    assert finding.sentence.endswith("10 ms are allowed")
    html = page(record, report)
    overview = html[html.index('<svg class="overview"'):]
    assert "ms gap ✗" in overview[: overview.index("</svg>")]
    assert "gap: no question failed" in table(report, width=100, colour=False)


def test_a_refused_run_has_the_exit_code_that_it_had():
    for code, verdict in ((errors.UNSTEADY, "unsteady"), (errors.NOT_CLEANED, "not_mended"), (errors.BAD_INPUT, "inconclusive")):
        events = (Event(at_s=0.0, kind="run.began", subject="shop"), Event(at_s=0.0, kind="problem", detail={"what": "no"}),
                  Event(at_s=0.0, kind="run.refused", detail={"exit_code": code}))
        report = judge(Record(meta={}, events=events, asked=()))
        assert (report.verdict, report.exit_code) == (verdict, code)
        json.dumps(as_json(report), allow_nan=False)
