"""Envoy's listener for TLS.  The certificate comes by a file that names it, so that a new one is taken up without a restart."""

from collections.abc import Mapping
from typing import Any

from holdfast.blueprint import SECRET as REFERENCE
from holdfast.blueprint import File, Site
from holdfast.documents import yaml
from holdfast.engines import tls
from holdfast.engines.shared import notice
from holdfast.topology.model import Instance, Topology

CERTIFICATE = "/etc/envoy/tls/site.pem"
SECRET = "/etc/envoy/tls/secret.yaml"
TYPES = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    if tls.tls_of(instance.tier, topology) is None:
        return {}
    staple = f"{REFERENCE}{tls.staple_of(instance.tier)}" if tls.staples(instance.tier, topology) else ""
    text = naming(site.path(instance.host, CERTIFICATE), notice(instance, topology, site), staple)
    return {CERTIFICATE: tls.bundle(instance.tier), SECRET: File(text=text, mode=0o600 if staple else 0o644)}


def naming(certificate: str, header: tuple[str, ...], staple: str = "") -> str:
    """The text of the file that names the certificate's, whose folder Envoy watches, and holds the answer to staple."""
    document = {"resources": [{
        "@type": f"{TYPES}Secret",
        "name": "site",
        "tls_certificate": {
            "certificate_chain": {"filename": certificate},
            "private_key": {"filename": certificate},
            **({"ocsp_staple": {"inline_bytes": staple}} if staple else {}),
            "watched_directory": {"path": certificate.rpartition("/")[0]},
        },
    }]}
    why = {("resources", 0, "tls_certificate", "watched_directory"): (
        "A certificate that is moved into this folder is served from then on; one that is written in place is not noticed."
    )}
    why |= {("resources", 0, "tls_certificate", "ocsp_staple"): (
        "Here and not in a file of its own, since Envoy looks into that folder for the certificate only. A job that renews\n"
        "the answer moves this whole file into place; one that renews the certificate as well, this one last."
    )} if staple else {}
    return yaml.dump(document, why, header=header)


def named(path: str) -> list[dict[str, Any]]:
    """How a TLS context asks for the certificate that the file at `path` names."""
    return [{"name": "site", "sds_config": {"path_config_source": {"path": path}, "resource_api_version": "V3"}}]


def listener(plain: dict[str, Any], wanted: tls.Tls, instance: Instance, site: Site) -> dict[str, Any]:
    """The listener of http, encrypted and at its own port."""
    chain = {**plain["filter_chains"][0], "transport_socket": {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": f"TLSv{wanted.minimum.replace('.', '_')}"},
                "alpn_protocols": ["h2", "http/1.1"] if wanted.http2 else ["http/1.1"],
                "tls_certificate_sds_secret_configs": named(site.path(instance.host, SECRET)),
            },
        },
    }}
    address = {"socket_address": {**plain["address"]["socket_address"], "port_value": site.port(tls.PORT)}}
    return {**plain, "name": "https", "address": address, "filter_chains": [chain]}


def redirecting(site: Site) -> dict[str, Any]:
    """The only route of port 80."""
    port = site.port(tls.PORT)
    elsewhere = {} if port == tls.PORT else {"port_redirect": port}
    return {
        "match": {"prefix": "/"},
        "redirect": {"https_redirect": True, **elsewhere, "response_code": "PERMANENT_REDIRECT"},
    }
