"""Envoy's config: one listener and one cluster for each route, as a dict that is dumped once."""

from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import File, Site
from holdfast.documents import yaml
from holdfast.engines import routing
from holdfast.engines.envoy import balancing
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.policy import Policy, policy
from holdfast.engines.shared import milliseconds, notice
from holdfast.topology.model import Instance, Topology

ADMIN_PORT = 9901
FILE = "/etc/envoy/envoy.yaml"
TYPES = "type.googleapis.com/envoy.extensions."


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    """Raises Refused for what the Envoy of this site does not know yet."""
    where = topology.located("tiers", instance.tier, "balance", "rate_limit")
    balancing.refuse_what_is_newer(topology.tiers[instance.tier].settings.balance, site, where)
    document = _document(instance, topology, site)
    return {FILE: File(text=yaml.dump(document, _whys(document), header=notice(instance, topology, site)))}


def _document(instance: Instance, topology: Topology, site: Site) -> dict[str, Any]:
    settings: Settings = topology.tiers[instance.tier].settings
    routes = routing.routes(instance.tier, topology, site)
    listen = site.listen(instance.host, instance.address)
    admin = site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
    calls = {route.tier: policy(instance.tier, route.tier, topology) for route in routes}
    return {
        "admin": {"address": _address(admin, site.port(ADMIN_PORT))},
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{TYPES}resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": settings.max_connections,
                },
            }],
        },
        "static_resources": {
            "listeners": [
                _http_listener(route, listen, settings, calls[route.tier]) if route.protocol == "http"
                else _postgres_listener(route, listen, settings)
                for route in routes
            ],
            "clusters": [
                _http_cluster(route, settings, calls[route.tier], instance.zone) if route.protocol == "http"
                else _postgres_cluster(route, settings)
                for route in routes
            ],
        },
    }


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _duration(value_s: float) -> str:
    return f"{milliseconds(value_s) / 1000:g}s"


def _filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": TYPES + kind, **config}}


def _http_listener(route: routing.Route, listen: str, settings: Settings, calls: Policy) -> dict[str, Any]:
    balance = settings.balance
    timeout = _duration(calls.timeout_s or settings.request_timeout)
    to = {"cluster": route.tier, "timeout": timeout, **balancing.hashed(balance)}
    again = {
        "num_retries": calls.retries,
        "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
        "retry_host_predicate": [
            _filter("envoy.retry_host_predicates.previous_hosts", "retry.host.previous_hosts.v3.PreviousHostsPredicate"),
        ],
        "host_selection_retry_max_attempts": 5,
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
                "per_try_timeout": _duration(balance.retry_after or settings.hedge_after),
                **again,
            },
            "hedge_policy": {"hedge_on_per_try_timeout": True},
        },
    }
    others = {
        "match": {"prefix": "/"},
        "route": {**to, "retry_policy": {"retry_on": "connect-failure,refused-stream,reset-before-request", **again}},
    }
    manager = _filter(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        use_remote_address=True,
        **balancing.upgrades(balance),
        route_config={"virtual_hosts": [
            {"name": route.tier, "domains": ["*"], "routes": [*balancing.upgraded(route, balance), safe, others]},
        ]},
        http_filters=[*balancing.filters(balance), _filter("envoy.filters.http.router", "filters.http.router.v3.Router")],
    )
    return {"name": "http", "address": _address(listen, route.entry_port), "filter_chains": [{"filters": [manager]}]}


def _postgres_listener(route: routing.Route, listen: str, settings: Settings) -> dict[str, Any]:
    proxy = _filter(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="postgres",
        cluster=route.tier,
        idle_timeout="3600s",
    )
    return {"name": "postgres", "address": _address(listen, route.entry_port), "filter_chains": [{"filters": [proxy]}]}


def _cluster(route: routing.Route, settings: Settings, policy: str) -> dict[str, Any]:
    interval = _duration(settings.check_interval)
    endpoints = [
        {
            "endpoint": {
                "address": _address(server.address, server.port),
                "hostname": server.name,
                "health_check_config": {"port_value": server.check_port},
            },
        }
        for server in route.servers
    ]
    return {
        "name": route.tier,
        "type": "STATIC",
        "lb_policy": policy,
        "connect_timeout": _duration(settings.connect_timeout),
        "load_assignment": {"cluster_name": route.tier, "endpoints": [{"lb_endpoints": endpoints}]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "health_checks": [{
            "timeout": _duration(settings.check_timeout),
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


def _http_cluster(route: routing.Route, settings: Settings, calls: Policy, zone: str) -> dict[str, Any]:
    balance = settings.balance
    cluster = _cluster(route, settings, balancing.lb_policy(balance))
    (every,) = cluster["load_assignment"]["endpoints"]
    cluster["load_assignment"]["endpoints"] = balancing.priorities(route, zone, balance, every["lb_endpoints"])
    cluster["common_lb_config"] |= balancing.bounded(balance)
    cluster["health_checks"][0] |= balancing.check(route, settings)
    return {
        **cluster,
        **balancing.spread(balance),
        "circuit_breakers": balancing.breakers(balance, calls),
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 2,
            "interval": _duration(settings.check_interval),
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


def _postgres_cluster(route: routing.Route, settings: Settings) -> dict[str, Any]:
    return {
        **_cluster(route, settings, "ROUND_ROBIN"),
        "close_connections_on_host_health_failure": True,
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 5, "keepalive_interval": 1, "keepalive_probes": 3},
        },
    }


def _whys(document: Mapping[str, Any]) -> dict[yaml.Path, str]:
    whys: dict[yaml.Path, str] = {("admin",): "Only on the host itself: this interface can stop the program."}
    resources = document["static_resources"]
    for index, listener in enumerate(resources["listeners"]):
        if listener["name"] == "http":
            filters = ("static_resources", "listeners", index, "filter_chains", 0, "filters", 0, "typed_config")
            routes = (*filters, "route_config", "virtual_hosts", 0, "routes")
            # Others may stand before the two that every listener has.
            first = len(_at(document, routes)) - 2
            whys |= {(*routes, first + path[0], *path[1:]): why for path, why in _ROUTE_WHYS.items()}
    for index in range(len(resources["clusters"])):
        whys |= {("static_resources", "clusters", index, *path): why for path, why in _CLUSTER_WHYS.items()}
    return yaml.present(whys, document)


def _at(document: Any, path: yaml.Path) -> Any:
    for step in path:
        document = document[step]
    return document


_ROUTE_WHYS: Mapping[tuple[Any, ...], str] = {
    (0, "match"): "Safe methods may be asked twice, so any failure is tried elsewhere.",
    (0, "route", "retry_policy", "per_try_timeout"): (
        "No limit for slow pages: after this long a second host is asked as well, and the first good answer counts."
    ),
    (0, "route", "retry_policy", "retry_host_predicate"): "Never the same host again.",
    (1, "match"): "Other methods are tried again only when the request cannot have reached the program.",
}
_CLUSTER_WHYS: Mapping[yaml.Path, str] = {
    ("connect_timeout",): "A host without power refuses nothing, it is silent; in one network a connection takes 1 ms.",
    ("common_lb_config", "healthy_panic_threshold"): (
        "When every host is out, say so at once. The default would send requests to hosts that called themselves unfit,\n"
        "and writes to databases that are no primary."
    ),
    ("common_lb_config", "update_merge_window"): (
        "A change of health counts at once. The default holds a second change within 1 s back until that second is over:\n"
        "an old primary that leaves and a new one that comes are two such changes."
    ),
    ("health_checks", 0, "interval"): "A silent host is out after unhealthy_threshold of these and one timeout.",
    ("health_checks", 0, "no_traffic_interval"): (
        "The default of 60 s applies until the first request came, and a failover is unseen."
    ),
    ("health_checks", 0, "http_health_check", "path"): "An answer of 503 takes a host out at once, whatever the threshold.",
    ("circuit_breakers",): "The default allows 3 retries at a time: too few when one of three hosts is gone.",
    ("outlier_detection",): (
        "Connections that fail take a host out before its check does. Errors of the program do not: those would be the\n"
        "same on every host, and the last one must stay."
    ),
    ("outlier_detection", "successful_active_health_check_uneject_host"): (
        "By default a check that says yes takes a host in again at once: one that answers its check and fails all else\n"
        "would be out for one interval."
    ),
    ("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "common_http_protocol_options"): "Shorter than servers keep idle connections, or a request meets one that is just closed.",
    ("close_connections_on_host_health_failure",): "Sessions on an old primary end when it stops to be one, not minutes later.",
}
