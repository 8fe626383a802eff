"""By how much the outage of a drill may differ from strike to strike: timers are hit at another moment of their period."""

from holdfast.drills.drill import ZONE, Drill
from holdfast.engines.catalogue import ENGINES
from holdfast.faults.catalogue import FAULTS
from holdfast.topology.model import Topology

LONGEST_WAIT_S = 10.0


def timer_s(drill: Drill, topology: Topology) -> float:
    """The widest timer of every tier involved, added up: those on the hosts that are struck and those that call them."""
    return sum(_widest_s(tier, topology) for tier in involved(drill, topology))


def involved(drill: Drill, topology: Topology) -> tuple[str, ...]:
    """Tiers whose timers may take part, in the order of the file; all of them where a zone is struck."""
    if drill.target.startswith(ZONE):
        return tuple(topology.tiers)
    lodging = topology.lodging(drill.tier)
    found = {name for name in topology.tiers if topology.lodging(name) == lodging}
    while more := {user for tier in found for user in topology.users_of(tier)} - found:
        found |= more
    return tuple(name for name in topology.tiers if name in found)


def _widest_s(tier: str, topology: Topology) -> float:
    delays = ENGINES[topology.tiers[tier].engine].delays(tier, topology)
    return max((delay.high_s - delay.low_s for delay in delays if delay.kind == "timer"), default=0.0)


def aftermath_s(drill: Drill, topology: Topology) -> float:
    """How long after its mending the drill's fault may still begin to do harm: all timers of its tier, one after the other."""
    if not FAULTS[drill.fault].outlasts:
        return 0.0
    delays = ENGINES[topology.tiers[drill.tier].engine].delays(drill.tier, topology)
    return sum(delay.high_s for delay in delays if delay.kind == "timer")


def slowest_timer_s(topology: Topology) -> float:
    """The period over which a strike is drawn: the widest uncertainty of any timer (a lease renewal, a check interval)."""
    return min(LONGEST_WAIT_S, max((_widest_s(tier, topology) for tier in topology.tiers), default=0.0) or 1.0)
