"""How tiers call each other: retries that multiply, timeouts that must nest, and pools that must fit.

Rules: what is counted is what may happen at worst by what is declared; nothing is guessed that nobody says.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.predict.finding import Finding
from holdfast.quantities import written_seconds
from holdfast.topology.model import Topology

RESERVED_CONNECTIONS = 3
"""PostgreSQL keeps so many for superusers (superuser_reserved_connections)."""


def losses(topology: Topology, tier: str) -> Iterator[tuple[str, int]]:
    """(in words, how many instances are gone) for one instance, and for the zone that takes most where that is more."""
    yield "without one instance", 1
    zone, lost = Counter(instance.zone for instance in topology.instances_of(tier)).most_common(1)[0]
    if len(topology.zones) > 1 and lost > 1:
        yield f"without zone {zone}", lost


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


def multiplied(topology: Topology, caller: str, called: str) -> float:
    """By how much all calls together may grow: a budget holds retries to a share of the calls under way, themselves included."""
    most, uses = float(attempts(topology, caller, called)), topology.tiers[caller].uses.get(called)
    budget = uses.retry_budget if uses is not None else None
    return most if budget is None or budget >= 1.0 else min(most, 1.0 / (1.0 - budget))


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
    ways = sorted(set(chains(topology)))
    parts = dict.fromkeys(way[:end] for way in ways for end in range(2, len(way) + 1))
    metastable = {way: found for way in parts for found in _metastable(topology, way)}
    yield from metastable.values()
    for way in ways:
        factor, layers = 1, 0
        for caller, called in zip(way, way[1:], strict=False):
            times = attempts(topology, caller, called)
            factor, layers = factor * times, layers + (times > 1)
        if layers > 1 and way not in metastable:
            what = f"{layers} layers try again: one question may become {factor} on the way {' -> '.join(way)}"
            yield Finding(level="note", rule="retries", what=what, where=_calling(topology, way),
                          remedy="try again in one layer, near the user")  # fmt: skip


def _calling(topology: Topology, way: tuple[str, ...]) -> str:
    return topology.located("tiers", way[-2], "uses" if topology.tiers[way[-2]].uses else "routes")


def _metastable(topology: Topology, way: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the last tier of this way bears a loss, but not the retries that it brings about; the first such loss is told."""
    factor, last = 1.0, topology.tiers[way[-1]]
    for caller, called in zip(way, way[1:], strict=False):
        factor *= multiplied(topology, caller, called)
    if not last.capacity or not last.demand:
        return
    for said, gone in losses(topology, way[-1]):
        left = (last.replicas - gone) * last.capacity
        if last.demand < left < last.demand * factor * (1 - 1e-9):
            what = (
                f"{said}, {way[-1]} can carry the peak ({last.demand:g} of {left:g}), but not once every call fails "
                f"and is tried again: {' -> '.join(way)} makes {factor:.3g} of one, {last.demand * factor:.4g} in all, "
                f"and stays down"
            )
            remedy = "limit retries by a budget (a share of calls), or by a breaker, in one layer only"
            yield Finding(level="warning", rule="metastable", what=what, where=_calling(topology, way), remedy=remedy)
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """How long a tier may wait for another one, all attempts together: where that asks all it uses at once, and one by one."""

    called: str
    attempts: int
    at_once_s: float
    seconds: float


def patience_s(topology: Topology, caller: str, called: str) -> float | None:
    """How long `caller` waits for one answer of `called`; None where nobody says so."""
    tier = topology.tiers[caller]
    uses = tier.uses.get(called)
    if called not in tier.routes.values():
        return uses.timeout if uses else None
    if uses is not None and "timeout" in uses.model_fields_set:
        return uses.timeout
    found: float | None = getattr(tier.settings, "request_timeout", None)
    return found if tier.config is None else None


def _waits(topology: Topology, name: str) -> list[_Wait]:
    """Of a program, what it uses; of a balancer, the tiers behind it, for as long as these may take and it waits."""
    tier = topology.tiers[name]
    found = []
    for called, uses in tier.uses.items():
        if called not in tier.routes.values():
            long_s = uses.timeout * (uses.retries + 1)
            found.append(_Wait(called=called, attempts=uses.retries + 1, at_once_s=long_s, seconds=long_s))
    for called in dict.fromkeys(tier.routes.values()):
        limit_s = patience_s(topology, name, called)
        inner = _waits(topology, called) if called in topology.tiers else []
        if limit_s is not None and inner:
            at_once_s, total_s = max(each.at_once_s for each in inner), sum(each.seconds for each in inner)
            found.append(_Wait(called=called, attempts=1, at_once_s=min(limit_s, at_once_s), seconds=min(limit_s, total_s)))
        elif limit_s is not None and called in tier.uses and "timeout" in tier.uses[called].model_fields_set:
            found.append(_Wait(called=called, attempts=1, at_once_s=limit_s, seconds=limit_s))
    return [each for each in found if each.seconds]


def timeouts(topology: Topology) -> Iterator[Finding]:
    """Who calls must wait for at least as long as all attempts of what is called take together.

    Whether a program asks what it uses one after the other or all at once is not known: less than the sum is a note, less than
    the longest alone a warning.  A request through a balancer takes one of its routes.
    """
    for name, tier in topology.tiers.items():
        waits = _waits(topology, name)
        if not waits:
            continue
        longest = max(waits, key=lambda each: (each.seconds, each.at_once_s))
        waits = [longest] if tier.routes else waits
        total_s, alone_s = sum(each.seconds for each in waits), max(each.at_once_s for each in waits)
        for caller in topology.users_of(name):
            limit_s = patience_s(topology, caller, name)
            if limit_s is None or limit_s >= total_s - 1e-9:
                continue
            own = topology.tiers[caller].uses.get(name) is not None
            yield Finding(
                level="warning" if limit_s < alone_s else "note", rule="timeouts",
                what=f"{caller} gives up on {name} after {written_seconds(limit_s)}, but {name} may take {_told(waits, alone_s)}",
                where=topology.located("tiers", caller, *(("uses", name, "timeout") if own else ("request_timeout",))),
                remedy=f"let {caller} wait for {written_seconds(total_s)} or more, or {name} for less",
            )  # fmt: skip


def _told(waits: list[_Wait], alone_s: float) -> str:
    """`4s for db (2 attempts)`; `6s for db (2 attempts) and cache (2 attempts), asked one after the other, or 4s at once`."""
    total_s = sum(each.seconds for each in waits)
    parts = [each.called + (f" ({each.attempts} attempts)" if each.attempts > 1 else "") for each in waits]
    also = f", where one thing is asked after the other, or {written_seconds(alone_s)} at once" if alone_s < total_s else ""
    return f"{written_seconds(total_s)} for {' and '.join(parts)}{also}"


def pools(topology: Topology) -> Iterator[Finding]:
    """Connections that may be opened, beside those that a database takes."""
    for name, tier in topology.tiers.items():
        most = getattr(tier.settings, "max_connections", None) if hasattr(tier.settings, "consensus") else None
        wanted = _pooled(topology, name)
        room = (most or 0) - RESERVED_CONNECTIONS
        if most is not None and sum(wanted.values()) > room:
            told = ", ".join(f"{user} {number}" for user, number in wanted.items())
            what = f"{name} takes {room} connections besides {RESERVED_CONNECTIONS} reserved ones, its users may open {told}"
            yield Finding(
                level="warning",
                rule="pools",
                what=what,
                where=topology.located("tiers", name, "max_connections"),
                remedy="make the pools smaller, or max_connections larger",
            )


def _pooled(topology: Topology, database: str) -> dict[str, int]:
    """User to the connections that all of its instances may keep open to the primary, themselves or through a balancer.

    A balancer that has pages for the user as well is left out: what the pool is of is not said there.
    """
    found: dict[str, int] = {}
    for user, other in topology.tiers.items():
        for called, uses in other.uses.items():
            routes = topology.tiers[called].routes if called in topology.tiers else {}
            behind = routes.get("postgres") == database and routes.get("http", user) == user
            if uses.pool and (called == database or behind):
                through = user if called == database else f"{user} through {called}"
                found[through] = uses.pool * other.replicas
    return found
