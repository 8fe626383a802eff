"""Programs that drills themselves work with, and what is known before a lab is up to be impossible for want of them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace

from holdfast.blueprint import Blueprint, Program, Site
from holdfast.drills.drill import Drill
from holdfast.engines.command import PLACES
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.clock import shiftable
from holdfast.faults.disk import slowable
from holdfast.lab import doctor
from holdfast.lab.loopback import WHY_NOT
from holdfast.lab.namespaces import abilities
from holdfast.lab.verbs import CLOCK_FILE
from holdfast.topology.model import Topology

_CLOCK, _DISK = "libfaketime", "bindfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """missing: the program to what a person is told of it."""

    found: Mapping[str, Program]
    missing: Mapping[str, str]


def tools_for(drills: tuple[Drill, ...]) -> Tools:
    wanted = sorted({FAULTS[drill.fault].program for drill in drills} - {""})
    found, missing = doctor.find_programs(wanted, {})
    return Tools(found=found, missing={name: f"{problem.what}: {problem.remedy}" for name, problem in missing.items()})


def with_tools(site: Site, tools: Tools) -> Site:
    return replace(site, programs={**tools.found, **site.programs})


def unable(
    drills: tuple[Drill, ...], topology: Topology, site: Site, blueprint: Blueprint, tools: Tools
) -> dict[str, str]:
    """Drills for which nothing has to be prepared, because they cannot be done here: by name, and why."""
    found = {}
    lacking = abilities.why_not() if site.lab == "namespaces" else WHY_NOT
    for drill in drills:
        reason = lacking.get(FAULTS[drill.fault].needs) or tools.missing.get(FAULTS[drill.fault].program, "")
        if FAULTS[drill.fault].program == _CLOCK and not reason:
            process = blueprint.process(topology.instances_of(drill.tier)[0].name)
            reason = doctor.unshiftable(shutil.which(process.argv[0], path=":".join(PLACES)) or process.argv[0])
        if reason:
            found[drill.name] = reason
    return found


def prepared(
    blueprint: Blueprint, drills: tuple[Drill, ...], topology: Topology, site: Site, hindered: Mapping[str, str]
) -> Blueprint:
    """The same, where a clock is to be shifted with programs that let it, where a disk is to wait with one that can."""
    slow = {each.tier for each in drills if FAULTS[each.fault].program == _DISK and each.name not in hindered}
    hosts = {instance.host for tier in slow for instance in topology.instances_of(tier)}
    if hosts:
        blueprint = slowable(blueprint, frozenset(hosts), site.programs[_DISK].path)
    tiers = {each.tier for each in drills if FAULTS[each.fault].program == _CLOCK and each.name not in hindered}
    processes = frozenset(instance.name for tier in tiers for instance in topology.instances_of(tier))
    if not processes:
        return blueprint
    where = {host.name: site.path(host.name, CLOCK_FILE) for host in blueprint.hosts}
    return shiftable(blueprint, processes, site.programs[_CLOCK].path, where)
