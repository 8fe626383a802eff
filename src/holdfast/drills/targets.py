"""Whom to strike: words become instances at the moment of striking, by what is true then."""

import random
from collections.abc import Mapping, Sequence

from holdfast.drills.drill import ZONE, Drill
from holdfast.topology.model import Instance


class NoTarget(Exception):
    """Nobody is what the drill asks for, so it cannot strike."""


def resolve(
    drill: Drill, instances: Sequence[Instance], roles: Mapping[str, str], rng: random.Random
) -> tuple[Instance, ...]:
    """At least one, in the order of the hosts.  Roles are of every instance: `active` is told by the mover of the address.

    A zone is every host in it, one instance each: the one that can be asked best comes first on each host.
    """
    own = [instance for instance in instances if instance.tier == drill.tier]
    if drill.target.startswith(ZONE):
        zone = drill.target.removeprefix(ZONE)
        first: dict[str, Instance] = {}
        for instance in instances:
            if instance.zone == zone:
                first.setdefault(instance.host, instance)
        found = list(first.values())
    elif drill.target in ("one", "minority", "majority", "all"):
        counts = {"one": 1, "minority": (len(own) - 1) // 2, "majority": len(own) // 2 + 1, "all": len(own)}
        found = sorted(rng.sample(own, counts[drill.target]), key=lambda instance: instance.number)
    elif by_host := [instance for instance in own if instance.host == drill.target]:
        found = by_host
    else:
        hosts = {instance.host for instance in instances if roles.get(instance.name) == drill.target}
        fitting = [instance for instance in own if instance.host in hosts and _own_role(instance, roles, drill.target)]
        found = [rng.choice(fitting)] if fitting else []
    if not found:
        raise NoTarget(f"nobody in {drill.tier} is {drill.target} now")
    return tuple(found)


def _own_role(instance: Instance, roles: Mapping[str, str], word: str) -> bool:
    """A role of the instance itself decides; one without roles is what the mover of its address is."""
    return roles.get(instance.name, word) in (word, "")
