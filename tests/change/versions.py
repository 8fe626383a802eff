"""The examples as versions of themselves, and a short way to say what a rollout does."""

from dataclasses import replace
from pathlib import Path

from holdfast.blueprint import Program, Site
from holdfast.change.rollout import rollout
from holdfast.change.version import Version, version
from holdfast.cli.service import sensible
from holdfast.topology.model import Topology

EXAMPLES = Path(__file__).parents[2] / "examples"
SITE = Site(
    lab="production",
    programs={
        name: Program(name=name, path=f"/usr/bin/{name}", version="15.0", source="PATH")
        for name in ("envoy", "haproxy", "keepalived", "etcd", "patroni", "postgres")
    },
)
CLASSIC, SHOP = sensible(str(EXAMPLES / "classic")), sensible(str(EXAMPLES / "shop"))


def with_settings(topology: Topology, tier: str, **settings: object) -> Topology:
    declared = topology.tiers[tier]
    changed = declared.model_copy(update={"settings": declared.settings.model_copy(update=settings)})
    return replace(topology, tiers={**topology.tiers, tier: changed})


def steps(before: Topology, after: Topology, *, renewed: tuple[str, ...] = ()) -> list[str]:
    return [str(step) for step in rollout(of(before), of(after, renewed))]


def of(topology: Topology, renewed: tuple[str, ...] = ()) -> Version:
    return version(topology, SITE, renewed)


def order(said: list[str], *words: str) -> bool:
    """Each of these steps is there, in this order."""
    return [said.index(word) for word in words] == sorted(said.index(word) for word in words)
