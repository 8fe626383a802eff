"""Years played by chance, in numpy (`holdfast[predict]`), faster with numba (`holdfast[numba]`): for what has no closed form.

Repairs of any distribution, maintenance windows, how a year's downtime is distributed, and the chance of missing an objective.
Each year begins with all well.  Every failure and repair is a change of state; the tree is asked once for each different state.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from holdfast.errors import Problem, Refused
from holdfast.predict import sampling
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.ranges import as_positive, as_whole
from holdfast.predict.tree import FaultTree

BATCH = 4000
"""Years at a time: what they need then fits the caches, and each sorting is short."""

WORTH_COMPILING = 500_000
"""Years from which on numba, where it is installed, saves more than the 7 s that it takes to compile: by 30,000 a second against
52,000 (`make bench-predict`)."""


KINDS = ("exponential", "fixed", "lognormal", "uniform")


@dataclass(frozen=True, slots=True)
class Repair:
    """How long something stays down, in hours.  exponential: low = high = the mean.  fixed: low = high.  lognormal: low and high
    are the 5 % and 95 % points.  uniform: from low to high.  Raises ValueError for another kind, and for times out of range."""

    kind: Literal["exponential", "fixed", "lognormal", "uniform"]
    low_h: float
    high_h: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        as_positive("low_h", self.low_h, zero=self.kind != "lognormal")
        if as_positive("high_h", self.high_h, zero=True) < self.low_h:
            raise ValueError(f"high_h must be low_h = {self.low_h!r} or more, not {self.high_h!r}")
        if self.kind in ("exponential", "fixed") and self.low_h != self.high_h:
            raise ValueError(f"{self.kind}: high_h must be low_h = {self.low_h!r}, not {self.high_h!r}")

    def draw(self, rng: Any, count: int) -> Any:
        if self.kind == "exponential":
            return rng.exponential(self.low_h, count)
        if self.kind == "uniform":
            return rng.uniform(self.low_h, self.high_h, count)
        if self.kind == "fixed" or self.low_h == self.high_h:
            return self.low_h + 0.0 * rng.random(count)
        return sampling.lognormal(self.low_h, self.high_h, rng.standard_normal(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one event of the tree does: it fails at random, `failures_per_h` while it works, and is repaired.

    Raises ValueError for a rate below 0.
    """

    event: str
    failures_per_h: float
    repair: Repair

    def __post_init__(self) -> None:
        as_positive(f"{self.event}: failures_per_h", self.failures_per_h, zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Events that are down on purpose: every `every_h`, the first time after `first_h`, for `length_h` each.

    Raises ValueError unless every_h > 0, length_h > 0 and first_h >= 0.
    """

    events: tuple[str, ...]
    every_h: float
    length_h: float
    first_h: float = 0.0

    def __post_init__(self) -> None:
        as_positive("every_h", self.every_h)
        as_positive("length_h", self.length_h)
        as_positive("first_h", self.first_h, zero=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """down_h, outages: of each year.  A year is `year_h` long."""

    down_h: Any
    outages: Any
    year_h: float

    @property
    def unavailability(self) -> float:
        return float(self.down_h.mean()) / self.year_h

    @property
    def standard_error(self) -> float:
        """Of `unavailability`."""
        return float(self.down_h.std(ddof=1)) / self.year_h / len(self.down_h) ** 0.5

    def missed(self, objective: float) -> float:
        """The share of years in which an availability objective was missed."""
        return float((self.down_h > (1.0 - objective) * self.year_h).mean())

    def quantile_h(self, share: float) -> float:
        """A year's downtime that is not exceeded in this share of years."""
        return sampling.quantile(self.down_h, share)


def numpy_or_refused() -> Any:
    if not sampling.has_numpy():
        raise Refused(Problem("numpy is not installed", "holdfast.predict.montecarlo", "pip install 'holdfast[predict]'"))
    import numpy

    return numpy


def play(
    tree: FaultTree, lives: Sequence[Life], years: int, seed: int, windows: Sequence[Window] = (), year_h: float = YEAR_H,
    compile: bool | None = None,
) -> Played:
    """So many years of the tree.  An event without a life never changes by itself: what stands in a window goes down and up with
    it, and one of probability 0 or 1 is always up or always down.

    compile: by numba; if not given, where it is installed and `years` make it worth while.  The same seed plays the same years.

    Raises ValueError for a life or window of an unknown event, for events of which nothing says when they fail, and for years
    that are not above 0; Refused where numpy is missing.
    """
    numpy = numpy_or_refused()
    as_whole("years", years, 1)
    as_positive("year_h", year_h)
    all_alive(tree, [life.event for life in lives] + [event for window in windows for event in window.events])
    if compile is None:
        compile = years >= WORTH_COMPILING and sampling.has_numba()
    elif compile and not sampling.has_numba():
        raise Refused(Problem("numba is not installed", "holdfast.predict.montecarlo", "pip install 'holdfast[numba]'"))
    rng = numpy.random.default_rng(seed)
    sizes = [min(BATCH, years - start) for start in range(0, years, BATCH)]
    lasting = _begins_down(tree, lives, windows)
    drawn = (_drawn(numpy, rng, lives, windows, size, year_h, lasting) for size in sizes)
    if compile:
        walk = _compiled(tree, lives, windows, year_h)
        with ThreadPoolExecutor(1, "holdfast-years") as beside:  # walks one batch while the next one is drawn
            found, walking = [], None
            for each in zip(drawn, sizes, strict=True):
                if walking is not None:  # one batch waits at the most: a million years would fill the memory
                    found.append(walking.result())
                walking = beside.submit(walk, *each)
            found += [walking.result()] if walking is not None else []
    else:
        found = [_batch(numpy, tree, lives, windows, year_h, *each) for each in zip(drawn, sizes, strict=True)]
    down, outages = ([each[place] for each in found] for place in (0, 1))
    return Played(down_h=numpy.concatenate(down), outages=numpy.concatenate(outages), year_h=year_h)


def all_alive(tree: FaultTree, changing: Sequence[str]) -> None:
    """Raises ValueError where an event that changes is none of the tree's, or where one that does not is neither always up nor
    always down: a probability alone says not how often, nor for how long."""
    known = {event.name: event.probability for event in tree.events}
    for name in changing:
        if name not in known:
            raise ValueError(f"there is no event {name!r} in this tree")
    if unsaid := [name for name, probability in known.items() if 0.0 < probability < 1.0 and name not in changing]:
        raise ValueError(
            f"nothing says when {', '.join(unsaid)} fail{'s' * (len(unsaid) == 1)}: a probability has no time; "
            "give it a life, with failures_per_h and a repair"
        )


def _begins_down(tree: FaultTree, lives: Sequence[Life], windows: Sequence[Window]) -> bool:
    """Whether the top has happened while all that changes is well."""
    well = {name: 0.0 for names in _owners(lives, windows) for name in names}
    return tree.probability(well) > 0.5


def _owners(lives: Sequence[Life], windows: Sequence[Window]) -> list[tuple[str, ...]]:
    """The events that each life and each window changes."""
    return [(life.event,) for life in lives] + [window.events for window in windows]


def _drawn(
    numpy: Any, rng: Any, lives: Sequence[Life], windows: Sequence[Window], years: int, year_h: float, lasting: bool,
) -> list[tuple[Any, Any]]:
    """(years, hours) of the changes of each life and each window, and, where the time around them counts as well, of a change of
    nothing at both ends of each year."""
    changes = [_changes(numpy, rng, life, years, year_h) for life in lives]
    changes += [_planned(numpy, window, years, year_h) for window in windows]
    ends = years if lasting else 0
    return [*changes, (numpy.tile(numpy.arange(ends), 2), numpy.repeat([0.0, year_h], ends))]


def _batch(
    numpy: Any, tree: FaultTree, lives: Sequence[Life], windows: Sequence[Window], year_h: float,
    changes: Sequence[tuple[Any, Any]], years: int,
) -> tuple[Any, Any]:
    year = numpy.concatenate([each[0] for each in changes])
    at = numpy.concatenate([each[1] for each in changes])
    who = numpy.repeat(numpy.arange(len(changes)), [len(each[0]) for each in changes])
    order = numpy.argsort(year * (2.0 * year_h) + at)
    year, at, who = year[order], at[order], who[order]
    down = _down(numpy, tree, lives, windows, who)
    # What has not been mended at the end of a year is closed there, so every year ends, and the next begins, with all well.
    lasts = numpy.append(numpy.where(year[1:] == year[:-1], at[1:] - at[:-1], 0.0), 0.0)
    began = down.copy()
    began[1:] &= ~(down[:-1] & (year[1:] == year[:-1]))
    hours = numpy.bincount(year, weights=lasts * down, minlength=years)
    return hours, numpy.bincount(year, weights=began & (lasts > 0), minlength=years)


def _compiled(
    tree: FaultTree, lives: Sequence[Life], windows: Sequence[Window], year_h: float,
) -> Callable[[Sequence[tuple[Any, Any]], int], tuple[Any, Any]]:
    from holdfast.predict import compiled

    number = {event.name: index for index, event in enumerate(tree.events)}
    owners = [tuple(number[each] for each in names) for names in (*_owners(lives, windows), ())]
    owned = {event for events in owners for event in events}
    states = [probability > 0.5 and event not in owned for event, probability in enumerate(tree.numbers())]
    return partial(compiled.played, tree.solved, states, owners, year_h)


def _changes(numpy: Any, rng: Any, life: Life, years: int, year_h: float) -> tuple[Any, Any]:
    """(year, hour) of every failure and every repair of one event, in pairs."""
    empty = numpy.empty(0, dtype=numpy.int64)
    if life.failures_per_h <= 0:
        return empty, numpy.empty(0)
    year, at = numpy.arange(years), numpy.zeros(years)
    found_years, found_at = [empty], [numpy.empty(0)]
    while len(year):
        at = at + rng.exponential(1.0 / life.failures_per_h, len(year))
        inside = at < year_h
        year, at = year[inside], at[inside]
        found_years.append(year)
        found_at.append(at)
        at = at + life.repair.draw(rng, len(year))
        found_years.append(year)
        found_at.append(numpy.minimum(at, year_h))
    return numpy.concatenate(found_years), numpy.concatenate(found_at)


def _planned(numpy: Any, window: Window, years: int, year_h: float) -> tuple[Any, Any]:
    begins = numpy.arange(window.first_h, year_h, window.every_h)
    both = numpy.concatenate([begins, numpy.minimum(begins + min(window.length_h, window.every_h), year_h)])
    return numpy.repeat(numpy.arange(years), len(both)), numpy.tile(both, years)


def _down(numpy: Any, tree: FaultTree, lives: Sequence[Life], windows: Sequence[Window], who: Any) -> Any:
    """After each change, whether the top has happened.  A change flips one bit, so states are running exclusive ors."""
    owners = _owners(lives, windows)
    count = len(owners) + 1
    words = []
    for first in range(0, count, 64):
        inside = (who >= first) & (who < first + 64)
        bits = numpy.where(inside, numpy.left_shift(numpy.uint64(1), ((who - first) % 64).astype(numpy.uint64)), numpy.uint64(0))
        words.append(numpy.bitwise_xor.accumulate(bits))
    keys = numpy.random.default_rng(0).integers(1, 1 << 63, count, dtype=numpy.int64).astype(numpy.uint64)
    label = words[0] if len(words) == 1 else numpy.bitwise_xor.accumulate(keys[who])
    first_at, back = _different(numpy, label)
    columns: dict[str, Any] = {}
    for index, names in enumerate(owners):
        bit = (words[index // 64][first_at] >> numpy.uint64(index % 64)) & numpy.uint64(1)
        for name in names:
            columns[name] = numpy.maximum(columns.get(name, 0.0), bit.astype(float))
    if not columns:
        return numpy.full(len(who), tree.probability() > 0.5)
    return (numpy.asarray(tree.probabilities(columns)) > 0.5)[back]


def _different(numpy: Any, label: Any) -> tuple[Any, Any]:
    """(where each different label stands, which of those each entry is): by a table, as sorting millions takes longer than all
    else; the few that fall on a place that is taken are sorted."""
    bits = 20
    place = (label * numpy.uint64(0x9E3779B97F4A7C15)) >> numpy.uint64(64 - bits)
    owner = numpy.full(1 << bits, -1, dtype=numpy.int64)
    owner[place] = numpy.arange(len(label))
    taken = numpy.flatnonzero(owner >= 0)
    rank = numpy.zeros(1 << bits, dtype=numpy.int64)
    rank[taken] = numpy.arange(len(taken))
    back = rank[place]
    others = numpy.flatnonzero(label[owner[place]] != label)
    _, first, inverse = numpy.unique(label[others], return_index=True, return_inverse=True)
    back[others] = len(taken) + inverse
    return numpy.concatenate([owner[taken], others[first]]), back


def lives_of(tree: FaultTree, rates: Mapping[str, tuple[float, float]]) -> list[Life]:
    """Exponential lives: event to (failures per hour, mean repair in hours)."""
    return [
        Life(event=event.name, failures_per_h=rates[event.name][0], repair=Repair("exponential", *(rates[event.name][1],) * 2))
        for event in tree.events if event.name in rates
    ]
