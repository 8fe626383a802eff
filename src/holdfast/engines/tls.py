"""Encryption towards clients: `tls: {}` on a balancer, the same for each engine.

    entry: {engine: nginx, routes: {http: web}, tls: {}}
    entry: {engine: envoy, routes: {http: web}, tls: {minimum: "1.3", redirect: false}}
    secrets: {entry-tls: {file: ./shop.pem}}

The certificate, what signed it, and its private key are one PEM file, named as the secret TIER-tls.  Where no secret is named,
each run in a lab makes an authority and a certificate of its own; a rendered file holds the reference only.
"""

from typing import Literal

from holdfast.blueprint import SECRET, File, Site
from holdfast.engines import mesh
from holdfast.topology.model import Declared, Instance, Topology

PORT = 443
SUFFIX = "-tls"


class Tls(Declared):
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""
    http2: bool = True
    """Speak HTTP/2 with whoever offers it."""
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
