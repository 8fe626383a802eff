"""Is a well-written topology also sensible?  What holds for every engine; `Engine.objections` knows the rest.

Rules: a rule is a generator of Problems over the topology alone; rules that count hosts run only when the hosts can be
counted; probes and settings are asked through `tiers`, `client` and `consensus` only.
"""

import re
from collections.abc import Callable, Iterator

from holdfast.errors import Problem
from holdfast.topology.likely import loads, rates, reliability_named
from holdfast.topology.model import Topology
from holdfast.topology.numbers import beats, bounds
from holdfast.topology.wording import in_order, shown, unknown

MOST_REPLICAS = 100
MOST_HOSTS = 1000
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")  # RFC 1123, section 2.1, in lower case as URLs are compared
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]+")  # resolvers read these as addresses
_HIGHEST = 2**32 - 40 * MOST_HOSTS  # beyond this, counting on from a network's start could leave IPv4
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

Rule = Callable[[Topology], Iterator[Problem]]


def check(topology: Topology) -> tuple[Problem, ...]:
    """Every problem in the order of the file, or nothing."""
    problems = [*references(topology)]
    if countable(topology):
        problems += [problem for rule in COUNTING for problem in rule(topology)]
    problems += [problem for rule in SENSE for problem in rule(topology)]
    return in_order(problems)


def references(topology: Topology) -> tuple[Problem, ...]:
    """Problems that are there even if other parts of the topology could not be read."""
    return tuple(problem for rule in REFERENCES for problem in rule(topology))


def unsound(topology: Topology) -> frozenset[str]:
    """Tiers that name what is not there, so that nobody can tell whether the rest of them makes sense."""
    known = _declared(topology)
    return frozenset(name for name in known if any(to == name or to not in known for to, _, _ in _targets(topology, name)))


def _declared(topology: Topology) -> list[str]:
    """Tiers that stand in the file, without those that a `vip:` or a `mesh:` adds."""
    return [name for name in topology.tiers if not topology.bearer(name)]


def names(topology: Topology) -> Iterator[Problem]:
    """Tiers, clients and the service become host names and scopes; the rest become columns and file names."""
    hosts = [("service", topology.service, ("service",))]
    hosts += [("tier", name, ("tiers", name)) for name in _declared(topology)]
    hosts += [("client", name, ("clients", name)) for name in topology.clients]
    for kind, name, path in hosts:
        if not _LABEL.fullmatch(name) or _NUMBER.fullmatch(name) or name == "localhost":
            remedy = "use up to 63 small letters, digits and inner hyphens, with at least one letter"
            yield Problem(f"the {kind} name {shown(name)} cannot be a host name", topology.located(*path), remedy)
        elif kind == "tier" and len(name) > 50:
            what = f"the tier name {shown(name)} leaves no room for the numbers of its hosts"
            yield Problem(what, topology.located(*path), "use up to 50 characters")
    words = [("probe", name, ("probes", name)) for name in topology.probes]
    words += [("secret", name, ("secrets", name)) for name in topology.secrets]
    words += [("zone", name, ("zones", index)) for index, name in enumerate(topology.zones)]
    for kind, name, path in words:
        if not _WORD.fullmatch(name):
            remedy = "use up to 63 letters, digits, hyphens, underscores and dots"
            yield Problem(f"{shown(name)} cannot be the name of a {kind}", topology.located(*path), remedy)


def tiers_named(topology: Topology) -> Iterator[Problem]:
    """Everything that names a tier names one that is there, and not itself."""
    known = _declared(topology)
    for name in known:
        for target, keys, verb in _targets(topology, name):
            where = topology.located("tiers", name, *keys)
            if target == name:
                yield Problem(f"{name} {verb} itself", where, "name another tier")
            elif target not in known:
                yield unknown("tier", target, [other for other in known if other != name], where)
    sidecars = [name for name in topology.tiers if name.endswith("-mesh") and topology.bearer(name)]
    for index, drill in enumerate(topology.drills):
        if drill.tier is not None and drill.tier not in (*known, *sidecars):
            yield unknown("tier", drill.tier, known, topology.located("drills", index, "tier"))


def _targets(topology: Topology, name: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """What this tier names, under which keys, and the verb for it."""
    tier = topology.tiers[name]
    yield from ((target, ("routes", protocol), "routes to") for protocol, target in tier.routes.items())
    yield from ((target, ("uses", target), "uses") for target in tier.uses)
    if tier.on is not None:
        yield tier.on, ("on",), "lodges on"
    if isinstance(consensus := getattr(tier.settings, "consensus", None), str):
        yield consensus, ("consensus",), "takes its consensus from"


def probes_named(topology: Topology) -> Iterator[Problem]:
    """A probe asks tiers, or single hosts of them, from a client."""
    known = _declared(topology)
    hosts = {place.name for place in topology.places} if countable(topology) else None
    for name, probe in topology.probes.items():
        for target in getattr(probe, "tiers", ()):
            if target not in known and not topology.borne_by(target) and (hosts is None or target not in hosts):
                yield unknown("tier", target, known, topology.located("probes", name, _key_of(probe, target)))
        client = getattr(probe, "client", None)
        if client is not None and client not in topology.clients:
            where = topology.located("probes", name, _key_of(probe, client))
            yield unknown("client", client, topology.clients, where)


def _key_of(probe: object, target: str) -> str:
    """Under which key the user named this tier or client, or "" if that cannot be told."""
    fields = getattr(type(probe), "model_fields", {})
    said = {about.alias or name: str(getattr(probe, name)) for name, about in fields.items()}
    exact = [key for key, value in said.items() if value == target]
    return next((key for key in [*exact, *said] if re.search(rf"(?<![\w-]){re.escape(target)}(?![\w-])", said[key])), "")


def zones_named(topology: Topology) -> Iterator[Problem]:
    for name, client in topology.clients.items():
        if client.zone is not None and topology.zones and client.zone not in topology.zones:
            yield unknown("zone", client.zone, topology.zones, topology.located("clients", name, "zone"))


def lodging(topology: Topology) -> Iterator[Problem]:
    """`on` leads to hosts at last, and they can be counted."""
    told: set[str] = set()
    for name in _declared(topology):
        tier = topology.tiers[name]
        if not 1 <= tier.replicas <= MOST_REPLICAS:
            remedy = f"write 1 to {MOST_REPLICAS}, or remove the tier"
            yield Problem(f"{name} has {tier.replicas} replicas", topology.located("tiers", name, "replicas"), remedy)
        chain = _chain(topology, name)
        back = topology.tiers[chain[-1]].on
        circle = chain[chain.index(back) :] if back in chain else []
        if len(circle) > 1 and not told & set(circle):
            what = f"these tiers lodge on each other: {' on '.join([*circle, circle[0]])}"
            yield Problem(what, topology.located("tiers", name, "on"), "remove one `on`")
        told |= set(circle)
    hosts = _hosts(topology)
    if hosts > MOST_HOSTS:
        yield Problem(f"{hosts} hosts are more than one machine can play", topology.located("tiers"), "write fewer replicas")


def crowding(topology: Topology) -> Iterator[Problem]:
    """A tier has no more instances than the hosts that it is on."""
    for name in _declared(topology):
        replicas, last = topology.tiers[name].replicas, _chain(topology, name)[-1]
        room = topology.tiers[last].replicas
        if replicas > room >= 1:
            what = f"{name} has {replicas} instances, but {last} has only {room} host{'s'[: room - 1]}"
            remedy = f"write replicas: {room} or fewer, or remove `on`"
            yield Problem(what, topology.located("tiers", name, "replicas"), remedy)


def _chain(topology: Topology, name: str) -> list[str]:
    """The tier, the one that it is on, and so on; stops where a name is unknown or comes again."""
    chain: list[str] = []
    step: str | None = name
    while step is not None and step in topology.tiers and step not in chain:
        chain.append(step)
        step = topology.tiers[step].on
    return chain


def _hosts(topology: Topology) -> int:
    return sum(min(tier.replicas, MOST_REPLICAS) for tier in topology.tiers.values() if tier.on is None)


def countable(topology: Topology) -> bool:
    """Whether hosts and instances can be listed at all."""
    if _hosts(topology) > MOST_HOSTS:
        return False
    for name, tier in topology.tiers.items():
        chain = _chain(topology, name)
        if topology.tiers[chain[-1]].on is not None or not 1 <= tier.replicas <= topology.tiers[chain[-1]].replicas:
            return False
        if tier.replicas > MOST_REPLICAS:
            return False
    return bool(topology.zones) and int(topology.network.network_address) < _HIGHEST


def same_names(topology: Topology) -> Iterator[Problem]:
    """A name stands for one thing: a tier, a host of one, or a client."""
    bearers: dict[str, str] = {}
    for name in topology.tiers:
        bearers[name] = f"the tier {name}"
    for name in _declared(topology):
        if topology.tiers[name].on is not None:
            continue
        for number in range(1, topology.tiers[name].replicas + 1):
            host = f"{name}{number}"
            if host in bearers:
                what = f"{host} is both a host of the tier {name} and {bearers[host]}"
                yield Problem(what, topology.located("tiers", name), "give one of them another name")
            bearers.setdefault(host, f"a host of the tier {name}")
    for name in topology.clients:
        if name not in bearers:
            continue
        what = f"{name} is both a client and {bearers[name]}"
        yield Problem(what, topology.located("clients", name), "give one of them another name")


def shared_hosts(topology: Topology) -> Iterator[Problem]:
    """An instance is named by its host and engine."""
    first: dict[tuple[str, str], str] = {}
    for name, tier in topology.tiers.items():
        bearer = first.setdefault((topology.lodging(name), tier.engine), name)
        if bearer != name:
            what = f"{bearer} and {name} are both {tier.engine} on the same hosts"
            yield Problem(what, topology.located("tiers", name, "on"), "give one of them hosts of its own")


def network(topology: Topology) -> Iterator[Problem]:
    """Its addresses are such as hosts may have; the reserved ones include the very last, where counting would overflow."""
    of = topology.network
    senseless = of.is_loopback or of.is_multicast or of.is_link_local or of.is_reserved or of.network_address.packed[0] == 0
    if senseless or of.prefixlen < 8:
        remedy = "use a private network, as in 10.0.1.0/24"
        yield Problem(f"hosts cannot have addresses of {of}", topology.located("network"), remedy)


def addresses(topology: Topology) -> Iterator[Problem]:
    """Every host has an address of its own inside the network, and so has every virtual IP."""
    network, taken = topology.network, {}
    where = topology.located("network")
    usable = range(int(network.network_address) + 1, int(network.broadcast_address))
    outside = [place for place in topology.places if _number(place.address) not in usable]
    if outside:
        what = f"the network {network} is too small: {outside[0].name} would have {outside[0].address}"
        yield Problem(what, where, f"use a larger one, as in {network.supernet(new_prefix=min(network.prefixlen - 1, 24))}")
    for place in topology.places:
        other = taken.setdefault(place.address, place.name)
        if other != place.name:
            yield Problem(f"{other} and {place.name} would both have {place.address}", where, "declare fewer hosts")
    for name in _declared(topology):
        for key in ("vip", "second_vip"):
            vip = getattr(topology.tiers[name], key)
            if vip is None:
                continue
            where = topology.located("tiers", name, key)
            bearer = f"the tier {name}" if key == "vip" else f"the second of the tier {name}"
            other = taken.setdefault(str(vip), bearer)
            if int(vip) not in usable:
                yield Problem(f"the virtual IP {vip} is outside of the network {network}", where, "choose a free address inside")
            elif other != bearer:
                yield Problem(f"the virtual IP {vip} belongs to {other} already", where, "choose a free address")


def _number(address: str) -> int:
    high, upper, lower, low = map(int, address.split("."))
    return high << 24 | upper << 16 | lower << 8 | low


def second_addresses(topology: Topology) -> Iterator[Problem]:
    for name in _declared(topology):
        if topology.tiers[name].second_vip is not None and topology.tiers[name].vip is None:
            where = topology.located("tiers", name, "second_vip")
            yield Problem("there is no first virtual IP beside the second", where, "write it as `vip:`")


def needless(topology: Topology) -> Iterator[Problem]:
    """A tier that nobody reaches cannot be missed by anybody."""
    tiers = topology.tiers
    needed = {target for tier in tiers.values() for target in (*tier.routes.values(), *tier.uses, tier.on)}
    needed |= {getattr(tier.settings, "consensus", None) for tier in tiers.values()}
    probed = {target for probe in topology.probes.values() for target in getattr(probe, "tiers", ())}
    for name in _declared(topology):
        hosts = {f"{name}{number}" for number in range(1, min(tiers[name].replicas, MOST_REPLICAS) + 1)}
        if not (name in needed or name in probed or hosts & probed or tiers[name].vip or tiers[name].routes):
            what = f"nobody routes to, uses or probes {name}"
            yield Problem(what, topology.located("tiers", name), "route to it, use it or probe it, or remove it")


REFERENCES: tuple[Rule, ...] = (names, tiers_named, probes_named, zones_named, lodging, reliability_named)
COUNTING: tuple[Rule, ...] = (same_names, shared_hosts, addresses)
SENSE: tuple[Rule, ...] = (network, crowding, second_addresses, needless, beats, bounds, rates, loads)
