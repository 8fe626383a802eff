"""HAProxy's words for what a user may ask of any balancer: strategy, sessions, limits, queues, backups, checks, ejection."""

import math

from holdfast.documents.line import Line, line
from holdfast.engines import routing
from holdfast.engines.haproxy.settings import Settings
from holdfast.engines.intent import TUNNEL_S, Balance
from holdfast.engines.policy import Policy
from holdfast.engines.shared import milliseconds
from holdfast.topology.model import Topology

PEERS = "balancers"
PEERS_PORT = 10000
COUNTED_S = 1.0
"""Between two checks where failures are counted and nobody said otherwise: long enough for a handful of requests."""
STRATEGIES = {
    "round_robin": ("roundrobin",), "least_connections": ("leastconn",), "random_two": ("random(2)",), "first": ("first",),
    "source": ("source",),
}


def ms(value_s: float) -> str:
    return f"{milliseconds(value_s)}ms"


def shares(tier: str, topology: Topology) -> bool:
    """Do the balancers of this tier tell each other what they know of their visitors?"""
    declared = topology.tiers[tier]
    balance: Balance = declared.settings.balance
    remembers = balance.rate_limit is not None or (balance.sessions is not None and balance.sessions.by == "source")
    return remembers and declared.replicas > 1


def strategy(balance: Balance) -> tuple[Line, ...]:
    if balance.strategy is None:
        return (line("balance", "leastconn", why="A host that hangs collects connections, and so gets no more of them."),)
    if balance.strategy != "consistent_hash":
        lines = [line("balance", *STRATEGIES[balance.strategy])]
    elif balance.hash_on.startswith("header "):
        lines = [line("balance", f"hdr({balance.hash_on.split()[1]})")]
    else:
        lines = [line("balance", *(("uri", "whole") if balance.hash_on == "uri" else ("source",)))]
    if balance.hashes:
        lines.append(line("hash-type", "consistent", why="A server that is lost moves its own share only."))
    if balance.bounded_load:
        lines.append(line("hash-balance-factor", balance.bounded_load, why="Percent of the mean load; the rest moves on."))
    return tuple(lines)


def limited(balance: Balance, shared: bool) -> tuple[Line, ...]:
    """For the frontend: who asks too often is told so."""
    limit = balance.rate_limit
    if limit is None:
        return ()
    return (
        line("stick-table", "type", "ip", "size", "200k", "expire", ms(10 * limit.per), *(("peers", PEERS) if shared else ()),
             "store", f"http_req_rate({ms(limit.per)})"),
        line("http-request", "track-sc0", "src"),
        line("http-request", "deny", "deny_status", 429, "if",
             "{", "sc_http_req_rate(0)", "gt", limit.requests + limit.burst, "}",
             why="Of one address within the time; checks come by another frontend and are never refused."),
    )


def sessions(balance: Balance, shared: bool) -> tuple[Line, ...]:
    """For the backend.  What a cookie says needs no table: any balancer can read it."""
    if balance.sessions is None:
        return ()
    ttl = ms(balance.sessions.ttl)
    if balance.sessions.by == "cookie":
        return (line("cookie", balance.sessions.cookie, "insert", "indirect", "nocache", "httponly", "maxidle", ttl,
                     why="Names the server; when that is down, redispatch sends the visitor to another one."),)
    return (
        line("stick-table", "type", "ip", "size", "200k", "expire", ttl, *(("peers", PEERS) if shared else ()),
             why="Shared by peers, so that the next balancer knows every visitor's server." if shared else ""),
        line("stick", "on", "src"),
    )


def peers(tier: str, topology: Topology, addresses: dict[str, str], port: int) -> tuple[Line, ...]:
    """A section of its own; the names are those of the hosts."""
    if not shares(tier, topology):
        return ()
    return (line("peers", PEERS, body=tuple(line("peer", host, f"{address}:{port}") for host, address in addresses.items()),
                 why="What one balancer learns of its visitors the other knows at once: a failover keeps sessions.\n"
                     "This traffic is not encrypted."),)


def queue(balance: Balance) -> tuple[Line, ...]:
    if balance.queue_timeout is None:
        return ()
    return (line("timeout", "queue", ms(balance.queue_timeout), why="Better a quick 503 than an answer that nobody waits for."),)


def tunnel(balance: Balance) -> tuple[Line, ...]:
    if not balance.websocket:
        return ()
    return (line("timeout", "tunnel", ms(TUNNEL_S), why="An upgraded connection may be silent for this long."),)


def check(route: routing.Route, settings: Settings) -> tuple[Line, ...]:
    asked = settings.balance.check
    if route.protocol != "http":
        return _check(route.served.check_path, route.tier, "200")
    return _check(asked.path or route.served.check_path, asked.host or route.tier, asked.status)


def _check(path: str, host: str, status: str) -> tuple[Line, ...]:
    return (
        line("option", "httpchk"),
        line("http-check", "send", "meth", "GET", "uri", path, "ver", "HTTP/1.1", "hdr", "Host", host),
        line("http-check", "expect", "status", status),
    )


def between_checks_s(ejects: bool, settings: Settings) -> float:
    """Of a server that is up.  Each good check forgets the failures that were counted before it (measured with 2.6)."""
    return COUNTED_S if ejects and "check_interval" not in settings.model_fields_set else settings.check_interval


def changing_s(settings: Settings) -> float:
    """Between the checks of a server that is down, or about to change."""
    return settings.balance.check.fast_interval or settings.check_interval


def rises(policy: Policy, settings: Settings) -> int:
    """Good checks until a server is taken in."""
    return max(settings.rise, math.ceil(policy.ejection.duration / changing_s(settings))) if policy.ejection else settings.rise


def observed(policy: Policy, settings: Settings) -> Line:
    """A server that keeps failing while its check says yes."""
    ejection = policy.ejection
    if ejection is None:
        return line(
            "default-server", "observe", "layer4", "error-limit", 3, "on-error", "mark-down",
            why="Three failed connections take a host out before its check does; wrong answers do not,\n"
                "for those would be the same on every host.",
        )
    rise, inter_s = rises(policy, settings), between_checks_s(True, settings)
    slower = ("inter", ms(inter_s)) if inter_s != settings.check_interval else ()
    return line(
        "default-server", *slower, "observe", "layer7", "error-limit", ejection.failures, "on-error", "mark-down", "rise", rise,
        why=f"{ejection.failures} failed connections or answers of 500 and above between two checks take a host out; it is back\n"
            f"after {rise} good checks. HAProxy knows no other way to keep it out: a lost host comes back no sooner.",
    )


def server_defaults(balance: Balance, policy: Policy) -> tuple[Line, ...]:
    words: list[str | int] = []
    if balance.server_connections:
        words += ["maxconn", balance.server_connections]
    if policy.max_pending:
        words += ["maxqueue", policy.max_pending]
    if balance.slow_start is not None:
        words += ["slowstart", ms(balance.slow_start)]
    if not words:
        return ()
    why = "More than `maxconn` wait here, more than `maxqueue` go to another server." if policy.max_pending else ""
    return (line("default-server", *words, why=why),)


def server_words(server: routing.Server, zone: str, balance: Balance) -> tuple[str | int, ...]:
    words: list[str | int] = []
    if server.name in balance.weights:
        words += ["weight", balance.weights[server.name]]
    if balance.sessions and balance.sessions.by == "cookie":
        words += ["cookie", server.name]
    if server.name in balance.backups or (balance.prefer_zone and server.zone != zone):
        words.append("backup")
    return tuple(words)


def together(balance: Balance) -> tuple[Line, ...]:
    if not (balance.backups or balance.prefer_zone):
        return ()
    return (line("option", "allbackups", why="All backups share the load; without it the first one gets all of it."),)
