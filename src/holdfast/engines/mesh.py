"""Who calls whom through sidecars, at which ports and under which names: what programs, balancers and sidecars must agree on.

Rules: only programs of `engine: command` have sidecars; a call goes through the caller's sidecar when its tier is meshed and
calls another `command` tier, and it is encrypted when that tier is meshed too.
"""

from collections.abc import Mapping

from holdfast.blueprint import Site
from holdfast.topology.model import Instance, Topology

INBOUND_PORT = 15006
"""Where a sidecar lets other sidecars in."""
ADMIN_PORT = 15000
FIRST_OUTBOUND_PORT = 15101
"""On the host itself: where its program finds the first tier that it uses; the next one after it, and so on."""
SUFFIX = "-mesh"
AUTHORITY = "mesh-authority"
"""The secret whose signatures all sidecars trust: certificates in PEM."""
NEXT = "-next"


def sidecar_of(tier: str) -> str:
    """The derived tier of this tier's sidecars."""
    return f"{tier}{SUFFIX}"


def meshed(tier: str, topology: Topology) -> bool:
    return topology.tiers[tier].meshed and topology.tiers[tier].engine == "command"


def towards(tier: str, topology: Topology) -> Mapping[str, int]:
    """Every tier that this one calls through its sidecar, and at which port of its own host."""
    if not meshed(tier, topology):
        return {}
    called = [to for to in topology.tiers[tier].uses if to in topology.tiers and topology.tiers[to].engine == "command"]
    return {to: FIRST_OUTBOUND_PORT + number for number, to in enumerate(called)}


def callers(tier: str, topology: Topology) -> tuple[str, ...]:
    """Whom the sidecars of this tier let in."""
    if not meshed(tier, topology):
        return ()
    return tuple(name for name in topology.tiers if tier in towards(name, topology))


def senders(tier: str, topology: Topology) -> tuple[str, ...]:
    """Tiers whose instances keep a list of this tier's instances and choose among them: balancers, and sidecars of callers."""
    routing = [name for name, other in topology.tiers.items() if tier in other.routes.values()]
    calling = [sidecar_of(name) for name in topology.tiers if tier in towards(name, topology)]
    return (*routing, *(name for name in calling if name in topology.tiers))


def plain_callers(tier: str, topology: Topology) -> tuple[str, ...]:
    """Who reaches this tier's programs at their own port, without encryption: balancers, programs without a sidecar, clients."""
    let_in = callers(tier, topology)
    found = [name for name in topology.users_of(tier) if name not in let_in]
    hosts = {instance.host for instance in topology.instances_of(tier)}
    for name, probe in topology.probes.items():
        if {tier, *hosts} & set(getattr(probe, "tiers", ())):
            found.append(f"the probe {name}")
    return tuple([*found, f"the virtual IP of {tier}"] if topology.tiers[tier].vip else found)


def closed(tier: str, topology: Topology) -> bool:
    """Whether the programs listen on their own hosts only, since nobody reaches them but through sidecars."""
    return bool(callers(tier, topology)) and not plain_callers(tier, topology)


def identity(tier: str, topology: Topology) -> str:
    """The name in a sidecar's certificate, as SPIFFE writes names: spiffe://TRUST-DOMAIN/PATH."""
    return f"spiffe://{topology.service}/{tier}"


def certificate_of(host: str) -> str:
    """The secret with the certificate and key of the sidecar on this host."""
    return f"{host}{SUFFIX}"


def tier_of(secret: str, topology: Topology) -> tuple[str, str]:
    """Tier and host of a sidecar's certificate, or two empty words.  The host may be one that only comes later."""
    host = secret.removesuffix(SUFFIX)
    for tier in topology.tiers if host != secret else ():
        if meshed(tier, topology) and host.removeprefix(topology.lodging(tier)).isdigit():
            return tier, host
    return "", ""


def inside(instance: Instance, site: Site) -> str:
    """Where programs of one host reach each other and nobody else does."""
    return site.address(instance.host, instance.address) if site.shares_network else "127.0.0.1"
