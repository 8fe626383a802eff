"""A history that outside checkers can read: well-formed whatever the answers were."""

import json
from itertools import pairwise

from builder import answers, one_drill, realistic
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.record.event import Asked, Event
from holdfast.record.history import history, json_lines
from holdfast.record.store import Record

PROBES = {"orders": {"writes": True}, "pages": {"writes": False}}

MOMENTS = st.integers(0, 40).map(lambda quarter: quarter / 4)  # a coarse grid, so that moments coincide

ASKED = st.builds(
    lambda probe, number, asked_s, lasts_s, answer: Asked(
        drill="kill", probe=probe, number=number, due_s=asked_s, asked_s=asked_s, answered_s=asked_s + lasts_s, answer=answer,
    ),
    st.sampled_from(tuple(PROBES)), st.integers(1, 99), MOMENTS, MOMENTS, st.sampled_from(("yes", "no", "unknown")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ASKED, max_size=40), st.lists(MOMENTS, max_size=4))
def test_every_history_is_well_formed(asked, strikes):
    events = tuple(Event(at_s=at_s, kind="drill.struck", subject="db1", drill="kill") for at_s in strikes)
    operations = list(history(Record(meta={"probes": PROBES}, events=events, asked=tuple(asked))))

    assert [operation["index"] for operation in operations] == list(range(len(operations)))
    assert all(a["time"] <= b["time"] for a, b in pairwise(operations))
    assert all(isinstance(operation["time"], int) for operation in operations)
    assert sum(operation["process"] == "nemesis" for operation in operations) == len(strikes)
    assert len(operations) == 2 * len(asked) + len(strikes)

    open_of: dict[int, dict] = {}
    retired = set()
    completed = []
    for operation in operations:
        process = operation["process"]
        if process == "nemesis":
            continue
        assert process not in retired, "a process whose operation may still happen is never used again"
        if operation["type"] == "invoke":
            assert process not in open_of, "a process does one thing at a time"
            open_of[process] = operation
        else:
            invoked = open_of.pop(process)
            assert [invoked[key] for key in ("f", "value", "probe")] == [operation[key] for key in ("f", "value", "probe")]
            completed.append((operation["probe"], invoked["time"], operation["time"], operation["type"]))
            if operation["type"] == "info":
                retired.add(process)
    assert not open_of
    types = {"yes": "ok", "no": "fail", "unknown": "info"}
    assert sorted(completed) == sorted(
        (one.probe, round(one.asked_s * 1e9), round(one.answered_s * 1e9), types[one.answer]) for one in asked
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(ASKED, max_size=30))
def test_no_more_processes_are_used_than_were_at_work_or_are_lost(asked):
    operations = list(history(Record(meta={"probes": PROBES}, events=(), asked=tuple(asked))))
    busy = most = 0
    for operation in operations:
        busy += {"invoke": 1, "info": 0}.get(operation["type"], -1)
        most = max(most, busy)
    assert len({operation["process"] for operation in operations}) == most


def test_touching_operations_count_as_concurrent():
    first = Asked(drill="", probe="orders", number=1, due_s=1, asked_s=1, answered_s=2, answer="yes")
    second = Asked(drill="", probe="orders", number=2, due_s=2, asked_s=2, answered_s=3, answer="yes")
    told = [(each["type"], each["value"]) for each in history(Record(meta={"probes": PROBES}, events=(), asked=(first, second)))]
    assert told == [("invoke", 1), ("invoke", 2), ("ok", 1), ("ok", 2)]


def test_strikes_and_mends_stand_among_the_operations():
    operations = list(history(realistic()))
    strikes = [each for each in operations if each["process"] == "nemesis" and each["f"] == "strike"]
    assert [each["value"]["fault"] for each in strikes] == ["kill", "freeze", "kill", "power_cut", "switchover"]
    assert sum(each["process"] == "nemesis" and each["f"] == "mend" for each in operations) == 5


def test_every_line_is_one_json_object_and_writes_carry_their_number():
    asked = tuple(answers("orders", drill="kill", begin_s=5.0, end_s=8.0, troubles=[(6.0, 6.9, "silent")]))
    lines = list(json_lines(one_drill(asked)))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    writes = [row for row in map(json.loads, lines) if row["f"] == "write"]
    assert {row["value"] for row in writes} == {one.number for one in asked}
    assert {row["error"] for row in writes if row["type"] == "info"} == {"no answer in time"}
