"""Faults of the network between hosts.  Who is cut from whom is pure data: pairs of hosts (from, to) whose packets vanish.

A partition among all hosts of a tier takes a shape; with any other target the targeted hosts are one side and the other hosts of
their tiers the other.  Clients and balancers go on seeing both sides.  Loss and delay hold for what the targeted host sends,
so that a round trip shows them once; a slow link is slow both ways.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from pydantic import Field

from holdfast.errors import Problem, Refused
from holdfast.faults.fault import Settings, Struck, Target, fault
from holdfast.lab.verbs import ANYONE, Lab, Rule
from holdfast.quantities import Duration, Share, Size, shown_seconds, written_share

Pairs = frozenset[tuple[str, str]]


def sides(one: Iterable[str], other: Iterable[str]) -> Pairs:
    """Nobody of one side hears anybody of the other."""
    other = tuple(other)
    there = {(a, b) for a in one for b in other if a != b}
    return frozenset(there | {(b, a) for a, b in there})


def halves(hosts: Sequence[str], rng: random.Random) -> Pairs:
    """Two halves; of an odd number one has a majority."""
    drawn = rng.sample(hosts, len(hosts))
    return sides(drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :])


def minority(hosts: Sequence[str], rng: random.Random) -> Pairs:
    """The largest minority is cut off; of two hosts, where there is none, one."""
    few = rng.sample(hosts, max(1, (len(hosts) - 1) // 2))
    return sides(few, [host for host in hosts if host not in few])


def bridge(hosts: Sequence[str], rng: random.Random) -> Pairs:
    """Two halves that do not hear each other, and one host that hears both."""
    return halves(rng.sample(hosts, len(hosts))[1:], rng)


def ring(hosts: Sequence[str], rng: random.Random) -> Pairs:
    """On a circle drawn by lot everyone hears the two neighbours only."""
    circle = rng.sample(hosts, len(hosts))
    place = {host: number for number, host in enumerate(circle)}
    count = len(circle)
    return frozenset((a, b) for a in hosts for b in hosts if 1 < (place[a] - place[b]) % count < count - 1)


Shape = Literal["halves", "minority", "bridge", "ring"]
SHAPES: Mapping[str, Callable[[Sequence[str], random.Random], Pairs]] = {
    "halves": halves, "minority": minority, "bridge": bridge, "ring": ring,
}  # fmt: skip
LEAST_HOSTS: Mapping[str, int] = {"halves": 2, "minority": 2, "bridge": 3, "ring": 4}
"""With fewer a shape cuts nobody from anybody."""


def peers(target: Target) -> tuple[str, ...]:
    """All hosts of the tiers that have an instance on a targeted host."""
    tiers = [hosts for hosts in target.tiers.values() if set(hosts) & set(target.hosts)]
    return tuple(dict.fromkeys([*target.hosts, *(host for hosts in tiers for host in hosts)]))


class Partition(Settings):
    shape: Shape = "halves"
    """How all hosts of a tier are split (`target: all`): halves; a minority from the rest; bridge, one host hears both halves;
    ring, everyone hears two neighbours."""


def partitioned(target: Target) -> Pairs:
    """Raises Refused where the shape would cut nobody."""
    hosts = peers(target)
    if set(hosts) != set(target.hosts):
        return sides(target.hosts, [host for host in hosts if host not in target.hosts])
    shape = target.settings.shape
    if len(hosts) < LEAST_HOSTS[shape]:
        reason = f"a partition of {len(hosts)} hosts into {shape} cuts nobody off"
        raise Refused(Problem(reason, where=str(target), remedy=f"take another shape, or at least {LEAST_HOSTS[shape]} hosts"))
    return SHAPES[shape](hosts, random.Random(target.seed))


def cut_rules(pairs: Pairs, ports: Iterable[int] = ()) -> list[Rule]:
    return [Rule(source=a, target=b, drop=1.0, ports=frozenset(ports)) for a, b in sorted(pairs)]


@asynccontextmanager
async def shaped(lab: Lab, rules: Sequence[Rule], said: str, cut: Pairs = frozenset()) -> AsyncIterator[Struck]:
    try:
        await lab.shape(rules)
        yield Struck(said=said, cut=tuple(sorted(cut)))
    finally:
        await lab.shape([])


@fault(needs="shape", settings=Partition)
async def partition(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Hosts of a tier do not hear each other, while clients and balancers see them all.

    {fault: partition, tier: db, target: primary}      {fault: partition, tier: etcd, target: all, shape: bridge}
    """
    pairs = partitioned(target)
    said = ", ".join(f"{a} and {b}" for a, b in sorted(pairs) if a < b)
    async with shaped(lab, cut_rules(pairs), f"cut from each other: {said}", pairs) as struck:
        yield struck


class OneWay(Settings):
    lost: Literal["sent", "received"] = "sent"
    """sent: it hears everyone and nobody hears it; received: everyone hears it and it hears nobody."""


@fault(needs="shape", settings=OneWay)
async def one_way(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The host hears all others and nobody hears it: half of a cable is broken, or a firewall is.

    Addresses are still resolved, as they are behind a router; without ARP both directions would soon be cut.

    {fault: one_way, tier: db, target: primary}      {fault: one_way, tier: db, target: replica, lost: received}
    """
    sent = target.settings.lost == "sent"
    rules = [
        Rule(source=host if sent else ANYONE, target=ANYONE if sent else host, drop=1.0, spares_arp=True) for host in target.hosts
    ]
    said = f"nobody hears {target}" if sent else f"{target} hears nobody"
    async with shaped(lab, rules, said) as struck:
        yield struck


class Loss(Settings):
    share: Share = Field(default=0.3, gt=0)
    """Of the packets that the host sends."""


@fault(needs="shape", settings=Loss)
async def loss(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Some of what the host sends is lost, drawn by lot packet by packet: everything works, and badly.

    {fault: loss, tier: web, target: one, share: 30%}
    """
    share = target.settings.share
    rules = [Rule(source=host, drop=share, seed=target.seed + number) for number, host in enumerate(target.hosts)]
    async with shaped(lab, rules, f"{written_share(share)} of what {target} sends is lost") as struck:
        yield struck


class Delay(Settings):
    delay: Duration = 0.1
    """Added to every round trip."""
    jitter: Duration = 0.0
    """The delay wanders by so much in both directions; at most as much as the delay itself counts."""


@fault(needs="shape", settings=Delay)
async def delay(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Every answer of the host comes later: another continent, or a switch with full queues.

    {fault: delay, tier: db, target: replica, delay: 100ms, jitter: 20ms}
    """
    wanted = target.settings
    jitter_s = min(wanted.jitter, wanted.delay)
    rules = [
        Rule(source=host, delay_s=wanted.delay, jitter_s=jitter_s, seed=target.seed + number)
        for number, host in enumerate(target.hosts)
    ]
    said = f"what {target} sends takes {shown_seconds(wanted.delay)} longer"
    said += f", give or take {shown_seconds(jitter_s)}" if jitter_s else ""
    async with shaped(lab, rules, said) as struck:
        yield struck


class SlowLink(Settings):
    rate: Size = Field(default=1_000_000, ge=10_000)
    """Bytes per second, in each direction."""


@fault(needs="shape", settings=SlowLink)
async def slow_link(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The host's cable carries little: short answers come as ever, long ones and replication queue up.

    {fault: slow_link, tier: db, target: replica, rate: 1MB}
    """
    rate = float(target.settings.rate)
    rules = [Rule(source=host, rate_bytes_per_s=rate) for host in target.hosts]
    rules += [Rule(target=host, rate_bytes_per_s=rate) for host in target.hosts]
    async with shaped(lab, rules, f"the cable of {target} carries {rate / 1e6:g} MB/s") as struck:
        yield struck


class CutFrom(Settings):
    from_: str = Field(alias="from")
    """The tier that is out of reach.  Its own name leaves the other instances of the tier out of reach: replication."""
    ports: tuple[int, ...] = ()
    """Only these TCP ports, where other traffic goes to the same hosts; none: everything."""


def cut_off(target: Target) -> Pairs:
    """Raises Refused where nobody is left to be cut from."""
    wanted = target.settings
    there = target.tiers.get(wanted.from_)
    if there is None:
        remedy = f"write one of {', '.join(target.tiers)}"
        raise Refused(Problem(f"there is no tier {wanted.from_}", where=f"cut_from {target}", remedy=remedy))
    pairs = sides(target.hosts, there)
    if not pairs:
        reason = f"{target} and the tier {wanted.from_} are on the same host, with no cable between them"
        raise Refused(Problem(reason, where=f"cut_from {target}", remedy="choose another tier"))
    return pairs


@fault(needs="shape", settings=CutFrom)
async def cut_from(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """One tier is out of reach and all others are not: the database without its etcd, or without its replicas.

    What runs on the host itself stays in reach; an etcd member there loses its peers and so has no say.

    {fault: cut_from, tier: db, target: primary, from: etcd, ports: [2379, 2380]}
    {fault: cut_from, tier: db, target: primary, from: db, ports: [5432]}
    """
    wanted = target.settings
    pairs = cut_off(target)
    said = f"{target} is cut from {wanted.from_}"
    said += f" on port {', '.join(map(str, wanted.ports))}" if wanted.ports else ""
    async with shaped(lab, cut_rules(pairs, wanted.ports), said) as struck:
        yield struck
