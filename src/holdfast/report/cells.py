"""Thousands of answers, drawn together to what a pixel can show: pure functions from answers to cells and latencies.

As in measuring, a good answer stands where it arrived and a bad one where it was asked.  Cells of equal make-up are joined,
so the size of a drawing depends on what changed, not on how much was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from holdfast.record.event import Asked

QUARTERS = 4
"""Shares within a cell are shown in quarters; any bad answer takes one at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Seconds on the run's clock to pixels."""

    from_s: float
    to_s: float
    left: float
    width: float

    def x(self, at_s: float) -> float:
        """Clamped to the plot."""
        share = (at_s - self.from_s) / (self.to_s - self.from_s)
        return self.left + self.width * min(1.0, max(0.0, share))

    def shows(self, at_s: float) -> bool:
        return self.from_s <= at_s <= self.to_s

    @property
    def per_s(self) -> float:
        return self.width / (self.to_s - self.from_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A stretch of a lane.  `no_quarters` and `unknown_quarters` are how much of its height they take."""

    x: float
    width: float
    from_s: float
    to_s: float
    yes: int
    no: int
    unknown: int
    no_quarters: int
    unknown_quarters: int


def stands_at_s(one: Asked) -> float:
    return one.answered_s if one.answer == "yes" else one.asked_s


def cells(asked: Sequence[Asked], scale: Scale, every_s: float) -> tuple[Cell, ...]:
    """Left to right; where nothing was answered there is no cell."""
    size = max(1.0, every_s * scale.per_s)
    count = max(1, ceil(scale.width / size))
    bins = [[0, 0, 0] for _ in range(count)]
    for one in asked:
        at_s = stands_at_s(one)
        if scale.shows(at_s):
            index = min(count - 1, int((scale.x(at_s) - scale.left) / size))
            bins[index][("yes", "no", "unknown").index(one.answer)] += 1
    made: list[Cell] = []
    patched = False
    for index, (yes, no, unknown) in enumerate(bins):
        left = scale.left + index * size
        width = min(size, scale.left + scale.width - left)
        if yes + no + unknown == 0:
            # One empty bin is a beat that fell on the border; two are silence.
            if made and not patched and abs(made[-1].x + made[-1].width - left) < 0.01:
                made[-1] = _wider(made[-1], width, size, scale)
                patched = True
            continue
        cell = _cell(left, width, scale, yes, no, unknown)
        if made and abs(made[-1].x + made[-1].width - left) < 0.01 and _alike(made[-1], cell):
            made[-1] = _joined(made[-1], cell)
        else:
            made.append(cell)
        patched = False
    return tuple(made)


def _cell(left: float, width: float, scale: Scale, yes: int, no: int, unknown: int) -> Cell:
    total = yes + no + unknown
    no_quarters = _quarters(no, total)
    unknown_quarters = min(_quarters(unknown, total), QUARTERS - no_quarters)
    if yes and no_quarters + unknown_quarters == QUARTERS:  # a single good answer stays visible
        if no_quarters > 1:
            no_quarters -= 1
        else:
            unknown_quarters -= 1
    from_s = scale.from_s + (left - scale.left) / scale.per_s
    return Cell(
        x=left, width=width, from_s=from_s, to_s=from_s + width / scale.per_s, yes=yes, no=no, unknown=unknown,
        no_quarters=no_quarters, unknown_quarters=unknown_quarters,
    )


def _quarters(part: int, total: int) -> int:
    return max(1, round(QUARTERS * part / total)) if part else 0


def _alike(a: Cell, b: Cell) -> bool:
    return (a.no_quarters, a.unknown_quarters) == (b.no_quarters, b.unknown_quarters)


def _joined(a: Cell, b: Cell) -> Cell:
    return Cell(
        x=a.x, width=b.x + b.width - a.x, from_s=a.from_s, to_s=b.to_s, yes=a.yes + b.yes, no=a.no + b.no,
        unknown=a.unknown + b.unknown, no_quarters=a.no_quarters, unknown_quarters=a.unknown_quarters,
    )


def _wider(cell: Cell, by: float, size: float, scale: Scale) -> Cell:
    return Cell(
        x=cell.x, width=cell.width + by, from_s=cell.from_s, to_s=cell.to_s + min(by, size) / scale.per_s, yes=cell.yes,
        no=cell.no, unknown=cell.unknown, no_quarters=cell.no_quarters, unknown_quarters=cell.unknown_quarters,
    )


def slowest(asked: Sequence[Asked], scale: Scale, step: float = 2.0) -> tuple[tuple[float, float], ...]:
    """(x, seconds) of the slowest good answer in each `step` pixels, where one arrived."""
    found: dict[int, float] = {}
    for one in asked:
        if one.answer == "yes" and scale.shows(one.answered_s):
            index = int((scale.x(one.answered_s) - scale.left) / step)
            found[index] = max(found.get(index, 0.0), one.answered_s - one.asked_s)
    return tuple((min(scale.left + (index + 0.5) * step, scale.left + scale.width), found[index]) for index in sorted(found))
