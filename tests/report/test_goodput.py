"""Goodput beside the declared capacity: the one objective of which more is better."""

import dataclasses

from builder import answers, one_drill

from holdfast.record.measure import measure
from holdfast.report import words
from holdfast.report.objectives import findings

FIGURES = {
    "due": 1920, "good": 900, "refused": 1000, "failed": 0, "late": 20, "capacity": 120.0, "lasted_s": 8.0, "looks": 90,
    "health_missed": 0, "not_sent_to": 0, "refused_slowest_s": 0.01, "good_slowest_s": 0.2,
}


def drill_of(figures):
    record = one_drill(list(answers("pages", drill="kill", begin_s=5.0, end_s=30.0)))
    events = [dataclasses.replace(event, detail={**event.detail, "figures": figures}) if event.kind == "drill.verified" else event
              for event in record.events]
    assert any(event.kind == "drill.verified" for event in events)
    (drill,) = measure(dataclasses.replace(record, events=tuple(events)))
    return drill


def goodput(figures, limit):
    return [finding for finding in findings(drill_of(figures), {"goodput": limit}) if finding.objective == "goodput"]


def test_more_than_the_share_that_is_asked_for_meets_it_and_less_does_not():
    (met,), (missed,) = goodput(FIGURES, 0.9), goodput(FIGURES, 0.95)
    assert (met.met, missed.met) == (True, False)
    assert "112 of 120 requests a second, 94% of the capacity" in met.sentence
    assert "240 were offered; 90% are asked for; health checks passed" in met.sentence


def test_health_checks_that_failed_are_told():
    (finding,) = goodput(FIGURES | {"health_missed": 3}, 0.9)
    assert finding.sentence.endswith("3 of 90 health checks failed")


def test_a_drill_that_offered_nothing_has_no_goodput():
    assert goodput({}, 0.9) == []


def test_it_is_written_with_the_sign_the_other_way_round():
    assert words.objectives({"errors": 0, "goodput": 0.9}) == "failed reads ≤ 0, goodput ≥ 90%"
