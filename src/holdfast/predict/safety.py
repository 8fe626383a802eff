"""Capacity after a loss, and settings that must fit each other: what will hurt, where it is written, and what to do.

Rules: a rule is a generator of Findings over the topology alone; a finding says what was compared with what, in numbers; nothing
is found where nothing is declared.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

from holdfast.predict.queues import mean_wait
from holdfast.predict.service import needed
from holdfast.quantities import shown_seconds, written_seconds
from holdfast.topology.model import Topology

RESERVED_CONNECTIONS = 3
"""PostgreSQL keeps so many for superusers (superuser_reserved_connections)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """warning: it will hurt when something breaks.  note: it is worth knowing."""

    level: Literal["warning", "note"]
    rule: str
    what: str
    where: str
    remedy: str


def findings(topology: Topology) -> tuple[Finding, ...]:
    """Warnings first, then in the order of the rules."""
    found = [finding for rule in RULES for finding in rule(topology)]
    return tuple(sorted(found, key=lambda finding: finding.level == "note"))


def capacity(topology: Topology) -> Iterator[Finding]:
    """Whether what is left after one instance, or one zone, still carries the peak (N-1)."""
    for name, tier in topology.tiers.items():
        if not tier.capacity or not tier.demand:
            continue
        zones = Counter(instance.zone for instance in topology.instances_of(name))
        worst, lost = zones.most_common(1)[0]
        where = topology.located("tiers", name, "capacity")
        must = ceil(tier.demand / tier.capacity - 1e-9)
        losses = [("without one instance", 1)] + (
            [(f"without zone {worst}", lost)] if len(topology.zones) > 1 and lost > 1 else []
        )
        for said, gone in losses:
            left = tier.replicas - gone
            if left * tier.capacity < tier.demand:
                what = f"{said}, {name} can do {left * tier.capacity:g} of a peak of {tier.demand:g}"
                yield Finding(
                    level="warning", rule="capacity", what=what, where=where, remedy=_more(topology, name, must, gone > 1)
                )
                break
        else:
            yield from _waiting(topology, name, where)


def _more(topology: Topology, name: str, must: int, by_zone: bool) -> str:
    """How many replicas would do, counted for the loss in question."""
    replicas, zones = topology.tiers[name].replicas, len(topology.zones)
    while replicas - (ceil(replicas / zones) if by_zone else 1) < must:
        replicas += 1
        if replicas > 1000:
            return "use larger instances, or more zones: no number of replicas is enough"
    return f"write replicas: {replicas}, or use larger instances"


def _waiting(topology: Topology, name: str, where: str) -> Iterator[Finding]:
    tier = topology.tiers[name]
    assert tier.capacity
    assert tier.demand
    before_s = mean_wait(tier.replicas, tier.demand, tier.capacity)
    after_s = mean_wait(tier.replicas - 1, tier.demand, tier.capacity)
    if tier.replicas > 1 and after_s > 3 / tier.capacity:
        share = tier.demand / ((tier.replicas - 1) * tier.capacity)
        what = (
            f"with one instance lost, {name} is used to {share:.0%} and a request waits {shown_seconds(after_s)} on average "
            f"(Erlang C, per second), {shown_seconds(before_s)} before"
        )
        yield Finding(
            level="note", rule="queueing", what=what, where=where, remedy="add a replica, so that what is left is used less"
        )


def attempts(topology: Topology, caller: str, called: str) -> int:
    """How often one call of `caller` may reach `called`."""
    uses = topology.tiers[caller].uses.get(called)
    if uses is not None:
        return uses.retries + 1
    # Our balancers ask a second host for a page when the first did not answer; what a config of the user's own does is not known.
    settings = topology.tiers[caller].settings
    pages = any(other == called and protocol == "http" for protocol, other in topology.tiers[caller].routes.items())
    again = pages and any(getattr(settings, name, None) is not None for name in ("retry_after", "hedge_after"))
    return 2 if again and topology.tiers[caller].config is None and topology.tiers[called].replicas > 1 else 1


def chains(topology: Topology) -> Iterator[tuple[str, ...]]:
    """Every way from a tier that nobody calls down to one that calls nobody."""

    def below(name: str) -> list[str]:
        tier = topology.tiers[name]
        return [each for each in dict.fromkeys((*tier.routes.values(), *tier.uses)) if each in topology.tiers]

    stack = [(name,) for name in topology.tiers if not topology.users_of(name) and below(name)]
    while stack:
        chain = stack.pop()
        further = [each for each in below(chain[-1]) if each not in chain]
        if not further:
            yield chain
        stack += [(*chain, each) for each in further]


def retries(topology: Topology) -> Iterator[Finding]:
    """Layers that each try again multiply; with little room that keeps a service down after its cause is gone.

    (Beyer and others, Site Reliability Engineering, chapter 22; Bronson and others, Metastable Failures, HotOS 2021.)
    """
    for chain in sorted(set(chains(topology))):
        factor, layers = 1, 0
        for caller, called in zip(chain, chain[1:], strict=False):
            times = attempts(topology, caller, called)
            factor, layers = factor * times, layers + (times > 1)
        last = topology.tiers[chain[-1]]
        where = topology.located("tiers", chain[-2], "uses" if topology.tiers[chain[-2]].uses else "routes")
        way = " -> ".join(chain)
        if last.capacity and last.demand and last.replicas > 1:
            left = (last.replicas - 1) * last.capacity
            if last.demand <= left < last.demand * factor:
                what = (
                    f"after a loss {chain[-1]} can carry the peak ({last.demand:g} of {left:g}), but not once every call fails "
                    f"and is tried again: {way} makes {factor} of one, {last.demand * factor:g} in all, and stays down"
                )
                remedy = "limit retries by a budget (a share of calls), or by a breaker, in one layer only"
                yield Finding(level="warning", rule="metastable", what=what, where=where, remedy=remedy)
                continue
        if layers > 1:
            what = f"{layers} layers try again: one question may become {factor} on the way {way}"
            yield Finding(level="note", rule="retries", what=what, where=where, remedy="try again in one layer, near the user")


def timeouts(topology: Topology) -> Iterator[Finding]:
    """Who calls must wait for at least as long as all attempts of what is called take together."""
    for name, tier in topology.tiers.items():
        inner_s = max((uses.timeout * (uses.retries + 1) for uses in tier.uses.values()), default=0.0)
        if not inner_s:
            continue
        slowest = max(tier.uses, key=lambda each: tier.uses[each].timeout * (tier.uses[each].retries + 1))
        said = f"{name} may take {written_seconds(inner_s)} for {slowest} ({tier.uses[slowest].retries + 1} attempts)"
        for caller, other in topology.tiers.items():
            uses = other.uses.get(name)
            limit_s, key = (uses.timeout, ("uses", name, "timeout")) if uses else (None, ("request_timeout",))
            if uses is None and name in other.routes.values() and other.config is None:
                limit_s = getattr(other.settings, "request_timeout", None)
            if limit_s is not None and limit_s < inner_s:
                what = f"{caller} gives up on {name} after {written_seconds(limit_s)}, but {said}"
                remedy = f"let {caller} wait for {written_seconds(inner_s)} or more, or {name} for less"
                yield Finding(
                    level="warning",
                    rule="timeouts",
                    what=what,
                    where=topology.located("tiers", caller, *key),
                    remedy=remedy,
                )


def pools(topology: Topology) -> Iterator[Finding]:
    """Connections that may be opened, beside those that a database takes."""
    for name, tier in topology.tiers.items():
        most = getattr(tier.settings, "max_connections", None) if hasattr(tier.settings, "consensus") else None
        users = {user: other.uses[name].pool for user, other in topology.tiers.items() if name in other.uses}
        if most is None or not any(users.values()):
            continue
        wanted = {user: (pool or 0) * topology.tiers[user].replicas for user, pool in users.items()}
        room = most - RESERVED_CONNECTIONS
        if sum(wanted.values()) > room:
            told = ", ".join(f"{user} {number}" for user, number in wanted.items() if number)
            what = f"{name} takes {room} connections besides {RESERVED_CONNECTIONS} reserved ones, its users may open {told}"
            yield Finding(
                level="warning",
                rule="pools",
                what=what,
                where=topology.located("tiers", name, "max_connections"),
                remedy="make the pools smaller, or max_connections larger",
            )


def quorums(topology: Topology) -> Iterator[Finding]:
    """A zone must not hold so many voters that the rest are no majority.  Even numbers are refused by the engine itself."""
    for name, tier in topology.tiers.items():
        if tier.engine != "etcd" or tier.replicas < 2:
            continue
        where = topology.located("tiers", name, "replicas")
        zone, most = Counter(instance.zone for instance in topology.instances_of(name)).most_common(1)[0]
        if tier.replicas - most < needed(topology, name):
            what = f"zone {zone} holds {most} of {tier.replicas} voters of {name}: without it the rest have no majority"
            yield Finding(level="warning", rule="quorum", what=what, where=where, remedy="spread them over three zones or more")


def recovery_points(topology: Topology) -> Iterator[Finding]:
    """What may be lost when a primary is lost (the recovery point), by how its standbys follow."""
    for name, tier in topology.tiers.items():
        synchronous = getattr(tier.settings, "synchronous", None)
        if synchronous is None or tier.replicas < 2:
            continue
        where = topology.located("tiers", name, "synchronous")
        if synchronous == 0:
            objective = topology.objectives.lost_writes
            level: Literal["warning", "note"] = "warning" if objective is not None else "note"
            what = f"{name} follows asynchronously: what was confirmed in the last moments before a loss may be gone"
            if objective is not None:
                what += f", and the objective is {objective} lost writes"
            yield Finding(level=level, rule="recovery point", what=what, where=where, remedy="write synchronous: 1")
        elif tier.replicas <= synchronous + 1:
            what = (
                f"{name} needs {synchronous} of {tier.replicas - 1} standbys for each commit: after one loss none is to spare"
            )
            yield Finding(
                level="note", rule="recovery point", what=what, where=where, remedy=f"write replicas: {synchronous + 2}"
            )


RULES: tuple[Callable[[Topology], Iterator[Finding]], ...] = (
    capacity,
    retries,
    timeouts,
    pools,
    quorums,
    recovery_points,
)
