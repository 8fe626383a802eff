"""What an outage is, told by examples and checked against a slow and obvious oracle."""

from builder import PROBES, answers, one_drill, realistic
from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.event import Asked, Event
from holdfast.record.measure import Outage, calm_s, measure, measure_path
from holdfast.record.store import Record

STRUCK_S = 10.0


def path_of(troubles, *, probe="orders", end_s=20.0):
    asked = list(answers(probe, drill="kill", begin_s=5.0, end_s=end_s, troubles=troubles))
    return measure_path(probe, PROBES[probe], asked, STRUCK_S)


def test_the_measured_outage_is_the_takeover_time_to_within_one_beat():
    for takeover_s in (0.6, 1.24, 3.0):
        for how in ("refused", "silent"):
            path = path_of([(STRUCK_S, STRUCK_S + takeover_s, how)])
            assert len(path.outages) == 1
            assert abs(path.outage.length_s - takeover_s) < path.every_s + 0.02  # a beat and an answer's own time
            assert abs(path.outage.began_s - STRUCK_S) < path.every_s + 0.02


def test_patience_of_the_client_does_not_lengthen_the_outage():
    every_s = 0.05
    lengths = [
        measure_path("pages", {**PROBES["pages"], "patience_s": patience_s}, list(
            answers("pages", drill="kill", begin_s=5.0, end_s=30.0, troubles=[(STRUCK_S, 14.0, "silent")], patience_s=patience_s,
                    every_s=every_s)), STRUCK_S).outage.length_s
        for patience_s in (0.2, 1.0, 3.0)
    ]
    assert max(lengths) - min(lengths) < 2 * every_s


def test_a_service_that_never_failed_has_no_outage():
    path = path_of([])
    assert path.outages == ()
    assert path.outage is None
    assert path.outage_total_s == 0.0
    assert path.error_share == 0.0
    assert path.longest_gap_s < 0.3
    assert path.yes == path.asked


def test_good_and_unknown_answers_in_turn_are_one_outage_at_half_the_traffic():
    path = path_of([(STRUCK_S, STRUCK_S + 1.05, "half")], probe="pages")
    assert len(path.outages) == 1
    assert abs(path.outage.length_s - 1.05) < 0.15
    assert 0.2 < path.error_share < 0.3  # half of the outage, none of the calm
    assert path.longest_gap_s < 0.2


def test_a_run_that_ends_in_trouble_has_an_outage_without_end():
    path = path_of([(STRUCK_S, 100.0, "silent")])
    assert path.outage.ended_s is None
    assert path.outage_total_s is None
    assert path.longest_gap_s is None
    assert path.down_s is None


def test_calm_that_was_not_watched_does_not_end_an_outage():
    assert path_of([(STRUCK_S, 19.5, "refused")]).outage.ended_s is None
    assert path_of([(STRUCK_S, 18.9, "refused")]).outage.ended_s is not None


def test_two_outages_with_calm_between_them_are_two_and_their_sum_is_judged():
    path = path_of([(10.0, 11.0, "refused"), (13.0, 15.0, "refused")])
    assert [round(outage.length_s) for outage in path.outages] == [1, 2]
    assert round(path.outage.length_s) == 2
    assert round(path.down_s) == 3


def test_slow_but_good_answers_are_a_gap_and_after_the_calm_an_outage():
    short = path_of([(10.0, 10.6, "held")])
    assert short.outages == ()
    assert 0.5 < short.longest_gap_s == short.down_s < 0.7
    assert 0.5 < short.slowest_s < 0.7
    long = path_of([(10.0, 13.0, "held")])
    assert len(long.outages) == 1
    assert abs(long.outage.length_s - 3.0) < 0.1


def test_a_beat_that_paused_is_not_an_outage_of_the_service():
    asked = [*answers("pages", drill="kill", begin_s=5.0, end_s=12.0), *answers("pages", drill="kill", begin_s=18.0, end_s=21.0)]
    path = measure_path("pages", PROBES["pages"], asked, STRUCK_S)
    assert path.outages == ()
    assert path.longest_gap_s < 0.3


def test_the_calm_is_twenty_beats_but_at_least_a_second():
    assert calm_s(0.02) == 1.0
    assert calm_s(0.2) == 4.0


def test_answers_of_another_drill_do_not_count():
    asked = [*answers("pages", drill="kill", begin_s=5.0, end_s=15.0),
             *answers("pages", drill="other", begin_s=15.0, end_s=18.0, troubles=[(15.0, 18.0, "refused")])]
    (drill,) = measure(one_drill(asked))
    assert drill.errors == 0
    assert drill.paths[0].outages == ()


def test_what_was_in_flight_at_the_strike_does_not_predate_the_outage():
    early = Asked(drill="kill", probe="orders", number=9999, due_s=8.1, asked_s=8.1, answered_s=10.1, answer="unknown")
    asked = [*answers("orders", drill="kill", begin_s=5.0, end_s=20.0, troubles=[(10.0, 12.0, "silent")]), early]
    assert measure_path("orders", PROBES["orders"], asked, STRUCK_S).outage.began_s > 9.9


def test_every_drill_of_a_realistic_run_is_measured():
    drills = measure(realistic(lost=3))
    assert [drill.name for drill in drills] == ["kill web", "freeze web", "kill postgres", "power cut primary", "switchover"]
    cut = drills[3]
    assert cut.struck == "db1"
    assert cut.lost == 3
    assert round(cut.noticed_after_s, 1) == 21.3
    assert (cut.redundancy, round(cut.redundancy_back_after_s, 1)) == ("back", 39.2)
    assert abs({path.probe: path for path in cut.paths}["orders"].outage.length_s - 21.9) < 0.6
    assert drills[4].redundancy == "not seen"
    assert drills[4].redundancy_back_after_s is None


def test_redundancy_that_never_came_back_is_told_from_one_that_was_never_lost():
    record = one_drill(list(answers("pages", drill="kill", begin_s=5.0, end_s=15.0)),
                       events={"extra": [(0.3, "redundancy.lost", "shop", {})]})
    (drill,) = measure(record)
    assert drill.redundancy == "never back"
    assert drill.redundancy_back_after_s is None


def test_an_audit_that_did_not_happen_is_not_zero_lost_writes():
    record = one_drill(list(answers("orders", drill="kill", begin_s=5.0, end_s=15.0)))
    events = tuple(event for event in record.events if event.kind != "audit")
    (drill,) = measure(Record(meta=record.meta, events=events, asked=record.asked))
    assert drill.lost is None


def test_a_crashed_run_still_has_its_drills():
    record = realistic()
    cut_s = next(event.at_s for event in record.events if event.drill == "kill postgres" and event.kind == "drill.struck") + 0.5
    crashed = Record(meta=record.meta, events=tuple(e for e in record.events if e.at_s < cut_s),
                     asked=tuple(a for a in record.asked if a.answered_s < cut_s))
    drills = measure(crashed)
    assert [drill.outcome for drill in drills] == ["done", "done", "unfinished", "unfinished", "unfinished"]
    assert drills[2].paths[1].outage.ended_s is None
    assert drills[3].struck_at_s is None


def test_a_skipped_drill_is_measured_as_skipped_with_its_reason():
    skipped = [{"name": "cut", "fault": "power_cut", "target": "primary", "reason": "loopback"}]
    record = Record(meta={"drills": [], "skipped": skipped}, events=(Event(at_s=0.0, kind="run.began"),), asked=())
    (drill,) = measure(record)
    assert (drill.outcome, drill.reason) == ("skipped", "loopback")


ANSWERS = st.lists(
    st.tuples(st.integers(0, 120), st.integers(0, 30), st.sampled_from(["yes", "yes", "no", "unknown"])), max_size=60
)


def oracle(asked, *, struck_s, calm, every_s):
    """Outages by trying every moment at which one could end: slow, and nothing to get wrong."""
    good = sorted(one.answered_s for one in asked if one.answer == "yes")
    troubles = {max(one.asked_s, struck_s) for one in asked if one.answer != "yes" and one.answered_s > struck_s}
    for a in good:
        for b in good:
            questions = [one.asked_s for one in asked if a < one.asked_s < b]
            if b > struck_s and questions and not any(a < g < b for g in good):
                from_s = max(a, min(questions) - every_s)
                if b - from_s > calm:
                    troubles.add(from_s)
    watched_s = max((one.answered_s for one in asked if one.answered_s > struck_s), default=struck_s)
    found = []
    while troubles:
        first = min(troubles)
        before = [g for g in good if g <= first]
        ends = [g for g in good if g > first and not any(g <= t < g + calm for t in troubles)]
        began_s = max(before) if before else min(struck_s, first)
        end_s = min(ends, default=None)
        watched = end_s is not None and watched_s >= end_s + calm - every_s
        found.append(Outage(began_s=began_s, ended_s=end_s if watched else None))
        troubles = set() if end_s is None else {t for t in troubles if t >= end_s}
    return tuple(found)


def asked_of(drawn):
    return [Asked(drill="d", probe="p", number=n, due_s=at / 4, asked_s=at / 4, answered_s=(at + lasts) / 4, answer=answer)
            for n, (at, lasts, answer) in enumerate(drawn)]


@given(ANSWERS, st.integers(0, 60), st.sampled_from([0.03125, 0.0625, 0.125]))
def test_outages_are_those_of_the_slow_and_obvious_oracle(drawn, struck, every_s):
    asked, struck_s = asked_of(drawn), struck / 4
    path = measure_path("p", {"every_s": every_s}, asked, struck_s)
    assert path.outages == oracle(asked, struck_s=struck_s, calm=path.calm_s, every_s=every_s)


@given(ANSWERS)
def test_outages_never_overlap_and_only_the_last_may_have_no_end(drawn):
    path = measure_path("p", {"every_s": 0.25, "writes": True}, asked_of(drawn), 3.0)
    assert all(outage.ended_s is not None for outage in path.outages[:-1])
    assert all(a.ended_s <= b.began_s or a.ended_s < b.ended_s for a, b in zip(path.outages, path.outages[1:], strict=False)
               if b.ended_s is not None)
    assert path.yes + path.no + path.unknown == path.asked
    assert 0.0 <= path.error_share <= 1.0
    assert bool(path.bad) <= bool(path.outages)
