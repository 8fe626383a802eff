"""Repeats of a drill: what a record says of them and what is counted."""

import dataclasses
from math import inf

from builder import realistic, repeated

from holdfast.record.measure import measure
from holdfast.record.repeats import Spread, bases, name_of, repeats, spread


def of(record):
    return repeats(measure(record), bases(record))


def test_the_first_repeat_keeps_the_name_and_the_others_are_numbered():
    assert [name_of("kill web", repeat) for repeat in (1, 2, 3)] == ["kill web", "kill web (2)", "kill web (3)"]


def test_three_repeats_are_one_entry_with_least_middle_and_most():
    found = {each.base: each for each in of(repeated(3))}
    assert list(found) == ["kill web", "freeze web", "kill postgres", "power cut primary", "switchover"]
    cut = found["power cut primary"]
    assert [drill.name for drill in cut.drills] == ["power cut primary", "power cut primary (2)", "power cut primary (3)"]
    outage = cut.write_outage_s
    assert [round(value) for value in (outage.least, outage.middle, outage.most)] == [22, 24, 26]
    assert cut.lost.samples == (0, 0, 0)
    assert cut.redundancy_s.middle > 39
    assert found["switchover"].redundancy_s.samples == (0.0, 0.0, 0.0), "not lost"
    assert found["freeze web"].read_outage_s.width > 0


def test_a_record_without_repeats_has_every_drill_once():
    assert all(len(each.drills) == 1 and each.base == each.drills[0].name for each in of(realistic()))


def test_a_repeat_that_shows_nothing_gives_no_sample_but_is_counted():
    record = repeated(3)
    events = tuple(
        dataclasses.replace(event, detail={"outcome": "void", "reason": "no proof"})
        if event.kind == "drill.ended" and event.drill == "freeze web (2)" else event
        for event in record.events
    )
    frozen = next(each for each in of(dataclasses.replace(record, events=events)) if each.base == "freeze web")
    assert len(frozen.drills) == 3
    assert len(frozen.read_outage_s.samples) == 2


def test_skipped_repeats_stand_beside_their_base():
    skipped = [{"name": name_of("lb", n), "base": "lb", "repeat": n, "fault": "power_cut", "target": "active", "reason": "no"}
               for n in (1, 2)]
    entry = of(repeated(2, skipped=skipped))[-1]
    assert (entry.base, len(entry.drills), entry.write_outage_s) == ("lb", 2, None)


def test_what_has_no_end_is_greater_than_all_that_has():
    seen = spread([3.0, inf, None, 1.0])
    assert (seen.least, seen.middle, seen.most, seen.width) == (1.0, 3.0, inf, inf)
    assert Spread(samples=(inf, inf)).width == 0.0
    assert spread([None, None]) is None
