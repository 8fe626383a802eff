"""What changed in the promises from one topology to another: the outage that each drill of the fixed suites may cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from holdfast.cli.describe import strike_of
from holdfast.drills.suites import drills_of
from holdfast.predict.promise import promises
from holdfast.topology.model import Topology

Bounds = tuple[float, float | None]
"""Seconds; no upper bound is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseChange:
    """None: nothing is promised there, or the drill is not done there."""

    drill: str
    probe: str
    given: str
    old: Bounds | None
    new: Bounds | None


def promise_changes(old: Topology, new: Topology) -> Iterator[PromiseChange]:
    before, after = _promised(old), _promised(new)
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        if was != now:
            drill, probe, given = key
            yield PromiseChange(drill=drill, probe=probe, given=given, old=was, new=now)


def _promised(topology: Topology) -> Mapping[tuple[str, str, str], Bounds]:
    return {
        (drill.name, each.probe, each.given): (_rounded(each.low_s), None if each.high_s == inf else _rounded(each.high_s))
        for drill in drills_of(topology, "full") for each in promises(strike_of(drill), topology)
        if each.low_s is not None and each.high_s is not None and each.low_s < inf
    }  # fmt: skip


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
