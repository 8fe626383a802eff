"""What a strike does to one tier of a path: a chain of steps, or the reason why there is none."""

from dataclasses import dataclass

from holdfast.engines.engine import Delay

LASTS = "nobody is left who could take over: it lasts as long as the fault"
OWN_CONFIG = "a config of your own: its numbers are not known"
NO_TIMER = "no setting decides how late is too late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One tier's share.  `certain`: the lower bound holds whoever is drawn; `unknown`: there is no promise, for `reason`."""

    chain: tuple[Delay, ...] = ()
    certain: bool = False
    unknown: bool = False
    leader_struck: bool | None = None
    store: str = ""
    reason: str = ""

    @property
    def low_s(self) -> float:
        return sum(step.low_s for step in self.chain)

    @property
    def high_s(self) -> float:
        return sum(step.high_s for step in self.chain)


UNHARMED = Part()
