"""`FaultTree`: what the top of a tree of gates is like, exactly, by a decision diagram."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from holdfast.predict import solve as solving
from holdfast.predict.crossing import toggling
from holdfast.predict.cutsets import Cuts
from holdfast.predict.formula import coherent_terms, formula_of
from holdfast.predict.gates import Event, Node
from holdfast.predict.sampling import no_probability, probabilities

Changes = Mapping[str, float]
"""Event to the probability that is to be taken instead of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What one event means for the top.

    birnbaum: dQ/dq, the probability that the event decides (Birnbaum, 1969).
    criticality: q dQ/dq / Q, that the event has failed and decides, given the top (Lambert, 1975).  It equals the
        Fussell-Vesely importance as the fraction of risk that is gone with the event, (Q - Q(q=0)) / Q (NUREG/CR-3385, 1983).
    diagnostic: P(the event has failed | the top has happened), q Q(q=1) / Q.
    achievement: Q(q=1) / Q, the risk achievement worth (NUREG/CR-3385).
    reduction: Q / Q(q=0), the risk reduction worth; infinite where nothing is left without the event.
    All but birnbaum are nan where Q is 0.
    """

    birnbaum: float
    criticality: float
    diagnostic: float
    achievement: float
    reduction: float

    @property
    def fussell_vesely(self) -> float:
        return self.criticality


class FaultTree:
    """A top event over gates over basic events; solved once, when it is made.

        disks = AtLeast(2, *(Event(f"disk{n}", failure_rate=2e-6, repair_rate=0.1) for n in range(4)))
        tree = FaultTree(Or(disks, Event("controller", failure_rate=1e-6, repair_rate=0.25)))
        tree.probability(), tree.frequency(), tree.cut_sets(2)

    most_nodes: the budget of the diagram; several variable orders are tried below it, deterministically.
    Raises ValueError where events of one name differ, or where every order would break the budget.
    """

    def __init__(self, top: Node, *, most_nodes: int = solving.MOST_NODES) -> None:
        self._formula = formula_of(top)
        self._most_nodes = most_nodes
        self._solved = solving.solve(self._formula, most_nodes)
        self._number = {event.name: index for index, event in enumerate(self._formula.events)}
        self._probabilities = [event.probability for event in self._formula.events]
        self._cuts: dict[int | None, Cuts] = {}

    @property
    def events(self) -> tuple[Event, ...]:
        """In the order in which a walk from the top meets them."""
        return tuple(self._formula.events)

    @property
    def coherent(self) -> bool:
        """Whether no "not" and no xor is left in the simplified tree: then a failure never helps."""
        top = self._formula.top
        return top < 0 or (not top & 1 and coherent_terms(self._formula)[top >> 1])

    @property
    def nodes(self) -> int:
        """Rows of the solved diagrams: what one evaluation costs."""
        return sum(len(part.rows) for part in self._solved.parts)

    @property
    def solved(self) -> solving.Solved:
        return self._solved

    def numbers(self, changes: Changes | None = None) -> list[float]:
        """Probabilities of the events, in their order.  Raises ValueError for an unknown event or no probability."""
        if not changes:
            return self._probabilities
        found = list(self._probabilities)
        for name, value in changes.items():
            if name not in self._number:
                raise ValueError(f"there is no event {name!r} in this tree")
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name}: probability must lie between 0 and 1, not {value!r}")
            found[self._number[name]] = value
        return found

    def probability(self, changes: Changes | None = None) -> float:
        """That the top has happened; with `changes`, as if some events had other probabilities (a what-if: one pass)."""
        return solving.probability(self._solved, self.numbers(changes))

    def probabilities(self, samples: Mapping[str, Sequence[float]]) -> Sequence[float]:
        """The top's probability at many points at once, as long as the sequences: event to its probability at each.

        The events that are not named keep their own.  With numpy 10,000 points cost little more than 100; without it, each is
        evaluated alone.  Raises ValueError where lengths differ, an event is unknown or a sample is no probability.
        """
        lengths = {len(column) for column in samples.values()}
        if len(lengths) != 1:
            raise ValueError(f"samples must be one or more sequences of one length, not of lengths {sorted(lengths)}")
        for name in samples:
            if name not in self._number:
                raise ValueError(f"there is no event {name!r} in this tree")
            if (wrong := no_probability(samples[name])) is not None:
                raise ValueError(f"{name}: probability must lie between 0 and 1, not {wrong!r}")
        columns = {self._number[name]: column for name, column in samples.items()}
        return probabilities(self._solved, columns, self._probabilities, lengths.pop())

    def birnbaum(self, changes: Changes | None = None) -> dict[str, float]:
        """Event to dQ/dq, all in two passes."""
        slopes = solving.derivatives(self._solved, self.numbers(changes))[1]
        return {event.name: slope for event, slope in zip(self._formula.events, slopes, strict=True)}

    def frequency(self) -> float:
        """How often the top happens per unit of the rates' time, in steady state: the sum over events of how often each
        happens times the probability that it decides (Vesely, Nuclear Engineering and Design 13, 1970).

        In a tree that is not coherent a repair may bring the top about as well, so the probability is that of the top
        being different with and without the event.  Raises ValueError that names an event without a frequency.
        """
        for event in self._formula.events:
            if event.frequency is None:
                raise ValueError(f"{event.name} has a probability but no frequency; give it failure_rate and repair_rate")
        if self.coherent:
            decides: Sequence[float] = solving.derivatives(self._solved, self._probabilities)[1]
        else:
            decides = toggling(self._solved, self._probabilities)
        return sum(float(event.frequency or 0.0) * share for event, share in zip(self._formula.events, decides, strict=True))

    def importance(self, changes: Changes | None = None) -> dict[str, Importance]:
        """Of every event, the most critical first."""
        numbers = self.numbers(changes)
        total, slopes = solving.derivatives(self._solved, numbers)
        found = {}
        for event, q, slope in zip(self._formula.events, numbers, slopes, strict=True):
            without, with_it = total - q * slope, total + (1.0 - q) * slope
            found[event.name] = Importance(
                birnbaum=slope, criticality=_ratio(q * slope, total), diagnostic=_ratio(q * with_it, total),
                achievement=_ratio(with_it, total), reduction=_ratio(total, max(without, 0.0)),
            )
        return dict(sorted(found.items(), key=lambda item: -item[1].criticality if total else 0.0))

    def cut_sets(self, order: int | None = None) -> tuple[frozenset[str], ...]:
        """Minimal cut sets of at most `order` events (all if not given), small ones first, then the likelier ones.

        In a tree that is not coherent: the minimal sets of failures that bring the top about while all else works.
        """
        names = [event.name for event in self._formula.events]
        found = sorted(self.cuts(order), key=lambda cut: (len(cut), -self._together(cut), cut))
        return tuple(frozenset(names[index] for index in cut) for cut in found)

    def cuts(self, order: int | None = None) -> Iterator[tuple[int, ...]]:
        """The same unsorted, as places in `events`: for trees with millions of them."""
        return self._minimal(order).each()

    def cut_set_counts(self, order: int | None = None) -> dict[int, int]:
        """Order to how many minimal cut sets have it, exactly, without writing them out."""
        return self._minimal(order).counts()

    def _minimal(self, order: int | None) -> Cuts:
        if order is not None and order < 0:
            raise ValueError(f"order must be 0 or more, not {order!r}")
        if order not in self._cuts:
            solved = self._solved
            if not self.coherent:
                solved = solving.solve(self._formula, self._most_nodes, only_coherent=True)
            self._cuts[order] = Cuts(solved, order)
        return self._cuts[order]

    def _together(self, cut: Sequence[int]) -> float:
        result = 1.0
        for index in cut:
            result *= self._probabilities[index]
        return result


def _ratio(a: float, b: float) -> float:
    if b == 0.0:
        return inf if a > 0.0 else float("nan")
    return a / b
