"""What every engine says the same way: the note at the top of a file, and the refusal of a config that it cannot read yet."""

from holdfast.blueprint import Site
from holdfast.errors import Problem
from holdfast.topology.model import Instance, Topology

PRODUCTION = "Addresses, ports and paths are those of production: this file is safe to copy there."
LOOPBACK = "For the loopback lab: addresses, ports and paths are this machine's. Render the file anew for production."


def notice(instance: Instance, topology: Topology, site: Site) -> tuple[str, ...]:
    """Comment lines for the top of a config file; no time stamp, so that the bytes stay the same."""
    safe = not site.prefix and not site.addresses and site.low_ports
    return (
        f"Written by holdfast for {instance.name} of the service {topology.service}, tier {instance.tier}.",
        PRODUCTION if safe else LOOPBACK,
        "Change topology.yaml and render again rather than editing here.",
    )


def own_config_refused(tier: str, topology: Topology) -> tuple[Problem, ...]:
    declared = topology.tiers[tier]
    if declared.config is None:
        return ()
    return (
        Problem(
            f"holdfast cannot use a config of your own for {declared.engine} yet",
            where=topology.located("tiers", tier, "config"),
            remedy="remove `config:` and set what differs under the tier",
        ),
    )


def objection(topology: Topology, tier: str, key: str, what: str, remedy: str) -> Problem:
    return Problem(what, where=topology.located("tiers", tier, key), remedy=remedy)


def milliseconds(value_s: float) -> int:
    return round(value_s * 1000)
