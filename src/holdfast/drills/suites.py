"""The fixed suites, in rising severity, so that results compare from week to week.

| suite | for | what |
|---|---|---|
| rehearsal | a first look | five ways to break a service, six with a virtual IP |
| pr | every change | the rehearsal, and planned changes under load, and the loss of the consensus leader |
| standard | every night | what every operator meets in a year: hangs, isolation, reboots, gray failures, a zone, changes |
| full | before a release | the rest: starved hosts, no memory, bad disks, clocks and networks, a database that grows |
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from holdfast.drills.changing import objections
from holdfast.drills.drill import Drill, actions_of, declared, inner_of, named
from holdfast.engines.catalogue import ENGINES
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.changes import Scale
from holdfast.faults.gray import Dependency
from holdfast.faults.network import CutFrom, Delay, Loss
from holdfast.topology.model import Topology

SHORT_S = 4.0
LONG_S = 15.0


def rehearsal(topology: Topology) -> Iterator[Drill]:
    for web in _serving(topology, "http"):
        yield Drill(fault="kill", tier=web, target="one", hold_s=SHORT_S)
        yield Drill(fault="freeze", tier=web, target="one")
    for database in _databases(topology):
        yield Drill(fault="kill", tier=database, target="primary", inner=inner_of(topology, database), hold_s=SHORT_S)
        yield Drill(fault="power_cut", tier=database, target="primary")
        yield Drill(fault="switchover", tier=database, target="primary", hold_s=SHORT_S)
    for name, tier in topology.tiers.items():
        if tier.vip and tier.replicas > 1:
            yield Drill(fault="power_cut", tier=name, target="active")


def pr(topology: Topology) -> Iterator[Drill]:
    yield from rehearsal(topology)
    for name, tier in topology.tiers.items():
        if tier.routes and actions_of(topology, name).reloads:
            yield Drill(fault="reload", tier=name, target="all", hold_s=SHORT_S)
        if actions_of(topology, name).certificate:
            yield Drill(fault="certificate_change", tier=name, target="all", hold_s=SHORT_S)
        if tier.routes and tier.replicas > 1 and not tier.vip:
            yield Drill(fault="power_cut", tier=name, target="one")
        if tier.engine == "etcd" and tier.replicas > 1:
            yield Drill(fault="kill", tier=name, target="leader", hold_s=SHORT_S)
    for web in _serving(topology, "http"):
        yield Drill(fault="rolling_restart", tier=web, target="all", hold_s=SHORT_S)


def standard(topology: Topology) -> Iterator[Drill]:
    yield from pr(topology)
    for web in _serving(topology, "http"):
        yield Drill(fault="hang", tier=web, target="one")
        yield Drill(fault="crash_loop", tier=web, target="one")
        if not topology.tiers[web].meshed:
            yield Drill(fault="alive_but_wrong", tier=web, target="one")
            yield Drill(fault="slow_answers", tier=web, target="one")
        for needed in topology.tiers[web].uses:
            settings = Dependency(dependency=needed)
            yield Drill(fault="dependency_down", tier=web, target="one", settings=settings, hold_s=SHORT_S)
        size = topology.tiers[web].replicas
        yield from _sized(topology, "scale_out", web, size + 2)
        yield from _sized(topology, "scale_in", web, size - 1)
    for database in _databases(topology):
        yield Drill(fault="isolate", tier=database, target="primary")
        yield Drill(fault="freeze", tier=database, target="primary")
        yield Drill(fault="reboot", tier=database, target="replica", hold_s=SHORT_S)
        yield Drill(fault="password_change", tier=database, target="all", hold_s=SHORT_S)
    for name, tier in topology.tiers.items():
        if tier.routes and tier.replicas > 1:
            yield Drill(fault="kill", tier=name, target="one", hold_s=SHORT_S)
    if len(topology.zones) > 1:
        zone = topology.zones[-1]
        yield Drill(fault="power_cut", tier=next(iter(topology.tiers)), target=f"zone {zone}", hold_s=LONG_S)


def full(topology: Topology) -> Iterator[Drill]:
    yield from standard(topology)
    for web in _serving(topology, "http"):
        yield Drill(fault="cpu_starve", tier=web, target="one")
        yield Drill(fault="oom", tier=web, target="one")
        yield Drill(fault="clock_skew", tier=web, target="one")
    for database in _databases(topology):
        yield Drill(fault="cpu_starve", tier=database, target="replica")
        yield Drill(fault="disk_full", tier=database, target="replica", hold_s=LONG_S, longest_s=LONG_S)
        yield Drill(fault="disk_read_only", tier=database, target="replica", hold_s=LONG_S, longest_s=LONG_S)
        yield Drill(fault="oom", tier=database, target="replica")
        yield Drill(fault="clock_skew", tier=database, target="primary")
        yield Drill(fault="partition", tier=database, target="all")
        yield from _sized(topology, "scale_out", database, topology.tiers[database].replicas + 1)
        yield Drill(fault="one_way", tier=database, target="replica")
        far = Delay.model_validate({"delay": "50ms", "jitter": "10ms"})
        yield Drill(fault="delay", tier=database, target="primary", settings=far)
        store = topology.tiers[database].settings.consensus
        if topology.lodging(store) == topology.lodging(database):
            settings = CutFrom.model_validate({"from": store, "ports": ENGINES["etcd"].ports(store, topology)})
            yield Drill(fault="cut_from", tier=database, target="primary", settings=settings)
    for web in _serving(topology, "http"):
        yield Drill(fault="loss", tier=web, target="one", settings=Loss.model_validate({"share": "5%"}))
        yield Drill(fault="slow_link", tier=web, target="one")


SUITES: Mapping[str, Callable[[Topology], Iterator[Drill]]] = {
    "rehearsal": rehearsal, "pr": pr, "standard": standard, "full": full,
}  # fmt: skip


def drills_of(topology: Topology, suite: str | None) -> tuple[Drill, ...]:
    """Of the suite that was asked for; else the user's own list, else the rehearsal.  Settings are the faults' defaults."""
    if suite is None and topology.drills:
        return declared(topology)
    made = SUITES[suite or "rehearsal"](topology)
    return named(drill if drill.settings else replace(drill, settings=FAULTS[drill.fault].settings()) for drill in made)


def _sized(topology: Topology, fault: str, tier: str, to: int) -> Iterator[Drill]:
    """Where the service can bear it: no config of the user's own that would not learn of it, for instance."""
    drill = Drill(fault=fault, tier=tier, target="all", settings=Scale(to=to), hold_s=SHORT_S)
    if not any(objections(drill, topology, "")):
        yield drill


def _serving(topology: Topology, protocol: str) -> list[str]:
    return [name for name, tier in topology.tiers.items() if tier.replicas > 1 and protocol in ENGINES[tier.engine].SERVES]


def _databases(topology: Topology) -> list[str]:
    return [name for name in topology.tiers if actions_of(topology, name).switchover]
