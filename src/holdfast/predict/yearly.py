"""How long, how often and why a service is down in a year: the fault tree's exact answer, and what failing over adds to it.

A year has 365.25 days.  Failing over is downtime: per pool lambda x coverage x failover time + lambda x (1 - coverage) x
manual time, while the others are up; it agrees with the Markov chain of `chains.failover_pair` (Trivedi and Bobbio, 2017,
section 9.5).  Where repair crews are few, what is broken comes from the chain of all hosts (`crews`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.predict import sampling, solve
from holdfast.predict.crews import Line
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.known import Book, Known, Measured
from holdfast.predict.service import Cause, Path, Pool, Service, Values, service_of
from holdfast.predict.tree import FaultTree
from holdfast.topology.model import Topology

SAMPLES = 10_000
SEED = 1


class Prediction:
    """Of one topology.  Trees are solved once, when first asked for; figures are evaluated as often as one likes."""

    def __init__(self, topology: Topology, measured: Mapping[str, Measured] | None = None) -> None:
        self.measured = measured or {}
        self.service: Service = service_of(topology, Book(topology, self.measured))
        self.known: Mapping[str, Known] = self.service.book.known
        self._trees: dict[str, FaultTree] = {}
        self._line = _line(self.service)

    @property
    def topology(self) -> Topology:
        return self.service.topology

    def middle(self) -> dict[str, float]:
        """Every figure at its middle.  What they mean where hosts wait for a crew, `waiting` says."""
        return {name: known.middle for name, known in self.known.items()}

    def waiting(self, values: Values) -> Values:
        """The same figures with the time that a host waits for a crew in its repair, where crews are few."""
        return values if self._line is None else self._line.waiting(values)

    def path(self, name: str = "service") -> Path:
        return next(path for path in self.service.paths if path.name == name)

    def tree(self, path: str = "service") -> FaultTree:
        if path not in self._trees:
            self._trees[path] = FaultTree(self.path(path).top)
        return self._trees[path]

    def failing_over(self, path: str, values: Values) -> dict[str, tuple[Any, Any]]:
        """Tier to (share of the year, outages per hour) of its failing over.  A part of the requests counts as that part of
        the time, and as no outage of its own."""
        pools = [self.service.pools[tier] for tier in self.path(path).tiers if tier in self.service.pools]
        values = self.waiting(values)
        return {pool.tier: moving_of(pool, values) for pool in pools}

    def shares(self, path: str, values: Values) -> list[float]:
        """Of each event of the path's tree, the share of time for which it is so, waiting for a crew included."""
        values = self.waiting(values)
        return [self.service.causes[event.name].down(values) for event in self.tree(path).events]

    def unavailability(self, path: str = "service", values: Values | None = None) -> float:
        """The share of time without service."""
        values = values or self.middle()
        moving = sum(share for share, _ in self.failing_over(path, values).values())
        return min(1.0, self.broken(path, values) + moving)

    def broken(self, path: str, values: Values) -> float:
        """The share of time for which too much is broken, without failing over."""
        tree, numbers = self.tree(path), self.shares(path, values)
        if self._line is not None:
            return float(self._line.probability(tree, numbers, values))
        return solve.probability(tree.solved, numbers)

    def breaks(self, path: str, values: Values) -> float:
        """How often an hour that begins, by the events' importances (`FaultTree.frequency`)."""
        tree, numbers = self.tree(path), self.shares(path, values)
        rates = [self.service.causes[event.name].rate(values) for event in tree.events]
        if self._line is not None:
            return self._line.frequency(tree, numbers, rates, values)
        slopes = solve.derivatives(tree.solved, numbers)[1]
        return sum(slope * rate * (1.0 - q) for slope, rate, q in zip(slopes, rates, numbers, strict=True))

    def drawn(self, count: int, seed: int) -> dict[str, Any]:
        """Of every figure `count` draws, or the one number that it is.  Things of one kind share their draw: what is not known is
        the rate of the kind (Apostolakis and Kaplan, Reliability Engineering 2(2), 1981)."""
        drawn: dict[str, Any] = {}
        for name, known in self.known.items():
            column: Any = known.low
            if known.low < known.high:
                column = sampling.lognormal(known.low, known.high, sampling.normals(seed, count, name))
            drawn[name] = _capped(column) if known.unit == "share" else column
        return drawn

    def sampled(self, path: str = "service", count: int = SAMPLES, seed: int = SEED) -> Sequence[float]:
        """Unavailabilities at `count` draws of every figure."""
        drawn = self.drawn(count, seed)
        if sampling.has_numpy():
            return self._sampled(path, drawn, count)
        rows = [
            {name: (column if isinstance(column, float) else column[index]) for name, column in drawn.items()}
            for index in range(count)
        ]
        return [self.unavailability(path, row) for row in rows]

    def _sampled(self, path: str, drawn: Values, count: int) -> Sequence[float]:
        import numpy

        tree = self.tree(path)
        columns: dict[int, Any] = {}
        rest = [0.0] * len(tree.events)
        made: dict[tuple[str, str, Any], Any] = {}
        longer = self.waiting(drawn)
        for index, event in enumerate(tree.events):
            cause = self.service.causes[event.name]
            key = (cause.often, cause.long, cause.share)
            if key not in made:
                made[key] = cause.down(longer)
            if isinstance(made[key], numpy.ndarray):
                columns[index] = made[key]
            else:
                rest[index] = made[key]
        if self._line is not None:
            events = [columns.get(index, each) for index, each in enumerate(rest)]
            total: Any = numpy.empty(count)
            for start in range(0, count, sampling.BLOCK):
                block = slice(start, start + sampling.BLOCK)
                figures = {name: value if isinstance(value, float) else value[block] for name, value in drawn.items()}
                here = [each if isinstance(each, float) else each[block] for each in events]
                total[block] = self._line.probability(tree, here, figures)
        else:
            total = numpy.asarray(sampling.probabilities(tree.solved, columns, rest, count))
        for share, _ in self.failing_over(path, drawn).values():
            total = total + share
        return numpy.minimum(total, 1.0)  # type: ignore[no-any-return]

    def swings(self, path: str = "service") -> list[tuple[str, float, float]]:
        """(figure, minutes a year at its low end, at its high end) with all others at their middle, the widest first."""
        plain = self.middle()
        found = []
        for name, known in self.known.items():
            if known.low < known.high:
                both = [
                    self.unavailability(path, {**plain, name: end}) * YEAR_H * 60
                    for end in (known.low, known.high)
                ]
                found.append((name, both[0], both[1]))
        return sorted(found, key=lambda each: -abs(each[2] - each[1]))


def _line(service: Service) -> Line | None:
    """None where no host waits: with a crew each, or where the share of time for which one is down is said, with its waiting."""
    crews, often, long = service.topology.reliability.repair_crews, "reliability.hosts.mtbf", "reliability.hosts.mttr"
    names = list(dict.fromkeys(instance.host for instance in service.topology.instances))
    if crews is None or crews >= len(names) or not {often, long} <= service.book.known.keys():
        return None
    hosts = [service.causes.get(f"host {name}", Cause(name=f"host {name}", often=often, long=long)) for name in names]
    return Line(hosts, often, long, crews)


def _capped(column: Any) -> Any:
    """Shares stay below 1, whatever the tail of a lognormal says."""
    most = 1.0 - 1e-9
    if isinstance(column, float):
        return min(column, most)
    if sampling.has_numpy():
        import numpy

        return numpy.minimum(column, most)
    return [min(each, most) for each in column]


def moving_of(pool: Pool, values: Values) -> tuple[Any, Any]:
    """(share of the year, outages per hour) of one tier's failing over."""
    rate, up = 0.0, 1.0
    for cause in pool.own:
        rate = rate + cause.rate(values)
        up = up * (1.0 - cause.down(values))
    covered = covered_share(pool, values)
    waits = covered * values[pool.failover] + (1.0 - covered) * values[pool.manual]
    times = rate * up * (1.0 - (1.0 - up) ** (pool.size - 1))
    return pool.weight * times * waits, (times if pool.weight == 1.0 else 0.0 * times)


def covered_share(pool: Pool, values: Values) -> Any:
    """Of the losses of the instance in use, those that the tier replaces by itself: it can, and no standby is dead unnoticed."""
    unnoticed = sum(cause.rate(values) for cause in pool.own) * values[pool.unnoticed]
    dead = unnoticed / (unnoticed + 2.0 / values[pool.test])  # `chains.latent`, for arrays as well
    return (1.0 - values[pool.uncovered]) * (1.0 - dead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """One path over a year of 365.25 days.  low_min, high_min: 5 % and 95 % of the samples."""

    path: str
    middle_min: float
    low_min: float
    high_min: float
    outages: float
    """Per year, at the middle of all figures."""
    mean_outage_s: float
    failover_min: float
    partial_min: float
    """Of `failover_min`, what is a part of the requests failing for longer, weighted."""
    drivers: tuple[tuple[str, float, float], ...]


def outlook(prediction: Prediction, path: str = "service", samples: int = SAMPLES, seed: int = SEED) -> Outlook:
    values = prediction.middle()
    moving = prediction.failing_over(path, values)
    often = prediction.breaks(path, values) + sum(times for _, times in moving.values())
    shares = {tier: share for tier, (share, _) in moving.items()}
    partial = sum(share for tier, share in shares.items() if prediction.service.pools[tier].weight < 1.0)
    down = min(1.0, prediction.broken(path, values) + sum(shares.values()))
    drawn = sorted(map(float, prediction.sampled(path, samples, seed)))
    per_year_min = YEAR_H * 60
    return Outlook(
        path=path,
        middle_min=down * per_year_min,
        low_min=sampling.quantile(drawn, 0.05) * per_year_min,
        high_min=sampling.quantile(drawn, 0.95) * per_year_min,
        outages=often * YEAR_H,
        mean_outage_s=(down - partial) / often * 3600 if often else 0.0,
        failover_min=sum(shares.values()) * per_year_min,
        partial_min=partial * per_year_min,
        drivers=tuple(prediction.swings(path)[:3]),
    )
