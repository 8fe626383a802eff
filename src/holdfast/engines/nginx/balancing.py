"""nginx's words for what a user may ask of any balancer: strategy, sessions, limits, backups, ejection.

Open-source nginx only: a word of the commercial edition would make it refuse the whole file, and a reload would silently go on
with the old one.
"""

from holdfast.blueprint import Site
from holdfast.documents.line import Line, line
from holdfast.engines import routing
from holdfast.engines.intent import TUNNEL_S, Balance, RateLimit
from holdfast.engines.nginx.settings import Settings
from holdfast.engines.policy import Policy
from holdfast.engines.shared import milliseconds
from holdfast.engines.versions import refuse_older

STICKY = (1, 29, 6)
"""The first open-source version with `sticky`.  Source: nginx.org, ngx_http_upstream_module."""


def ms(value_s: float) -> str:
    return f"{milliseconds(value_s)}ms"


def refuse_what_is_newer(balance: Balance, site: Site, where: str) -> None:
    """Raises Refused for what the nginx at hand does not know yet."""
    if balance.sessions and balance.sessions.by == "cookie":
        remedy = "use a newer nginx, or engine: haproxy or envoy, or sessions: {by: source}"
        refuse_older("nginx", site, STICKY, "sessions by cookie", where, remedy)


def hashes(balance: Balance) -> bool:
    return balance.hashes or (balance.sessions is not None and balance.sessions.by == "source")


def takes_backups(balance: Balance) -> bool:
    """`hash` and `random` refuse `backup`; `sticky` was not tried with it."""
    return not hashes(balance) and balance.strategy != "random_two" and balance.sessions is None


def last_resort(balance: Balance) -> str:
    """How every server is asked when all seem lost: as `backup`, in an upstream `again`, or not at all.

    A server that is full looks like a lost one, so that a last resort would send it more than `max_conns`.  Backups of the user's
    own must not share their turn with servers that are known to be lost.
    """
    if balance.server_connections:
        return ""
    return "backup" if takes_backups(balance) and not (balance.backups or balance.prefer_zone) else "again"


def strategy(balance: Balance) -> tuple[Line, ...]:
    if balance.sessions and balance.sessions.by == "source":
        return (line("hash", "$remote_addr", "consistent", why="A visitor's address names the server for as long as it lives."),)
    if balance.strategy is None:
        return (line("least_conn", why="A host that hangs collects connections, and so gets no more of them."),)
    if balance.strategy == "round_robin":
        return ()
    if balance.strategy == "least_connections":
        return (line("least_conn"),)
    if balance.strategy == "random_two":
        return (line("random", "two", "least_conn"),)
    key = "$remote_addr" if balance.strategy == "source" else _key(balance.hash_on)
    return (line("hash", key, "consistent", why="A server that is lost moves its own share only."),)


def _key(hash_on: str) -> str:
    if hash_on.startswith("header "):
        return f"$http_{hash_on.split()[1].lower().replace('-', '_')}"
    return {"uri": "$request_uri", "source": "$remote_addr"}[hash_on]


def sticky(balance: Balance) -> tuple[Line, ...]:
    if balance.sessions is None or balance.sessions.by != "cookie":
        return ()
    return (line("sticky", "cookie", balance.sessions.cookie, f"expires={round(balance.sessions.ttl)}s", "path=/", "httponly"),)


def passive(settings: Settings, policy: Policy) -> tuple[str, ...]:
    """When a server is out, and for how long."""
    if policy.ejection:
        return f"max_fails={policy.ejection.failures}", f"fail_timeout={max(1, round(policy.ejection.duration))}s"
    return f"max_fails={settings.max_fails}", f"fail_timeout={settings.fail_timeout:.0f}s"


def server_words(server: routing.Server, zone: str, balance: Balance) -> tuple[str, ...]:
    words = []
    if server.name in balance.weights:
        words.append(f"weight={balance.weights[server.name]}")
    if balance.server_connections:
        words.append(f"max_conns={balance.server_connections}")
    if server.name in balance.backups or (balance.prefer_zone and server.zone != zone):
        words.append("backup")
    return tuple(words)


def retried(policy: Policy, balance: Balance) -> tuple[str, ...]:
    """What counts as a failure, and is tried elsewhere where that is safe.

    Beside a limit there is no last resort.  A program that refuses one kind of page with 503, on every server, would then take
    all servers out and every other page with them: so there a 503 is an answer.
    """
    refused = () if balance.server_connections else ("http_503",)
    return ("error", "timeout", *(("http_500",) if policy.ejection else ()), "http_502", *refused, "http_504")


def limit_zone(balance: Balance) -> tuple[Line, ...]:
    if balance.rate_limit is None:
        return ()
    return (line("limit_req_zone", "$binary_remote_addr", "zone=clients:10m", f"rate={_rate(balance.rate_limit)}"),)


def _rate(limit: RateLimit) -> str:
    """nginx takes whole numbers, by the second or by the minute."""
    by_second = limit.requests / limit.per
    if by_second >= 1 and by_second == round(by_second):
        return f"{by_second:.0f}r/s"
    return f"{max(1, round(60 * by_second))}r/m"


def limited(balance: Balance) -> tuple[Line, ...]:
    limit = balance.rate_limit
    if limit is None:
        return ()
    return (
        line("limit_req", "zone=clients", f"burst={limit.requests + limit.burst}", "nodelay",
             why="nginx spaces requests evenly; so many may come at once all the same."),
        line("limit_req_status", 429),
    )


def upgrade_map(balance: Balance) -> tuple[Line, ...]:
    if not balance.websocket:
        return ()
    return (
        line("map", "$http_upgrade", "$connection_upgrade", body=(line("default", "upgrade"), line("", "")),
             why="Only who asks for an upgrade gets one; for everybody else the connection to the server is kept."),
        line("map", "$http_upgrade", "$upgraded", body=(line("default", 1), line("", ""))),
    )


def upgrade_location(balance: Balance, to: Line) -> tuple[Line, ...]:
    """Set apart, because the short timeout of a GET would cut a connection that is silent."""
    if not balance.websocket:
        return ()
    return (line("location", "@upgraded", body=(
        line("proxy_next_upstream", "error"),
        line("proxy_read_timeout", ms(TUNNEL_S)),
        line("proxy_send_timeout", ms(TUNNEL_S)),
        line("proxy_set_header", "Upgrade", "$http_upgrade"),
        line("proxy_set_header", "Connection", "$connection_upgrade"),
        line("proxy_set_header", "Host", "$http_host"),
        line("proxy_set_header", "X-Forwarded-For", "$proxy_add_x_forwarded_for"),
        line("proxy_set_header", "X-Forwarded-Proto", "$scheme"),
        to,
    )),)
