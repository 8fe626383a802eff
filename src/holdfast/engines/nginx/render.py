"""nginx.conf: one upstream and one server for the route, and a server on the host's own address for those who watch."""

from collections.abc import Mapping

from holdfast.blueprint import File, Site
from holdfast.documents import braces
from holdfast.documents.line import Line, line
from holdfast.engines import routing, tls
from holdfast.engines.intent import Balance
from holdfast.engines.nginx import balancing
from holdfast.engines.nginx.balancing import ms
from holdfast.engines.nginx.settings import Settings
from holdfast.engines.policy import Policy, policy
from holdfast.engines.shared import notice
from holdfast.engines.versions import version_of
from holdfast.topology.model import Instance, Topology

FILE = "/etc/nginx/nginx.conf"
CERTIFICATE = "/etc/nginx/tls/site.pem"
PID = "/run/nginx.pid"
SPOOL = "/var/lib/nginx"
HEALTH_PORT = 8405
HEALTH_PATH = "/healthz"
HTTP2_APART = (1, 25, 1)
"""From here on `http2` is a directive of its own, and `listen ... http2` brings a warning.  Source: nginx.org, CHANGES."""
ONCE, UPGRADED = 418, 419
"""Statuses that only `return` gives here, as the inner signals for `asked once` and for `upgraded`."""


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    """Raises Refused for what the nginx of this site does not know yet."""
    settings: Settings = topology.tiers[instance.tier].settings
    where = topology.located("tiers", instance.tier, "balance", "sessions")
    balancing.refuse_what_is_newer(settings.balance, site, where)
    listen = site.listen(instance.host, instance.address)
    inside = site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
    http = [*_defaults(instance, site, settings.balance)]
    for route in routing.routes(instance.tier, topology, site):
        if route.protocol == "http":
            calls = policy(instance.tier, route.tier, topology)
            http += [*_upstreams(route, settings, calls, instance.zone), *_servers(route, listen, instance, topology, site)]
    lines = [*_main(instance, site, settings), line("http", body=(*http, _watched(inside, site)))]
    config = {FILE: File(text=braces.dump(lines, header=notice(instance, topology, site), end=";"))}
    return {**config, **tls.presented(instance.tier, topology, CERTIFICATE)} if tls.tls_of(instance.tier, topology) else config


def _main(instance: Instance, site: Site, settings: Settings) -> tuple[Line, ...]:
    connections = 2 * settings.max_connections
    return (
        line("worker_processes", settings.workers or "auto",
             why="No user here: whoever starts nginx says as whom; ports below 1024 need CAP_NET_BIND_SERVICE."),
        line("worker_rlimit_nofile", connections + 1024),
        line("worker_shutdown_timeout", ms(settings.drain),
             why="A reload keeps requests under way: old workers end with their last one, at the latest after this."),
        line("pid", site.path(instance.host, PID)),
        line("error_log", "stderr", "notice", why="For the service manager; a reload shows here, and every failed server."),
        line("events", body=(
            line("worker_connections", connections, why="Each request takes two: the client's and the server's."),
        )),
    )


def _defaults(instance: Instance, site: Site, balance: Balance) -> tuple[Line, ...]:
    spool = site.path(instance.host, SPOOL)
    return (
        line("access_log", "off", why="Failures are in the error log, numbers at /status."),
        line("server_tokens", "off"),
        *(line(f"{name}_temp_path", f"{spool}/{folder}")
          for name, folder in (("client_body", "body"), ("proxy", "proxy"), ("fastcgi", "fastcgi"), ("uwsgi", "uwsgi"),
                               ("scgi", "scgi"))),
        line("client_header_timeout", "5s", why="Whoever sends headers slower than this is no browser."),
        line("keepalive_timeout", "30s"),
        line("map", "$request_method", "$once", body=(line("default", 1), line("~^(GET|HEAD|OPTIONS)$", "")),
             why="Only these methods may be asked twice; the others take the way @once below."),
        *balancing.upgrade_map(balance),
        *balancing.limit_zone(balance),
    )


def _upstreams(route: routing.Route, settings: Settings, calls: Policy, zone: str) -> tuple[Line, ...]:
    balance = settings.balance
    passive = balancing.passive(settings, calls)
    main = line("upstream", route.tier, body=(
        line("zone", route.tier, "256k", why="Shared by all workers: without it each would have to find a dead server itself."),
        *balancing.strategy(balance),
        *balancing.sticky(balance),
        *(line("server", f"{server.address}:{server.port}", *passive, *balancing.server_words(server, zone, balance))
          for server in route.servers),
        *(_all_again(route, "backup") if balancing.last_resort(balance) == "backup" else ()),
        *_pool(),
    ), why=f"A server is out after {passive[0].split('=')[1]} failed requests, and tried again with one after fail_timeout.\n"
           "Open-source nginx asks no server how it is; HAProxy and Envoy do.")
    if balancing.last_resort(balance) != "again":
        return (main,)
    return (main, line("upstream", f"{route.tier}-again", body=(
        line("zone", f"{route.tier}-again", "256k"), *_all_again(route), *_pool(),
    )))


def _all_again(route: routing.Route, *words: str) -> tuple[Line, ...]:
    """Without it a rolling restart that is quicker than `fail_timeout` ends in `no live upstreams`, with every server alive."""
    first, *others = (line("server", f"{server.address}:{server.port}", "max_fails=0", *words) for server in route.servers)
    why = "The same servers as a last resort: when all of them failed a moment ago, ask them rather than nobody."
    return (Line(first.words, why=why), *others)


def _pool() -> tuple[Line, ...]:
    return (
        line("keepalive", 64, why="Idle connections to servers, for each worker. Stands behind the strategy, or nginx drops it."),
        line("keepalive_timeout", "2s",
             why="Shorter than servers keep idle connections, or a request meets one that is just closed."),
    )


def _servers(
    route: routing.Route, listen: str, instance: Instance, topology: Topology, site: Site
) -> tuple[Line, ...]:
    settings: Settings = topology.tiers[instance.tier].settings
    calls = policy(instance.tier, route.tier, topology)
    plain = line("listen", f"{listen}:{route.entry_port}", "backlog=4096")
    wanted = tls.tls_of(instance.tier, topology)
    if wanted is None:
        return (_server(route, (plain,), settings, calls),)
    encrypted = _encrypted(wanted, f"{listen}:{site.port(tls.PORT)}", instance, site)
    if not wanted.redirect:
        return (_server(route, (plain, *encrypted), settings, calls),)
    to = f"https://$host{tls.redirect_port(site)}$request_uri"
    redirect = line("server", body=(plain, line("return", 308, to, why="Permanently, and a POST stays a POST.")))
    return (redirect, _server(route, encrypted, settings, calls))


def _encrypted(wanted: tls.Tls, at: str, instance: Instance, site: Site) -> tuple[Line, ...]:
    modern = version_of(site.program("nginx")) >= HTTP2_APART
    certificate = site.path(instance.host, CERTIFICATE)
    return (
        line("listen", at, "ssl", *(("http2",) if wanted.http2 and not modern else ()), "backlog=4096"),
        *((line("http2", "on"),) if wanted.http2 and modern else ()),
        line("ssl_certificate", certificate),
        line("ssl_certificate_key", certificate),
        *((line("ssl_stapling", "on"),
           line("ssl_stapling_file", f"{certificate}{tls.STAPLE}",
                why="Renewed by a job, and read at a reload. Fetched by nginx itself, the first visitors would get none."))
          if wanted.ocsp else ()),
        line("ssl_protocols", *(("TLSv1.2",) if wanted.minimum == "1.2" else ()), "TLSv1.3",
             why="Before 1.27.3 the default spoke TLS 1.0 too."),
        line("ssl_session_cache", "shared:tls:10m", why="A visitor who comes back needs no whole handshake."),
        line("ssl_session_tickets", "off", why="Their key would be older than the certificate, and differ from host to host."),
        line("proxy_set_header", "X-Forwarded-Proto", "$scheme"),
    )


def _server(route: routing.Route, listens: tuple[Line, ...], settings: Settings, calls: Policy) -> Line:
    balance = settings.balance
    to = line("proxy_pass", f"http://{route.tier}")
    return line("server", body=(
        *listens,
        *balancing.limited(balance),
        line("proxy_http_version", "1.1"),
        line("proxy_set_header", "Connection", "", why="Keeps connections to servers; before 1.29.7 the default closes them."),
        line("proxy_set_header", "Host", "$http_host"),
        line("proxy_set_header", "X-Forwarded-For", "$proxy_add_x_forwarded_for"),
        line("proxy_connect_timeout", ms(settings.connect_timeout),
             why="A host without power refuses nothing, it is silent; in one network a connection takes 1 ms."),
        line("proxy_next_upstream_tries", 1 + calls.retries, why="The defaults of 0 would try every server, and forever."),
        _twice(route, settings, calls, to),
        *_last_resort(route, balance),
        line("location", "@once", body=(
            line("proxy_next_upstream", "error", "timeout",
                 why="nginx itself repeats no POST, PATCH or LOCK that was sent; PUT and DELETE, which RFC 9110 calls\n"
                     "idempotent, are repeated when a connection broke early."),
            line("proxy_next_upstream_timeout", ms((1 + calls.retries) * settings.connect_timeout)),
            line("proxy_read_timeout", ms(calls.timeout_s or settings.request_timeout)),
            to,
        )),
        *balancing.upgrade_location(balance, to),
    ))


def _twice(route: routing.Route, settings: Settings, calls: Policy, to: Line) -> Line:
    balance = settings.balance
    retry_s = balance.retry_after or settings.retry_after
    bound_s = min((1 + calls.retries) * retry_s, calls.timeout_s or settings.request_timeout)
    upgraded = (
        line("error_page", UPGRADED, "=", "@upgraded"), line("if", "($upgraded)", body=(line("return", UPGRADED),)),
    ) if balance.websocket else ()
    again = (line("error_page", 502, "=", "@again"),) if balancing.last_resort(balance) == "again" else ()
    return line("location", "/", body=(
        line("error_page", ONCE, "=", "@once"),
        *again,
        *upgraded,
        line("if", "($once)", body=(line("return", ONCE),)),
        line("proxy_next_upstream", *balancing.retried(calls, balance),
             why="Any failure before the first byte of an answer is tried elsewhere."
             + (" A 503 is an answer: counted as a\nfailure, one that every server gives would leave no server for anybody."
                if balance.server_connections else "")),
        line("proxy_next_upstream_timeout", ms(bound_s)),
        line("proxy_read_timeout", ms(retry_s),
             why="The slowest answer when a host hangs. A page that always takes longer fails: raise `retry_after` then."),
        to,
    ))


def _last_resort(route: routing.Route, balance: Balance) -> tuple[Line, ...]:
    if balancing.last_resort(balance) != "again":
        return ()
    return (line("location", "@again", body=(
        line("proxy_next_upstream", "error", "timeout"),
        line("proxy_next_upstream_timeout", "1s"),
        line("proxy_read_timeout", "1s"),
        line("proxy_pass", f"http://{route.tier}-again"),
    ), why="For when nginx believes that no server lives."),)


def _watched(inside: str, site: Site) -> Line:
    return line("server", body=(
        line("listen", f"{inside}:{site.port(HEALTH_PORT)}"),
        line("location", "=", HEALTH_PATH, body=(line("return", 200),)),
        line("location", "=", "/status", body=(line("stub_status"),)),
        line("location", "/", body=(line("return", 404),)),
    ), why="For keepalived, for prometheus exporters and for people on this host: clients cannot reach it.")
