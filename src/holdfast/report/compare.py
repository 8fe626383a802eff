"""Two sets of samples side by side, and whether the newer one is worse: pure functions.

The rule, for each drill and each probe (`least`, `middle`, `most`: the smallest, the median and the greatest sample):

    new.middle  >  old.most + tolerance        is worse, where
    tolerance   =  max(floor, old.most / 10, old.width, timer - old.width)  +  (new.middle - new.least) / 2

- `floor` is 0.5 s for an outage, and for errors as many questions as are asked in 0.5 s, but at least 2.
- `old.width` (greatest less smallest) is the spread that was seen before; `timer - old.width` what can be missing from it:
  an outage depends on where between two beats of a timer the strike falls, and a single sample does not show that.
- The last term is the spread of the new samples.  Only their lower half counts: one that is even worse never excuses the others.

From the rule follow: equal samples in any order are never worse; when every new sample lies above old.most by more than the
first term, it is always worse; making any new sample worse never makes the verdict better.  `better` is the same rule with
old and new exchanged.  A sample without an end is infinite: worse than any that has one, and no worse than another.

Errors are judged for probes that only read; bad answers of a writing probe follow from its outage and are shown only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isinf
from typing import Literal

from holdfast.quantities import shown_seconds
from holdfast.record.repeats import Spread, spread
from holdfast.report.baseline import Baseline, Drill, Samples, outages_s

FLOOR_S = 0.5
FLOOR_ERRORS = 2
SHARE = 0.1

Change = Literal["worse", "better", "same", "not judged"]
What = Literal["outage", "errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of one probe in one drill, before and now: seconds of outage, or a count of errors."""

    drill: str
    probe: str
    writes: bool
    what: What
    old: Spread
    new: Spread
    tolerance: float
    change: Change

    @property
    def allowed(self) -> float:
        """The middle may be as great as this."""
        return self.old.most + self.tolerance

    @property
    def grown(self) -> float:
        """By how much the middle lies above the worst before; negative below, infinite without an end."""
        return 0.0 if isinf(self.old.most) else self.new.middle - self.old.most

    @property
    def sentence(self) -> str:
        """`orders: write outage 38.0 s, was 21.9 s at worst: 16.1 s more; 2.19 s are tolerated`."""
        name = f"{self.probe}: {('write' if self.writes else 'read') if self.what == 'outage' else 'read'} {self.what}"
        times = len(self.new.samples)
        now = self._shown(self.new.middle) + (f" (median of {times})" if times > 1 else "")
        if isinf(self.new.middle) and not isinf(self.old.most):
            return f"{name} without end; it was {self._shown(self.old.most)} {self._at_worst}"
        before = f"{self._shown(self.old.most)} {self._at_worst}"
        if self.change == "worse":
            return f"{name} {now}, was {before}: {self._shown(self.grown)} more; {self._shown(self.tolerance)} are tolerated"
        if self.change == "better":
            return f"{name} {now}, was {before}: better"
        allowed = "" if isinf(self.allowed) else f"; up to {self._shown(self.allowed)} are tolerated"
        return f"{name} {now}, was {before}{allowed}"

    @property
    def _at_worst(self) -> str:
        times = len(self.old.samples)
        return f"at worst of {times}" if times > 1 else "at worst"

    def _shown(self, value: float) -> str:
        return shown(value, self.what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`warnings` are why the two may not be comparable, `missing` what only one of them has; each is a sentence."""

    old: str
    """The run that the old samples are of."""
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    missing: tuple[str, ...]

    def changed(self, change: Change) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.change == change)

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.changed("worse") or self.changed("better"))


def shown(value: float, what: What) -> str:
    if isinf(value):
        return "no end"
    return shown_seconds(value) if what == "outage" else f"{value:g}"


def tolerance(old: Spread, new: Spread, *, floor: float, timer: float = 0.0) -> float:
    """See the head of this file.  0 where the old samples have no end: nothing is worse than that."""
    if isinf(old.most):
        return 0.0
    seen = max(floor, SHARE * old.most, old.width, timer - old.width)
    lower_half = 0.0 if isinf(new.middle) else (new.middle - new.least) / 2
    return seen + lower_half


def is_worse(old: Spread, new: Spread, *, floor: float, timer: float = 0.0) -> bool:
    return new.middle > old.most + tolerance(old, new, floor=floor, timer=timer)


def compare(old: Baseline, new: Baseline) -> Comparison:
    """In the order of the new one."""
    return Comparison(
        old=old.run or old.service, rows=tuple(_rows(old, new)), warnings=tuple(_warnings(old, new)),
        missing=tuple(_missing(old, new)),
    )


def _rows(old: Baseline, new: Baseline) -> Iterator[Row]:
    for name, drill in new.drills.items():
        before = old.drills.get(name)
        for probe, path in drill.paths.items():
            if before and probe in before.paths and before.paths[probe].writes == path.writes:
                timer_s = max(before.timer_s or 0.0, drill.timer_s or 0.0)
                yield _outage(name, probe, before.paths[probe], path, timer_s)
                yield from _errors(name, probe, before.paths[probe], path, timer_s)


def _outage(name: str, probe: str, before: Samples, path: Samples, timer_s: float) -> Row:
    was, now = spread(outages_s(before)), spread(outages_s(path))
    assert was is not None
    assert now is not None
    return _row(name, probe, path.writes, "outage", was, now, FLOOR_S, timer_s)


def _errors(name: str, probe: str, before: Samples, path: Samples, timer_s: float) -> Iterator[Row]:
    """Counts of different beats say nothing about each other."""
    was, now = spread(before.errors), spread(path.errors)
    if was and now and before.every_s == path.every_s and path.every_s > 0:
        floor = max(FLOOR_ERRORS, FLOOR_S / path.every_s)
        yield _row(name, probe, path.writes, "errors", was, now, floor, timer_s / path.every_s)


def _row(name: str, probe: str, writes: bool, what: What, was: Spread, now: Spread, floor: float, timer: float) -> Row:
    change: Change = "same"
    if what == "errors" and writes:
        change = "not judged"
    elif is_worse(was, now, floor=floor, timer=timer):
        change = "worse"
    elif is_worse(now, was, floor=floor, timer=timer):
        change = "better"
    allowed = tolerance(was, now, floor=floor, timer=timer)
    return Row(drill=name, probe=probe, writes=writes, what=what, old=was, new=now, tolerance=allowed, change=change)


def _warnings(old: Baseline, new: Baseline) -> Iterator[str]:
    if old.service != new.service:
        yield f"the service was {old.service or 'without a name'}, now it is {new.service or 'without a name'}"
    if old.lab != new.lab:
        yield f"the lab was {old.lab or 'not told'}, now it is {new.lab or 'not told'}: outages of two kinds of labs differ"
    for name in old.programs:
        was, now = old.programs[name], new.programs.get(name)
        if now is not None and clearly(was) != clearly(now):
            yield f"{name} was {was}, now it is {now}"
    gone = [name for name in old.programs if name not in new.programs]
    come = [name for name in new.programs if name not in old.programs]
    if gone:
        yield f"no longer there: {', '.join(gone)}"
    if come:
        yield f"not there before: {', '.join(come)}"
    for name, drill in new.drills.items():
        for probe, path in drill.paths.items():
            before = old.drills[name].paths.get(probe) if name in old.drills else None
            if before and before.every_s != path.every_s:
                beats = f"every {shown_seconds(before.every_s)} before, every {shown_seconds(path.every_s)} now"
                yield f"{name}: {probe} asked {beats}; errors are not compared"


def clearly(version: str) -> tuple[str, ...]:
    """The part of a version whose change is a different program: `16.4` is `16`, `3.5.1` is `3.5`, `2.6.12-1` is `2.6`."""
    numbers = re.findall(r"\d+", version)
    return tuple(numbers[: 1 if len(numbers) < 3 else 2]) or (version,)


def _missing(old: Baseline, new: Baseline) -> Iterator[str]:
    for name in old.drills:
        if name not in new.drills:
            yield f"{name}: measured before, not now"
    for name, drill in new.drills.items():
        before = old.drills.get(name)
        if before is None:
            yield f"{name}: measured now, not before"
            continue
        for probe in _differing(before, drill):
            yield f"{name}: {probe} asks in one of the two only"


def _differing(before: Drill, drill: Drill) -> list[str]:
    def asks(paths: Mapping[str, Samples]) -> set[tuple[str, bool]]:
        return {(probe, path.writes) for probe, path in paths.items()}

    return sorted({probe for probe, _ in asks(before.paths) ^ asks(drill.paths)})


def finite(value: float) -> float | None:
    """For JSON, which knows no infinity."""
    return None if value == inf else value
