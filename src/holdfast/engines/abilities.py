"""What each balancer can do of what a user may ask for, by which words of its config, and who else can where it cannot.

One table: the objections, and docs/balancers.md, are both made from it.  An engine that is missing in `how` cannot do it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from holdfast.engines.intent import Balance
from holdfast.engines.policy import policy
from holdfast.errors import Problem
from holdfast.quantities import written_seconds
from holdfast.topology.model import Tier, Topology

NAMES: Mapping[str, str] = {"nginx": "open-source nginx", "haproxy": "HAProxy", "envoy": "Envoy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """key: under the tier, as a user writes it.  wanted: did this tier ask for it?  how: engine to its words for it."""

    key: tuple[str, ...]
    what: str
    wanted: Callable[[Balance], bool]
    how: Mapping[str, str]


def _strategy(name: str, what: str, **how: str) -> Ability:
    return Ability(key=("balance", "strategy"), what=what, wanted=lambda balance: balance.strategy == name, how=how)


def _asked(key: str, what: str, **how: str) -> Ability:
    """Wanted where it says something else than nothing."""
    nothing = Balance()
    return Ability(
        key=("balance", key), what=what, wanted=lambda balance: getattr(balance, key) != getattr(nothing, key), how=how,
    )


def _sessions(by: str, what: str, **how: str) -> Ability:
    def wanted(balance: Balance) -> bool:
        return balance.sessions is not None and balance.sessions.by == by

    return Ability(key=("balance", "sessions"), what=what, wanted=wanted, how=how)


ABILITIES: tuple[Ability, ...] = (
    _strategy("round_robin", "round robin", nginx="the default", haproxy="balance roundrobin", envoy="ROUND_ROBIN"),
    _strategy("least_connections", "least connections", nginx="least_conn", haproxy="balance leastconn",
              envoy="LEAST_REQUEST, of two at random"),
    _strategy("random_two", "the better of two at random", nginx="random two least_conn", haproxy="balance random(2)",
              envoy="LEAST_REQUEST, choice_count 2"),
    _strategy("source", "hash of the client's address", nginx="hash $remote_addr consistent",
              haproxy="balance source, hash-type consistent", envoy="RING_HASH on source_ip"),
    _strategy("consistent_hash", "consistent hash", nginx="hash KEY consistent",
              haproxy="balance uri or hdr, hash-type consistent", envoy="RING_HASH"),
    _strategy("maglev", "Maglev hash", envoy="MAGLEV"),
    _strategy("first", "fill the first server, then the next", haproxy="balance first"),
    _asked("bounded_load", "bounded load", haproxy="hash-balance-factor", envoy="hash_balance_factor"),
    _asked("weights", "weights", nginx="weight", haproxy="weight", envoy="load_balancing_weight"),
    _asked("slow_start", "slow start", haproxy="slowstart", envoy="slow_start_config"),
    _asked("server_connections", "a limit of connections for each server", nginx="max_conns", haproxy="maxconn",
           envoy="per_host_thresholds"),
    _asked("queue_timeout", "a time limit in the queue", haproxy="timeout queue"),
    _asked("backups", "backups", nginx="backup", haproxy="backup, option allbackups", envoy="priority 1"),
    _asked("prefer_zone", "the balancer's own zone first", nginx="backup", haproxy="backup, option allbackups",
           envoy="priority 1"),
    _asked("check", "a health check of its own", haproxy="http-check", envoy="health_checks"),
    _sessions("cookie", "sessions by cookie", nginx="sticky cookie, from 1.29.6 on", haproxy="cookie insert, redispatch",
              envoy="stateful_session"),
    _sessions("source", "sessions by address", nginx="hash $remote_addr consistent", haproxy="stick on src, shared by peers",
              envoy="RING_HASH on source_ip"),
    _asked("rate_limit", "a rate limit for each client", nginx="limit_req", haproxy="stick-table http_req_rate",
           envoy="local_ratelimit on remote_address"),
    _asked("websocket", "WebSocket", nginx="proxy_set_header Upgrade", haproxy="timeout tunnel", envoy="upgrade_configs"),
    _asked("retry_after", "a second attempt for a GET that is slow", nginx="proxy_read_timeout",
           haproxy="retry-on response-timeout", envoy="hedge_on_per_try_timeout"),
)

POLICIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "retry_budget": ("a budget of retries", {"envoy": "retry_budget"}),
    "max_pending": ("a bounded queue", {"haproxy": "maxqueue", "envoy": "max_pending_requests"}),
    "ejection": ("ejection of a server that keeps failing", {
        "nginx": "max_fails, fail_timeout, zone", "haproxy": "observe layer7, on-error mark-down", "envoy": "outlier_detection",
    }),
}
"""The same for `uses: {TIER: ...}`."""


def cannot(tier: str, engine: str, topology: Topology) -> tuple[Problem, ...]:
    """What this tier asks for and its engine cannot do, each with the engines that can."""
    declared = topology.tiers[tier]
    balance: Balance = declared.settings.balance
    found = [
        _refused(engine, ability.what, ability.how, topology.located("tiers", tier, *ability.key), ability.key[-1])
        for ability in ABILITIES
        if engine not in ability.how and ability.wanted(balance)
    ]
    for to, uses in declared.uses.items():
        for key, (what, how) in POLICIES.items():
            if engine not in how and getattr(uses, key) is not None:
                found.append(_refused(engine, what, how, topology.located("tiers", tier, "uses", to, key), key))
        if engine != "envoy" and uses.ejection and "most" in uses.ejection.model_fields_set:
            where = topology.located("tiers", tier, "uses", to, "ejection", "most")
            what = "a share of the servers that stays, whatever fails"
            found.append(_refused(engine, what, {"envoy": "max_ejection_percent"}, where, "most"))
    return (*found, *_senseless(tier, declared, topology))


def _refused(engine: str, what: str, how: Mapping[str, str], where: str, key: str) -> Problem:
    others = " or ".join(f"engine: {name}" for name in how)
    return Problem(f"{NAMES[engine]} has no way to do this: {what}", where, f"write {others}, or remove {key}")


def _senseless(tier: str, declared: Tier, topology: Topology) -> Iterator[Problem]:
    """What no engine could make sense of."""
    balance: Balance = declared.settings.balance
    served = declared.routes.get("http", "")
    hosts = [each.host for each in topology.instances_of(served)] if served in topology.tiers else []

    def problem(key: str, what: str, remedy: str) -> Problem:
        return Problem(what, topology.located("tiers", tier, "balance", key), remedy)

    for key in ("weights", "backups"):
        for host in getattr(balance, key):
            if hosts and host not in hosts:
                yield problem(key, f"{host} is no host of the tier {served}", f"use {', '.join(hosts)}")
    if hosts and set(hosts) <= set(balance.backups):
        yield problem("backups", "every server is a backup, so nobody is active", "leave at least one host out")
    if balance.bounded_load and balance.strategy != "consistent_hash":
        yield problem("bounded_load", "only a consistent hash needs its load bounded", "add strategy: consistent_hash")
    if balance.strategy == "first" and not balance.server_connections:
        yield problem("strategy", "the first server would never be full", "say when it is, with server_connections")
    if balance.queue_timeout is not None and not balance.server_connections:
        yield problem("queue_timeout", "nobody waits for a server without a limit", "add server_connections")
    if balance.sessions and balance.hashes:
        yield problem("sessions", f"{balance.strategy} keeps visitors together already", "remove one of the two")
    if "hash_on" in balance.model_fields_set and balance.strategy not in ("consistent_hash", "maglev"):
        yield problem("hash_on", "nothing is hashed", "add strategy: consistent_hash")
    if balance.rate_limit and balance.rate_limit.per < 0.05:
        yield problem("rate_limit", "a rate is counted over 50 ms at the least", "write per: 1s")
    for key in ("slow_start", "queue_timeout", "retry_after"):
        if (value_s := getattr(balance, key)) is not None and value_s < 0.001:
            yield problem(key, f"{key} of {written_seconds(value_s)} means something else to each engine", "use 1ms or more")
    yield from _policies(tier, declared, topology)


def _policies(tier: str, declared: Tier, topology: Topology) -> Iterator[Problem]:
    for to, uses in declared.uses.items():
        if to not in declared.routes.values():
            where = topology.located("tiers", tier, "uses", to)
            yield Problem(f"{tier} routes nothing to {to}", where, f"route to it, or remove {to} from uses")
        if uses.max_pending and not declared.settings.balance.server_connections:
            where = topology.located("tiers", tier, "uses", to, "max_pending")
            yield Problem("nobody waits for a server without a limit", where, "add balance: {server_connections: 100}")
        yield from _nested(tier, to, declared, topology)


def _nested(tier: str, to: str, declared: Tier, topology: Topology) -> Iterator[Problem]:
    """What is inside must end before what is around it, or its end is never seen."""
    settings = declared.settings
    inner = settings.balance.retry_after or getattr(settings, "retry_after", None) or getattr(settings, "hedge_after", 0.0)
    whole = policy(tier, to, topology).timeout_s or settings.request_timeout
    for key, value_s in (("connect_timeout", settings.connect_timeout), ("retry_after", inner)):
        if value_s >= whole:
            what = f"{key} of {written_seconds(value_s)} does not end before the whole request, {written_seconds(whole)}"
            yield Problem(what, topology.located("tiers", tier, "uses", to, "timeout"), f"lengthen the timeout, or shorten {key}")
