"""The service as it is or shall be: a topology with its blueprint, and the blueprint of a lab in which all of them fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from holdfast.blueprint import Blueprint, Site
from holdfast.plan import plan
from holdfast.topology.model import Instance, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    topology: Topology
    blueprint: Blueprint
    renewed: frozenset[str] = frozenset()
    """Names of the secrets that have another value than in every other version."""

    def instance(self, process: str) -> Instance:
        """Whose process this is."""
        return next(each for each in self.topology.instances if each.name == process)


def version(topology: Topology, site: Site, renewed: Iterable[str] = ()) -> Version:
    return Version(topology=topology, blueprint=plan(topology, site), renewed=frozenset(renewed))


def scaled(topology: Topology, tier: str, to: int) -> Topology:
    """The same with `to` instances of this tier, and as many of what stands beside them; hosts come and go at the end."""
    sizes = {name: to for name in topology.tiers if tier in (name, topology.bearer(name))}
    tiers: Mapping[str, object] = {
        name: declared.model_copy(update={"replicas": sizes[name]}) if name in sizes else declared
        for name, declared in topology.tiers.items()
    }
    return replace(topology, tiers=tiers)  # type: ignore[arg-type]


def whole(now: Blueprint, later: Iterable[Blueprint]) -> Blueprint:
    """What a lab needs for all of them: the service of now, and as spares the hosts that only come with a later one."""
    for other in later:
        known = {host.name for host in now.hosts}
        spares = tuple(replace(host, spare=True) for host in other.hosts if host.name not in known)
        names = {host.name for host in spares}
        now = replace(
            now,
            hosts=(*now.hosts, *spares),
            processes=(*now.processes, *(process for process in other.processes if process.host in names)),
            names={**now.names, **{name: other.names[name] for name in names}},
            secrets=tuple(sorted({*now.secrets, *other.secrets})),
        )
    return now
