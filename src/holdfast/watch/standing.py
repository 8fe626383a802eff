"""How each target stands: damped, so that one lost answer is no outage, with the time since when, and what was heard before.

`rise` good answers in a row bring a target in, `fall` bad ones take it out, as a balancer counts; the first counts at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from holdfast.watch.target import Answer, Target, Word

State = Literal["unasked", "up", "down"]
KEPT = 60
"""Answers that are remembered of each target."""
_SIGNS: Mapping[Word, str] = {"yes": "+", "no": "-", "unknown": "?"}


@dataclass(slots=True, kw_only=True)
class Standing:
    """One target.  `since_s`: when it came into its state, on the loop's clock."""

    target: Target
    rise: int = 1
    fall: int = 2
    state: State = "unasked"
    since_s: float = 0.0
    role: str = ""
    last: Answer | None = None
    in_a_row: int = 0
    """Answers in a row that speak against the state."""
    asked: int = 0
    bad: int = 0
    history: str = ""
    """The last answers as signs, the newest last: + yes, - no, ? unknown."""
    role_since_s: float = 0.0
    """When the first answer in a row that named the role came."""
    role_asked_s: float = 0.0
    """When the last answer that named it was asked for."""

    def hear(self, answer: Answer) -> bool:
        """True when the state or the role changed."""
        self.last = answer
        self.asked += 1
        self.bad += answer.word != "yes"
        self.history = (self.history + _SIGNS[answer.word])[-KEPT:]
        at_s = answer.asked_s + answer.took_s
        before = (self.state, self.role)
        says: State = "up" if answer.word == "yes" else "down"
        self.in_a_row = 0 if says == self.state else self.in_a_row + 1
        if self.state == "unasked" or self.in_a_row >= (self.rise if says == "up" else self.fall):
            self.state, self.since_s, self.in_a_row = says, at_s, 0
        if answer.word == "yes":
            if answer.role != self.role:
                self.role_since_s = at_s
            self.role, self.role_asked_s = answer.role, answer.asked_s
        elif self.state == "down":
            self.role = ""
        return (self.state, self.role) != before


class Standings:
    """All targets by name, in the order in which they were declared."""

    def __init__(self, targets: Iterable[Target], *, rise: int = 1, fall: int = 2):
        self.by_name: Mapping[str, Standing] = {
            target.name: Standing(target=target, rise=rise, fall=fall) for target in targets
        }  # fmt: skip
        self.unasked = len(self.by_name)

    def hear(self, answer: Answer) -> bool:
        standing = self.by_name[answer.target]
        self.unasked -= standing.state == "unasked"
        return standing.hear(answer)

    def __iter__(self) -> Iterator[Standing]:
        return iter(self.by_name.values())
