"""HAProxy: balances HTTP and PostgreSQL over the instances that their own checks call healthy.

    entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {http: web, postgres: db}}
    entry: {engine: haproxy, routes: {http: web}, check_interval: 500ms, fall: 3, retry_after: 2s, request_timeout: 30s}
"""

from holdfast.blueprint import Process, Restart, Site
from holdfast.engines import routing
from holdfast.engines.abilities import cannot
from holdfast.engines.engine import Actions, Delay, Entry, Question, Questions
from holdfast.engines.haproxy import balancing
from holdfast.engines.haproxy.render import CERTIFICATE, FILE, HEALTH_PATH, HEALTH_PORT, files
from holdfast.engines.haproxy.settings import Settings
from holdfast.engines.shared import has_own_config, if_offered, objection
from holdfast.engines.tls import tls_of, tls_ports
from holdfast.errors import Problem
from holdfast.quantities import written_seconds
from holdfast.topology.model import Instance, Topology

__all__ = [
    "BESIDE_CONFIG", "FILE", "HEALTH_PATH", "HEALTH_PORT", "PROGRAMS", "ROUTES", "SERVES", "Settings",
    "actions", "delays", "entries", "files", "objections", "ports", "process", "questions",
]

PROGRAMS = ("haproxy",)
SERVES: tuple[str, ...] = ()
ROUTES = ("http", "postgres")
BESIDE_CONFIG: tuple[str, ...] = ()
MANUAL = "HAProxy configuration manual"


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    program = site.program("haproxy").path
    path = site.path(instance.host, FILE)
    return Process(
        name=instance.name,
        host=instance.host,
        # Master and worker in the foreground: reloads with USR2, as Debian's unit, without needing systemd's socket.
        argv=(program, "-W", "-db", "-f", path),
        files=files(instance, topology, site),
        check=(program, "-c", "-f", path),
        restart=Restart(delay_s=0.1),
    )


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    settings: Settings = topology.tiers[tier].settings
    interval_s, timeout_s = settings.check_interval, settings.check_timeout
    retry_s = settings.balance.retry_after or settings.retry_after
    return (
        Delay(
            name="a silent instance is taken out", low_s=(settings.fall - 1) * interval_s + settings.fall * timeout_s,
            high_s=settings.fall * (interval_s + timeout_s), setting="check_interval, check_timeout, fall",
            source=f"{MANUAL}: inter, fall; timeout check",
        ),
        Delay(
            name="an instance that says no is taken out", low_s=(settings.fall - 1) * interval_s,
            high_s=settings.fall * interval_s, setting="check_interval, fall", source=f"{MANUAL}: inter, fall",
        ),
        Delay(
            name="an instance is taken in", low_s=(settings.rise - 1) * interval_s, high_s=settings.rise * interval_s,
            setting="check_interval, rise", source=f"{MANUAL}: downinter, rise",
        ),
        Delay(
            name="a GET is asked of another host", low_s=retry_s, high_s=retry_s + 0.05,
            setting="retry_after", source=f"{MANUAL}: retry-on response-timeout",
        ),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    health = Question(
        host=instance.host, port=HEALTH_PORT, path=HEALTH_PATH, inside=True,
        read=lambda status, _: "yes" if status == 200 else "no",
    )
    return Questions(service=if_offered(health, instance, topology))


def actions(instance: Instance, topology: Topology) -> Actions:
    certificate = CERTIFICATE if tls_of(instance.tier, topology) else ""
    return Actions(reloads="USR2", reloaded="Loading success", certificate=certificate)


def entries(tier: str, topology: Topology) -> tuple[Entry, ...]:
    return routing.entries(tier, topology)


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    peers = (balancing.PEERS_PORT,) if balancing.shares(tier, topology) else ()
    return (*(entry.port for entry in routing.entries(tier, topology)), HEALTH_PORT, *peers, *tls_ports(tier, topology))


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    settings: Settings = topology.tiers[tier].settings
    found = [*routing.route_objections(tier, topology), *cannot(tier, "haproxy", topology)]
    for key in ("check_interval", "check_timeout", "connect_timeout", "retry_after", "request_timeout", "session_timeout"):
        value_s: float = getattr(settings, key)
        if value_s < 0.001:
            found.append(objection(
                topology, tier, key, f"{written_seconds(value_s)} means forever or nothing to HAProxy",
                f"use 1ms or more for {key}",
            ))
    return tuple(found)
