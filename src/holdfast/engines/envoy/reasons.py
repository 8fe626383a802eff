"""Why Envoy's config says what it says: printed as comments above the keys."""

from collections.abc import Mapping
from typing import Any

from holdfast.documents import yaml


def reasons(document: Mapping[str, Any]) -> dict[yaml.Path, str]:
    whys: dict[yaml.Path, str] = {("admin",): "Only on the host itself: this interface can stop the program."}
    resources = document["static_resources"]
    for index, listener in enumerate(resources["listeners"]):
        if listener["name"] in ("http", "https") or listener["name"].startswith("to-"):
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
    (0, "route", "retry_policy", "retry_priority"): (
        "Elsewhere is another zone: the own one may have a single server, the one that does not answer."
    ),
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
