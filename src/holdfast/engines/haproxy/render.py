"""haproxy.cfg: one frontend and one backend for each route, and a frontend on the host's own address for those who watch."""

from collections.abc import Mapping

from holdfast.blueprint import File, Site
from holdfast.documents import sections
from holdfast.documents.line import Line, line
from holdfast.engines import routing
from holdfast.engines.haproxy.settings import Settings
from holdfast.engines.shared import milliseconds, notice
from holdfast.topology.model import Instance, Topology

HEALTH_PORT = 8404
HEALTH_PATH = "/healthz"
FILE = "/etc/haproxy/haproxy.cfg"


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
