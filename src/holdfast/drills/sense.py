"""Drills of the user's own that name a fault with a tier that it cannot concern."""

from collections.abc import Iterator

from holdfast.engines import mesh
from holdfast.engines.routing import served_by
from holdfast.errors import Problem
from holdfast.topology.model import Drilled, Topology

_TELLS_NO_TIME = ("haproxy", "keepalived", "sidecar")
_ONE_TIER = ("alive_but_wrong", "slow_answers", "clock_skew", "oom", "dependency_down")


def senseless(topology: Topology, index: int, drilled: Drilled, tier: str) -> Iterator[Problem]:
    """`tier`: the one that the drill means, which exists."""
    where = topology.located("drills", index, "tier" if drilled.tier else "fault")
    engine = topology.tiers[tier].engine
    if drilled.fault in _ONE_TIER and drilled.target.startswith("zone "):
        at = topology.located("drills", index, "target")
        yield Problem(f"{drilled.fault} strikes programs of one tier, not a zone", at, "name a tier, and target: one or all")
    if drilled.fault in ("alive_but_wrong", "slow_answers") and "http" not in served_by(tier, topology):
        yield Problem(f"{tier} speaks no http of its own that {drilled.fault} could spoil", where, "name a tier that does")
    elif drilled.fault in ("alive_but_wrong", "slow_answers") and mesh.meshed(tier, topology):
        what = f"{drilled.fault} stands in front of a program's port, and calls come to {tier} through its sidecars"
        yield Problem(what, where, f"name a tier without `mesh:`, or use hang: {{fault: hang, tier: {tier}}}")
    if drilled.fault == "clock_skew" and engine in _TELLS_NO_TIME:
        remedy = "name another tier"
        yield Problem(f"{engine} tells nobody what time it takes it to be, so nothing could be proven", where, remedy)
    if drilled.fault == "overload":
        yield from _overload(topology, index, drilled, tier)
    if drilled.fault == "dependency_down":
        known = dependencies(topology, tier)
        if drilled.settings.dependency not in known:
            at = topology.located("drills", index, "dependency")
            remedy = f"write one of {', '.join(known)}" if known else "name a tier that depends on another"
            yield Problem(f"{tier} does not depend on {drilled.settings.dependency}", at, remedy)


def _overload(topology: Topology, index: int, drilled: Drilled, tier: str) -> Iterator[Problem]:
    """A crowd asks what some probe asks, of a tier that says how much it can do."""
    wanted, declared = drilled.settings, topology.tiers[tier]
    if drilled.target != "one":
        where = topology.located("drills", index, "target")
        yield Problem("overload concerns the whole tier", where, "remove `target:`")
    if not declared.capacity:
        where = topology.located("drills", index, "tier" if drilled.tier else "fault")
        remedy = f"write how many requests a second one instance of {tier} can do, as in capacity: 100"
        yield Problem(f"{tier} declares no capacity of which {wanted.times:g} times could be offered", where, remedy)
    at = topology.located("drills", index, "probe")
    probe = topology.probes.get(wanted.probe)
    asked = getattr(probe, "http", "")
    if not asked.startswith("http://"):
        known = [name for name, each in topology.probes.items() if getattr(each, "http", "").startswith("http://")]
        what = f"{wanted.probe} is no probe that asks by http" + (", without encryption" if asked else "")
        yield Problem(what, at, f"write one of {', '.join(known)}" if known else "add one under `probes:`")
        return
    name = probe.tiers[0]
    first = topology.borne_by(name) or name
    way = topology.tiers[first].routes.get("http", first) if first in topology.tiers else first
    if way != tier:
        yield Problem(f"what {wanted.probe} asks is not served by {tier}", at, "name a probe that asks it, or its balancer")


def dependencies(topology: Topology, tier: str) -> tuple[str, ...]:
    """The tiers that it calls: by `uses:`, `routes:`, or as its consensus store."""
    declared = topology.tiers[tier]
    store = getattr(declared.settings, "consensus", None)
    named = [*declared.uses, *declared.routes.values(), *([store] if store else [])]
    return tuple(dict.fromkeys(name for name in named if name in topology.tiers))
