"""How long, how often and why a service is down in a year: the fault tree's exact answer, and what failing over adds to it.

A year has 365.25 days.  Failing over is downtime: per pool lambda x coverage x failover time + lambda x (1 - coverage) x
manual time, while the others are up; it agrees with the Markov chain of `chains.failover_pair` (Trivedi and Bobbio, 2017,
section 9.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.predict import sampling, solve
from holdfast.predict.chains import repair_time_with_crews
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.known import Book, Known, Measured
from holdfast.predict.service import Path, Pool, Service, Values, service_of
from holdfast.predict.tree import FaultTree
from holdfast.topology.model import Topology

SAMPLES = 10_000
SEED = 1


class Prediction:
    """Of one topology.  Trees are solved once, when first asked for; figures are evaluated as often as one likes."""

    def __init__(self, topology: Topology, measured: Mapping[str, Measured] | None = None) -> None:
        self.service: Service = service_of(topology, Book(topology, measured or {}))
        self.known: Mapping[str, Known] = self.service.book.known
        self._trees: dict[str, FaultTree] = {}

    @property
    def topology(self) -> Topology:
        return self.service.topology

    def middle(self) -> dict[str, float]:
        """Every figure at its middle, repairs with waiting for a crew."""
        return self._with_crews({name: known.middle for name, known in self.known.items()})

    def _with_crews(self, values: dict[str, Any]) -> dict[str, Any]:
        """Where crews are few, a host's repair takes as long as the chain of all hosts with so many crews says."""
        crews = self.topology.reliability.repair_crews
        name, often = "reliability.hosts.mttr", "reliability.hosts.mtbf"
        if crews is None or name not in values or often not in values:
            return values
        hosts = len({instance.host for instance in self.topology.instances})
        middle = [self.known[each].middle for each in (often, name)]
        slower = repair_time_with_crews(hosts, 1.0 / middle[0], 1.0 / middle[1], crews) / middle[1]
        return {**values, name: values[name] * slower}

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
        return {pool.tier: _moving(pool, values) for pool in pools}

    def unavailability(self, path: str = "service", values: Values | None = None) -> float:
        """The share of time without service."""
        values = values or self.middle()
        tree = self.tree(path)
        numbers = [self.service.causes[event.name].down(values) for event in tree.events]
        moving = sum(share for share, _ in self.failing_over(path, values).values())
        return min(1.0, solve.probability(tree.solved, numbers) + moving)

    def sampled(self, path: str = "service", count: int = SAMPLES, seed: int = SEED) -> Sequence[float]:
        """Unavailabilities at `count` draws of every figure.  Things of one kind share their draw: what is not known is the
        rate of the kind (Apostolakis and Kaplan, Reliability Engineering 2(2), 1981)."""
        drawn: dict[str, Any] = {
            name: known.low
            if known.low == known.high
            else sampling.lognormal(
                known.low,
                known.high,
                sampling.normals(seed, count, name),
            )
            for name, known in self.known.items()
        }
        for name, known in self.known.items():
            if known.unit == "share":
                drawn[name] = _capped(drawn[name])
        drawn = self._with_crews(drawn) if sampling.has_numpy() else drawn
        if sampling.has_numpy():
            return self._sampled(path, drawn, count)
        rows = [
            {name: (column if isinstance(column, float) else column[index]) for name, column in drawn.items()}
            for index in range(count)
        ]
        return [self.unavailability(path, self._with_crews(row)) for row in rows]

    def _sampled(self, path: str, drawn: Values, count: int) -> Sequence[float]:
        import numpy

        tree = self.tree(path)
        columns: dict[int, Any] = {}
        rest = [0.0] * len(tree.events)
        made: dict[tuple[str, str, Any], Any] = {}
        for index, event in enumerate(tree.events):
            cause = self.service.causes[event.name]
            key = (cause.often, cause.long, cause.share)
            if key not in made:
                made[key] = cause.down(drawn)
            if isinstance(made[key], numpy.ndarray):
                columns[index] = made[key]
            else:
                rest[index] = made[key]
        total = numpy.asarray(sampling.probabilities(tree.solved, columns, rest, count))
        for share, _ in self.failing_over(path, drawn).values():
            total = total + share
        return numpy.minimum(total, 1.0)  # type: ignore[no-any-return]

    def swings(self, path: str = "service") -> list[tuple[str, float, float]]:
        """(figure, minutes a year at its low end, at its high end) with all others at their middle, the widest first."""
        plain = {name: known.middle for name, known in self.known.items()}
        found = []
        for name, known in self.known.items():
            if known.low < known.high:
                both = [
                    self.unavailability(path, self._with_crews({**plain, name: end})) * YEAR_H * 60
                    for end in (known.low, known.high)
                ]
                found.append((name, both[0], both[1]))
        return sorted(found, key=lambda each: -abs(each[2] - each[1]))


def _capped(column: Any) -> Any:
    """Shares stay below 1, whatever the tail of a lognormal says."""
    most = 1.0 - 1e-9
    if isinstance(column, float):
        return min(column, most)
    if sampling.has_numpy():
        import numpy

        return numpy.minimum(column, most)
    return [min(each, most) for each in column]


def _moving(pool: Pool, values: Values) -> tuple[Any, Any]:
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
    tree = prediction.tree(path)
    causes = [prediction.service.causes[event.name] for event in tree.events]
    numbers = [cause.down(values) for cause in causes]
    total, slopes = solve.derivatives(tree.solved, numbers)
    often = sum(slope * cause.rate(values) * (1.0 - q) for slope, cause, q in zip(slopes, causes, numbers, strict=True))
    moving = prediction.failing_over(path, values)
    often += sum(times for _, times in moving.values())
    shares = {tier: share for tier, (share, _) in moving.items()}
    partial = sum(share for tier, share in shares.items() if prediction.service.pools[tier].weight < 1.0)
    down = min(1.0, total + sum(shares.values()))
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
