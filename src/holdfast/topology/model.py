"""What the user declared, frozen, and what follows from it by counting: hosts, addresses, instances.

A tier is a set of equal instances; an instance is one program; its host is an attribute, because several instances may
share one.  This module names no engine, probe or fault: `load` is handed their setting models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from holdfast.quantities import Duration, Share
from holdfast.topology.declared import Declared as Declared
from holdfast.topology.reliability import Pool as Pool
from holdfast.topology.reliability import Rate as Rate
from holdfast.topology.reliability import Reliability as Reliability
from holdfast.topology.reliability import Shared as Shared


class Objectives(Declared):
    """What the service is meant to keep.  Missing ones are not judged."""

    availability: Share | None = None
    """What is promised over a year: kept in the record, not judged by drills."""
    write_outage: Duration | None = None
    """The longest that writes may fail: a ledger probe measures it."""
    read_outage: Duration | None = None
    """The longest that pages may fail: an http probe measures it."""
    lost_writes: int | None = 0
    """Acknowledged writes that may be gone at the end."""
    errors: int | None = None
    """Failed questions allowed in one drill, over all probes of reads."""
    goodput: Share | None = None
    """Of the declared capacity, that is still served in time while an `overload` offers more than all of it."""


class Client(Declared):
    """A host from which probes ask."""

    zone: str | None = None
    """The first zone if not given."""


class Ejection(Declared):
    """An instance that keeps failing is left alone for a while, though its check still says yes."""

    model_config = ConfigDict(populate_by_name=True)

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    """In a row: connections that fail, and answers of 500 and above."""
    duration: Duration = Field(default=10.0, alias="for")
    """How long it is left alone."""
    most: Share = 0.5
    """At most this share of the instances at a time: an error of all of them must not leave nobody."""


class Uses(Declared):
    """How a tier calls another one: a program by `holdfast.runtime`, a balancer by what its engine has for it."""

    timeout: Duration = 2.0
    """How long one call may take."""
    retries: int = 1
    """How often a call is tried again."""
    critical: bool = True
    """Whether the caller fails without it; `false` where it then serves less, or what it remembers."""
    pool: Annotated[int, Field(ge=1)] | None = None
    """Connections that one instance may keep open to it."""
    retry_budget: Share | None = None
    """At most this share of the calls under way may be retries: retries must not finish off what is overloaded."""
    max_pending: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many calls may wait for a connection; further ones fail at once."""
    ejection: Ejection | None = None
    """Leave an instance alone that keeps failing."""


class Drilled(Declared):
    """One drill of the user's own: `{fault: freeze, target: primary, for: 10s}`, and the keys that the fault takes besides."""

    model_config = ConfigDict(populate_by_name=True)

    fault: str
    """What happens: one of the faults."""
    target: str = "one"
    """Whom: a role, `one`, `minority`, `majority`, `all`, `zone NAME`, or a host."""
    duration: Duration | None = Field(default=None, alias="for")
    """How long it is held; if not given, until clients are served again, and 8 s at the least."""
    objectives: Objectives | None = None
    """What this drill is judged by instead."""
    tier: str | None = None
    """Whose; if not given, the one that has such a role or host, else the first."""
    settings: Any = None
    """The fault's own model, made from the rest of the drill's keys."""


class Tier(Declared):
    """Equal instances of one engine.  `settings` is the engine's own model, made from the rest of the tier's keys."""

    engine: str
    """The program: one of the engines."""
    replicas: int = 1
    """Instances, each on a host of its own; of a tier with `on:` as many as there are hosts."""
    on: str | None = None
    """Share the hosts of this tier."""
    vip: IPv4Address | None = None
    """A virtual IP in front of the tier; keepalived moves it."""
    second_vip: IPv4Address | None = None
    """Another one, at home on the last host as the first is on the first: both work, and each takes the other's over."""
    routes: Mapping[str, str] = {}
    """Protocol to tier, for balancers: `{http: web, postgres: db, postgres_read: db}`, of which the last means replicas."""
    uses: Mapping[str, Uses] = {}
    """Tiers that the program calls, and how."""
    mesh: bool | Mapping[str, Any] = False
    """An Envoy beside each of its programs: calls by `uses`, retried and encrypted; keys and values are those of `sidecar`."""
    program: Path | None = None
    """Where the engine's program is, if not where one would look."""
    capacity: Annotated[float, Field(gt=0)] | None = None
    """Requests a second that one instance can answer."""
    demand: Annotated[float, Field(gt=0)] | None = None
    """Requests a second that all of them must answer at peak."""
    reliability: Pool | None = None
    """How often its program fails, and how the tier fails over."""
    config: Path | None = None
    """The user's own config, used byte for byte: one file for all hosts, or a folder with one file named after each host."""
    vip_config: Path | None = None
    """The same for keepalived, beside `vip:`."""
    vip_settings: Mapping[str, Any] = {}
    """Keys and values of `keepalived`, beside `vip:`: how soon the address moves."""
    settings: Any = None

    @property
    def meshed(self) -> bool:
        return self.mesh is not False

    @property
    def vips(self) -> tuple[IPv4Address, ...]:
        """None, one or two."""
        return tuple(each for each in (self.vip, self.second_vip) if each is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A host: its name, address and zone."""

    name: str
    address: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One program of a tier."""

    name: str
    """Host and engine, unique: `db1/patroni`."""
    tier: str
    engine: str
    number: int
    """Counts from 1 within the tier."""
    host: str
    address: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The declared service.  `where` gives the line and column of each key, for messages; it takes no part in equality."""

    service: str
    objectives: Objectives = Objectives()
    network: IPv4Network
    zones: tuple[str, ...]
    clients: Mapping[str, Client]
    tiers: Mapping[str, Tier]
    """In the order of the file; `vip:` and `mesh:` add derived tiers `NAME-vip` and `NAME-mesh` behind the one that has them."""
    probes: Mapping[str, Any] = field(default_factory=dict)
    """Name to the probe's own settings model."""
    drills: tuple[Drilled, ...] = ()
    reliability: Reliability = Reliability()
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name to `{file: PATH}` or `{env: NAME}`."""
    configs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tier to host to the text of its own config, where the user brought one along."""
    folder: Path = Path()
    """Where the file is: relative paths in it start here."""
    later: "Mapping[str, Topology]" = field(default_factory=dict, compare=False, repr=False)
    """What the service becomes in a `config_change` of its drills, by the path that was written there."""
    where: Mapping[tuple[str | int, ...], tuple[int, int]] = field(default_factory=dict, compare=False, repr=False)
    file: str = field(default="topology.yaml", compare=False)

    def located(self, *path: str | int) -> str:
        """`topology.yaml:14:7` of the key at this path, or of the nearest one above it."""
        while path and path not in self.where:
            path = path[:-1]
        line, column = self.where.get(path, (1, 1))
        return f"{self.file}:{line}:{column}"

    def lodging(self, tier: str) -> str:
        """The tier whose hosts this tier's instances are on."""
        on = self.tiers[tier].on
        return self.lodging(on) if on is not None else tier

    @property
    def places(self) -> tuple[Place, ...]:
        """Every host: of tiers, each tier from the next ten addresses on, then of clients from .201 on."""
        places: list[Place] = []
        first = int(self.network.network_address)
        decade = 0
        for name, tier in self.tiers.items():
            if tier.on is not None:
                continue
            decade += 1
            for index in range(tier.replicas):
                address = str(IPv4Address(first + 10 * decade + index + 1))
                zone = self.zones[index % len(self.zones)]
                places.append(Place(name=f"{name}{index + 1}", address=address, zone=zone))
            decade += (tier.replicas - 1) // 10
        for index, (name, client) in enumerate(self.clients.items()):
            address = str(IPv4Address(first + 201 + index))
            places.append(Place(name=name, address=address, zone=client.zone or self.zones[0]))
        return tuple(places)

    def place(self, host: str) -> Place:
        return next(place for place in self.places if place.name == host)

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(instance for tier in self.tiers for instance in self.instances_of(tier))

    def instances_of(self, tier: str) -> tuple[Instance, ...]:
        declared = self.tiers[tier]
        lodging = self.lodging(tier)
        places = {place.name: place for place in self.places}
        hosts = [places[f"{lodging}{index + 1}"] for index in range(declared.replicas)]
        return tuple(
            Instance(
                name=f"{host.name}/{declared.engine}", tier=tier, engine=declared.engine, number=index + 1,
                host=host.name, address=host.address, zone=host.zone,
            )
            for index, host in enumerate(hosts)
        )

    def borne_by(self, address: str) -> str:
        """The tier in front of which this virtual IP stands; "" where there is none."""
        return next((name for name, tier in self.tiers.items() if address in map(str, tier.vips)), "")

    def addresses_of(self, name: str) -> tuple[str, ...]:
        """What the name of a tier or host stands for: its virtual IP, else every address, to be tried in order."""
        if self.borne_by(name):
            return (name,)
        if name in self.tiers:
            vips = self.tiers[name].vips
            return tuple(map(str, vips)) if vips else tuple(instance.address for instance in self.instances_of(name))
        return tuple(place.address for place in self.places if place.name == name)

    def bearer(self, tier: str) -> str:
        """The tier whose `vip:` or `mesh:` added this one, or ""."""
        name, _, word = tier.rpartition("-")
        on = self.tiers[name] if self.tiers[tier].on == name and name in self.tiers else None
        return name if on and ((word == "vip" and on.vip is not None) or (word == "mesh" and on.meshed)) else ""

    def users_of(self, tier: str) -> tuple[str, ...]:
        """Tiers that route to or use this one."""
        return tuple(name for name, other in self.tiers.items() if tier in other.routes.values() or tier in other.uses)
