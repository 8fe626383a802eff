"""The diagram at ten thousand points at once: with numpy (`holdfast[predict]`) in blocks that fit the cache, else one by one.

Both give the same figures to rounding.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import exp, log
from random import Random
from statistics import NormalDist
from typing import Any

from holdfast.predict.solve import Solved, probability

BLOCK = 2500
"""Samples per block: a few thousand rows of 20 kB each stay within a few tens of megabytes."""

P95 = NormalDist().inv_cdf(0.95)


def has_numpy() -> bool:
    return find_spec("numpy") is not None


def has_numba() -> bool:
    return find_spec("numba") is not None


def lognormal(low: float, high: float, normal: Sequence[float]) -> list[float]:
    """Draws of a lognormal whose 5 % and 95 % points are low and high, from draws of the standard normal distribution.

    The usual reading of a range of failure rates (WASH-1400, 1975; NUREG/CR-2300, chapter 5): what is known of a rate is its
    order of magnitude.  0 < low <= high.
    """
    if not 0.0 < low <= high:
        raise ValueError(f"a range needs 0 < low <= high, not {low!r} to {high!r}")
    middle, width = (log(low) + log(high)) / 2, (log(high) - log(low)) / (2 * P95)
    if has_numpy():
        import numpy

        found: list[float] = numpy.exp(middle + width * numpy.asarray(normal))  # type: ignore[assignment]
        return found
    return [exp(middle + width * each) for each in normal]


def normals(seed: int, count: int, name: str) -> Sequence[float]:
    """`count` standard normal draws that depend on the seed and the name alone, so that a what-if reuses those of the rest."""
    rng = Random(f"{seed}/{name}")
    if has_numpy():
        import numpy

        return numpy.random.default_rng(rng.getrandbits(64)).standard_normal(count)  # type: ignore[no-any-return]
    return [rng.gauss() for _ in range(count)]


def no_probability(column: Sequence[float]) -> float | None:
    """The first of them that does not lie between 0 and 1, if any."""
    if not has_numpy():
        return next((float(each) for each in column if not 0.0 <= each <= 1.0), None)
    import numpy

    found = numpy.asarray(column)
    if not found.size or (found.min() >= 0.0 and found.max() <= 1.0):  # not so for what is no number
        return None
    return float(found[~((found >= 0.0) & (found <= 1.0))][0])


def probabilities(solved: Solved, columns: Mapping[int, Sequence[float]], rest: Sequence[float], count: int) -> Sequence[float]:
    """The top's probability at each of `count` points.  columns: event number to its probability at each point; the other events
    keep those of `rest`."""
    if not has_numpy() or solved.constant is not None:
        points = list(rest)
        found = []
        for index in range(count):
            for event, column in columns.items():
                points[event] = float(column[index])
            found.append(probability(solved, points))
        return found
    import numpy

    result = numpy.empty(count)
    for start in range(0, count, BLOCK):
        end = min(start + BLOCK, count)
        block: list[Any] = list(rest)
        for event, column in columns.items():
            block[event] = numpy.asarray(column[start:end])
        result[start:end] = _block(solved, block, end - start)
    return result  # type: ignore[no-any-return]


def _block(solved: Solved, p: list[Any], width: int) -> Any:
    """Each row in three operations without an array of its own for what lies between."""
    import numpy

    between = numpy.empty(width)
    for part in solved.parts:
        values: list[Any] = [1.0, 0.0]
        others: dict[int, Any] = {}
        for variable, low, high in part.rows:
            q = p[variable]
            if low == 1:  # false: the commonest row, an event that must have happened
                values.append(q * values[high])
                continue
            if variable not in others:
                others[variable] = 1.0 - q
            row = others[variable] * values[low]
            if high == 0:
                row = row + q
            elif isinstance(row, numpy.ndarray):
                row += numpy.multiply(q, values[high], out=between)
            else:
                row = row + q * values[high]
            values.append(row)
        p.append(values[-1])
    return p[-1]


def quantile(values: Sequence[float], share: float) -> float:
    """Linear between order statistics (Hyndman and Fan, 1996, type 7)."""
    ordered = sorted(map(float, values))
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
