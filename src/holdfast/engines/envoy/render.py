"""Envoy's config: one listener and one cluster for each route, as a dict that is dumped once."""

from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import File, Site
from holdfast.documents import yaml
from holdfast.engines import routing
from holdfast.engines.envoy import balancing, encrypted
from holdfast.engines.envoy.live import live_files
from holdfast.engines.envoy.reasons import reasons
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.policy import Policy, policy
from holdfast.engines.shared import has_own_config, milliseconds, notice
from holdfast.engines.tls import tls_of
from holdfast.topology.model import Instance, Topology

ADMIN_PORT = 9901
FILE = "/etc/envoy/envoy.yaml"
TYPES = "type.googleapis.com/envoy.extensions."


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    """Raises Refused for what the Envoy of this site does not know yet."""
    where = topology.located("tiers", instance.tier, "balance", "rate_limit")
    balancing.refuse_what_is_newer(topology.tiers[instance.tier].settings.balance, site, where)
    document = _document(instance, topology, site)
    header, whys = notice(instance, topology, site), reasons(document)
    if has_own_config(instance.tier, topology):
        return {FILE: File(text=yaml.dump(document, whys, header=header))}
    return {**encrypted.files(instance, topology, site), **live_files(document, whys, FILE, instance, site, header)}


def _document(instance: Instance, topology: Topology, site: Site) -> dict[str, Any]:
    settings: Settings = topology.tiers[instance.tier].settings
    routes = routing.with_fallbacks(instance.tier, topology, site)
    listen = site.listen(instance.host, instance.address)
    admin = site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
    read = {route.tier for route in routes if route.protocol == "postgres_read"}
    calls = {route.tier: policy(instance.tier, route.tier, topology) for route in routes}
    # What comes by a file of its own is asked for in somebody's name.
    named = {"node": {"id": instance.name, "cluster": topology.service}} if tls_of(instance.tier, topology) else {}
    return {
        **named,
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
                each for route in routes if route.entry_port for each in (
                    _http_listeners(route, listen, instance, topology, site) if route.protocol == "http"
                    else (_postgres_listener(route, listen, settings),)
                )
            ],
            "clusters": [
                each for route in routes for each in (
                    (_http_cluster(route, settings, calls[route.tier], instance.zone),) if route.protocol == "http"
                    else _postgres_clusters(route, settings, read=route.tier in read)
                )
            ],
        },
    }


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _duration(value_s: float) -> str:
    return f"{milliseconds(value_s) / 1000:g}s"


def _filter(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": TYPES + kind, **config}}


def _http_listeners(
    route: routing.Route, listen: str, instance: Instance, topology: Topology, site: Site
) -> tuple[dict[str, Any], ...]:
    settings: Settings = topology.tiers[instance.tier].settings
    plain = _http_listener(route, listen, settings, policy(instance.tier, route.tier, topology))
    wanted = tls_of(instance.tier, topology)
    if wanted is None:
        return (plain,)
    secure = encrypted.listener(plain, wanted, instance, site)
    if not wanted.redirect:
        return (plain, secure)
    redirect = _listener("redirect", listen, route.entry_port, _manager(
        "redirect", [{"name": "redirect", "domains": ["*"], "routes": [encrypted.redirecting(site)]}], [],
    ))
    return (redirect, secure)


def _listener(name: str, listen: str, port: int, manager: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "address": _address(listen, port), "filter_chains": [{"filters": [manager]}]}


def _manager(prefix: str, hosts: list[dict[str, Any]], filters: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return _filter(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=prefix,
        use_remote_address=True,
        **more,
        route_config={"virtual_hosts": hosts},
        http_filters=[*filters, _filter("envoy.filters.http.router", "filters.http.router.v3.Router")],
    )


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
        "host_selection_retry_max_attempts": 20,
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
    hosts = [{"name": route.tier, "domains": ["*"], "routes": [*balancing.upgraded(route, balance), safe, others]}]
    manager = _manager("http", hosts, balancing.filters(balance), **balancing.upgrades(balance))
    return _listener("http", listen, route.entry_port, manager)


def _postgres_listener(route: routing.Route, listen: str, settings: Settings) -> dict[str, Any]:
    proxy = _filter(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=route.protocol,
        cluster=_either(route) if route.protocol == "postgres_read" else route.behind,
        idle_timeout="3600s",
    )
    return _listener(route.protocol, listen, route.entry_port, proxy)


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
        "name": route.behind,
        "type": "STATIC",
        "lb_policy": policy,
        "connect_timeout": _duration(settings.connect_timeout),
        "load_assignment": {"cluster_name": route.behind, "endpoints": [{"lb_endpoints": endpoints}]},
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
    if len(cluster["load_assignment"]["endpoints"]) > 1:
        cluster["load_assignment"] |= balancing.while_any(route)
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


def _either(route: routing.Route) -> str:
    return f"{route.behind}-or-primary"


def _postgres_clusters(route: routing.Route, settings: Settings, *, read: bool) -> tuple[dict[str, Any], ...]:
    """Those of one role; behind replicas also what chooses between them and the primary.  `read`: reads may come here."""
    cluster = _cluster(route, settings, "ROUND_ROBIN")
    if read:
        cluster["load_assignment"] |= balancing.while_any(route)
    servers = {
        **cluster,
        "close_connections_on_host_health_failure": True,
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 5, "keepalive_interval": 1, "keepalive_probes": 3},
        },
    }
    if route.protocol != "postgres_read":
        return (servers,)
    config = {"@type": f"{TYPES}clusters.aggregate.v3.ClusterConfig", "clusters": [route.behind, route.tier]}
    either = {
        "name": _either(route), "connect_timeout": _duration(settings.connect_timeout), "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
    }
    return servers, either
