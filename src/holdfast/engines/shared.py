"""What every engine says the same way: the note at the top of a file, and what a config of the user's own leaves to ask."""

from holdfast.blueprint import Site
from holdfast.engines.engine import Question
from holdfast.engines.versions import unverified
from holdfast.errors import Problem
from holdfast.topology.model import Instance, Topology

PRODUCTION = "Addresses, ports and paths are those of production: this file is safe to copy there."
LOOPBACK = "For the loopback lab: addresses, ports and paths are this machine's. Render the file anew for production."


def notice(instance: Instance, topology: Topology, site: Site) -> tuple[str, ...]:
    """Comment lines for the top of a config file; no time stamp, so that the bytes stay the same."""
    version = unverified(instance.engine, site)
    safe = not site.prefix and not site.addresses and site.low_ports
    return (
        f"Written by holdfast for {instance.name} of the service {topology.service}, tier {instance.tier}.",
        PRODUCTION if safe else LOOPBACK,
        "Change topology.yaml and render again rather than editing here.",
        *((version,) if version else ()),
    )


def has_own_config(tier: str, topology: Topology) -> bool:
    return topology.tiers[tier].config is not None


def if_offered(question: Question, instance: Instance, topology: Topology) -> Question | None:
    """A config of the user's own may lack the listener that we would have written: then nobody can be asked."""
    own = topology.configs.get(instance.tier, {}).get(instance.host)
    return question if own is None or str(question.port) in own else None


def objection(topology: Topology, tier: str, key: str, what: str, remedy: str) -> Problem:
    return Problem(what, where=topology.located("tiers", tier, key), remedy=remedy)


def milliseconds(value_s: float) -> int:
    return round(value_s * 1000)
