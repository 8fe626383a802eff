"""Envoy's config: one listener and one cluster for each route, as a dict that is dumped once."""

from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import File, Site
from holdfast.documents import yaml
from holdfast.engines import routing
from holdfast.engines.envoy import balancing, encrypted
from holdfast.engines.envoy.balancing import extension
from holdfast.engines.envoy.live import live_files
from holdfast.engines.envoy.parts import TYPES, at, cluster, http_cluster, http_listener, listener, manager
from holdfast.engines.envoy.reasons import reasons
from holdfast.engines.envoy.settings import Settings
from holdfast.engines.policy import policy
from holdfast.engines.shared import has_own_config, notice
from holdfast.engines.tls import tls_of
from holdfast.topology.model import Instance, Topology

ADMIN_PORT = 9901
FILE = "/etc/envoy/envoy.yaml"


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
        "admin": {"address": at(admin, site.port(ADMIN_PORT))},
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
                    (http_cluster(route, settings, calls[route.tier], instance.zone),) if route.protocol == "http"
                    else _postgres_clusters(route, settings, read=route.tier in read)
                )
            ],
        },
    }


def _http_listeners(
    route: routing.Route, listen: str, instance: Instance, topology: Topology, site: Site
) -> tuple[dict[str, Any], ...]:
    settings: Settings = topology.tiers[instance.tier].settings
    plain = http_listener(route, listen, settings, policy(instance.tier, route.tier, topology))
    wanted = tls_of(instance.tier, topology)
    if wanted is None:
        return (plain,)
    secure = encrypted.listener(plain, wanted, instance, site)
    if not wanted.redirect:
        return (plain, secure)
    redirect = listener("redirect", listen, route.entry_port, manager(
        "redirect", [{"name": "redirect", "domains": ["*"], "routes": [encrypted.redirecting(site)]}], [],
    ))
    return (redirect, secure)


def _postgres_listener(route: routing.Route, listen: str, settings: Settings) -> dict[str, Any]:
    proxy = extension(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=route.protocol,
        cluster=_either(route) if route.protocol == "postgres_read" else route.behind,
        idle_timeout="3600s",
    )
    return listener(route.protocol, listen, route.entry_port, proxy)


def _either(route: routing.Route) -> str:
    return f"{route.behind}-or-primary"


def _postgres_clusters(route: routing.Route, settings: Settings, *, read: bool) -> tuple[dict[str, Any], ...]:
    """Those of one role; behind replicas also what chooses between them and the primary.  `read`: reads may come here."""
    servers = {
        **cluster(route, settings, "ROUND_ROBIN"),
        "close_connections_on_host_health_failure": True,
        "upstream_connection_options": {
            "tcp_keepalive": {"keepalive_time": 5, "keepalive_interval": 1, "keepalive_probes": 3},
        },
    }
    if read:
        servers["load_assignment"] |= balancing.while_any(route)
    if route.protocol != "postgres_read":
        return (servers,)
    config = {"@type": f"{TYPES}clusters.aggregate.v3.ClusterConfig", "clusters": [route.behind, route.tier]}
    either = {
        "name": _either(route), "connect_timeout": balancing.duration(settings.connect_timeout), "lb_policy": "CLUSTER_PROVIDED",
        "cluster_type": {"name": "envoy.clusters.aggregate", "typed_config": config},
    }
    return servers, either
