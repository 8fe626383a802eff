"""`holdfast drill`: bring the service up, break it, judge what clients saw.

Outside of the lab's namespaces this only chooses where to run and starts the same command again inside; there the seed, the
folder and the lab are given.
"""

import argparse
import asyncio
import contextlib
import json
import secrets as chance
import sys
from collections.abc import Callable
from pathlib import Path

from holdfast.blueprint import Site
from holdfast.cli import outcome
from holdfast.cli.describe import describe, possible
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import choose_lab, new_folder, sensible, site_for, values_of
from holdfast.drills import prepare
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill, chosen, repeated
from holdfast.drills.suites import drills_of
from holdfast.errors import Problem, Refused
from holdfast.plan import plan
from holdfast.record.event import Event
from holdfast.record.store import Store, read
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.page import page
from holdfast.report.progress import progress
from holdfast.report.terminal import table
from holdfast.topology.model import Topology

RECORD, PAGE = "record.sqlite", "report.html"


def drill(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    drills = chosen(drills_of(topology, arguments.suite), arguments.only)
    if isinstance(drills, Problem):
        raise Refused(drills)
    drills = tuple(repeated(drills, arguments.repeat))
    outcome.objections(arguments)
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
                able = possible(store, lab, drills)
                describe(store, topology, site, lab, folder, seed, probes, able, reason)
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


def _show(folder: Path, arguments: argparse.Namespace) -> int:
    """Judge the record, write the page, print the table or JSON."""
    record = read(folder / RECORD)
    verdict = judge(record, strict=arguments.strict, baseline=outcome.held_to(arguments))
    (folder / PAGE).write_text(page(record, verdict))
    if arguments.json:
        print(json.dumps(as_json(verdict), indent=1))
    else:
        print(table(verdict, page_path=_short(folder / PAGE)), end="")
    outcome.leave(record, verdict, arguments)
    return verdict.exit_code


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def report(arguments: argparse.Namespace) -> int:
    from holdfast.cli.service import newest

    if arguments.schema:
        print(json.dumps(outcome.schema(arguments.schema), indent=1))
        return 0
    outcome.objections(arguments)
    return _show(newest(arguments.runs, arguments.run, RECORD), arguments)


