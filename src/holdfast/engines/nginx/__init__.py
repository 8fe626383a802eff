"""nginx, open source: balances HTTP over the instances that answered their last requests; it asks none of them how it is.

    entry: {engine: nginx, replicas: 2, vip: 10.0.1.100, routes: {http: web}}
    entry: {engine: nginx, routes: {http: web}, max_fails: 3, fail_timeout: 2s, retry_after: 2s, request_timeout: 30s}

Databases are balanced by role, and a role must be asked for: that takes HAProxy or Envoy.
"""

import re

from holdfast.blueprint import Process, Restart, Site
from holdfast.engines import routing
from holdfast.engines.abilities import cannot
from holdfast.engines.engine import Actions, Delay, Entry, Question, Questions
from holdfast.engines.nginx.balancing import takes_backups
from holdfast.engines.nginx.render import CERTIFICATE, FILE, HEALTH_PATH, HEALTH_PORT, SPOOL, files
from holdfast.engines.nginx.settings import Settings
from holdfast.engines.shared import has_own_config, if_offered, objection
from holdfast.engines.tls import tls_of, tls_ports
from holdfast.errors import Problem
from holdfast.quantities import written_seconds
from holdfast.topology.model import Instance, Topology

__all__ = [
    "BESIDE_CONFIG", "FILE", "HEALTH_PATH", "HEALTH_PORT", "PROGRAMS", "ROUTES", "SERVES", "Settings",
    "actions", "delays", "entries", "files", "objections", "ports", "process", "questions",
]

PROGRAMS = ("nginx",)
SERVES: tuple[str, ...] = ()
ROUTES = ("http",)
BESIDE_CONFIG: tuple[str, ...] = ()
MANUAL = "nginx.org, ngx_http_upstream_module and ngx_http_proxy_module"


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    program = site.program("nginx").path
    common = (program, "-e", "stderr", "-c", site.path(instance.host, FILE))
    own = topology.configs.get(instance.tier, {}).get(instance.host, "")
    # A host of a lab has one user, and nginx as root would make its workers somebody who is not there.
    user = _unless_said(own, "user", "user root;")
    foreground = " ".join(filter(None, (_unless_said(own, "daemon", "daemon off;"), user)))
    return Process(
        name=instance.name,
        host=instance.host,
        argv=(*common, *(("-g", foreground) if foreground else ())),
        files=files(instance, topology, site),
        directories={"/run": 0o755, SPOOL: 0o755},
        check=(*common, *(("-g", user) if user else ()), "-t"),
        restart=Restart(delay_s=0.1),
        # TERM would cut requests off; QUIT lets them end.
        stop_signal="QUIT",
        # Workers outlive a master that was killed, and hold the port against the next one.
        ends_group=True,
    )


def _unless_said(own: str, directive: str, line: str) -> str:
    """nginx refuses a main directive that is given twice: by the command line and by a config of the user's own."""
    return "" if re.search(rf"^\s*{directive}\s", own, re.MULTILINE) else line


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    if has_own_config(tier, topology):
        return ()
    settings: Settings = topology.tiers[tier].settings
    retry_s = settings.balance.retry_after or settings.retry_after
    return (
        Delay(
            step="connect", name="a silent host is left after",
            low_s=settings.connect_timeout, high_s=settings.connect_timeout + 0.05,
            setting="connect_timeout", source=f"{MANUAL}: proxy_connect_timeout",
        ),
        Delay(
            step="ask_elsewhere", name="a GET is asked of another host", low_s=retry_s, high_s=retry_s + 0.05,
            setting="retry_after", source=f"{MANUAL}: proxy_read_timeout, proxy_next_upstream",
        ),
        Delay(
            step="in", name="an instance is taken in", low_s=0.0, high_s=settings.fail_timeout, setting="fail_timeout",
            source=f"{MANUAL}: fail_timeout",
        ),
        Delay(step="restart", name="the service manager starts it again", low_s=0.1, high_s=0.1, source="RestartSec"),
        Delay(step="start", name="the balancer starts", low_s=0.02, high_s=0.5, kind="work", source="measured"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    health = Question(
        host=instance.host, port=HEALTH_PORT, path=HEALTH_PATH, inside=True,
        read=lambda status, _: "yes" if status == 200 else "no",
    )
    return Questions(service=if_offered(health, instance, topology))


def actions(instance: Instance, topology: Topology) -> Actions:
    certificate = CERTIFICATE if tls_of(instance.tier, topology) else ""
    # Printed by the old workers, and only once new ones with the new files have taken over.
    return Actions(reloads="HUP", reloaded="gracefully shutting down", certificate=certificate)


def entries(tier: str, topology: Topology) -> tuple[Entry, ...]:
    return routing.entries(tier, topology)


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (*(entry.port for entry in routing.entries(tier, topology)), HEALTH_PORT, *tls_ports(tier, topology))


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    declared = topology.tiers[tier]
    settings: Settings = declared.settings
    balance = settings.balance
    found = [*routing.route_objections(tier, topology), *cannot(tier, "nginx", topology)]
    if (balance.backups or balance.prefer_zone) and not takes_backups(balance):
        key = "backups" if balance.backups else "prefer_zone"
        found.append(Problem(
            "nginx has no backups beside a hash, a random choice or sessions", topology.located("tiers", tier, "balance", key),
            "use round_robin or least_connections, or engine: haproxy or envoy",
        ))
    if balance.sessions and balance.sessions.by == "source" and balance.strategy:
        found.append(Problem(
            f"nginx keeps sessions by address with a strategy of its own, not with {balance.strategy}",
            topology.located("tiers", tier, "balance", "strategy"), "remove strategy, or use engine: haproxy",
        ))
    for protocol in sorted(declared.routes.keys() & {"postgres", "postgres_read"}):
        found.append(Problem(
            "open-source nginx cannot ask which server is the primary, and would send writes to standbys",
            where=topology.located("tiers", tier, "routes", protocol),
            remedy=f"route {protocol} by a tier of haproxy or envoy, which ask each server for its role",
        ))
    if settings.fail_timeout < 1 or settings.fail_timeout % 1:
        what = f"nginx counts fail_timeout in whole seconds, not {written_seconds(settings.fail_timeout)}"
        found.append(objection(topology, tier, "fail_timeout", what, "use 2s"))
    for key in ("connect_timeout", "retry_after", "request_timeout", "drain"):
        value_s: float = getattr(settings, key)
        if value_s < 0.001:
            found.append(objection(
                topology, tier, key, f"{written_seconds(value_s)} means forever or never to nginx", f"use 1ms or more for {key}",
            ))
    if settings.connect_timeout > 75:
        what = "the kernel gives a connection up after about 75 s, whatever nginx is told"
        found.append(objection(topology, tier, "connect_timeout", what, "use 250ms"))
    return tuple(found)
