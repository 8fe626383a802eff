"""What belongs to a drill as a whole: mending, redundancy, audits, and whether our own asking can be trusted."""

import dataclasses

import pytest
from builder import PROBES, answers, one_drill

from holdfast.record.event import Asked, Event
from holdfast.record.measure import measure, measure_path
from holdfast.record.store import Record

STRUCK_S = 10.0


def drill_of(asked, *, longest_s=60.0, hold_s=1.0, **events):
    record = one_drill(list(asked), events=events)
    drills = [{**record.meta["drills"][0], "hold_s": hold_s, "longest_s": longest_s}]
    (drill,) = measure(dataclasses.replace(record, meta={**record.meta, "drills": drills}))
    return drill


def orders(troubles=(), *, end_s=30.0):
    return list(answers("orders", drill="kill", begin_s=5.0, end_s=end_s, troubles=troubles))


def path_of(asked, probe="orders", **more):
    return measure_path(probe, PROBES[probe], asked, STRUCK_S, **more)


def test_an_outage_that_only_mending_ended_has_no_end_where_the_drill_waits_for_failover():
    drill = drill_of(orders([(10.0, 18.1, "refused")]), longest_s=8.0, mended_s=18.05)
    (outage,) = drill.paths[1].outages
    assert outage.by_mending
    assert outage.ended_s is not None
    assert outage.length_s is None
    assert drill.paths[1].down_s is None


def test_an_outage_that_only_mending_ended_keeps_its_length_where_the_user_said_how_long():
    drill = drill_of(orders([(10.0, 18.1, "refused")]), longest_s=8.0, hold_s=8.0, mended_s=18.05)
    (outage,) = drill.paths[1].outages
    assert outage.by_mending
    assert 8.0 < outage.length_s < 8.3


def test_an_outage_that_failover_ended_and_one_that_mending_caused_are_not_ended_by_mending():
    ended = drill_of(orders([(10.0, 12.0, "refused")]), longest_s=8.0, mended_s=18.05)
    caused = drill_of(orders([(14.0, 14.5, "refused")]), longest_s=60.0, mended_s=14.2)
    for drill in (ended, caused):
        assert [outage.by_mending for outage in drill.paths[1].outages] == [False]
        assert drill.paths[1].down_s is not None


def test_redundancy_that_was_lost_before_the_strike_was_lost_at_the_strike():
    before = Event(at_s=6.0, kind="redundancy.lost", subject="shop", drill="")
    for back, expected in (([(3.0, "redundancy.back", "shop", {})], ("back", 3.0)), ([], ("never back", None))):
        record = one_drill(orders(), events={"extra": back})
        (drill,) = measure(dataclasses.replace(record, events=(*record.events[:1], before, *record.events[1:])))
        assert (drill.redundancy, drill.redundancy_back_after_s) == expected


def test_changes_of_redundancy_before_the_strike_say_nothing_of_the_drill():
    early = [(-2.0, "redundancy.lost", "shop", {}), (-1.0, "redundancy.back", "shop", {})]
    (drill,) = measure(one_drill(orders(), events={"extra": early}))
    assert (drill.redundancy, drill.redundancy_back_after_s) == ("not seen", None)


def audited(*details, probes=None):
    record = one_drill(orders(), **({"probes": probes} if probes else {}))
    events = [event for event in record.events if event.kind != "audit"]
    events[-2:-2] = [Event(at_s=29.0, kind="audit", subject=subject, drill="kill", detail=detail) for subject, detail in details]
    (drill,) = measure(Record(meta=record.meta, events=tuple(events), asked=record.asked))
    return drill


def test_an_audit_that_could_not_read_the_primary_knows_of_no_lost_write():
    nodes = {"db1": {"missing": 0}, "db3": {"missing": 4}}
    drill = audited(("orders", {"acknowledged": 9, "lost": None, "resurrected": None, "problem": "db2: gone", "per_node": nodes}))
    assert drill.lost is None
    assert "db2: gone" in drill.lost_unknown
    assert drill.audits[0].missing == {"db1": 0, "db3": 4}


def test_what_one_of_two_ledgers_does_not_know_nobody_knows():
    probes = {"orders": PROBES["orders"], "bills": PROBES["orders"]}
    good = {"acknowledged": 9, "lost": 2, "resurrected": 0}
    drill = audited(("orders", good), ("bills", {"acknowledged": 3, "lost": None, "problem": "gone"}), probes=probes)
    assert drill.lost is None
    assert drill.lost_at_least == 2


def test_a_beat_that_stopped_for_longer_than_the_calm_puts_the_path_in_doubt():
    kept = orders()
    late = [dataclasses.replace(one, asked_s=14.0, answered_s=14.01) if 12.0 <= one.due_s < 14.0 else one for one in kept]
    assert not path_of(kept).doubtful
    path = path_of(late)
    assert path.doubtful
    assert path.beat.most_s == pytest.approx(2.0, abs=0.05)
    assert path.beat.p50_s < 0.001


def test_asking_that_ended_long_before_the_drill_puts_the_path_in_doubt():
    assert not path_of(orders(end_s=30.0), ended_s=32.0).doubtful
    assert path_of(orders(end_s=20.0), ended_s=30.0).doubtful


def test_missing_answers_put_the_path_in_doubt_but_those_still_open_at_the_end_do_not():
    asked = orders(end_s=30.0)
    hole = [one for one in asked if not 15.0 < one.due_s < 15.1]
    assert path_of(hole).beat.missing in (4, 5)
    assert path_of(hole).doubtful
    still_open = [one for one in asked if one.due_s < 29.0 or one.number % 2]
    assert not path_of(still_open, ended_s=30.0).doubtful


def test_a_question_whose_patience_was_over_before_the_strike_failed_before_it():
    early = Asked(drill="kill", probe="orders", number=9999, due_s=7.0, asked_s=7.0, answered_s=10.1, answer="unknown")
    assert path_of([*orders(), early]).bad == 0
    in_flight = dataclasses.replace(early, due_s=8.5, asked_s=8.5)
    assert path_of([*orders(), in_flight]).bad == 1


def test_errors_are_failed_reads_and_refused_writes_and_ambiguous_writes_are_counted_apart():
    asked = [*orders([(10.0, 11.0, "refused"), (14.0, 15.0, "silent")]),
             *answers("pages", drill="kill", begin_s=5.0, end_s=30.0, troubles=[(10.0, 10.5, "refused")])]
    (drill,) = measure(one_drill(asked))
    assert drill.failed_reads == 10
    assert drill.refused_writes == 50
    assert drill.errors == 60
    assert drill.ambiguous > 0


def test_the_share_of_errors_names_its_window():
    path = path_of(orders([(10.0, 12.0, "refused")]))
    assert path.window_s == pytest.approx(3.0, abs=0.1)
    assert path.error_share == pytest.approx(2 / 3, abs=0.05)
