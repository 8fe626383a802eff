"""A small shop to render, built by hand, and the sites to render it for."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from holdfast.blueprint import Program, Site
from holdfast.engines import command, envoy, etcd, haproxy, keepalived, nginx, patroni
from holdfast.topology.model import Client, Tier, Topology, Uses

FAKE_PROGRAMS = {
    "envoy": ("/usr/local/bin/envoy", "1.40.0"),
    "haproxy": ("/usr/sbin/haproxy", "2.6.12"),
    "nginx": ("/usr/sbin/nginx", "1.22.1"),
    "keepalived": ("/usr/sbin/keepalived", "2.2.7"),
    "etcd": ("/usr/bin/etcd", "3.5.16"),
    "patroni": ("/usr/bin/patroni", "4.1.5"),
    "postgres": ("/usr/lib/postgresql/15/bin/postgres", "15.18"),
}
PRODUCTION = Site(
    lab="production",
    programs={
        name: Program(name=name, path=path, version=version, source="PATH") for name, (path, version) in FAKE_PROGRAMS.items()
    },
)


def web(**settings: object) -> Tier:
    return Tier(
        engine="command", replicas=3, uses={"db": Uses(timeout="2s", retries=1)},
        settings=command.Settings(**{"run": "python3 app.py", "port": 8080, "health": "/ready", **settings}),
    )


def db(replicas: int = 3, **settings: object) -> Tier:
    return Tier(
        engine="patroni", replicas=replicas, settings=patroni.Settings(**{"synchronous": 1, "consensus": "etcd", **settings})
    )


def store(replicas: int = 3, **settings: object) -> Tier:
    return Tier(engine="etcd", replicas=replicas, on="db", settings=etcd.Settings(**settings))


def topology(**tiers: Tier) -> Topology:
    return Topology(
        service="shop", network=IPv4Network("10.0.1.0/24"), zones=("a", "b", "c"), clients={"client": Client(zone="a")},
        tiers=tiers, folder=Path("/srv/shop"),
    )


def shop() -> Topology:
    """Envoy in front of three web hosts and a synchronous database: the demo."""
    routes = {"http": "web", "postgres": "db"}
    entry = Tier(engine="envoy", replicas=2, routes=routes, settings=envoy.Settings())
    return topology(entry=entry, web=web(), db=db(), etcd=store())


def classic() -> Topology:
    """HAProxy with a virtual IP in front of the same."""
    routes = {"http": "web", "postgres": "db"}
    entry = Tier(
        engine="haproxy", replicas=2, routes=routes, vip=IPv4Address("10.0.1.100"), settings=haproxy.Settings(),
    )
    vip = Tier(engine="keepalived", replicas=2, on="entry", settings=keepalived.Settings())
    return topology(**{"entry": entry, "entry-vip": vip, "web": web(), "db": db(), "etcd": store()})


def pages() -> Topology:
    """nginx with a virtual IP in front of web hosts; a database has another way in."""
    entry = Tier(
        engine="nginx", replicas=2, routes={"http": "web"}, vip=IPv4Address("10.0.1.100"), settings=nginx.Settings(),
    )
    vip = Tier(engine="keepalived", replicas=2, on="entry", settings=keepalived.Settings())
    return topology(**{"entry": entry, "entry-vip": vip, "web": web(), "db": db(), "etcd": store()})
