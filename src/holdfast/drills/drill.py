"""A drill as data, and the drills that a topology asks for when its user lists none."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Actions
from holdfast.errors import Problem
from holdfast.faults.catalogue import FAULTS
from holdfast.topology.model import Drilled, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """hold_s: how long the fault is held at the least; at the most until clients are served calmly again, or `longest_s`."""

    name: str
    fault: str
    tier: str
    target: str
    """A word resolved at the moment of striking: `one`, `primary`, `replica`, `active`, `leader`, or a host's name."""
    inner: str = ""
    hold_s: float = 8.0
    longest_s: float = 60.0


def rehearsal(topology: Topology) -> tuple[Drill, ...]:
    """The user's own list, or the five ways to break a service (six with a virtual IP)."""
    if topology.drills:
        return tuple(_numbered([_declared(topology, drilled) for drilled in topology.drills]))
    return tuple(_numbered(list(_usual(topology))))


def _usual(topology: Topology) -> Iterator[Drill]:
    webs = [name for name, tier in topology.tiers.items() if tier.replicas > 1 and "http" in ENGINES[tier.engine].SERVES]
    databases = [name for name, tier in topology.tiers.items() if _actions(topology, name).switchover]
    for web in webs:
        yield Drill(name="kill", fault="kill", tier=web, target="one", hold_s=4.0)
        yield Drill(name="freeze", fault="freeze", tier=web, target="one")
    for database in databases:
        inner = next(iter(_actions(topology, database).inner), "")
        yield Drill(name="kill", fault="kill", tier=database, target="primary", inner=inner, hold_s=4.0)
        yield Drill(name="power_cut", fault="power_cut", tier=database, target="primary")
        yield Drill(name="switchover", fault="switchover", tier=database, target="primary", hold_s=4.0)
    for name, tier in topology.tiers.items():
        if tier.vip and tier.replicas > 1:
            yield Drill(name="power_cut", fault="power_cut", tier=name, target="active")


def _actions(topology: Topology, tier: str) -> Actions:
    return ENGINES[topology.tiers[tier].engine].actions(topology.instances_of(tier)[0], topology)


def _declared(topology: Topology, drilled: Drilled) -> Drill:
    tier = drilled.tier or _tier_for(topology, drilled.target)
    inner = next(iter(_actions(topology, tier).inner), "") if drilled.fault == "kill" else ""
    drill = Drill(name=drilled.fault, fault=drilled.fault, tier=tier, target=drilled.target, inner=inner)
    if drilled.duration is None:
        return drill
    return Drill(
        name=drill.name, fault=drill.fault, tier=tier, target=drill.target, inner=inner,
        hold_s=drilled.duration, longest_s=drilled.duration,
    )  # fmt: skip


def objections(topology: Topology) -> tuple[Problem, ...]:
    """Drills of the user's own that could never strike."""
    found = []
    for index, drilled in enumerate(topology.drills):
        if drilled.tier is not None and drilled.tier not in topology.tiers:
            continue  # told by the topology's own checks
        drill = _declared(topology, drilled)
        instances = topology.instances_of(drill.tier)
        words = _words_of(topology, drill.tier)
        if drilled.target not in (*words, *(instance.host for instance in instances)):
            remedy = f"use {', '.join(words)}, or a host of the tier: {', '.join(instance.host for instance in instances)}"
            where = topology.located("drills", index, "target")
            found.append(Problem(f"nobody in {drill.tier} is ever {drilled.target!r}", where, remedy))
        if drilled.fault == "switchover" and not _actions(topology, drill.tier).switchover:
            where = topology.located("drills", index, "fault")
            found.append(Problem(f"{drill.tier} has nobody who could hand over", where, "name a database tier, with `tier:`"))
    return tuple(found)


def _words_of(topology: Topology, tier: str) -> tuple[str, ...]:
    engine = topology.tiers[tier].engine
    roles = {"patroni": ("primary", "replica"), "etcd": ("leader", "follower")}.get(engine, ())
    return ("one", *roles, *(("active", "standby") if topology.tiers[tier].vip else ()))


def _tier_for(topology: Topology, target: str) -> str:
    """Where no tier is named: the one that has such a role, or the host's own."""
    for name in topology.tiers:
        if any(instance.host == target for instance in topology.instances_of(name)):
            return name
    if target in ("primary", "replica"):
        return next((name for name in topology.tiers if _actions(topology, name).switchover), next(iter(topology.tiers)))
    if target in ("active", "standby"):
        return next((name for name, tier in topology.tiers.items() if tier.vip), next(iter(topology.tiers)))
    return next(iter(topology.tiers))


def _numbered(drills: list[Drill]) -> Iterator[Drill]:
    """Names are unique and say fault and tier: `kill web`, `kill web 2`."""
    seen: dict[str, int] = {}
    for drill in drills:
        base = f"{drill.fault} {drill.tier}" + (f" {drill.inner}" if drill.inner else "")
        seen[base] = seen.get(base, 0) + 1
        name = base if seen[base] == 1 else f"{base} {seen[base]}"
        yield Drill(
            name=name, fault=drill.fault, tier=drill.tier, target=drill.target, inner=drill.inner, hold_s=drill.hold_s,
            longest_s=drill.longest_s,
        )  # fmt: skip


def chosen(drills: tuple[Drill, ...], only: list[str]) -> tuple[Drill, ...] | Problem:
    """Those whose fault or name was asked for."""
    if not only:
        return drills
    known = {drill.fault for drill in drills} | {drill.name for drill in drills}
    for word in only:
        if word not in known:
            reason = "is not among this topology's drills" if word in FAULTS else "is no fault"
            return Problem(f"{word!r} {reason}", where="--only", remedy=f"choose among {', '.join(sorted(known))}")
    return tuple(drill for drill in drills if drill.fault in only or drill.name in only)
