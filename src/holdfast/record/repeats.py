"""The same drill several times in one run: smallest, middle and greatest of what was measured.

How a record carries repeats, and what a record without them means:

- Every drill of the run has a name of its own: `kill web`, then `kill web (2)`, `kill web (3)`.
- An entry of the meta `drills` (and of `skipped`) has `base`, the name without the number, and `repeat`, counted from 1.
  The event `drill.began` has `repeat` in its detail.  Without these keys a drill is its own base and was done once.
- Only drills that were struck and watched to their end give samples: `done`, and `not_mended`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Any

from holdfast.record.measure import DrillMeasure, PathMeasure
from holdfast.record.store import Record

MEASURED = ("done", "not_mended")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Samples of one number, in order of size.  Infinite: it had no end while it was watched."""

    samples: tuple[float, ...]

    def __post_init__(self) -> None:
        assert self.samples, "a spread of nothing"

    @property
    def least(self) -> float:
        return self.samples[0]

    @property
    def middle(self) -> float:
        return median(self.samples)

    @property
    def most(self) -> float:
        return self.samples[-1]

    @property
    def width(self) -> float:
        """0 when all are equal, also when none has an end."""
        return 0.0 if self.most == self.least else self.most - self.least


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One drill of the plan and what all its repeats measured; a spread is None where nothing was measured.

    Outages are the worst of the probes of one kind, as in the table of a single run.  `redundancy_s` is 0 for a repeat in
    which nobody saw it lost.
    """

    base: str
    fault: str
    target: str
    drills: tuple[DrillMeasure, ...]
    write_outage_s: Spread | None
    read_outage_s: Spread | None
    errors: Spread | None
    ambiguous: Spread | None
    lost: Spread | None
    noticed_s: Spread | None
    redundancy_s: Spread | None


def name_of(base: str, repeat: int) -> str:
    """The name of the drill in its n-th repeat, counted from 1."""
    return base if repeat == 1 else f"{base} ({repeat})"


def bases(record: Record) -> Mapping[str, str]:
    """Each drill's name to its base."""
    entries: Iterable[Mapping[str, Any]] = (*(record.meta.get("drills") or ()), *(record.meta.get("skipped") or ()))
    return {entry["name"]: str(entry.get("base") or entry["name"]) for entry in entries}


def repeats(drills: Sequence[DrillMeasure], base_of: Mapping[str, str]) -> tuple[Repeated, ...]:
    """One for each base, in the order of the plan."""
    groups: dict[str, list[DrillMeasure]] = {}
    for drill in drills:
        groups.setdefault(base_of.get(drill.name, drill.name), []).append(drill)
    return tuple(_repeated(base, tuple(group)) for base, group in groups.items())


def spread(samples: Iterable[float | None]) -> Spread | None:
    """None among the samples is one that was not measured."""
    known = tuple(sorted(sample for sample in samples if sample is not None))
    return Spread(samples=known) if known else None


def _repeated(base: str, drills: tuple[DrillMeasure, ...]) -> Repeated:
    measured = [drill for drill in drills if drill.outcome in MEASURED and drill.paths]
    return Repeated(
        base=base, fault=drills[0].fault, target=drills[0].target, drills=drills,
        write_outage_s=spread(_outage_s(drill.paths, writes=True) for drill in measured),
        read_outage_s=spread(_outage_s(drill.paths, writes=False) for drill in measured),
        errors=spread(drill.errors for drill in measured),
        ambiguous=spread(drill.ambiguous for drill in measured if any(path.writes for path in drill.paths)),
        lost=spread(drill.lost for drill in measured),
        noticed_s=spread(drill.noticed_after_s for drill in measured),
        redundancy_s=spread(_redundancy_s(drill) for drill in measured),
    )


def _outage_s(paths: Sequence[PathMeasure], *, writes: bool) -> float | None:
    totals = [path.outage_total_s for path in paths if path.writes is writes and path.asked and not path.doubtful]
    return max((inf if total is None else total for total in totals), default=None)


def _redundancy_s(drill: DrillMeasure) -> float | None:
    return {"not seen": 0.0, "never back": inf, "back": drill.redundancy_back_after_s}.get(drill.redundancy)
