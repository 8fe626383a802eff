"""The minimal cut sets that matter most: how many there are of each order, and the likeliest of them written out.

Rules: counts are exact, and cost nothing however many there are; what is too many to be walked through is left out and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from math import prod

from holdfast.predict.tree import FaultTree

ORDER = 3
"""Up to which they are counted where nobody asks for more."""
KEPT = 1000
WALKED = 200_000
"""Sets are walked through a whole order at a time, the lower ones first, as long as they are no more than these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSets:
    """counts: of each order up to `order`, exactly.  likeliest: (events, probability that all are down at once), at most KEPT."""

    order: int
    counts: dict[int, int]
    likeliest: tuple[tuple[tuple[str, ...], float], ...]

    @property
    def left_out(self) -> int:
        return sum(self.counts.values()) - len(self.likeliest)


def likeliest(tree: FaultTree, numbers: Sequence[float], order: int = ORDER) -> CutSets:
    """numbers: the probability of each event of the tree, in the order of `events`."""
    counts = tree.cut_set_counts(order)
    walked, last = 0, 0
    for each, number in counts.items():
        walked += number
        if walked > WALKED:
            break
        last = each
    cuts = ((prod(numbers[event] for event in cut), cut) for cut in (tree.cuts(last) if last else ()))
    names = [event.name for event in tree.events]
    found = nlargest(KEPT, cuts, key=lambda each: (each[0], [-event for event in each[1]]))
    return CutSets(order=order, counts=counts, likeliest=tuple((tuple(names[i] for i in cut), often) for often, cut in found))
