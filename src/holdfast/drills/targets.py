"""Whom to strike: words become instances at the moment of striking, by what is true then."""

import random
from collections.abc import Mapping, Sequence

from holdfast.drills.drill import Drill
from holdfast.topology.model import Instance


class NoTarget(Exception):
    """Nobody is what the drill asks for, so it cannot strike."""


def resolve(
    drill: Drill, instances: Sequence[Instance], roles: Mapping[str, str], rng: random.Random
) -> Instance:
    """One instance of the drill's tier.  Roles are of every instance of the service: `active` is told by the VIP's mover."""
    own = [instance for instance in instances if instance.tier == drill.tier]
    if drill.target == "one":
        return rng.choice(own)
    by_host = [instance for instance in own if instance.host == drill.target]
    if by_host:
        return by_host[0]
    hosts = {instance.host for instance in instances if roles.get(instance.name) == drill.target}
    fitting = [instance for instance in own if instance.host in hosts and _own_role(instance, roles, drill.target)]
    if not fitting:
        raise NoTarget(f"nobody in {drill.tier} is {drill.target} now")
    return rng.choice(fitting)


def _own_role(instance: Instance, roles: Mapping[str, str], word: str) -> bool:
    """A role of the instance itself decides; one without roles is what the mover of its address is."""
    return roles.get(instance.name, word) in (word, "")


