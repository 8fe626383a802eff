"""Envoy's words for what a user may ask of any balancer: strategy, sessions, limits, priorities, checks, ejection.

Each function returns keys to lay over what `render` writes without it; nothing asked for is nothing returned.
"""

from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import Site
from holdfast.engines import routing
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.intent import TUNNEL_S, Balance, RateLimit
from holdfast.engines.policy import Policy
from holdfast.engines.shared import milliseconds
from holdfast.engines.versions import refuse_older

TYPES = "type.googleapis.com/envoy.extensions."
POLICIES: Mapping[str | None, str] = {
    None: "LEAST_REQUEST", "round_robin": "ROUND_ROBIN", "least_connections": "LEAST_REQUEST", "random_two": "LEAST_REQUEST",
    "source": "RING_HASH", "consistent_hash": "RING_HASH", "maglev": "MAGLEV",
}
SLOWLY = {"ROUND_ROBIN": "round_robin_lb_config", "LEAST_REQUEST": "least_request_lb_config"}
"""Only these know a slow start."""
BY_CLIENT = (1, 34)
"""The first version with a bucket for each value of a descriptor; Envoy 1.32 refuses `max_dynamic_descriptors`."""


def refuse_what_is_newer(balance: Balance, site: Site, where: str) -> None:
    """Raises Refused for what the Envoy at hand does not know yet."""
    if balance.rate_limit:
        remedy = "use a newer Envoy, or engine: haproxy or nginx"
        refuse_older("envoy", site, BY_CLIENT, "rate limit for each client", where, remedy)


def duration(value_s: float) -> str:
    return f"{milliseconds(value_s) / 1000:g}s"


def extension(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": TYPES + kind, **config}}


def lb_policy(balance: Balance) -> str:
    return "RING_HASH" if by_address(balance) else POLICIES[balance.strategy]


def by_address(balance: Balance) -> bool:
    return balance.sessions is not None and balance.sessions.by == "source"


def priorities(route: routing.Route, zone: str, balance: Balance, endpoints: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`endpoints` of all servers, in their order, as Envoy's localities."""
    weighted = [
        {**endpoint, "load_balancing_weight": balance.weights[server.name]} if server.name in balance.weights else endpoint
        for server, endpoint in zip(route.servers, endpoints, strict=True)
    ]
    if not (balance.backups or balance.prefer_zone):
        return [{"lb_endpoints": weighted}]
    levels: dict[int, list[dict[str, Any]]] = {}
    for server, endpoint in zip(route.servers, weighted, strict=True):
        level = 1 if server.name in balance.backups or (balance.prefer_zone and server.zone != zone) else 0
        levels.setdefault(level, []).append(endpoint)
    # Priorities are counted from 0 without a gap: a balancer whose zone has no server starts with the others.
    return [{"priority": number, "lb_endpoints": levels[level]} for number, level in enumerate(sorted(levels))]


def while_any(route: routing.Route) -> dict[str, Any]:
    """Keys of the endpoints: all goes to the first priority for as long as any server of it can serve.

    Envoy's default of 140 % moves a share on as soon as fewer than 72 % are healthy (Envoy documentation, Priority levels).
    """
    return {"policy": {"overprovisioning_factor": 100 * len(route.servers)}}


def elsewhere(balance: Balance) -> dict[str, Any]:
    """Keys of each retry policy: a second attempt leaves the own zone, which may have a single server that does not answer."""
    if not balance.prefer_zone:
        return {}
    return {"retry_priority": extension(
        "envoy.retry_priorities.previous_priorities", "retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        update_frequency=1,
    )}


def spread(balance: Balance) -> dict[str, Any]:
    """Keys of the cluster beside `lb_policy`."""
    keys: dict[str, Any] = {}
    if balance.slow_start is not None and (name := SLOWLY.get(lb_policy(balance))):
        keys[name] = {"slow_start_config": {"slow_start_window": duration(balance.slow_start)}}
    return keys


def bounded(balance: Balance) -> dict[str, Any]:
    """Keys of `common_lb_config`."""
    if balance.bounded_load is None:
        return {}
    return {"consistent_hashing_lb_config": {"hash_balance_factor": balance.bounded_load}}


def hashed(balance: Balance) -> dict[str, Any]:
    """Keys of each route: what a hash is made of."""
    if balance.strategy in ("consistent_hash", "maglev") and balance.hash_on.startswith("header "):
        return {"hash_policy": [{"header": {"header_name": balance.hash_on.split()[1]}}]}
    if balance.strategy in ("consistent_hash", "maglev") and balance.hash_on == "uri":
        return {"hash_policy": [{"header": {"header_name": ":path"}}]}
    if balance.hashes or by_address(balance):
        return {"hash_policy": [{"connection_properties": {"source_ip": True}}]}
    return {}


def breakers(balance: Balance, policy: Policy) -> dict[str, Any]:
    """The whole of `circuit_breakers`."""
    share = 50 if policy.retry_budget is None else round(100 * policy.retry_budget, 2)
    least = 100 if policy.retry_budget is None else 3
    threshold: dict[str, Any] = {"retry_budget": {"budget_percent": {"value": share}, "min_retry_concurrency": least}}
    if policy.max_pending:
        threshold["max_pending_requests"] = policy.max_pending
    keys: dict[str, Any] = {"thresholds": [threshold]}
    if balance.server_connections:
        keys["per_host_thresholds"] = [{"max_connections": balance.server_connections}]
    return keys


def outliers(policy: Policy) -> dict[str, Any]:
    """Keys of `outlier_detection`."""
    if policy.ejection is None:
        return {}
    ejection = policy.ejection
    return {
        "consecutive_5xx": ejection.failures, "enforcing_consecutive_5xx": 100,
        "base_ejection_time": duration(ejection.duration), "max_ejection_time": duration(ejection.duration),
        "max_ejection_percent": round(100 * ejection.most),
        "successful_active_health_check_uneject_host": False,
    }


def check(route: routing.Route, settings: Settings) -> dict[str, Any]:
    """Keys of the cluster's health check."""
    asked = settings.balance.check
    keys: dict[str, Any] = {}
    if asked.fast_interval is not None:
        fast = duration(asked.fast_interval)
        keys |= {"unhealthy_interval": fast, "unhealthy_edge_interval": fast, "healthy_edge_interval": fast}
    low, high = asked.statuses
    keys["http_health_check"] = {
        "host": asked.host or route.tier,
        "path": asked.path or route.served.check_path,
        "expected_statuses": [{"start": low, "end": high + 1}],
    }
    return keys


def filters(balance: Balance) -> list[dict[str, Any]]:
    """HTTP filters before the router: who asks too often goes no further."""
    found = []
    if balance.rate_limit:
        found.append(_limited(balance.rate_limit))
    if balance.sessions and balance.sessions.by == "cookie":
        cookie = {"name": balance.sessions.cookie, "path": "/", "ttl": f"{round(balance.sessions.ttl)}s"}
        state = extension(
            "envoy.http.stateful_session.cookie", "http.stateful_session.cookie.v3.CookieBasedSessionState", cookie=cookie,
        )
        found.append(extension(
            "envoy.filters.http.stateful_session", "filters.http.stateful_session.v3.StatefulSession", session_state=state,
        ))
    return found


def _limited(limit: RateLimit) -> dict[str, Any]:
    """A bucket of tokens for each address: a descriptor without a value stands for every value."""
    bucket = {"max_tokens": limit.requests + limit.burst, "tokens_per_fill": limit.requests, "fill_interval": duration(limit.per)}
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return extension(
        "envoy.filters.http.local_ratelimit", "filters.http.local_ratelimit.v3.LocalRateLimit", stat_prefix="clients",
        filter_enabled=always, filter_enforced=always,
        # Envoy wants a bucket for whoever has no address: nobody, so it never runs dry.
        token_bucket={**bucket, "max_tokens": 1_000_000, "tokens_per_fill": 1_000_000},
        max_dynamic_descriptors=20_000,
        rate_limits=[{"actions": [{"remote_address": {}}]}],
        descriptors=[{"entries": [{"key": "remote_address"}], "token_bucket": bucket}],
    )


def upgrades(balance: Balance) -> dict[str, Any]:
    """Keys of the connection manager."""
    return {"upgrade_configs": [{"upgrade_type": "websocket"}]} if balance.websocket else {}


def upgraded(route: routing.Route, balance: Balance) -> list[dict[str, Any]]:
    """The route of connections that are upgraded: asked once, and silent for as long as they like."""
    if not balance.websocket:
        return []
    match = {"prefix": "/", "headers": [{"name": "upgrade", "string_match": {"exact": "websocket", "ignore_case": True}}]}
    return [{
        "match": match,
        "route": {"cluster": route.tier, "timeout": "0s", "idle_timeout": duration(TUNNEL_S), **hashed(balance)},
    }]
