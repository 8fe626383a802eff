"""HAProxy: balances HTTP and PostgreSQL over the instances that their own checks call healthy.

    entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {http: web, postgres: db}}
    entry: {engine: haproxy, routes: {http: web}, check_interval: 500ms, fall: 3, retry_after: 2s, request_timeout: 30s}
"""

from holdfast.blueprint import Process, Restart, Site
from holdfast.engines import routing
from holdfast.engines.abilities import cannot
from holdfast.engines.engine import Actions, Delay, Entry, Question, Questions, Step
from holdfast.engines.haproxy import balancing, learning
from holdfast.engines.haproxy.render import CERTIFICATE, FILE, HEALTH_PATH, HEALTH_PORT, files
from holdfast.engines.haproxy.settings import Settings
from holdfast.engines.policy import policy
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
ROUTES = ("http", "postgres", "postgres_read")
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
    policies = [policy(tier, to, topology) for protocol, to in topology.tiers[tier].routes.items() if protocol == "http"]
    interval_s = balancing.between_checks_s(any(each.ejection for each in policies), settings)
    fast_s, timeout_s = balancing.changing_s(settings), settings.check_timeout
    retry_s = settings.balance.retry_after or settings.retry_after
    fall, rise = settings.fall, max([settings.rise, *(balancing.rises(each, settings) for each in policies)])
    out_s = interval_s + (fall - 1) * fast_s + fall * timeout_s
    alone = settings.balance.prefer_zone or bool(settings.balance.backups)
    queue_s = settings.connect_timeout if settings.balance.queue_timeout is None else settings.balance.queue_timeout

    def timer(step: Step, name: str, low_s: float, high_s: float, setting: str, source: str) -> Delay:
        return Delay(step=step, name=name, low_s=low_s, high_s=high_s, setting=setting, source=f"{MANUAL}: {source}")

    return (
        # Without a connection a check fails after the shorter of `timeout connect` and `inter`.
        timer("out_silent", "a silent instance is taken out",
              (fall - 1) * fast_s + fall * min(timeout_s, fast_s, settings.connect_timeout),
              out_s, "check_interval, check_timeout, fall", "inter, fall; timeout check"),
        timer("out_refused", "an instance that says no is taken out", (fall - 1) * fast_s, interval_s + (fall - 1) * fast_s,
              "check_interval, fall", "inter, fastinter, fall"),
        timer("in", "an instance is taken in", (rise - 1) * fast_s, rise * fast_s, "check_interval, rise",
              "downinter, rise"),
        # Backups are asked when no other server is left, so one that hangs alone is asked again until it is taken out.
        timer("ask_elsewhere", "a GET is asked of another host", retry_s, retry_s + 0.05 + (out_s if alone else 0.0),
              "retry_after", "retry-on response-timeout" + ("; backup" if alone else "")),
        timer("connect", "a connection is tried with another host", settings.connect_timeout, settings.connect_timeout + 0.05,
              "connect_timeout", "timeout connect, option redispatch"),
        *((timer("queue", "a request waits until a server may take it", 0.0, queue_s, "queue_timeout",
                 "timeout queue, which defaults to timeout connect"),) if settings.balance.server_connections else ()),
        Delay(step="restart", name="the service manager starts it again", low_s=0.1, high_s=0.1, source="RestartSec"),
        Delay(step="start", name="the balancer starts", low_s=0.02, high_s=0.5, kind="work", source="measured"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    health = Question(
        host=instance.host, port=HEALTH_PORT, path=HEALTH_PATH, inside=True,
        read=lambda status, _: "yes" if status == 200 else "no",
    )
    own = has_own_config(instance.tier, topology)
    return Questions(
        service=if_offered(health, instance, topology),
        reached=None if own else learning.servers(instance.host, learning.read_reached),
        rotation=None if own else learning.servers(instance.host, learning.read_rotation),
    )


def actions(instance: Instance, topology: Topology) -> Actions:
    certificate = CERTIFICATE if tls_of(instance.tier, topology) else ""
    return Actions(
        reloads="USR2", reloaded="Loading success", certificate=certificate,
        agrees=lambda files: learning.agrees(files, instance.host),
    )


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
