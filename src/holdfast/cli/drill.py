"""`holdfast drill`: bring the service up, break it, judge what clients saw.

Outside of the lab's namespaces this only chooses where to run and starts the same command again inside; there the seed, the
folder and the lab are given.
"""

import argparse
import asyncio
import contextlib
import json
import secrets as chance
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from holdfast.blueprint import Site
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import LOWER_FIDELITY, ONE_MACHINE, choose_lab, described, new_folder, sensible, site_for, values_of
from holdfast.drills import prepare
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill, chosen, rehearsal
from holdfast.errors import Problem, Refused
from holdfast.faults.catalogue import FAULTS
from holdfast.lab.verbs import Lab
from holdfast.plan import plan
from holdfast.probes.probe import Probe
from holdfast.record.event import Event
from holdfast.record.store import Store, read
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.junit import junit
from holdfast.report.page import page
from holdfast.report.progress import progress
from holdfast.report.terminal import table
from holdfast.topology.model import Topology

RECORD, PAGE = "record.sqlite", "report.html"


def drill(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    drills = chosen(rehearsal(topology), arguments.only)
    if isinstance(drills, Problem):
        raise Refused(drills)
    seed = arguments.seed if arguments.seed is not None else chance.randbelow(10**6)
    if not arguments.into:
        choice = choose_lab(arguments.lab)
        folder = new_folder(arguments.runs, topology.service)
        print(f"seed {seed}, lab {choice.lab}" + (f" ({choice.reason})" if choice.reason else ""), file=sys.stderr)
        if choice.lab == "namespaces":
            site_for(topology, choice.lab, folder)  # a missing program is told before anything starts
            return reenter(folder, seed=seed, lab=choice.lab)
        arguments.lab, reason = choice.lab, choice.reason
    else:
        folder, reason = Path(arguments.into), ""
    site = site_for(topology, arguments.lab, folder)
    interrupted = _rehearse(topology, site, folder, seed, drills, reason)
    return interrupted or _show(folder, arguments)


def _rehearse(topology: Topology, site: Site, folder: Path, seed: int, drills: tuple[Drill, ...], reason: str) -> int:
    """Returns 130 after Ctrl-C, else 0; the verdict is in the record."""
    blueprint = plan(topology, site)
    secrets = values_of(topology, blueprint)
    probes = prepare.probes(topology, site, secrets, folder.name)
    store = Store.create(folder / RECORD)
    with contextlib.closing(store), progress(sys.stderr) as shown:

        def write(event: Event) -> None:
            store.event(event)
            shown.saw(event)

        async def session() -> None:
            write(Event(at_s=0.0, kind="run.began", subject=topology.service, detail={"drills": [each.name for each in drills]}))
            async with lab_of(site, blueprint, secrets, folder) as lab:
                able = _able(store, lab, drills)
                _describe(store, topology, site, lab, folder, seed, probes, able, reason)
                conductor = Conductor(
                    topology=topology, site=site, lab=lab, secrets=secrets, seed=seed, probes=probes, write=write,
                    hear=store.asked,
                )  # fmt: skip
                await conductor.run(able)
                write(Event(at_s=lab.now_s(), kind="run.ended", subject=topology.service))

        return _carry_out(session, store, folder)


def _carry_out(session: Callable[[], object], store: Store, folder: Path) -> int:
    try:
        asyncio.run(interruptible(session))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(f"interrupted; what was measured is kept in {folder}", file=sys.stderr)
        return 130
    except BaseExceptionGroup as group:
        refused = leaf(group, Refused)
        if refused is None:
            raise
        for problem in refused.problems:
            detail = {"what": problem.what, "remedy": problem.remedy}
            store.event(Event(at_s=0.0, kind="problem", subject=problem.where, detail=detail))
        raise refused from None
    return 0


def _able(store: Store, lab: Lab, drills: tuple[Drill, ...]) -> tuple[Drill, ...]:
    """Those that this lab can do; the others are skipped by name."""
    skipped = [
        {"name": each.name, "fault": each.fault, "target": each.target, "reason": lab.why_not(FAULTS[each.fault].needs)}
        for each in drills
        if FAULTS[each.fault].needs not in lab.can
    ]
    store.meta("skipped", skipped)
    names = {each["name"] for each in skipped}
    return tuple(each for each in drills if each.name not in names)


def _describe(
    store: Store, topology: Topology, site: Site, lab: Lab, folder: Path, seed: int, probes: tuple[Probe, ...],
    drills: tuple[Drill, ...], reason: str,
) -> None:  # fmt: skip
    notes = [*ONE_MACHINE, *(LOWER_FIDELITY if lab.name == "loopback" else ())]
    notes += [f"Namespaces were not to be had: {reason}."] if reason and reason != "asked for" else []
    store.meta(
        "run",
        {
            "id": folder.name, "began_wall": datetime.now(UTC).isoformat(timespec="seconds"), "seed": seed,
            "service": topology.service, "lab": lab.name, "fidelity": lab.name, "lab_notes": notes,
            "programs": described(site.programs), "holdfast_version": version("holdfast"),
            "command": shlex.join(["holdfast", *sys.argv[1:3]]),
        },
    )  # fmt: skip
    limits = topology.objectives
    store.meta(
        "objectives",
        {
            "write_outage_s": limits.write_outage, "read_outage_s": limits.read_outage, "lost_writes": limits.lost_writes,
            "availability": limits.availability, "errors": limits.errors,
        },
    )  # fmt: skip
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
    for instance in topology.instances:
        tiers.setdefault(instance.host, []).append(instance.tier)
    store.meta(
        "hosts",
        [
            {"name": host.name, "address": host.address, "zone": host.zone, "tiers": tiers.get(host.name, [])}
            for host in lab.blueprint.hosts
        ],
    )
    store.meta(
        "drills",
        [{"name": each.name, "fault": each.fault, "target": each.target, "hold_s": each.hold_s} for each in drills],
    )


def _show(folder: Path, arguments: argparse.Namespace) -> int:
    """Judge the record, write the page, print the table or JSON."""
    record = read(folder / RECORD)
    verdict = judge(record, strict=arguments.strict)
    (folder / PAGE).write_text(page(record, verdict))
    if arguments.junit:
        Path(arguments.junit).write_text(junit(verdict))
    if arguments.json:
        print(json.dumps(as_json(verdict), indent=1))
    else:
        print(table(verdict, page_path=_short(folder / PAGE)), end="")
    return verdict.exit_code


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def report(arguments: argparse.Namespace) -> int:
    from holdfast.cli.service import newest

    return _show(newest(arguments.runs, arguments.run, RECORD), arguments)


