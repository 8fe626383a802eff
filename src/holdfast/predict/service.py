"""From a topology to causes and gates: what must fail for clients to be without service, and what failing over costs.

Rules: an instance is down with its program, its host or its zone; equal things also fail together (beta factor); a tier is
down when fewer instances are left than it needs; a path is down with any tier on it; the region and what all share take
everything. Only names of figures stand here, no figures: the same tree then serves ten thousand samples.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from holdfast.predict.gates import And, AtLeast, Event, Node, Or
from holdfast.predict.known import Book, is_elected
from holdfast.topology.model import Instance, Topology

Values = Mapping[str, Any]
"""Name of a figure to a number, or to an array with one number for each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A basic event.  often, long: names of how often and for how long; share: of which part of its failures this is, as the
    name of a beta factor and whether it is the common part."""

    name: str
    often: str
    long: str
    share: tuple[str, bool] | None = None
    where: tuple[str, ...] = ()

    def rate(self, values: Values) -> Any:
        """Failures per hour while it works."""
        said = values[self.often]
        found = said / ((1.0 - said) * values[self.long]) if self.often.endswith(".down") else 1.0 / said
        if self.share is None:
            return found
        beta = values[self.share[0]]
        return found * (beta if self.share[1] else 1.0 - beta)

    def down(self, values: Values) -> Any:
        """lambda r / (1 + lambda r): the steady-state unavailability with a mean repair of r."""
        expected = self.rate(values) * values[self.long]
        return expected / (1.0 + expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A tier that fails over.  own: causes of one instance alone, and of what it serves nobody without.  weight: of the requests,
    which part is lost meanwhile: all where one instance leads, one in `size` where all serve."""

    tier: str
    size: int
    own: tuple[Cause, ...]
    weight: float
    uncovered: str
    failover: str
    manual: str
    test: str
    unnoticed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What one probe asks, or "service": any of them."""

    name: str
    top: Node
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    topology: Topology
    book: Book
    causes: Mapping[str, Cause]
    paths: tuple[Path, ...]
    """The whole service first."""
    pools: Mapping[str, Pool]
    needs: Mapping[str, int]


def needed(topology: Topology, tier: str) -> int:
    """How many instances must be up: a majority where they vote, else what the demand takes, else one."""
    declared = topology.tiers[tier]
    if declared.engine == "etcd":
        return declared.replicas // 2 + 1
    if declared.capacity and declared.demand and not is_elected(topology, tier):
        return min(declared.replicas, max(1, ceil(declared.demand / declared.capacity - 1e-9)))
    return 1


class _Building:
    """Causes by name while the gates are made."""

    def __init__(self, topology: Topology, book: Book) -> None:
        self.topology, self.book = topology, book
        self.causes: dict[str, Cause] = {}
        self.tiers: dict[str, Node] = {}
        said = topology.reliability
        self.beta = book.share("reliability.beta", said.beta, "beta")
        self.manual = book.time("reliability.manual_failover", said.manual_failover, "manual_failover")

    def event(self, name: str, often: str, long: str, share: tuple[str, bool] | None = None, *where: str) -> Event:
        cause = self.causes.setdefault(name, Cause(name=name, often=often, long=long, share=share, where=where))
        values = {each: known.middle for each, known in self.book.known.items()}
        return Event(name, failure_rate=cause.rate(values), repair_rate=1.0 / values[long])

    def zone(self, name: str) -> Event:
        often, long = self.book.rate("reliability.zones", self.topology.reliability.zones, "zones")
        return self.event(f"zone {name}", often, long, None, f"zone:{name}")

    def host(self, name: str, group: int) -> Event:
        often, long = self.book.rate("reliability.hosts", self.topology.reliability.hosts, "hosts")
        return self.event(f"host {name}", often, long, (self.beta, False) if group > 1 else None, f"host:{name}")

    def program(self, instance: Instance, group: int) -> Event:
        often, long = self._program_rate(instance.tier)
        return self.event(instance.name, often, long, (self.beta, False) if group > 1 else None, f"host:{instance.host}")

    def _program_rate(self, tier: str) -> tuple[str, str]:
        declared, engine = self.topology.tiers[tier], self.topology.tiers[tier].engine
        fall_back = self.topology.reliability.engines.get(engine)
        said = declared.reliability
        own = said is not None and (said.mtbf or said.mttr or said.availability or said.sla is not None)
        path = f"tiers.{tier}.reliability" if own else f"reliability.engines.{engine}"
        return self.book.rate(path, said if own else fall_back, "engines", fall_back)

    def common(self, tier: str) -> Iterator[Event]:
        """What takes all of a tier at once: of its programs it lasts until a person has acted, of its hosts as long as a
        repair."""
        size = self.topology.tiers[tier].replicas
        if size < 2:
            return
        often, _ = self._program_rate(tier)
        engine = self.topology.tiers[tier].engine
        yield self.event(f"all {engine} of {tier} at once", often, self.manual, (self.beta, True), f"tier:{tier}")
        lodging = self.topology.lodging(tier)
        if self.topology.tiers[lodging].replicas > 1:
            often, long = self.book.rate("reliability.hosts", self.topology.reliability.hosts, "hosts")
            yield self.event(f"all hosts of {lodging} at once", often, long, (self.beta, True), f"tier:{lodging}")

    def down(self, instance: Instance) -> Node:
        """With what it shares its host with: the program that holds its virtual IP, and its sidecar."""
        group = self.topology.tiers[instance.tier].replicas
        parts: list[Node] = [
            self.program(instance, group),
            self.host(instance.host, self.topology.tiers[self.topology.lodging(instance.tier)].replicas),
            self.zone(instance.zone),
        ]
        for lodger in self.derived(instance.tier):
            beside = next(each for each in self.topology.instances_of(lodger) if each.host == instance.host)
            parts.append(self.program(beside, group))
        return Or(*parts)

    def derived(self, tier: str) -> list[str]:
        """What holds its virtual IP and what calls for it: without them an instance serves nobody."""
        return [name for name in self.topology.tiers if self.topology.bearer(name) == tier]

    def tier(self, name: str) -> Node:
        if name not in self.tiers:
            instances = self.topology.instances_of(name)
            parts: list[Node] = [AtLeast(len(instances) - needed(self.topology, name) + 1, *map(self.down, instances))]
            parts += self.common(name)
            for lodger in self.derived(name):
                parts += self.common(lodger)
            parts += [self.shared(each) for each, said in self.topology.reliability.shared.items() if name in said.tiers]
            self.tiers[name] = Or(*parts, *self.consensus(name))
        return self.tiers[name]

    def consensus(self, name: str) -> Iterator[Node]:
        """Without a majority a database has no primary; with `failsafe` it keeps one while all its members confirm it."""
        settings = self.topology.tiers[name].settings
        voters = getattr(settings, "consensus", None)
        if voters in self.topology.tiers:
            lost = self.tier(voters)
            members = [self.down(each) for each in self.topology.instances_of(name)]
            yield And(lost, Or(*members)) if getattr(settings, "failsafe", False) else lost

    def shared(self, name: str) -> Event:
        often, long = self.book.rate(f"reliability.shared.{name}", self.topology.reliability.shared[name], "shared")
        return self.event(f"shared {name}", often, long, None, "service")


def reached(topology: Topology, start: str, protocol: str | None) -> tuple[str, ...]:
    """The tier and all that it needs: of a balancer's routes the one that is asked for, of a program all that it uses."""
    found: dict[str, None] = {}
    waiting = [(start, protocol)]
    while waiting:
        name, asked = waiting.pop(0)
        if name in found or name not in topology.tiers:
            continue
        found[name] = None
        tier = topology.tiers[name]
        waiting += [(other, None) for key, other in tier.routes.items() if asked in (None, key)]
        waiting += [(other, None) for other, how in tier.uses.items() if how.critical]
    return tuple(found)


def paths_of(topology: Topology) -> dict[str, tuple[str, ...]]:
    """Probe to the tiers on its way; where there is none, every tier that nobody else needs to what it needs."""
    hosts = {instance.host: instance.tier for instance in topology.instances}
    found = {}
    for name, probe in topology.probes.items():
        starts = [each if each in topology.tiers else hosts.get(each, each) for each in getattr(probe, "tiers", ())]
        protocol = "postgres" if hasattr(probe, "ledger") else "http"
        found[name] = tuple(dict.fromkeys(tier for start in starts for tier in reached(topology, start, protocol)))
    if not found:
        first = [name for name in topology.tiers if not topology.users_of(name) and not topology.bearer(name)]
        found = {name: reached(topology, name, None) for name in first}
    return {name: tiers for name, tiers in found.items() if tiers}


def service_of(topology: Topology, book: Book) -> Service:
    building = _Building(topology, book)
    often, long = book.rate("reliability.region", topology.reliability.region, "region")
    region = building.event("region", often, long, None, "service")
    everyone = [building.shared(name) for name, said in topology.reliability.shared.items() if not said.tiers]
    found = paths_of(topology)
    paths = [
        Path(name=name, top=Or(region, *everyone, *(building.tier(tier) for tier in tiers)), tiers=tiers)
        for name, tiers in found.items()
    ]
    every = tuple(dict.fromkeys(tier for path in paths for tier in path.tiers))
    whole = Path(name="service", top=Or(region, *everyone, *(building.tier(tier) for tier in every)), tiers=every)
    pools = {tier: pool for tier in every if (pool := _pool(building, tier)) is not None}
    return Service(
        topology=topology,
        book=book,
        causes=building.causes,
        paths=(whole, *paths),
        pools=pools,
        needs={tier: needed(topology, tier) for tier in topology.tiers},
    )


def _pool(building: _Building, tier: str) -> Pool | None:
    """None where none is to spare: then a loss is an outage, and no failing over; and for voters, whose users lose nothing while
    they have a majority."""
    topology, book = building.topology, building.book
    declared, said = topology.tiers[tier], topology.reliability
    if declared.replicas <= needed(topology, tier) or declared.engine == "etcd":
        return None
    pool = declared.reliability
    instance = topology.instances_of(tier)[0]
    size = declared.replicas
    building.down(instance)
    names = [instance.name, f"host {instance.host}", f"zone {instance.zone}"]
    for lodger in building.derived(tier):  # a virtual IP moves, and a balancer asks elsewhere, without these as well
        names += [each.name for each in topology.instances_of(lodger) if each.host == instance.host]
    alone: Callable[[str, str], str] = lambda key, of: book.share(f"reliability.{key}", getattr(said, key, None), of)  # noqa: E731
    uncovered = (
        _uncovered(book, f"tiers.{tier}.reliability", pool.coverage)
        if pool and pool.coverage
        else (
            _uncovered(book, "reliability", said.coverage)
            if said.coverage
            else book.share("reliability.uncovered", None, "uncovered")
        )
    )
    manual = building.manual
    if pool and pool.manual_failover:
        manual = book.time(f"tiers.{tier}.reliability.manual_failover", pool.manual_failover, "manual_failover")
    leads = is_elected(topology, tier) or declared.vip is not None
    return Pool(
        tier=tier,
        size=size,
        own=tuple(building.causes[name] for name in names),
        weight=1.0 if leads else 1.0 / size,
        uncovered=uncovered,
        failover=book.failover(tier),
        manual=manual,
        test=book.time("reliability.failover_test", said.failover_test, "failover_test"),
        unnoticed=alone("unnoticed", "unnoticed"),
    )


def _uncovered(book: Book, path: str, coverage: tuple[float, float]) -> str:
    return book.share(f"{path}.uncovered", (1.0 - coverage[1], 1.0 - coverage[0]), "uncovered")
