"""What was promised stands beside what was measured, and a promise that was missed is never hidden."""

import pytest
from builder import DRILLS, answers, one_drill, realistic, repeated

from holdfast.record.event import Event
from holdfast.record.measure import DrillMeasure, measure_path
from holdfast.record.store import Record
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.junit import junit
from holdfast.report.page import page
from holdfast.report.promised import promised
from holdfast.report.terminal import table

CHAIN = [{"name": "the lease <expires>", "low_s": 19.0, "high_s": 20.0, "kind": "timer", "setting": "ttl", "source": "manual"}]


def promise(low_s: float | None, high_s: float | None, probe: str = "orders", **more: object) -> dict[str, object]:
    return {"probe": probe, "low_s": low_s, "high_s": high_s, "unbounded": False, "given": "", "leader_struck": None,
            "reason": "", "chain": CHAIN, **more}


def promising(record: Record, drill: str, *made: dict[str, object]) -> Record:
    drills = [{**each, "promises": list(made)} if each["name"].startswith(drill) else each for each in record.meta["drills"]]
    return Record(path=record.path, meta={**record.meta, "drills": drills}, events=record.events, asked=record.asked)


def test_a_promise_is_kept_when_the_outage_lies_within_its_bounds():
    report = judge(promising(realistic(), "power cut", promise(19.1, 24.7)))
    drill = next(each for each in report.drills if each.promises)
    assert drill.promises[0].kept
    assert not drill.missed
    assert "19.1–24.7 s" in table(report, width=100, colour=False)
    assert "1 of 1 promise kept" in table(report, width=100, colour=False)


@pytest.mark.parametrize("bounds", [(0.0, 9.0), (25.0, 40.0)])
def test_one_that_was_missed_in_either_direction_is_told_everywhere_and_changes_no_verdict(bounds):
    record = promising(realistic(), "power cut", promise(*bounds))
    report = judge(record)
    assert report.verdict == judge(realistic()).verdict == "met"
    assert [len(drill.missed) for drill in report.drills] == [0, 0, 0, 1, 0]
    for told in (table(report, width=100, colour=False), table(report, width=60, colour=False), junit(report)):
        assert "promise missed: orders: 21.9 s, promised" in " ".join(told.split())
    assert 'class="missed"' in page(record, report)
    told = as_json(report)["drills"][3]["promises"][0]
    assert told["kept"] is False
    assert told["measured_s"] == pytest.approx(21.9, abs=0.1)


def test_an_outage_without_end_misses_a_bound_and_keeps_a_promise_that_only_mending_ends_it():
    asked = [*answers("orders", drill="kill", begin_s=5, end_s=30, troubles=[(10, 30, "refused")])]
    bounded = judge(promising(one_drill(asked), "kill", promise(0.0, 9.0)))
    endless = judge(promising(one_drill(asked), "kill", promise(8.0, None, unbounded=True)))
    assert bounded.drills[0].promises[0].kept is False
    assert endless.drills[0].promises[0].kept is True
    assert as_json(endless)["drills"][0]["promises"][0]["measured_s"] is None


@pytest.mark.parametrize(("leader", "case"), [("db1/etcd", True), ("db3/etcd", False), (None, None)])
def test_the_case_is_the_one_that_the_strike_turned_out_to_be(leader, case):
    made = [promise(22.0, 28.0, given="there", leader_struck=True), promise(19.0, 24.0, given="elsewhere", leader_struck=False)]
    record = promising(realistic(), "power cut", *made)
    seen = (Event(at_s=5.0, kind="role", subject=leader, detail={"role": "leader"}),) if leader else ()
    record = Record(meta=record.meta, events=(*seen, *record.events), asked=record.asked)
    found = judge(record).drills[3].promises[0]
    assert (found.low_s, found.high_s) == {True: (22.0, 28.0), False: (19.0, 24.0), None: (19.0, 28.0)}[case]
    assert found.kept is (case is not True)


def test_where_nothing_was_promised_the_reason_is_told():
    record = promising(realistic(), "power cut", promise(None, None, reason="no setting decides <it>", chain=[]))
    report = judge(record)
    assert report.drills[3].promises[0].kept is None
    assert "no promise, since no setting decides &lt;it&gt;" in page(record, report)
    assert "promise" not in table(report, width=100, colour=False)


def test_the_page_writes_the_chain_out_and_escapes_it():
    record = promising(realistic(), "power cut", promise(19.1, 24.7))
    shown = page(record, judge(record))
    assert "the lease &lt;expires&gt;" in shown
    assert "promised 19.1 s to 24.7 s, measured 21.9 s" in shown


def test_repeats_are_held_to_the_promise_one_by_one():
    report = judge(promising(repeated(3), "power cut", promise(19.1, 24.0)))
    assert [drill.promises[0].kept for drill in report.drills if drill.promises] == [True, False, False]
    assert "1 of 3 promises kept" in table(report, width=100, colour=False)


def test_a_record_of_an_older_run_promises_nothing():
    assert all(not drill.promises for drill in judge(realistic()).drills)
    assert "promise" not in table(judge(realistic()), width=100, colour=False)
    assert len(DRILLS) == 5


def decided(struck: str, *events: Event, cut: list[list[str]] | None = None) -> str:
    """Which of the cases counts."""
    made = [promise(20.0, 28.0, given="primary, with the leader", when={"primary": True, "leader": True}),
            promise(19.0, 24.0, given="primary", when={"primary": True, "leader": False}),
            promise(2.9, 4.4, given="confirms", when={"primary": False, "confirms": True}),
            promise(0.0, 0.4, given="neither", when={"primary": False, "confirms": False})]  # fmt: skip
    path = measure_path("orders", {"every_s": 0.02}, answers("orders", drill="x", begin_s=5, end_s=30), 10.0)
    evidence = {"verified": {"cut": cut}} if cut else {}
    drill = DrillMeasure(name="x", fault="x", target="x", struck=struck, outcome="done", struck_at_s=10.0, paths=(path,),
                         evidence=evidence)  # fmt: skip
    (found,) = promised(drill, {"promises": made}, events)
    return found.given or f"{found.low_s:g} to {found.high_s:g}"


def seen(name: str, kind: str, word: str) -> Event:
    return Event(at_s=5.0, kind=kind, subject=name, detail={kind: word})


PRIMARY, CONFIRMS = seen("db1/patroni", "role", "primary"), seen("db2/patroni", "confirms", "yes")


def test_who_was_struck_is_read_from_what_was_seen_before_the_strike():
    leads = seen("db1/etcd", "role", "leader")
    assert decided("db1", PRIMARY, CONFIRMS, leads) == "primary, with the leader"
    assert decided("db1", PRIMARY, CONFIRMS, seen("db2/etcd", "role", "leader")) == "primary"
    assert decided("web1, db2", PRIMARY, CONFIRMS, leads) == "confirms"
    assert decided("db3/patroni:postgres", PRIMARY, CONFIRMS) == "neither"
    assert decided("db1", PRIMARY) == "19 to 28", "nobody was seen to lead"
    assert decided("db1") == "0 to 28"


def test_of_two_halves_the_one_without_a_majority_is_struck():
    hosts = "db1, db2, db3"
    alone = [[a, b] for a, b in (("db1", "db2"), ("db1", "db3"), ("db2", "db1"), ("db3", "db1"))]
    assert decided(hosts, PRIMARY, CONFIRMS, seen("db3/etcd", "role", "leader"), cut=alone) == "primary"
    assert decided(hosts, seen("db3/patroni", "role", "primary"), CONFIRMS, cut=alone) == "neither"
