"""Encryption towards clients: `tls: {}` on a balancer, the same for each engine.

    entry: {engine: nginx, routes: {http: web}, tls: {}}
    entry: {engine: envoy, routes: {http: web}, tls: {minimum: "1.3", redirect: false}}
    secrets: {entry-tls: {file: ./shop.pem}}

The certificate, what signed it, and its private key are one PEM file, named as the secret TIER-tls.  Where no secret is named,
each run in a lab makes an authority and a certificate of its own; a rendered file holds the reference only.  With `ocsp: true`
the authority's answer on the certificate (OCSP, in DER) is the secret TIER-tls-ocsp, which a job of the user's renews; the lab
makes one for the certificate that it made.
"""

from typing import Literal

from holdfast.blueprint import BYTES, SECRET, File, Site
from holdfast.engines import mesh
from holdfast.topology.model import Declared, Instance, Topology

PORT = 443
SUFFIX = "-tls"
OCSP = "-ocsp"
STAPLE = ".ocsp"
"""Behind the name of the certificate's file: where HAProxy looks, and the others are told to."""


class Tls(Declared):
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""
    http2: bool = True
    """Speak HTTP/2 with whoever offers it."""
    ocsp: bool = False
    """Show visitors a signed answer that the certificate is not revoked (OCSP stapling): the secret TIER-tls-ocsp, in DER."""
    redirect: bool = True
    """Whoever comes to port 80 is sent to 443; otherwise both serve."""


def tls_of(tier: str, topology: Topology) -> Tls | None:
    """None too where nothing of `http` is routed."""
    declared = topology.tiers[tier]
    found: Tls | None = getattr(declared.settings, "tls", None)
    return found if "http" in declared.routes else None


def secret_of(tier: str) -> str:
    return f"{tier}{SUFFIX}"


def bundle(tier: str) -> File:
    """The certificate with its chain, and its key."""
    return File(text=f"{SECRET}{secret_of(tier)}\n", mode=0o600)


def staples(tier: str, topology: Topology) -> bool:
    wanted = tls_of(tier, topology)
    return wanted is not None and wanted.ocsp


def presented(tier: str, topology: Topology, certificate: str) -> dict[str, File]:
    """What a balancer reads to present itself, by production path: the answer of the authority lies beside the certificate."""
    found = {certificate: bundle(tier)}
    if staples(tier, topology):
        found[f"{certificate}{STAPLE}"] = File(text=f"{BYTES}{SECRET}{staple_of(tier)}\n", mode=0o600)
    return found


def staple_of(tier: str) -> str:
    """The secret that is the authority's answer on this tier's certificate, in base64."""
    return f"{secret_of(tier)}{OCSP}"


def redirect_port(site: Site) -> str:
    """The port to write into a redirect, or "" where it is the usual one."""
    port = site.port(PORT)
    return "" if port == PORT else f":{port}"


def next_secret_of(tier: str) -> str:
    """The certificate that takes the place of the first one in a drill."""
    return f"{tier}{SUFFIX}-next"


def renewed_by(tier: str, topology: Topology) -> dict[str, tuple[str, str]]:
    """Host to the names of the secrets that are its certificate and the one that takes its place: of a balancer the same for
    all, of sidecars one for each."""
    hosts = [instance.host for instance in topology.instances_of(tier)]
    if topology.bearer(tier):
        return {host: (mesh.certificate_of(host), f"{mesh.certificate_of(host)}{mesh.NEXT}") for host in hosts}
    return dict.fromkeys(hosts, (secret_of(tier), next_secret_of(tier)))


def shown_at(instance: Instance) -> int:
    """The port at which it shows its certificate, before `Site.port`."""
    return mesh.INBOUND_PORT if instance.engine == "sidecar" else PORT


def tls_ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (PORT,) if tls_of(tier, topology) else ()
