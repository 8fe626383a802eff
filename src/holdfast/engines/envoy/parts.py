"""What Envoy's config is made of, whoever it is for: listeners, routes and clusters as dicts."""

from typing import Any

from holdfast.engines import routing
from holdfast.engines.envoy import balancing
from holdfast.engines.envoy.balancing import duration, extension
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.policy import Policy

TYPES = "type.googleapis.com/envoy.extensions."


def at(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def listener(name: str, listen: str, port: int, filter_: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "address": at(listen, port), "filter_chains": [{"filters": [filter_]}]}


def manager(prefix: str, hosts: list[dict[str, Any]], filters: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=prefix,
        use_remote_address=True,
        **more,
        route_config={"virtual_hosts": hosts},
        http_filters=[*filters, extension("envoy.filters.http.router", "filters.http.router.v3.Router")],
    )


def http_listener(route: routing.Route, listen: str, settings: Settings, calls: Policy) -> dict[str, Any]:
    balance = settings.balance
    timeout = duration(calls.timeout_s or settings.request_timeout)
    to = {"cluster": route.tier, "timeout": timeout, **balancing.hashed(balance)}
    again = {
        "num_retries": calls.retries,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
        "retry_host_predicate": [
            extension("envoy.retry_host_predicates.previous_hosts", "retry.host.previous_hosts.v3.PreviousHostsPredicate"),
        ],
        "host_selection_retry_max_attempts": 20,
        **balancing.elsewhere(balance),
    }
    safe = {
        "match": {
            "prefix": "/",
            "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}}],
        },
        "route": {
            **to,
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,reset,gateway-error",
                "per_try_timeout": duration(balance.retry_after or settings.hedge_after),
                **again,
            },
            "hedge_policy": {"hedge_on_per_try_timeout": True},
        },
    }
    others = {
        "match": {"prefix": "/"},
        "route": {**to, "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", **again}},
    }
    hosts = [{"name": route.tier, "domains": ["*"], "routes": [*balancing.upgraded(route, balance), safe, others]}]
    connections = manager("http", hosts, balancing.filters(balance), **balancing.upgrades(balance))
    return listener("http", listen, route.entry_port, connections)


def cluster(route: routing.Route, settings: Settings, policy: str) -> dict[str, Any]:
    interval = duration(settings.check_interval)
    endpoints = [
        {
            "endpoint": {
                "address": at(server.address, server.port),
                "hostname": server.name,
                "health_check_config": {"port_value": server.check_port},
            },
        }
        for server in route.servers
    ]
    return {
        "name": route.behind,
        "type": "STATIC",
        "lb_policy": policy,
        "connect_timeout": duration(settings.connect_timeout),
        "load_assignment": {"cluster_name": route.behind, "endpoints": [{"lb_endpoints": endpoints}]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "health_checks": [{
            "timeout": duration(settings.check_timeout),
            "interval": interval,
            "unhealthy_interval": interval,
            "unhealthy_edge_interval": interval,
            "healthy_edge_interval": interval,
            "no_traffic_interval": interval,
            "no_traffic_healthy_interval": interval,
            "unhealthy_threshold": settings.fall,
            "healthy_threshold": settings.rise,
            "http_health_check": {
                "host": route.tier,
                "path": route.served.check_path,
                "expected_statuses": [{"start": 200, "end": 201}],
            },
        }],
    }


def http_cluster(route: routing.Route, settings: Settings, calls: Policy, zone: str) -> dict[str, Any]:
    balance = settings.balance
    found = cluster(route, settings, balancing.lb_policy(balance))
    (every,) = found["load_assignment"]["endpoints"]
    found["load_assignment"]["endpoints"] = balancing.priorities(route, zone, balance, every["lb_endpoints"])
    if len(found["load_assignment"]["endpoints"]) > 1:
        found["load_assignment"] |= balancing.while_any(route)
    found["common_lb_config"] |= balancing.bounded(balance)
    found["health_checks"][0] |= balancing.check(route, settings)
    return {
        **found,
        **balancing.spread(balance),
        "circuit_breakers": balancing.breakers(balance, calls),
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 2,
            "interval": duration(settings.check_interval),
            "base_ejection_time": "1s",
            "max_ejection_percent": 50,
            "enforcing_consecutive_5xx": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            **balancing.outliers(calls),
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "2s"},
                "explicit_http_config": {"http_protocol_options": {}},
            },
        },
    }
