"""A strike as prediction sees it: who is hit on which tier, and what the others see of it.

Pure words and counts; which instance it will be is decided at the moment of striking.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from holdfast.topology.model import Topology

Nature = Literal["refuses", "silent", "hands over", "in turn", "unharmed", "slow", "cut", "no space", "wrong"]
"""What the others see.  refuses: connections are refused, and the service manager starts it again; silent: nothing answers
and nobody is told; hands over: in good order; in turn: one refuses after the other; slow: it answers, but late; cut: it
lives, and some of the others do not hear it; no space: it lives and cannot write; wrong: it says that it is well and is not."""

NATURES: Mapping[str, Nature] = {
    "kill": "refuses", "crash_loop": "refuses", "oom": "refuses",
    "hang": "silent", "freeze": "silent", "power_cut": "silent", "reboot": "silent", "isolate": "silent",
    "cpu_starve": "slow", "loss": "slow", "delay": "slow", "slow_link": "slow", "slow_answers": "slow", "disk_slow": "slow",
    "partition": "cut", "one_way": "cut", "cut_from": "cut", "dependency_down": "cut",
    "disk_full": "no space", "disk_read_only": "no space",
    "switchover": "hands over", "rolling_restart": "in turn",
    "reload": "unharmed", "scale_out": "unharmed", "scale_in": "unharmed", "clock_skew": "unharmed",
    "certificate_change": "unharmed", "alive_but_wrong": "wrong",
}  # fmt: skip
"""A fault that is not here has no promise."""

OF_PROCESS = frozenset({"kill", "crash_loop", "hang", "oom", "switchover", "reload", "rolling_restart", "slow_answers",
                        "alive_but_wrong", "dependency_down", "clock_skew", "scale_out", "scale_in", "certificate_change"})
"""These hit one program; all others hit its host, and with it every program there."""
AGAIN_AND_AGAIN = frozenset({"crash_loop", "oom"})
"""What the service manager starts again dies again, until the fault is mended."""
ZONE = "zone "


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A drill, as far as prediction needs it.  Seconds; `longest_s` equal to `hold_s`: the user said how long."""

    fault: str
    tier: str
    target: str
    settings: Any = None
    hold_s: float = 8.0
    longest_s: float = 60.0

    @property
    def nature(self) -> Nature | None:
        return NATURES.get(self.fault)

    @property
    def lasts_s(self) -> float:
        """How long what is broken stays so; infinite where the drill waits for clients to be served."""
        return self.hold_s if self.hold_s == self.longest_s else inf


def dependency(strike: Strike) -> str:
    """The tier that the struck one no longer hears, or ""."""
    return str(getattr(strike.settings, "from_", "") or getattr(strike.settings, "dependency", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """How many of a tier's instances are struck, and whether the one with the role is among them."""

    count: int
    of: int
    role: Literal["certainly", "perhaps", "no"] = "perhaps"

    @property
    def everyone(self) -> bool:
        return self.count >= self.of


def hits(strike: Strike, topology: Topology) -> Mapping[str, Hit]:
    """Tier to what is struck of it; tiers that are not touched are missing."""
    if strike.target.startswith(ZONE):
        zone = strike.target.removeprefix(ZONE)
        counts = {tier: sum(each.zone == zone for each in topology.instances_of(tier)) for tier in topology.tiers}
        return {tier: _hit(count, topology.tiers[tier].replicas, "") for tier, count in counts.items() if count}
    own = topology.tiers[strike.tier].replicas
    many = {"one": 1, "minority": (own - 1) // 2, "majority": own // 2 + 1, "all": own}
    if strike.fault == "partition":  # struck are those who hear no majority any more: of all, the smaller half
        many["all"] = own // 2 if own % 2 else own
    count = many.get(strike.target, 1)
    if not count:
        return {}  # there is no minority of one or two
    if strike.fault in OF_PROCESS:
        return {strike.tier: _hit(count, own, strike.target)}
    lodging = topology.lodging(strike.tier)
    together = [tier for tier in topology.tiers if topology.lodging(tier) == lodging]
    return {tier: _hit(count, topology.tiers[tier].replicas, strike.target if tier == strike.tier else "") for tier in together}


def _hit(count: int, of: int, word: str) -> Hit:
    if count >= of or word in ("primary", "active", "leader"):
        return Hit(count=count, of=of, role="certainly")
    return Hit(count=count, of=of, role="no" if word in ("replica", "follower", "standby") else "perhaps")
