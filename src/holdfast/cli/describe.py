"""What a record says about its run before the first drill: lab, programs, objectives, probes, hosts, drills and skips."""

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from holdfast.blueprint import Site
from holdfast.cli.service import LOWER_FIDELITY, ONE_MACHINE, described
from holdfast.drills.changing import keeps_sessions, touches_database
from holdfast.drills.drill import Drill
from holdfast.drills.timers import timer_s
from holdfast.faults.catalogue import FAULTS
from holdfast.lab.verbs import Lab
from holdfast.predict.promise import promises
from holdfast.predict.strike import Strike
from holdfast.probes.probe import Probe
from holdfast.probes.settings import Ledger
from holdfast.record.store import Store
from holdfast.topology.model import Objectives, Topology


def impossible(lab: Lab, drill: Drill) -> str:
    """Why this lab cannot do it, for a person; "" if it can."""
    return "; ".join(lab.why_not(need) for need in FAULTS[drill.fault].abilities(drill.settings) if need not in lab.can)


def possible(
    store: Store, lab: Lab, drills: tuple[Drill, ...], unable: Mapping[str, str] = MappingProxyType({})
) -> tuple[Drill, ...]:
    """Those that this lab can do; the others are skipped by name.  `unable`: what is known already to be impossible, and why."""
    reasons = {each.name: unable.get(each.name) or impossible(lab, each) for each in drills}
    skipped = [
        {"name": each.name, "base": each.base or each.name, "repeat": each.repeat, "fault": each.fault, "target": each.target,
         "reason": reasons[each.name]}
        for each in drills if reasons[each.name]
    ]
    store.meta("skipped", skipped)
    names = {each["name"] for each in skipped}
    return tuple(each for each in drills if each.name not in names)


def describe(
    store: Store, topology: Topology, site: Site, lab: Lab, folder: Path, seed: int, probes: tuple[Probe, ...],
    drills: tuple[Drill, ...], reason: str, command: str,
) -> None:  # fmt: skip
    notes = [*ONE_MACHINE, *(LOWER_FIDELITY if lab.name == "loopback" else ())]
    notes += [f"Namespaces were not to be had: {reason}."] if reason and reason != "asked for" else []
    store.meta(
        "run",
        {
            "id": folder.name, "began_wall": datetime.now(UTC).isoformat(timespec="seconds"), "seed": seed,
            "service": topology.service, "lab": lab.name, "fidelity": lab.name, "lab_notes": notes,
            "programs": described(site.programs), "holdfast_version": version("holdfast"),
            "command": command,
        },
    )  # fmt: skip
    store.meta("objectives", _limits(topology.objectives))
    store.meta(
        "probes",
        {
            probe.name: {
                "kind": probe.kind, "what": probe.what, "every_s": probe.every_s, "patience_s": probe.patience_s,
                "client": probe.client, "writes": probe.writes,
            }
            for probe in probes
        },
    )  # fmt: skip
    tiers: dict[str, list[str]] = {}
    for instance in [each for known in (topology, *topology.later.values()) for each in known.instances]:
        if instance.tier not in tiers.setdefault(instance.host, []):
            tiers[instance.host].append(instance.tier)
    store.meta(
        "hosts",
        [
            {"name": host.name, "address": host.address, "zone": host.zone, "tiers": tiers.get(host.name, [])}
            for host in lab.blueprint.hosts
        ],
    )
    store.meta("drills", [_drill(each, topology) for each in drills])


def strike_of(drill: Drill) -> Strike:
    """A drill as prediction sees it."""
    return Strike(
        fault=drill.fault, tier=drill.tier, target=drill.target, settings=drill.settings, hold_s=drill.hold_s,
        longest_s=drill.longest_s,
    )


def _drill(drill: Drill, topology: Topology) -> dict[str, object]:
    """A planned change of a tier without state promises no error, whether or not the user says so.

    Nor may a write fail, but where balancers themselves come, go or end: sessions end with the balancer that carries them.
    """
    found: dict[str, object] = {
        "name": drill.name, "base": drill.base or drill.name, "repeat": drill.repeat, "fault": drill.fault,
        "target": drill.target, "hold_s": drill.hold_s, "longest_s": drill.longest_s,
        "timer_s": round(timer_s(drill, topology), 6),
        "promises": [promise.as_detail() for promise in promises(strike_of(drill), topology)],
    }  # fmt: skip
    own = _limits(drill.objectives) if drill.objectives else {}
    limits = {**_limits(topology.objectives), **{key: value for key, value in own.items() if value is not None}}
    stateless = not touches_database(drill, topology)
    if FAULTS[drill.fault].planned and stateless and limits["errors"] is None:
        limits["errors"] = 0
    writes = any(isinstance(probe, Ledger) for probe in topology.probes.values())
    if FAULTS[drill.fault].planned and stateless and writes and (keeps_sessions(drill) or not topology.tiers[drill.tier].routes):
        limits["failed_writes"] = 0
    if limits != _limits(topology.objectives):
        found["objectives"] = limits
    return found


def _limits(objectives: Objectives) -> dict[str, float | int | None]:
    return {
        "write_outage_s": objectives.write_outage, "read_outage_s": objectives.read_outage,
        "lost_writes": objectives.lost_writes, "availability": objectives.availability, "errors": objectives.errors,
        **({"goodput": objectives.goodput} if objectives.goodput is not None else {}),
    }  # fmt: skip
