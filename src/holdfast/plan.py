"""Topology x engines x site = blueprint.  Pure: the same input gives the same blueprint, byte for byte."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from holdfast.blueprint import Blueprint, File, Host, Process, Segment, Site, secrets_in
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Problem, Refused
from holdfast.topology.model import Instance, Topology

SEGMENT = "lan"


def programs_needed(topology: Topology) -> tuple[str, ...]:
    """Names of the programs that this service runs, for whoever looks for them."""
    return tuple(dict.fromkeys(name for tier in topology.tiers.values() for name in ENGINES[tier.engine].PROGRAMS))


def plan(topology: Topology, site: Site) -> Blueprint:
    """Raises Refused if a program is missing that an engine needs to know, or the site is no place for the user's configs."""
    if site.shares_network:
        _refuse_own_configs(topology, site)
    processes = tuple(_process(instance, topology, site) for instance in running_instances(topology, site))
    texts = [file.text for process in processes for file in process.files.values()]
    return Blueprint(
        service=topology.service,
        hosts=tuple(
            Host(name=place.name, address=site.address(place.name, place.address), zone=place.zone, segment=SEGMENT)
            for place in topology.places
        ),
        segments=(Segment(name=SEGMENT, network=str(topology.network)),),
        processes=processes,
        names=dict(_names(topology, site)),
        secrets=secrets_in([*texts, *(value for process in processes for value in process.env.values())]),
    )


def _process(instance: Instance, topology: Topology, site: Site) -> Process:
    """As its engine has it, but with the user's own config, byte for byte, where there is one."""
    process: Process = ENGINES[instance.engine].process(instance, topology, site)
    own = topology.configs.get(instance.tier, {}).get(instance.host)
    path: str = ENGINES[instance.engine].FILE
    if own is None or not path:
        return process
    file = replace(process.files[path], text=own)
    if file.holds_secret:
        file = File(text=own, mode=0o600)
    return replace(process, files={**process.files, path: file})


def _refuse_own_configs(topology: Topology, site: Site) -> None:
    found = [
        Problem(
            f"the config of your own for {tier} names the hosts' real addresses and paths, which the lab {site.lab} has not",
            where=topology.located("tiers", tier, "config"), remedy="use a lab of namespaces",
        )
        for tier in topology.configs if not moves_address(topology, tier)
    ]  # fmt: skip
    if found:
        raise Refused(found)


def running_instances(topology: Topology, site: Site) -> tuple[Instance, ...]:
    """Where hosts share one network stack there is no virtual IP to move, and so nobody to move it."""
    return tuple(
        instance for instance in topology.instances if not (site.shares_network and moves_address(topology, instance.tier))
    )


def moves_address(topology: Topology, tier: str) -> bool:
    """Is it the derived tier that moves the virtual IP of the one it is on?"""
    declared = topology.tiers[tier]
    return declared.on is not None and tier == f"{declared.on}-vip"


def reach(topology: Topology, site: Site, name: str) -> tuple[str, ...]:
    """Where the name of a tier or host is found at this site: its virtual IP, else every address, to be tried in order.

    One of several virtual IPs is itself; a lab that has none gives the addresses behind it instead.
    """
    if (bearer := topology.borne_by(name)) and not site.shares_network:
        return (name,)
    name = bearer or name
    tier = topology.tiers.get(name)
    if tier is not None and tier.vips and not site.shares_network:
        return tuple(map(str, tier.vips))
    if tier is not None:
        return tuple(site.address(instance.host, instance.address) for instance in topology.instances_of(name))
    return tuple(site.address(place.name, place.address) for place in topology.places if place.name == name)


def _names(topology: Topology, site: Site) -> Iterator[tuple[str, tuple[str, ...]]]:
    for place in topology.places:
        yield place.name, (site.address(place.name, place.address),)
    for tier in topology.tiers:
        if not topology.bearer(tier):
            yield tier, reach(topology, site, tier)


def _config_objections(tier: str, topology: Topology) -> Iterator[Problem]:
    declared = topology.tiers[tier]
    engine = ENGINES[declared.engine]
    if not engine.FILE:
        where = topology.located("tiers", tier, "config")
        yield Problem(f"{declared.engine} has no config that holdfast could replace", where, "remove `config:`")
        return
    written = declared.settings.model_fields_set if declared.settings else set()
    for key in sorted(written - set(engine.BESIDE_CONFIG)):
        where = topology.located("tiers", tier, key)
        yield Problem(f"{key} changes nothing beside a config of your own", where, f"remove it, and set it in {declared.config}")


def examine(topology: Topology, unsound: frozenset[str] = frozenset()) -> tuple[Problem, ...]:
    """What the engines object to, and two programs on one port of one host.  `unsound` tiers are not asked about."""
    found: list[Problem] = []
    for tier, declared in topology.tiers.items():
        if tier in unsound:
            continue
        found += ENGINES[declared.engine].objections(tier, topology)
        if declared.config is not None:
            found += _config_objections(tier, topology)
    bound: dict[tuple[str, int], list[str]] = defaultdict(list)
    for instance in topology.instances:
        for port in ENGINES[instance.engine].ports(instance.tier, topology):
            bound[instance.host, port].append(instance.tier)
    told: set[tuple[str, ...]] = set()
    for (host, port), tiers in bound.items():
        if len(tiers) > 1 and (pair := (*tiers, str(port))) not in told:
            told.add(pair)
            found.append(
                Problem(
                    f"{' and '.join(tiers)} both want port {port} of {host}",
                    where=topology.located("tiers", tiers[-1]),
                    remedy="give one another port, or hosts of its own",
                )
            )
    return tuple(found)


