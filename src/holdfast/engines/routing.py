"""Who a balancer sends which protocol to: the tiers it routes, how they are reached, and on which port clients find them.

Balancers use this module and not the catalogue, which knows the balancers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from holdfast.blueprint import Site
from holdfast.engines import command, patroni
from holdfast.engines.engine import Entry, Served
from holdfast.engines.shared import objection
from holdfast.errors import Problem
from holdfast.topology.model import Topology

ENTRY_PORTS: Mapping[str, int] = {"http": 80, "postgres": 5432, "postgres_read": 5433}
"""Where clients find a protocol at a balancer, before `Site.port`."""

_SERVING = {"command": command, "patroni": patroni}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One instance behind a balancer, where it is at this site."""

    name: str
    address: str
    port: int
    check_port: int
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    protocol: str
    tier: str
    entry_port: int
    served: Served
    servers: tuple[Server, ...]

    @property
    def behind(self) -> str:
        """What the servers are called together: the tier, and apart from it those that only read."""
        return f"{self.tier}-read" if self.protocol == "postgres_read" else self.tier


def served_by(tier: str, topology: Topology) -> Mapping[str, Served]:
    engine = _SERVING.get(topology.tiers[tier].engine)
    return engine.served(tier, topology) if engine else {}


def entries(tier: str, topology: Topology) -> tuple[Entry, ...]:
    """The listeners of a balancer tier, ports as declared (a site may move those below 1024)."""
    routes = topology.tiers[tier].routes
    known = {protocol: to for protocol, to in routes.items() if protocol in ENTRY_PORTS}
    return tuple(Entry(protocol=protocol, port=ENTRY_PORTS[protocol], tier=to) for protocol, to in known.items())


def routes(tier: str, topology: Topology, site: Site) -> tuple[Route, ...]:
    found = []
    for entry in entries(tier, topology):
        served = served_by(entry.tier, topology)[entry.protocol]
        servers = tuple(
            Server(
                name=other.host, address=site.address(other.host, other.address),
                port=site.port(served.port), check_port=site.port(served.check_port), zone=other.zone,
            )
            for other in topology.instances_of(entry.tier)
        )
        found.append(
            Route(protocol=entry.protocol, tier=entry.tier, entry_port=site.port(entry.port), served=served, servers=servers)
        )
    return tuple(found)


def with_fallbacks(tier: str, topology: Topology, site: Site) -> tuple[Route, ...]:
    """And, where replicas alone are routed to, their primary: whom reads go to while no replica can serve.

    Nobody enters by such a route; its `entry_port` is 0.
    """
    found = routes(tier, topology, site)
    written = {route.tier for route in found if route.protocol == "postgres"}
    added = []
    for route in found:
        if route.protocol == "postgres_read" and route.tier not in written:
            primary = served_by(route.tier, topology)["postgres"]
            servers = tuple(
                replace(each, port=site.port(primary.port), check_port=site.port(primary.check_port)) for each in route.servers
            )
            added.append(replace(route, protocol="postgres", entry_port=0, served=primary, servers=servers))
    return (*found, *added)


def route_objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    """What no balancer could do: route nothing, an unknown protocol, or one that the tier does not speak."""
    declared = topology.tiers[tier]
    if not declared.routes:
        return (objection(topology, tier, "routes", f"the balancer {tier} routes nothing", "add `routes: {http: web}`"),)
    found = []
    for protocol, to in declared.routes.items():
        where = topology.located("tiers", tier, "routes", protocol)
        if protocol not in ENTRY_PORTS:
            found.append(Problem(f"no balancer here speaks {protocol!r}", where, f"use one of {', '.join(ENTRY_PORTS)}"))
        elif to not in topology.tiers:
            found.append(Problem(f"there is no tier {to!r} to route {protocol} to", where, "name a tier of this file"))
        elif protocol not in served_by(to, topology):
            spoken = ", ".join(served_by(to, topology)) or "nothing that can be routed"
            found.append(Problem(f"the tier {to} does not speak {protocol}", where, f"it speaks {spoken}"))
    return tuple(found)
