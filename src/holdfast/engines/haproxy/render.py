"""haproxy.cfg: one frontend and one backend for each route, and a frontend on the host's own address for those who watch."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from holdfast.blueprint import File, Site
from holdfast.documents import sections
from holdfast.documents.line import Line, line
from holdfast.engines import routing, tls
from holdfast.engines.haproxy import balancing
from holdfast.engines.haproxy.balancing import ms
from holdfast.engines.haproxy.settings import Settings
from holdfast.engines.intent import Balance
from holdfast.engines.policy import RETRIES, Policy, policy
from holdfast.engines.shared import notice
from holdfast.topology.model import Instance, Topology

HEALTH_PORT = 8404
HEALTH_PATH = "/healthz"
STATS_PATH = "/stats"
VERSION = "config-"
FIRST_CHECK_S = 0.25
"""How long the first checks after a start may take, beyond the interval over which they are spread."""
FILE = "/etc/haproxy/haproxy.cfg"
CERTIFICATE = "/etc/haproxy/tls/site.pem"


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    settings: Settings = topology.tiers[instance.tier].settings
    routes = routing.with_fallbacks(instance.tier, topology, site)
    listen = site.listen(instance.host, instance.address)
    inside = site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
    others = {each.host: site.address(each.host, each.address) for each in topology.instances_of(instance.tier)}
    shared = _common(instance, topology)
    behind = [*balancing.peers(instance.tier, topology, others, balancing.PEERS_PORT)]
    for route in routes:
        if route.protocol == "http":
            behind += _http(route, listen, instance, topology, site)
        else:
            behind += _postgres(route, listen, settings)
    version = sha256(sections.dump([*shared, *behind]).encode()).hexdigest()[:12]
    lines = [*shared, _health(inside, site, version), *behind]
    config = {FILE: File(text=sections.dump(lines, header=notice(instance, topology, site)))}
    return {**config, **tls.presented(instance.tier, topology, CERTIFICATE)} if tls.tls_of(instance.tier, topology) else config


def _common(instance: Instance, topology: Topology) -> tuple[Line, ...]:
    settings: Settings = topology.tiers[instance.tier].settings
    fast_s = balancing.changing_s(settings)
    named = (line("localpeer", instance.host),) if balancing.shares(instance.tier, topology) else ()
    return (
        line("global", body=(
            line("log", "stdout", "format", "raw", "local0", "notice"),
            line("maxconn", settings.max_connections,
                 why="Each takes two file descriptors; with fewer allowed, the program refuses to start."),
            line("hard-stop-after", "30m",
                 why="A reload keeps sessions: the old process ends with its last one, at the latest after this."),
            *named,
        ), why="No user and group: the service manager says who runs this; ports below 1024 need CAP_NET_BIND_SERVICE."),
        line("defaults", body=(
            line("log", "global"),
            line("timeout", "connect", ms(settings.connect_timeout),
                 why="A host without power refuses nothing, it is silent; in one network a connection takes 1 ms."),
            line("timeout", "check", ms(settings.check_timeout)),
            line("timeout", "http-request", "5s", why="Whoever sends headers slower than this is no browser."),
            line("option", "redispatch", 1, why="A second attempt goes to another host, not to the one that just failed."),
            line("retries", 2),
            line("default-server", "inter", ms(settings.check_interval), "fastinter", ms(fast_s),
                 "downinter", ms(fast_s), "fall", settings.fall, "rise", settings.rise,
                 why="Checks on every host: a failure costs clients about `fall` of these, a return about `rise`."),
        )),
    )


def _health(inside: str, site: Site, version: str) -> Line:
    return line("frontend", "health", body=(
        line("mode", "http"),
        line("bind", f"{inside}:{site.port(HEALTH_PORT)}"),
        line("timeout", "client", "5s"),
        line("monitor-uri", HEALTH_PATH),
        line("stats", "enable"),
        line("stats", "uri", STATS_PATH),
        line("stats", "show-desc", f"{VERSION}{version}",
             why="Drawn from the rest of this file: the page of statistics tells which config a running HAProxy works by."),
        line("http-request", "use-service", "prometheus-exporter", "if", "{", "path", "/metrics", "}"),
    ), why="For keepalived, for Prometheus and for people on this host: alive only if the program's own loop answers.")


def _http(
    route: routing.Route, listen: str, instance: Instance, topology: Topology, site: Site
) -> tuple[Line, ...]:
    balance: Balance = topology.tiers[instance.tier].settings.balance
    uses = policy(instance.tier, route.tier, topology)
    anyone = f"{route.tier}.any"  # no tier has a dot in its name
    otherwise: tuple[Line, ...] = ()
    if uses.ejection:
        otherwise = (line("use_backend", anyone, "if", "{", f"nbsrv({route.tier})", "eq", 0, "}", why=(
            "Where all were taken out, or came back all at once, leaving them alone would help nobody:\n"
            "whoever passes its check is asked.")),)  # fmt: skip
    return (
        line("frontend", "http", body=(
            line("mode", "http"),
            line("no", "log", why="Requests are logged as `info`, below what is written: a line for each would be thrown away.\n"
                                  "Servers that come and go are logged by the backend."),
            line("bind", f"{listen}:{route.entry_port}"),
            *_encrypted(listen, instance, topology, site),
            line("timeout", "client", "30s"),
            line("option", "forwardfor"),
            *balancing.limited(balance, balancing.shares(instance.tier, topology)),
            *otherwise,
            line("default_backend", route.tier),
        )),
        _backend(route, instance, topology, route.tier, uses),
        *((_backend(route, instance, topology, anyone, replace(uses, ejection=None)),) if uses.ejection else ()),
    )


def _encrypted(listen: str, instance: Instance, topology: Topology, site: Site) -> tuple[Line, ...]:
    wanted = tls.tls_of(instance.tier, topology)
    if wanted is None:
        return ()
    speaks = "h2,http/1.1" if wanted.http2 else "http/1.1"
    secure = ("{", "ssl_fc", "}")
    to = f"https://%[req.hdr(host),field(1,:)]{tls.redirect_port(site)}%[pathq]"
    redirect = line("http-request", "redirect", "location", to, "code", 308, "unless", *secure,
                    why="Permanently, and a POST stays a POST.")
    return (
        line("bind", f"{listen}:{site.port(tls.PORT)}", "ssl", "crt", site.path(instance.host, CERTIFICATE), "alpn", speaks,
             "ssl-min-ver", f"TLSv{wanted.minimum}",
             why=f"The answer to staple is found by its name: the certificate's and {tls.STAPLE}" if wanted.ocsp else ""),
        *((redirect,) if wanted.redirect else ()),
        line("http-request", "set-header", "X-Forwarded-Proto", "%[ssl_fc,iif(https,http)]",
             why="Always, or a visitor of port 80 could claim to be encrypted."),
    )


def _backend(route: routing.Route, instance: Instance, topology: Topology, name: str, uses: Policy) -> Line:
    settings: Settings = topology.tiers[instance.tier].settings
    balance = settings.balance
    upgraded = ("!upgraded",) if balance.websocket else ()
    return line("backend", name, body=(
        line("mode", "http"),
        *balancing.strategy(balance),
        *balancing.together(balance),
        *balancing.sessions(balance, balancing.shares(instance.tier, topology)),
        *balancing.check(route, settings),
        line("acl", "safe", "method", "GET", "HEAD", "OPTIONS"),
        *((line("acl", "upgraded", "req.hdr(Upgrade)", "-m", "found"),) if balance.websocket else ()),
        *((line("retries", uses.retries),) if uses.retries != RETRIES else ()),
        line("retry-on", "conn-failure", "empty-response", "junk-response", "response-timeout", "502", "503", "504",
             why="Any failure before the first byte of an answer is tried elsewhere ..."),
        line("http-request", "disable-l7-retry", "unless", "safe", *upgraded,
             why="... but only for methods that may be asked twice; others only when no connection came about."),
        line("timeout", "server", ms(uses.timeout_s or settings.request_timeout)),
        line("http-request", "set-timeout", "server", ms(balance.retry_after or settings.retry_after), "if", "safe", *upgraded,
             why="The slowest answer when a host hangs. A page that always takes longer fails: raise `retry_after` then."),
        *balancing.queue(balance),
        *balancing.tunnel(balance),
        balancing.observed(uses, settings),
        *balancing.server_defaults(balance, uses),
        *(_server(server, balancing.server_words(server, instance.zone, balance)) for server in route.servers),
    ))


def _postgres(route: routing.Route, listen: str, settings: Settings) -> tuple[Line, ...]:
    """A frontend if clients enter here, and the servers behind it, those of one role."""
    entered = () if not route.entry_port else (line("frontend", route.protocol, body=(
        line("mode", "tcp"),
        line("bind", f"{listen}:{route.entry_port}"),
        line("timeout", "client", ms(settings.session_timeout), why="Pools keep sessions that nobody uses for a while."),
        line("option", "clitcpka"),
        *_once_known(route, settings),
    )),)
    return (*entered, line("backend", route.behind, body=(
        line("mode", "tcp"),
        *balancing.check(route, settings),
        line("timeout", "server", ms(settings.session_timeout)),
        line("option", "srvtcpka"),
        line("default-server", "on-marked-down", "shutdown-sessions",
             why="Sessions on an old primary end when it stops to be one, not minutes later."
             if route.protocol == "postgres" else "Sessions on a replica that is lost, or becomes the primary, go elsewhere."),
        *map(_server, route.servers),
    )))


def _once_known(route: routing.Route, settings: Settings) -> tuple[Line, ...]:
    """Sessions wait until the roles are known, at the most until every server has been asked once."""
    wait = ms(settings.check_interval + FIRST_CHECK_S)
    if route.protocol == "postgres":
        return (
            line("tcp-request", "inspect-delay", wait,
                 why="After a start or a reload every server counts as up until its first check: some are standbys, and\n"
                     "sessions sent there would be cut a moment later. One at most can be primary: while more look up, wait."),
            line("tcp-request", "content", "accept", "if", "{", f"nbsrv({route.behind})", "le", 1, "}"),
            line("tcp-request", "content", "accept", "if", "WAIT_END"),
            line("default_backend", route.behind),
        )
    return (
        line("tcp-request", "inspect-delay", wait, why="While every server looks like a replica, one of them was not asked yet."),
        line("tcp-request", "content", "accept", "if", "{", f"nbsrv({route.behind})", "lt", len(route.servers), "}"),
        line("tcp-request", "content", "accept", "if", "WAIT_END"),
        line("use_backend", route.behind, "if", "{", f"nbsrv({route.behind})", "gt", 0, "}"),
        line("default_backend", route.tier, why="Without any replica the primary answers reads as well."),
    )


def _server(server: routing.Server, more: tuple[str | int, ...] = ()) -> Line:
    port = ("port", server.check_port) if server.check_port != server.port else ()
    return line("server", server.name, f"{server.address}:{server.port}", "check", *port, *more)
