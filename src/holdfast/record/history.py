"""A record as a history of operations, one JSON object per line, for outside checkers of the Jepsen family (Elle, Knossos).

    {"index": 0, "time": 8000123456, "process": 0, "type": "invoke", "f": "write", "value": 1, "probe": "orders", ...}
    {"index": 1, "time": 8004100000, "process": 0, "type": "ok",     "f": "write", "value": 1, "probe": "orders", ...}

- `time` is nanoseconds since the run began; lines stand in its order and `index` counts them from 0.
- `ok` is a yes, `fail` a no (it certainly did not happen), `info` an unknown (it may have happened, or happen later).
- A process does one thing at a time.  One whose operation ended as `info` may still be at it, so its number is not used again.
- Of two operations that touch in the same nanosecond nobody knows the order: they count as concurrent, the invocation is first.
- `value` of a write is its number.  A read tells nothing that a checker could use: its value is null.
- Strikes, mends and audits are by the process `nemesis`, each one line of type `info`.
- A question that was still open when the run ended is in no record, and so in no history.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from json import dumps
from typing import Any

from holdfast.record.event import Asked, Event
from holdfast.record.store import Record

Operation = dict[str, Any]

TYPES: Mapping[str, str] = {"yes": "ok", "no": "fail", "unknown": "info"}
NEMESIS: Mapping[str, str] = {"drill.struck": "strike", "drill.mended": "mend", "audit": "audit"}
NANO = 10**9

_INVOKED, _BY_NEMESIS, _COMPLETED = range(3)
"""What stands first among lines of the same nanosecond."""


def history(record: Record) -> Iterator[Operation]:
    """All operations in the order of time."""
    moments: list[tuple[int, int, int, Asked | Event]] = []
    for number, one in enumerate(record.asked):
        asked = _nanoseconds(one.asked_s)
        moments.append((asked, _INVOKED, number, one))
        moments.append((max(asked, _nanoseconds(one.answered_s)), _COMPLETED, number, one))
    faults = {entry["name"]: entry.get("fault", "") for entry in record.meta.get("drills") or ()}
    for number, event in enumerate(record.events):
        if event.kind in NEMESIS:
            moments.append((_nanoseconds(event.at_s), _BY_NEMESIS, number, event))
    probes: Mapping[str, Mapping[str, Any]] = record.meta.get("probes") or {}
    free: list[int] = []
    at_work: dict[int, int] = {}
    processes = 0
    for index, (time, kind, number, what) in enumerate(sorted(moments, key=lambda moment: moment[:3])):
        if isinstance(what, Event):
            yield {"index": index, "time": time, "process": "nemesis", "type": "info", "f": NEMESIS[what.kind],
                   "value": _struck(what, faults)}
            continue
        if kind == _INVOKED:
            if free:
                at_work[number] = heappop(free)
            else:
                at_work[number], processes = processes, processes + 1
            process, done = at_work[number], "invoke"
        else:
            process, done = at_work.pop(number), TYPES[what.answer]
            if done != "info":
                heappush(free, process)
        yield _operation(index, time, process, done, what, bool(probes.get(what.probe, {}).get("writes")))


def json_lines(record: Record) -> Iterator[str]:
    """Each with its line end."""
    for operation in history(record):
        yield dumps(operation, default=str, ensure_ascii=False) + "\n"


def _nanoseconds(at_s: float) -> int:
    return max(0, round(at_s * NANO))


def _operation(index: int, time: int, process: int, done: str, one: Asked, writes: bool) -> Operation:
    made: Operation = {
        "index": index, "time": time, "process": process, "type": done, "f": "write" if writes else "read",
        "value": one.number if writes else None, "probe": one.probe, "drill": one.drill,
    }
    if done in ("fail", "info") and one.detail:
        made["error"] = one.detail
    return made


def _struck(event: Event, faults: Mapping[str, str]) -> Operation:
    value: Operation = {"drill": event.drill, "fault": faults.get(event.drill, ""), "on": event.subject}
    return {**value, **event.detail} if event.kind == "audit" else value
