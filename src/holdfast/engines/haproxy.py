"""HAProxy: balances HTTP and PostgreSQL over the instances that their own checks call healthy.

    entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {http: web, postgres: db}}
    entry: {engine: haproxy, routes: {http: web}, check_interval: 500ms, fall: 3, retry_after: 2s, request_timeout: 30s}
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from holdfast.blueprint import File, Process, Restart, Site
from holdfast.documents import sections
from holdfast.documents.line import Line, line
from holdfast.engines import routing
from holdfast.engines.engine import Actions, Delay, Entry, Question, Questions
from holdfast.engines.shared import has_own_config, if_offered, milliseconds, notice, objection
from holdfast.errors import Problem
from holdfast.quantities import Duration, written_seconds
from holdfast.topology.model import Declared, Instance, Topology

PROGRAMS = ("haproxy",)
SERVES: tuple[str, ...] = ()
ROUTES = ("http", "postgres")

HEALTH_PORT = 8404
HEALTH_PATH = "/healthz"
FILE = "/etc/haproxy/haproxy.cfg"
BESIDE_CONFIG: tuple[str, ...] = ()
MANUAL = "HAProxy configuration manual"


class Settings(Declared):
    check_interval: Duration = 0.25
    """How often each instance is asked whether it may serve."""
    check_timeout: Duration = 0.5
    """How long such a check may take."""
    fall: Annotated[int, Field(ge=1)] = 2
    """Failed checks in a row before an instance is out."""
    rise: Annotated[int, Field(ge=1)] = 1
    """Good checks in a row before it is in again."""
    max_connections: Annotated[int, Field(ge=10, le=1_000_000)] = 4000
    """Of one balancer at a time."""
    connect_timeout: Duration = 0.25
    """For the connection to an instance."""
    retry_after: Duration = 0.8
    """A GET without an answer is asked of another host after this long; slower pages fail."""
    request_timeout: Duration = 15.0
    """For every other method, which is asked once."""
    session_timeout: Duration = 1800.0
    """A database session may be idle for this long."""


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    settings: Settings = topology.tiers[instance.tier].settings
    routes = routing.routes(instance.tier, topology, site)
    listen = site.listen(instance.host, instance.address)
    inside = site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
    pairs = {"http": _http, "postgres": _postgres}
    lines = [*_common(inside, site, settings)]
    for route in routes:
        lines += pairs[route.protocol](route, listen, settings)
    return {FILE: File(text=sections.dump(lines, header=notice(instance, topology, site)))}


def _ms(value_s: float) -> str:
    return f"{milliseconds(value_s)}ms"


def _common(inside: str, site: Site, settings: Settings) -> tuple[Line, ...]:
    return (
        line("global", body=(
            line("log", "stdout", "format", "raw", "local0", "notice"),
            line("maxconn", settings.max_connections,
                 why="Each takes two file descriptors; with fewer allowed, the program refuses to start."),
            line("hard-stop-after", "30m",
                 why="A reload keeps sessions: the old process ends with its last one, at the latest after this."),
        ), why="No user and group: the service manager says who runs this; ports below 1024 need CAP_NET_BIND_SERVICE."),
        line("defaults", body=(
            line("log", "global"),
            line("timeout", "connect", _ms(settings.connect_timeout),
                 why="A host without power refuses nothing, it is silent; in one network a connection takes 1 ms."),
            line("timeout", "check", _ms(settings.check_timeout)),
            line("timeout", "http-request", "5s", why="Whoever sends headers slower than this is no browser."),
            line("option", "redispatch", 1, why="A second attempt goes to another host, not to the one that just failed."),
            line("retries", 2),
            line("default-server", "inter", _ms(settings.check_interval), "fastinter", _ms(settings.check_interval),
                 "downinter", _ms(settings.check_interval), "fall", settings.fall, "rise", settings.rise,
                 why="Checks on every host: a failure costs clients about `fall` of these, a return about `rise`."),
        )),
        line("frontend", "health", body=(
            line("mode", "http"),
            line("bind", f"{inside}:{site.port(HEALTH_PORT)}"),
            line("timeout", "client", "5s"),
            line("monitor-uri", HEALTH_PATH),
            line("stats", "enable"),
            line("stats", "uri", "/stats"),
        ), why="For keepalived and for people on this host: alive only if the program's own loop answers."),
    )


def _http(route: routing.Route, listen: str, settings: Settings) -> tuple[Line, ...]:
    return (
        line("frontend", "http", body=(
            line("mode", "http"),
            line("bind", f"{listen}:{route.entry_port}"),
            line("timeout", "client", "30s"),
            line("option", "forwardfor"),
            line("default_backend", route.tier),
        )),
        line("backend", route.tier, body=(
            line("mode", "http"),
            line("balance", "leastconn", why="A host that hangs collects connections, and so gets no more of them."),
            *_check(route),
            line("acl", "safe", "method", "GET", "HEAD", "OPTIONS"),
            line("retry-on", "conn-failure", "empty-response", "junk-response", "response-timeout", "502", "503", "504",
                 why="Any failure before the first byte of an answer is tried elsewhere ..."),
            line("http-request", "disable-l7-retry", "unless", "safe",
                 why="... but only for methods that may be asked twice; others only when no connection came about."),
            line("timeout", "server", _ms(settings.request_timeout)),
            line("http-request", "set-timeout", "server", _ms(settings.retry_after), "if", "safe",
                 why="The slowest answer when a host hangs. A page that always takes longer fails: raise `retry_after` then."),
            line("default-server", "observe", "layer4", "error-limit", 3, "on-error", "mark-down",
                 why="Three failed connections take a host out before its check does; wrong answers do not,\n"
                     "for those would be the same on every host."),
            *_servers(route),
        )),
    )


def _postgres(route: routing.Route, listen: str, settings: Settings) -> tuple[Line, ...]:
    return (
        line("frontend", "postgres", body=(
            line("mode", "tcp"),
            line("bind", f"{listen}:{route.entry_port}"),
            line("timeout", "client", _ms(settings.session_timeout), why="Pools keep sessions that nobody uses for a while."),
            line("option", "clitcpka"),
            line("default_backend", route.tier),
        )),
        line("backend", route.tier, body=(
            line("mode", "tcp"),
            *_check(route),
            line("timeout", "server", _ms(settings.session_timeout)),
            line("option", "srvtcpka"),
            line("default-server", "on-marked-down", "shutdown-sessions",
                 why="Sessions on an old primary end when it stops to be one, not minutes later."),
            *_servers(route),
        )),
    )


def _check(route: routing.Route) -> tuple[Line, ...]:
    return (
        line("option", "httpchk"),
        line("http-check", "send", "meth", "GET", "uri", route.served.check_path, "ver", "HTTP/1.1", "hdr", "Host", route.tier),
        line("http-check", "expect", "status", 200),
    )


def _servers(route: routing.Route) -> tuple[Line, ...]:
    return tuple(
        line("server", server.name, f"{server.address}:{server.port}", "check",
             *(("port", server.check_port) if server.check_port != server.port else ()))
        for server in route.servers
    )


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
    return (
        Delay(
            step="out_silent", name="a silent instance is taken out",
            # Without a connection a check fails after the shorter of `timeout connect` and `inter`.
            low_s=(settings.fall - 1) * interval_s + settings.fall * min(timeout_s, interval_s, settings.connect_timeout),
            high_s=settings.fall * (interval_s + timeout_s), setting="check_interval, check_timeout, fall",
            source=f"{MANUAL}: inter, fall; timeout check",
        ),
        Delay(
            step="out_refused", name="an instance that says no is taken out",
            low_s=(settings.fall - 1) * interval_s,
            high_s=settings.fall * interval_s, setting="check_interval, fall", source=f"{MANUAL}: inter, fall",
        ),
        Delay(
            step="in", name="an instance is taken in",
            low_s=(settings.rise - 1) * interval_s, high_s=settings.rise * interval_s,
            setting="check_interval, rise", source=f"{MANUAL}: downinter, rise",
        ),
        Delay(
            step="ask_elsewhere", name="a GET is asked of another host",
            low_s=settings.retry_after, high_s=settings.retry_after + 0.05,
            setting="retry_after", source=f"{MANUAL}: retry-on response-timeout",
        ),
        Delay(
            step="connect", name="a connection is tried with another host", low_s=settings.connect_timeout,
            high_s=settings.connect_timeout + 0.05, setting="connect_timeout",
            source=f"{MANUAL}: timeout connect, option redispatch",
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
    return Actions(reloads="USR2", reloaded="Loading success")


def entries(tier: str, topology: Topology) -> tuple[Entry, ...]:
    return routing.entries(tier, topology)


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (*(entry.port for entry in routing.entries(tier, topology)), HEALTH_PORT)


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    settings: Settings = topology.tiers[tier].settings
    found = [*routing.route_objections(tier, topology)]
    for key in ("check_interval", "check_timeout", "connect_timeout", "retry_after", "request_timeout", "session_timeout"):
        value_s: float = getattr(settings, key)
        if value_s < 0.001:
            found.append(objection(
                topology, tier, key, f"{written_seconds(value_s)} means forever or nothing to HAProxy",
                f"use 1ms or more for {key}",
            ))
    return tuple(found)
