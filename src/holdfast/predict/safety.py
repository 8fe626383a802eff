"""Capacity after a loss, and settings that must fit each other: what will hurt, where it is written, and what to do.

Rules: a rule is a generator of Findings over the topology alone; a finding says what was compared with what, in numbers; nothing
is found where nothing is declared.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from math import ceil, floor, isfinite

from holdfast.engines.shared import has_own_config
from holdfast.predict.calls import losses, pools, retries, timeouts
from holdfast.predict.finding import Finding, Level
from holdfast.predict.queues import mean_wait
from holdfast.predict.service import needed
from holdfast.quantities import shown_seconds
from holdfast.topology.model import Topology


def findings(topology: Topology) -> tuple[Finding, ...]:
    """Warnings first, then in the order of the rules."""
    found = [finding for rule in RULES for finding in rule(topology)]
    return tuple(sorted(found, key=lambda finding: finding.level == "note"))


def capacity(topology: Topology) -> Iterator[Finding]:
    """Whether what is left after one instance (N-1), or one zone, still carries the peak.  At exactly the peak nothing is left to
    spare: a queue that came about is never worked off."""
    for name, tier in topology.tiers.items():
        if not tier.capacity or not tier.demand:
            continue
        where = topology.located("tiers", name, "capacity")
        short = [
            (said, left) for said, gone in losses(topology, name)
            if (left := max(0, tier.replicas - gone) * tier.capacity) <= tier.demand * (1 + 1e-9)
        ]  # fmt: skip
        if not short:
            yield from _waiting(topology, name, where)
            continue
        (said, left), *further = short
        what = f"{said}, {name} can do {left:g} of a peak of {tier.demand:g}"
        what += "".join(f"; {also}, {less:g}" for also, less in further)
        if left > tier.demand * (1 - 1e-9):
            what += ": nothing is left to spare, and a queue only grows"
        yield Finding(level="warning", rule="capacity", what=what, where=where, remedy=_more(topology, name))


def _more(topology: Topology, name: str) -> str:
    """How many replicas carry more than the peak after the loss of any one instance, and of any zone."""
    tier, zones = topology.tiers[name], len(topology.zones)
    assert tier.capacity
    assert tier.demand
    must = floor(tier.demand / tier.capacity + 1e-9) + 1
    by_zone = [number for number in range(tier.replicas, 1001) if zones > 1 and number - ceil(number / zones) >= must]
    for_one, for_zone = max(tier.replicas, must + 1), min(by_zone, default=0)
    if for_one > 1000 or (zones > 1 and not for_zone):
        return "use larger instances, or more zones: no number of replicas is enough"
    if for_zone <= for_one:
        return f"write replicas: {for_one}, or use larger instances"
    if for_one == tier.replicas:
        return f"write replicas: {for_zone}, or use larger instances"
    return f"write replicas: {for_zone}, or use larger instances; {for_one} would bear the loss of one, but not of a zone"


def _waiting(topology: Topology, name: str, where: str) -> Iterator[Finding]:
    tier = topology.tiers[name]
    assert tier.capacity
    assert tier.demand
    before_s = mean_wait(tier.replicas, tier.demand, tier.capacity)
    after_s = mean_wait(tier.replicas - 1, tier.demand, tier.capacity)
    if tier.replicas > 1 and isfinite(after_s) and after_s > 3 / tier.capacity:
        share = tier.demand / ((tier.replicas - 1) * tier.capacity)
        what = (
            f"with one instance lost, {name} is used to {share:.0%} and a request waits {shown_seconds(after_s)} on average "
            f"(Erlang C, per second), {shown_seconds(before_s)} before"
        )
        yield Finding(
            level="note", rule="queueing", what=what, where=where, remedy="add a replica, so that what is left is used less"
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
            level: Level = "warning" if objective is not None else "note"
            what = f"{name} follows asynchronously: what was confirmed in the last moments before a loss may be gone"
            if objective is not None:
                what += f", and the objective is {objective} lost writes"
            yield Finding(level=level, rule="recovery point", what=what, where=where, remedy="write synchronous: 1")
        elif tier.replicas <= synchronous + 1:
            what = f"{name} has {synchronous + 1} hosts and waits for {synchronous} standby{'s' * (synchronous > 1)}: "
            what += _without_spare(has_own_config(name, topology), synchronous)
            yield Finding(
                level="note", rule="recovery point", what=what, where=where, remedy=f"write replicas: {synchronous + 2}"
            )


def _without_spare(own: bool, synchronous: int) -> str:
    """What becomes of commits after one loss: holdfast renders synchronous_mode without synchronous_mode_strict, in which Patroni
    lowers synchronous_node_count to the standbys that are there (Patroni documentation, Replication modes)."""
    if own:
        return "after one loss your config decides whether writes stop (synchronous_mode_strict) or go on with fewer copies"
    if synchronous == 1:
        return (
            "after one loss Patroni goes on without rather than stop writes, and what is then confirmed is on one host alone: "
            "a recovery point above 0 until a standby is back"
        )
    return (
        f"after one loss Patroni waits for {synchronous - 1} rather than stop writes, and what is then confirmed is on "
        f"{synchronous} hosts, not {synchronous + 1}: a recovery point above 0 once these are lost together"
    )


RULES: tuple[Callable[[Topology], Iterator[Finding]], ...] = (
    capacity,
    retries,
    timeouts,
    pools,
    quorums,
    recovery_points,
)
