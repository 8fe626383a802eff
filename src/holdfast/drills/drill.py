"""A drill as data, and what a topology's own list of drills means."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from holdfast.drills.sense import senseless
from holdfast.engines import mesh, tls
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Actions
from holdfast.errors import Problem
from holdfast.faults.catalogue import FAULTS
from holdfast.topology.model import Drilled, Objectives, Topology

ZONE = "zone "
MANY = ("one", "minority", "majority", "all")
LONGEST_S = 3600.0
CHANGES = ("scale_out", "scale_in", "config_change", "password_change")
"""Faults that make the service another one for a while; they concern all of a tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Which fault, whom, how long.

    target: a word resolved at the moment of striking: `one`, `minority`, `majority`, `all`, `primary`, `replica`, `active`,
    `zone a`, a host's name.  settings: the fault's own model.
    hold_s: how long the fault is held at the least; at the most until clients are served calmly again, or `longest_s`.
    base: the name without the number of the repeat.
    """

    name: str = ""
    fault: str
    tier: str
    target: str
    inner: str = ""
    settings: Any = None
    hold_s: float = 8.0
    longest_s: float = 60.0
    objectives: Objectives | None = None
    base: str = ""
    repeat: int = 1


def declared(topology: Topology) -> tuple[Drill, ...]:
    """The user's own list."""
    return named([one(topology, drilled) for drilled in topology.drills])


def actions_of(topology: Topology, tier: str) -> Actions:
    found: Actions = ENGINES[topology.tiers[tier].engine].actions(topology.instances_of(tier)[0], topology)
    return found


def inner_of(topology: Topology, tier: str) -> str:
    """The process inside that a kill of this tier means: PostgreSQL and not Patroni."""
    return next(iter(actions_of(topology, tier).inner), "")


def one(topology: Topology, drilled: Drilled) -> Drill:
    """What one entry of the user's list means; its tier must be there."""
    tier = drilled.tier or _tier_for(topology, "primary" if drilled.fault == "password_change" else drilled.target)
    inner = inner_of(topology, tier) if drilled.fault in ("kill", "crash_loop") else ""
    target = "all" if drilled.fault in (*CHANGES, "overload") else drilled.target
    drill = Drill(
        fault=drilled.fault, tier=tier, target=target, inner=inner, settings=drilled.settings,
        objectives=drilled.objectives,
    )  # fmt: skip
    return drill if drilled.duration is None else replace(drill, hold_s=drilled.duration, longest_s=drilled.duration)


def objections(topology: Topology) -> tuple[Problem, ...]:
    """Drills of the user's own that could never strike.  A tier that is not there is told by `topology.check`."""
    found = []
    for index, drilled in enumerate(topology.drills):
        if drilled.tier is not None and drilled.tier not in topology.tiers:
            continue
        if drilled.duration is not None and not 0 < drilled.duration <= LONGEST_S:
            where = topology.located("drills", index, "for")
            what = f"{drilled.fault} would be held for {drilled.duration:g} s"
            found.append(Problem(what, where, "write more than 0 and at most 1h, or remove it"))
        drill = one(topology, drilled)
        words = words_of(topology, drill.tier)
        hosts = tuple(instance.host for instance in topology.instances_of(drill.tier))
        if drilled.target not in (*words, *hosts):
            remedy = f"use {', '.join(words)}, or a host of the tier: {', '.join(hosts)}"
            where = topology.located("drills", index, "target")
            found.append(Problem(f"nobody in {drill.tier} is ever {drilled.target!r}", where, remedy))
        actions = actions_of(topology, drill.tier)
        where = topology.located("drills", index, "fault")
        if drilled.fault == "switchover" and not actions.switchover:
            found.append(Problem(f"{drill.tier} has nobody who could hand over", where, "name a database tier, with `tier:`"))
        elif drilled.fault == "switchover" and drilled.target != "primary":
            where = topology.located("drills", index, "target")
            found.append(Problem(f"only the primary hands over, not {drilled.target!r}", where, "write target: primary"))
        found += senseless(topology, index, drilled, drill.tier)
        if drilled.fault in CHANGES and drilled.target != "one":
            where = topology.located("drills", index, "target")
            found.append(Problem(f"{drilled.fault} concerns the whole tier", where, "remove `target:`"))
        if drilled.fault == "reload" and not (actions.reloads or actions.again):
            found.append(Problem(f"{drill.tier} cannot reload its files while it runs", where, "use rolling_restart"))
        if drilled.fault == "certificate_change":
            if not actions.certificate:
                remedy = "add `tls: {}` to a balancer, or name the sidecars of a tier that others call, as web-mesh"
                found.append(Problem(f"{drill.tier} shows no certificate", where, remedy))
            elif lacking := _without_next(drill.tier, topology):
                remedy = f"add {lacking}: {{file: PATH}} under secrets"
                found.append(Problem(f"there is no new certificate to put in place of {drill.tier}'s", where, remedy))
    return tuple(found)


def _without_next(tier: str, topology: Topology) -> str:
    """The first secret that should take the place of one that the user named, and was not named itself."""
    pairs = [*tls.renewed_by(tier, topology).values()]
    if tls.staples(tier, topology):
        pairs.append((tls.staple_of(tier), f"{tls.staple_of(tier)}{mesh.NEXT}"))
    return next((after for before, after in pairs if before in topology.secrets and after not in topology.secrets), "")


def words_of(topology: Topology, tier: str) -> tuple[str, ...]:
    """The words that a target of this tier may be."""
    engine = topology.tiers[tier].engine
    roles = {"patroni": ("primary", "replica"), "etcd": ("leader", "follower")}.get(engine, ())
    zones = tuple(f"{ZONE}{zone}" for zone in topology.zones)
    return (*MANY, *roles, *(("active", "standby") if topology.tiers[tier].vip else ()), *zones)


def _tier_for(topology: Topology, target: str) -> str:
    """Where no tier is named: the host's own, or the one that has such a role."""
    for name in topology.tiers:
        if any(instance.host == target for instance in topology.instances_of(name)):
            return name
    fitting = [name for name in topology.tiers if target in words_of(topology, name) and target not in MANY]
    return fitting[0] if fitting else next(iter(topology.tiers))


def named(drills: Iterable[Drill]) -> tuple[Drill, ...]:
    """Names are unique and say fault and tier: `kill web`, `kill web 2`."""
    seen: dict[str, int] = {}
    found = []
    for drill in drills:
        whole = drill.target.startswith(ZONE)
        base = f"{drill.fault} {drill.target if whole else drill.tier}" + (f" {drill.inner}" if drill.inner else "")
        seen[base] = seen.get(base, 0) + 1
        name = base if seen[base] == 1 else f"{base} {seen[base]}"
        found.append(replace(drill, name=name, base=name))
    return tuple(found)


def repeated(drills: tuple[Drill, ...], times: int) -> Iterator[Drill]:
    """All of them, again and again; from the second time on the name says which."""
    for number in range(1, times + 1):
        for drill in drills:
            yield drill if number == 1 else replace(drill, name=f"{drill.base} ({number})", repeat=number)


def chosen(drills: tuple[Drill, ...], only: list[str]) -> tuple[Drill, ...] | Problem:
    """Those whose fault or name was asked for; a Problem where there is none."""
    if not drills:
        remedy = "give a tier two replicas or more, or write `drills:`"
        return Problem("nothing here can be broken: no tier has a replica to spare", where="drill", remedy=remedy)
    if not only:
        return drills
    known = {drill.fault for drill in drills} | {drill.name for drill in drills}
    for word in only:
        if word not in known:
            reason = "is not among this topology's drills" if word in FAULTS else "is no fault"
            return Problem(f"{word!r} {reason}", where="--only", remedy=f"choose among {', '.join(sorted(known))}")
    return tuple(drill for drill in drills if drill.fault in only or drill.name in only)
