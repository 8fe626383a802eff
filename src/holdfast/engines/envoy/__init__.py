"""Envoy: balances HTTP and PostgreSQL over the instances that their own checks call healthy; learns from files that it watches.

    entry: {engine: envoy, replicas: 2, routes: {http: web, postgres: db}}
    entry: {engine: envoy, routes: {http: web}, check_interval: 500ms, fall: 3, hedge_after: 400ms, request_timeout: 30s}
"""

from dataclasses import replace

from holdfast.blueprint import Process, Restart, Site
from holdfast.engines import routing
from holdfast.engines.abilities import cannot
from holdfast.engines.engine import Actions, Delay, Entry, Question, Questions
from holdfast.engines.envoy import live
from holdfast.engines.envoy.balancing import SLOWLY, by_address, lb_policy
from holdfast.engines.envoy.encrypted import CERTIFICATE
from holdfast.engines.envoy.render import ADMIN_PORT, FILE, files
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.shared import has_own_config, if_offered, objection
from holdfast.engines.tls import tls_of, tls_ports
from holdfast.errors import Problem
from holdfast.topology.model import Instance, Topology

__all__ = [
    "ADMIN_PORT", "BESIDE_CONFIG", "FILE", "PROGRAMS", "ROUTES", "SERVES", "Settings",
    "actions", "delays", "entries", "files", "objections", "ports", "process", "questions",
]

PROGRAMS = ("envoy",)
SERVES: tuple[str, ...] = ()
ROUTES = ("http", "postgres", "postgres_read")
BESIDE_CONFIG = ("workers",)


def argv(program: str, path: str, workers: int) -> tuple[str, ...]:
    # Hot restart shares memory between processes of one number, which several Envoys on one machine would fight over.
    return (program, "-c", path, "--disable-hot-restart", "--concurrency", str(workers), "--log-level", "warning")


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    settings: Settings = topology.tiers[instance.tier].settings
    program = site.program("envoy").path
    path = site.path(instance.host, FILE)
    return Process(
        name=instance.name,
        host=instance.host,
        argv=argv(program, path, settings.workers),
        files=files(instance, topology, site),
        check=_check(program, path, instance, topology, site),
        restart=Restart(delay_s=0.1),
    )


# The validator opens no file that is only watched later, so it is given what these files list as if it were static.
_VERIFY = r"""
listed() { sed -n '/^resources:/,$p' "$1" | sed "1d;/^  - '@type'/{N;s/.*\n    /  - /};s/^/  /"; }
exec "$1" --mode validate -c "$2" --disable-hot-restart --log-level warning --config-yaml "static_resources:
  clusters:
$(listed "$3")
  listeners:
$(listed "$4")"
"""


def _check(program: str, path: str, instance: Instance, topology: Topology, site: Site) -> tuple[str, ...]:
    if has_own_config(instance.tier, topology):
        return (program, "--mode", "validate", "-c", path, "--disable-hot-restart", "--log-level", "warning")
    return verifying(program, path)


def verifying(program: str, path: str) -> tuple[str, ...]:
    """The checker of the config at `path` and of what it watches beside it."""
    folder = path.rpartition("/")[0]
    return ("sh", "-c", _VERIFY, "verify", program, path, f"{folder}/clusters.yaml", f"{folder}/listeners.yaml")


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    return timers(topology.tiers[tier].settings)


def timers(settings: Settings, starts: str = "the balancer starts") -> tuple[Delay, ...]:
    document = "Envoy documentation, Health checking"
    hedge_s = settings.balance.retry_after or settings.hedge_after
    silent_s = settings.fall * max(settings.check_interval, settings.check_timeout)
    return (
        Delay(
            step="out_silent", name="a silent instance is taken out",
            low_s=settings.check_timeout, high_s=settings.check_interval + silent_s,
            setting="check_interval, check_timeout, fall", source=document,
        ),
        Delay(
            step="out_refused", name="an instance that says no is taken out",
            low_s=0.0, high_s=settings.check_interval, setting="check_interval",
            source=f"{document}: 503 counts at once",
        ),
        Delay(
            step="in", name="an instance is taken in", low_s=0.0, high_s=settings.rise * settings.check_interval,
            setting="check_interval, rise", source=document,
        ),
        Delay(
            step="ask_elsewhere", name="a GET is asked of a second host", low_s=hedge_s, high_s=hedge_s + 0.05,
            setting="hedge_after", source="Envoy documentation, Request hedging",
        ),
        Delay(
            step="connect", name="a connection is tried with another host", low_s=settings.connect_timeout,
            high_s=settings.connect_timeout + 0.05, setting="connect_timeout",
            source="Envoy documentation, Cluster: connect_timeout",
        ),
        Delay(step="restart", name="the service manager starts it again", low_s=0.1, high_s=0.1, source="RestartSec"),
        Delay(step="start", name=starts, low_s=0.1, high_s=1.0, kind="work", source="measured"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    ready = Question(
        host=instance.host, port=ADMIN_PORT, path="/ready", inside=True,
        read=lambda status, body: "yes" if status == 200 and body.strip() == b"LIVE" else "no",
    )
    reached = Question(host=instance.host, port=ADMIN_PORT, path="/clusters", inside=True, read=live.read_reached)
    return Questions(
        service=if_offered(ready, instance, topology), reached=if_offered(reached, instance, topology),
        rotation=if_offered(replace(reached, read=live.read_rotation), instance, topology),
    )


def actions(instance: Instance, topology: Topology) -> Actions:
    # Envoy watches the folder of the certificate itself.
    certificate = CERTIFICATE if tls_of(instance.tier, topology) else ""
    if has_own_config(instance.tier, topology):
        return Actions(certificate=certificate)
    return Actions(
        watches=(live.CLUSTERS, live.LISTENERS, live.endpoints_of("")[: -len(".yaml")], CERTIFICATE),
        agrees=lambda files: live.agrees(files, instance.host, ADMIN_PORT), certificate=certificate,
        again=live.again,
    )


def entries(tier: str, topology: Topology) -> tuple[Entry, ...]:
    return routing.entries(tier, topology)


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (*(entry.port for entry in routing.entries(tier, topology)), ADMIN_PORT, *tls_ports(tier, topology))


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    settings: Settings = topology.tiers[tier].settings
    found = [*routing.route_objections(tier, topology), *cannot(tier, "envoy", topology)]
    balance = settings.balance
    if balance.slow_start is not None and lb_policy(balance) not in SLOWLY:
        found.append(objection(
            topology, tier, "balance", f"Envoy has no slow start for {balance.strategy or 'sessions by address'}",
            "use round_robin or least_connections, or engine: haproxy, or remove slow_start",
        ))
    if by_address(balance) and balance.strategy:
        found.append(objection(
            topology, tier, "balance", f"Envoy keeps sessions by address with a ring of its own, not with {balance.strategy}",
            "remove strategy, or use engine: haproxy",
        ))
    for key in ("check_interval", "check_timeout", "connect_timeout", "hedge_after", "request_timeout"):
        if getattr(settings, key) < 0.001:
            found.append(objection(topology, tier, key, f"{key} must be at least 1ms", "use 250ms"))
    return tuple(found)
