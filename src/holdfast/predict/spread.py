"""How far outages, their length and failing over lie apart over the samples: no figure of a prediction stands without its range.

How often a tree's top happens is the slope of its probability where each event's grows by its repair rate: q (1 + e / r) in place
of q, for w = sum of dQ/dq x lambda (1 - q), and lambda (1 - q) = q / r (Vesely, Nuclear Engineering and Design 13, 1970).  That
takes the diagram twice at all samples, and no slopes of each event; with e of a second in 10^5 the error is below 10^-4 of it.
"""

from dataclasses import dataclass
from typing import Any

from holdfast.predict import sampling
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.yearly import SAMPLES, SEED, Prediction

Range = tuple[float, float]
STEP = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """5 % and 95 % of the samples of one path.  outages: a year."""

    outages: Range
    mean_outage_s: Range
    failover_min: Range


def spread(prediction: Prediction, path: str = "service", samples: int = SAMPLES, seed: int = SEED) -> Spread | None:
    """None without numpy, where it would take long, and where hosts wait for crews, in which their repairs hang together."""
    if not sampling.has_numpy() or prediction.topology.reliability.repair_crews is not None:
        return None
    import numpy

    drawn = prediction.drawn(samples, seed)
    moving = prediction.failing_over(path, drawn)
    shares = sum((share for share, _ in moving.values()), numpy.zeros(samples))
    partial = sum(
        (share for tier, (share, _) in moving.items() if prediction.service.pools[tier].weight < 1.0), numpy.zeros(samples),
    )  # fmt: skip
    often = _often(prediction, path, drawn, samples) + sum((times for _, times in moving.values()), numpy.zeros(samples))
    down = numpy.asarray(prediction.sampled(path, samples, seed))
    lasts_s = (down - partial) / numpy.maximum(often, 1e-300) * 3600
    return Spread(outages=_range(often * YEAR_H), mean_outage_s=_range(lasts_s), failover_min=_range(shares * YEAR_H * 60))


def _often(prediction: Prediction, path: str, drawn: dict[str, Any], samples: int) -> Any:
    """How often an hour the tree's top happens, at each sample."""
    import numpy

    tree = prediction.tree(path)
    causes = [prediction.service.causes[event.name] for event in tree.events]
    shortest_h = min((float(numpy.min(drawn[cause.long])) for cause in causes), default=1.0)
    step_h = STEP * shortest_h
    made: dict[tuple[str, str, Any], tuple[Any, Any]] = {}
    before, after = {}, {}
    for index, cause in enumerate(causes):
        key = (cause.often, cause.long, cause.share)
        if key not in made:
            down = numpy.broadcast_to(cause.down(drawn), (samples,))
            made[key] = down, down * (1.0 + step_h / drawn[cause.long])
        before[index], after[index] = made[key]
    rest = [0.0] * len(causes)
    low, high = (numpy.asarray(sampling.probabilities(tree.solved, each, rest, samples)) for each in (before, after))
    return (high - low) / step_h


def _range(values: Any) -> Range:
    return sampling.quantile(values, 0.05), sampling.quantile(values, 0.95)
