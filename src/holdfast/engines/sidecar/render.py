"""A sidecar's config: a listener for each tier that its program calls, and one that lets other sidecars in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from holdfast.blueprint import SECRET, File, Site
from holdfast.documents import yaml
from holdfast.engines import command, mesh, routing
from holdfast.engines.engine import Served
from holdfast.engines.envoy import encrypted, live, parts, reasons
from holdfast.engines.policy import policy
from holdfast.engines.shared import notice
from holdfast.engines.sidecar.settings import as_envoy
from holdfast.engines.versions import unverified
from holdfast.topology.model import Instance, Topology

FOLDER = "/etc/sidecar"
FILE = f"{FOLDER}/envoy.yaml"
CERTIFICATE = f"{FOLDER}/tls/site.pem"
AUTHORITY = f"{FOLDER}/tls/authority.pem"
NAMES = f"{FOLDER}/tls/secret.yaml"
OWN = "own_program"
"""The cluster of the program beside it; no tier can be called so."""
KEPT_S = 60
"""How long a connection between two sidecars is kept open unused: their handshakes cost more than a connection."""


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    document = _document(instance, topology, site)
    tier, newer = topology.bearer(instance.tier), unverified("envoy", site)
    header = (*notice(instance, topology, site), *([newer] if newer else []), *encryption(tier, topology))
    written = live.live_files(document, _whys(document), FILE, instance, site, header)
    if not _encrypts(tier, topology):
        return written
    named = encrypted.naming(site.path(instance.host, CERTIFICATE), header)
    return {
        CERTIFICATE: File(text=f"{SECRET}{mesh.certificate_of(instance.host)}\n", mode=0o600),
        AUTHORITY: File(text=f"{SECRET}{mesh.AUTHORITY}\n", mode=0o600),
        NAMES: File(text=named),
        **written,
    }


def _encrypts(tier: str, topology: Topology) -> bool:
    """Whether anything that this tier's sidecars do needs a certificate."""
    return bool(mesh.callers(tier, topology)) or any(mesh.meshed(to, topology) for to in mesh.towards(tier, topology))


def encryption(tier: str, topology: Topology) -> tuple[str, ...]:
    """What is encrypted around this tier and what is not, in lines for a person."""
    found = [
        f"Calls of {to} are {'encrypted, both sides with a certificate' if mesh.meshed(to, topology) else 'NOT encrypted'}."
        for to in mesh.towards(tier, topology)
    ]
    if mesh.closed(tier, topology):
        found.append(f"Its program listens on its own host only: nobody but {', '.join(mesh.callers(tier, topology))} gets in.")
    elif plain := mesh.plain_callers(tier, topology):
        found.append(f"Its program's own port is open, and NOT encrypted, for: {', '.join(plain)}.")
    return tuple(found)


def _document(instance: Instance, topology: Topology, site: Site) -> dict[str, Any]:
    tier = topology.bearer(instance.tier)
    inside = mesh.inside(instance, site)
    outward = [_outward(tier, to, instance, topology, site) for to in mesh.towards(tier, topology)]
    inward = [_inward(tier, instance, topology, site)] if mesh.callers(tier, topology) else []
    return {
        "admin": {"address": parts.at(inside, site.port(mesh.ADMIN_PORT))},
        "static_resources": {
            "listeners": [listener for listener, _ in (*outward, *inward)],
            "clusters": [cluster for _, cluster in (*outward, *inward)],
        },
    }


def _outward(
    tier: str, to: str, instance: Instance, topology: Topology, site: Site
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Listener and cluster for calls of `to`."""
    settings = as_envoy(topology.tiers[instance.tier].settings)
    calls = replace(policy(tier, to, topology), timeout_s=topology.tiers[tier].uses[to].timeout)
    route = _route(tier, to, topology, site)
    listener = parts.http_listener(route, mesh.inside(instance, site), settings, calls)
    cluster = parts.http_cluster(route, settings, calls, instance.zone)
    if mesh.meshed(to, topology):
        cluster["transport_socket"] = _calling(tier, to, instance, topology, site)
        options = cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
        options["common_http_protocol_options"] = {"idle_timeout": f"{KEPT_S}s"}
    return {**listener, "name": f"to-{to}"}, cluster


def _route(tier: str, to: str, topology: Topology, site: Site) -> routing.Route:
    settings: command.Settings = topology.tiers[to].settings
    port = site.port(mesh.INBOUND_PORT if mesh.meshed(to, topology) else settings.port)
    servers = tuple(
        routing.Server(
            name=other.host, address=site.address(other.host, other.address), port=port, check_port=port, zone=other.zone,
        )
        for other in topology.instances_of(to)
    )
    served = Served(protocol="http", port=port, check_port=port, check_path=settings.health)
    return routing.Route(
        protocol="http", tier=to, entry_port=site.port(mesh.towards(tier, topology)[to]), served=served, servers=servers,
    )


def _inward(tier: str, instance: Instance, topology: Topology, site: Site) -> tuple[dict[str, Any], dict[str, Any]]:
    """Listener for the sidecars of callers, and the cluster of the program beside it."""
    settings: command.Settings = topology.tiers[tier].settings
    host = {"name": tier, "domains": ["*"], "routes": [{
        "match": {"prefix": "/"},
        "route": {"cluster": OWN, "timeout": "0s", "retry_policy": {"retry_on": "reset-before-request", "num_retries": 1}},
    }]}
    manager = parts.manager(
        "inbound", [host], [], forward_client_cert_details="SANITIZE_SET", set_current_client_cert_details={"uri": True},
    )
    listen = site.listen(instance.host, instance.address)
    listener = parts.listener("inbound", listen, site.port(mesh.INBOUND_PORT), manager)
    listener["filter_chains"][0]["transport_socket"] = _socket(
        "DownstreamTlsContext", mesh.callers(tier, topology), instance, topology, site, require_client_certificate=True,
    )
    program = {"endpoint": {
        "address": parts.at(mesh.inside(instance, site), site.port(settings.port)), "hostname": instance.host,
    }}
    cluster = {
        "name": OWN,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": OWN, "endpoints": [{"lb_endpoints": [program]}]},
        "circuit_breakers": {"thresholds": [dict.fromkeys(("max_connections", "max_pending_requests", "max_requests"), 100_000)]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{parts.TYPES}upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": "2s"},
                "explicit_http_config": {"http_protocol_options": {}},
            },
        },
    }
    return listener, cluster


def _calling(tier: str, to: str, instance: Instance, topology: Topology, site: Site) -> dict[str, Any]:
    return _socket("UpstreamTlsContext", (to,), instance, topology, site, sni=to)


def _socket(
    kind: str, others: tuple[str, ...], instance: Instance, topology: Topology, site: Site, **more: Any
) -> dict[str, Any]:
    """TLS in which both sides show a certificate; of the other side only the tiers `others` are let pass."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{encrypted.TYPES}{kind}",
            **more,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificate_sds_secret_configs": encrypted.named(site.path(instance.host, NAMES)),
                "validation_context": {
                    "trusted_ca": {"filename": site.path(instance.host, AUTHORITY)},
                    "match_typed_subject_alt_names": [
                        {"san_type": "URI", "matcher": {"exact": mesh.identity(other, topology)}} for other in others
                    ],
                },
            },
        },
    }


def _whys(document: Mapping[str, Any]) -> dict[yaml.Path, str]:
    found = reasons.reasons(document)
    resources = document["static_resources"]
    for index, listener in enumerate(resources["listeners"]):
        chain = ("static_resources", "listeners", index, "filter_chains", 0)
        host = (*chain, "filters", 0, "typed_config", "route_config", "virtual_hosts", 0)
        if listener["name"] == "inbound":
            context, manager = (*chain, "transport_socket", "typed_config"), (*chain, "filters", 0, "typed_config")
            found[(*context, "require_client_certificate")] = "Who shows none is refused: plain text never gets to the program."
            found[(*context, "common_tls_context", "validation_context", "match_typed_subject_alt_names")] = (
                "A certificate of the mesh is not enough: only tiers that declare `uses:` of this one are let in."
            )
            found[(*manager, "set_current_client_cert_details")] = (
                "The program is told who calls, in the header x-forwarded-client-cert; what a caller wrote there is dropped."
            )
            found[(*host, "routes", 0, "route", "timeout")] = (
                "How long a call may take is the caller's to say."
            )
    for index, cluster in enumerate(resources["clusters"]):
        options = ("static_resources", "clusters", index, "typed_extension_protocol_options",
                   "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", "common_http_protocol_options")
        if "transport_socket" in cluster:
            found[options] = "A new connection costs a handshake, and the other sidecar keeps this one for an hour."
        if cluster["name"] == OWN:
            found.pop(("static_resources", "clusters", index, "connect_timeout"), None)
            found[("static_resources", "clusters", index, "circuit_breakers")] = (
                "Bounds are the callers' to set: the defaults here would refuse what the program could take."
            )
    return yaml.present(found, document)
