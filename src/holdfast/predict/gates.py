"""What a fault tree is made of: basic events, and the gates and, or, k of n, not and xor over them.

Gates are plain data and may be shared: the same object under two gates is one thing that both depend on.  Two events of the
same name are the same event, and must agree.  Rates are per any unit of time, as long as it is the same one in a tree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite


@dataclass(frozen=True, slots=True)
class Event:
    """Something that can fail by itself: `Event("disk", probability=0.01)` or `Event("disk", failure_rate=1e-5, repair_rate=1)`.

    probability: of having failed, 0 to 1.  From rates it is the steady-state unavailability lambda / (lambda + mu) (Rausand
    and Hoyland, System Reliability Theory, 2nd edition, section 9.4).  `frequency` is how often it fails per unit of time; from
    rates it is lambda * (1 - probability).  Raises ValueError where a number is out of range or two ways are mixed.
    """

    name: str
    probability: float = -1.0
    failure_rate: float | None = field(default=None, kw_only=True)
    repair_rate: float | None = field(default=None, kw_only=True)
    frequency: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"an event's name must be text, not {self.name!r}")
        rates = (self.failure_rate, self.repair_rate)
        if rates != (None, None):
            if None in rates or self.probability != -1.0 or self.frequency is not None:
                raise ValueError(f"{self.name}: give failure_rate and repair_rate, or probability (and frequency), not a mixture")
            for name in ("failure_rate", "repair_rate"):
                value = getattr(self, name)
                if not isfinite(value) or value < 0 or (name == "repair_rate" and value == 0):
                    raise ValueError(f"{self.name}: {name} must be a finite rate of 0 or more (repair: above 0), not {value!r}")
            failing, repairing = float(self.failure_rate or 0.0), float(self.repair_rate or 0.0)
            object.__setattr__(self, "probability", failing / (failing + repairing))
            object.__setattr__(self, "frequency", failing * repairing / (failing + repairing))
        elif not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"{self.name}: probability must lie between 0 and 1, not {self.probability!r}")
        elif self.frequency is not None and not (isfinite(self.frequency) and self.frequency >= 0):
            raise ValueError(f"{self.name}: frequency must be a finite rate of 0 or more, not {self.frequency!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """`kind` of `inputs`: it has happened when at least `needed` of them have (`and` all, `or` one), when the one has not
    (`not`), or when an odd number has (`xor`).  `And`, `Or`, `AtLeast`, `Not` and `Xor` make them.  Raises ValueError for
    another kind, for inputs that are too few or no nodes, and for a number outside of 1 to the number of inputs."""

    kind: str
    inputs: tuple["Node", ...]
    needed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in LEAST:
            raise ValueError(f"a gate must be one of {', '.join(LEAST)}, not {self.kind!r}")
        word, least = LEAST[self.kind]
        object.__setattr__(self, "inputs", _inputs(word, self.inputs, least))
        if self.kind == "not" and len(self.inputs) != 1:
            raise ValueError(f"Not needs one input, not {len(self.inputs)}")
        if self.kind == "atleast":
            count, needed = len(self.inputs), self.needed
            if isinstance(needed, bool) or not isinstance(needed, int) or not 1 <= needed <= count:
                raise ValueError(f"AtLeast needs a whole number from 1 to its {count} inputs, not {needed!r}")


Node = Event | Gate

LEAST: Mapping[str, tuple[str, int]] = {
    "and": ("And", 1), "or": ("Or", 1), "atleast": ("AtLeast", 1), "not": ("Not", 1), "xor": ("Xor", 2),
}
"""Kind of a gate to the word for it and the fewest inputs that it takes."""


def _inputs(word: str, inputs: Iterable[Node], least: int) -> tuple[Node, ...]:
    if not isinstance(inputs, Iterable) or isinstance(inputs, str):
        raise ValueError(f"the inputs of {word} must be Events and gates, not {inputs!r}")
    found = tuple(inputs)
    for each in found:
        if not isinstance(each, Event | Gate):
            raise ValueError(f"an input of {word} must be an Event or a gate, not {each!r}")
    if len(found) < least:
        raise ValueError(f"{word} needs {least} input{'s'[: least - 1]} or more, not {len(found)}")
    return found


def And(*inputs: Node) -> Gate:
    """Happens when all inputs have."""
    return Gate("and", inputs)


def Or(*inputs: Node) -> Gate:
    """Happens when any input has."""
    return Gate("or", inputs)


def AtLeast(needed: int, *inputs: Node) -> Gate:
    """Happens when `needed` or more of the inputs have: a 2-of-3 quorum is lost by `AtLeast(2, a, b, c)`.  1 <= needed <= n."""
    return Gate("atleast", inputs, needed)


def Not(input_: Node) -> Gate:
    """Happens when the input has not.  A tree with it may be one in which a repair causes a failure."""
    return Gate("not", (input_,))


def Xor(*inputs: Node) -> Gate:
    """Happens when an odd number of inputs has."""
    return Gate("xor", inputs)
