"""What a strike does to one tier of a path: a chain of steps, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from holdfast.engines.engine import Delay

Fact = Literal["primary", "leader", "confirms"]
"""What only the moment of the strike decides.  primary, leader: of a database, and of its store, is on a struck host; confirms: a
standby whose confirmation commits wait for is."""
When = Mapping[Fact, bool]

LASTS = "nobody is left who could take over: it lasts as long as the fault"
OWN_CONFIG = "a config of your own: its numbers are not known"
NO_TIMER = "no setting decides how late is too late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One tier's share.  `certain`: the lower bound holds whoever is drawn; `unknown`: there is no promise, for `reason`."""

    chain: tuple[Delay, ...] = ()
    certain: bool = False
    unknown: bool = False
    when: When = field(default_factory=dict)
    """The case that it is the share in; without facts it is in every case."""
    store: str = ""
    reason: str = ""

    @property
    def low_s(self) -> float:
        return sum(step.low_s for step in self.chain)

    @property
    def high_s(self) -> float:
        return sum(step.high_s for step in self.chain)


UNHARMED = Part()
