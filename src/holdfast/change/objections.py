"""Why a service cannot become another one while it runs, told before anything starts.

`before` and `after` are topologies that make sense each for itself; what is found is said at `where`, the line of the drill.
"""

from collections.abc import Iterator

from holdfast.change.version import scaled
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Problem
from holdfast.topology.model import Topology

LATER = "change that with the service stopped, or make a new tier and move over"


def scale_objections(topology: Topology, tier: str, to: int, *, out: bool, where: str) -> tuple[Problem, ...]:
    """What speaks against this number of instances, before the tier is even looked at with it."""
    declared = topology.tiers[tier]
    if declared.engine == "etcd":
        what = f"{tier} is a consensus of fixed members: one more or less is an operation of etcd's own, not a rollout"
        return (Problem(what, where, "use `etcdctl member add` and `member remove`, one at a time"),)
    if declared.on is not None:
        what = f"{tier} shares the hosts of {declared.on} and cannot grow or shrink by itself"
        return (Problem(what, where, f"scale {topology.lodging(tier)}, or give {tier} hosts of its own"),)
    if out and to <= declared.replicas or not out and to >= declared.replicas:
        word, way = ("out", "more") if out else ("in", "fewer")
        return (Problem(f"{tier} has {declared.replicas} already: {to} is no scale {word}", where, f"write {way} than that"),)
    lodgers = [name for name, other in topology.tiers.items() if other.on == tier and topology.bearer(name) != tier]
    too_many = [name for name in lodgers if topology.tiers[name].replicas > to]
    if too_many:
        return (Problem(f"{', '.join(too_many)} is on the hosts of {tier} that would go", where, "keep as many hosts"),)
    found = [
        Problem(
            f"{name} has a config of its own, which would not learn of the change in {tier}", where,
            "use config_change to a topology with another config",
        )
        for name in (tier, f"{tier}-vip", *topology.users_of(tier))
        if name in topology.tiers and topology.tiers[name].config is not None
    ]  # fmt: skip
    return (*found, *change_objections(topology, scaled(topology, tier, to), where))


def change_objections(before: Topology, after: Topology, where: str) -> tuple[Problem, ...]:
    """What would differ and cannot, while the service runs."""
    found = [
        Problem(f"the {word} would change, from {was} to {shall}", where, LATER)
        for word, was, shall in (
            ("service's name", before.service, after.service), ("network", before.network, after.network),
            ("clients", ", ".join(before.clients), ", ".join(after.clients)),
        )
        if was != shall
    ]  # fmt: skip
    if found:
        return tuple(found)
    found += _moved(before, after, where)
    for tier in before.tiers:
        if tier in after.tiers:
            found += _tier_objections(tier, before, after, where)
    return tuple(dict.fromkeys((*found, *_newcomers(before, after, where))))


def _moved(before: Topology, after: Topology, where: str) -> Iterator[Problem]:
    addresses = {place.name: place.address for place in before.places}
    for place in after.places:
        if addresses.get(place.name, place.address) != place.address:
            what = f"{place.name} would move from {addresses[place.name]} to {place.address}"
            yield Problem(what, where, "put new tiers behind the others, and keep a tier's hosts below ten")
            return


def _tier_objections(tier: str, before: Topology, after: Topology, where: str) -> Iterator[Problem]:
    was, shall = before.tiers[tier], after.tiers[tier]
    fixed = {"engine": "engine", "on": "hosts", "vip": "virtual IP", "program": "program"}
    for key, word in fixed.items():
        if getattr(was, key) != getattr(shall, key):
            what = f"the {word} of {tier} would change, from {getattr(was, key)} to {getattr(shall, key)}"
            yield Problem(what, where, LATER)
            return
    if was.engine == "etcd" and was.replicas != shall.replicas:
        what = f"the consensus {tier} would have {shall.replicas} members instead of {was.replicas}"
        yield Problem(what, where, "use `etcdctl member add` and `member remove`, one at a time")
    for key in ("consensus", "database", "user") if was.engine == "patroni" else ():
        if getattr(was.settings, key) != getattr(shall.settings, key):
            what = f"{key} of {tier} would change: it only counts for a database that is made anew"
            yield Problem(what, where, LATER)
    ports = [ENGINES[was.engine].ports(tier, topology) for topology in (before, after)]
    users = [name for name in before.users_of(tier) if name in after.tiers]
    if ports[0] != ports[1] and users and not was.routes:
        what = f"{tier} would listen on another port than {', '.join(users)} knows, or the other way round, until both are done"
        yield Problem(what, where, "make a new tier with that port, and route to it")


def _newcomers(before: Topology, after: Topology, where: str) -> Iterator[Problem]:
    """Programs that come to hosts which run, or leave hosts which stay."""
    old, new = ({each.name: each.host for each in topology.instances} for topology in (before, after))
    hosts = [{place.name for place in topology.places} for topology in (before, after)]
    for name, host in new.items():
        if name not in old and host in hosts[0]:
            yield Problem(f"{name} would come to a host that runs already", where, "give the tier hosts of its own")
    for name, host in old.items():
        if name not in new and host in hosts[1]:
            yield Problem(f"{name} would leave a host that stays", where, "take the hosts away as well")
