"""A small shop to render, built by hand, and the sites to render it for."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from holdfast.blueprint import Program, Site
from holdfast.engines import command, envoy, etcd, haproxy, keepalived, nginx, patroni, sidecar
from holdfast.engines.intent import Balance
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


BALANCERS = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy}

ASKED_FOR: dict[str, dict[str, object]] = {
    "round_robin": {"strategy": "round_robin", "weights": {"web1": 3}},
    "least_connections": {"strategy": "least_connections"},
    "random_two": {"strategy": "random_two"},
    "source": {"strategy": "source"},
    "uri": {"strategy": "consistent_hash"},
    "header": {"strategy": "consistent_hash", "hash_on": "header X-Tenant"},
    "bounded": {"strategy": "consistent_hash", "hash_on": "source", "bounded_load": 125},
    "maglev": {"strategy": "maglev"},
    "first": {"strategy": "first", "server_connections": 100},
    "slow": {"slow_start": "10s"},
    "queue": {"server_connections": 50, "queue_timeout": "500ms"},
    "backups": {"backups": ["web3"], "server_connections": 50},
    "zone": {"prefer_zone": True},
    "check": {"check": {"path": "/alive", "host": "shop.example", "status": "200-299", "fast_interval": "100ms"}},
    "cookie": {"sessions": {"by": "cookie", "cookie": "SHOP"}},
    "by_address": {"sessions": {"by": "source", "ttl": "30m"}},
    "rate": {"rate_limit": {"requests": 100, "burst": 50}},
    "websocket": {"websocket": True, "retry_after": "300ms"},
}
"""A name for each thing that a user may ask a balancer for, and how."""

CANNOT = {
    ("nginx", name) for name in ("bounded", "maglev", "first", "slow", "queue", "check")
} | {("haproxy", "maglev"), ("envoy", "first"), ("envoy", "queue")}
"""Who cannot do what.  Sessions by cookie depend on nginx's version."""


def balanced(engine: str, uses: Uses | None = None, tls: dict[str, object] | None = None, **balance: object) -> Topology:
    """Two balancers that spread requests over three web hosts as `balance` says."""
    settings = BALANCERS[engine].Settings(balance=Balance(**balance), tls=tls)
    called = {"web": uses} if uses else {}
    return topology(
        entry=Tier(engine=engine, replicas=2, routes={"http": "web"}, uses=called, settings=settings),
        web=Tier(engine="command", replicas=3, settings=command.Settings(run="python3 app.py", health="/ready")),
    )


def meshed(mesh: dict[str, object] | None = None, **uses: object) -> Topology:
    """A balancer in front of a tier that calls another one through sidecars; a third has sidecars and does not call it."""
    said = sidecar.Settings(**(mesh or {}))
    beside = {
        f"{name}-mesh": Tier(engine="sidecar", replicas=replicas, on=name, settings=said)
        for name, replicas in (("front", 2), ("pages", 3), ("other", 1))
    }
    calls = {"pages": Uses(**{"timeout": "2s", "retries": 2, "retry_budget": "50%", "max_pending": 200, **uses})}

    def program(replicas: int, uses: dict[str, Uses]) -> Tier:
        settings = command.Settings(run="python3 app.py", health="/ready")
        return Tier(engine="command", replicas=replicas, uses=uses, mesh=mesh or True, settings=settings)

    return topology(**{
        "entry": Tier(engine="envoy", replicas=1, routes={"http": "front"}, settings=envoy.Settings()),
        "front": program(2, calls), "front-mesh": beside["front-mesh"],
        "pages": program(3, {}), "pages-mesh": beside["pages-mesh"],
        "other": program(1, {"front": Uses()}), "other-mesh": beside["other-mesh"],
    })
