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
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from holdfast.blueprint import Site
from holdfast.cli import outcome
from holdfast.cli.describe import describe, possible
from holdfast.cli.running import interruptible, lab_of, leaf, reenter
from holdfast.cli.service import Choice, choose_lab, newest, programs_for, run_folder, sensible, shown_path, site_for, values_of
from holdfast.cli.tools import Tools, prepared, tools_for, unable, with_tools
from holdfast.cli.up import path_of, standing_of
from holdfast.drills import prepare
from holdfast.drills.changing import laboratory, with_later
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill, chosen, repeated
from holdfast.drills.suites import drills_of
from holdfast.errors import Problem, Refused
from holdfast.lab import control
from holdfast.record.event import Asked, Event
from holdfast.record.store import Store, read
from holdfast.report.as_json import as_json
from holdfast.report.findings import judge
from holdfast.report.letters import fitting
from holdfast.report.page import page
from holdfast.report.progress import progress
from holdfast.report.terminal import table
from holdfast.topology.model import Topology

RECORD, PAGE = "record.sqlite", "report.html"
SESSION = "holdfast session"
"""Name of the task that is the run."""


def drill(arguments: argparse.Namespace) -> int:
    topology = sensible(arguments.topology)
    drills = chosen(drills_of(topology, arguments.suite), arguments.only)
    if isinstance(drills, Problem):
        raise Refused(drills)
    topology = with_later(topology, drills)
    drills = tuple(repeated(drills, arguments.repeat))
    outcome.objections(arguments)
    seed = arguments.seed if arguments.seed is not None else chance.randbelow(10**6)
    if not arguments.into:
        choice = choose_lab(arguments.lab)
        programs_for(topology, choice.lab)  # a missing program is told before anything starts
        with run_folder(arguments.runs, topology.service) as folder:
            print(f"seed {seed}, lab {choice.lab}" + (f" ({choice.reason})" if choice.reason else ""), file=sys.stderr)
            if choice.lab == "namespaces":
                return reenter(folder, seed=seed, lab=choice.lab)
            return _inside(topology, arguments, folder, seed, drills, choice)
    return _inside(topology, arguments, Path(arguments.into), seed, drills, Choice(lab=arguments.lab))


def _inside(
    topology: Topology, arguments: argparse.Namespace, folder: Path, seed: int, drills: tuple[Drill, ...], choice: Choice
) -> int:
    tools = tools_for(drills)
    site = with_tools(site_for(topology, choice.lab, folder), tools)
    interrupted = _rehearse(topology, site, folder, seed, drills, tools, choice.reason, again(arguments, seed))
    return interrupted or _show(folder / RECORD, arguments)


def _rehearse(
    topology: Topology, site: Site, folder: Path, seed: int, drills: tuple[Drill, ...], tools: Tools, reason: str, command: str
) -> int:
    """Returns 130 after Ctrl-C, else 0; the verdict is in the record."""
    blueprint = laboratory(topology, site)
    hindered = unable(drills, topology, site, blueprint, tools)
    blueprint = prepared(blueprint, drills, topology, site, hindered)
    secrets = values_of(topology, blueprint)
    known = prepare.Known(topology, site, secrets)
    probes = prepare.probes(topology, site, secrets, folder.name, known)
    store = Store.create(folder / RECORD)
    with contextlib.closing(store), progress(sys.stderr) as shown:

        def write(event: Event) -> None:
            store.event(event)
            shown.saw(event)

        hear = _hearing(store)

        async def session() -> None:
            write(Event(at_s=0.0, kind="run.began", subject=topology.service, detail={"drills": [each.name for each in drills]}))
            async with lab_of(site, blueprint, secrets, folder) as lab:
                able = possible(store, lab, drills, hindered)
                describe(store, topology, site, lab, folder, seed, probes, able, reason, command)
                conductor = Conductor(
                    topology=topology, site=site, lab=lab, secrets=secrets, seed=seed, probes=probes, write=write,
                    hear=hear, known=known,
                )  # fmt: skip
                async with asyncio.TaskGroup() as tasks:  # `holdfast status` and `shell` look into a drill as well
                    standing = partial(standing_of, topology, lab, conductor.observer)
                    door = tasks.create_task(control.serve(folder, standing, getattr(lab, "namespaces_of", None), path_of(site)))
                    await conductor.run(able)
                    door.cancel()
                write(Event(at_s=lab.now_s(), kind="run.ended", subject=topology.service))

        return _carry_out(session, store, folder)


def again(arguments: argparse.Namespace, seed: int) -> str:
    """A command line that repeats this run."""
    words = ["holdfast", "drill", arguments.topology, "--seed", str(seed)]
    for word in arguments.only:
        words += ["--only", word]
    words += ["--suite", arguments.suite] if arguments.suite else []
    words += ["--repeat", str(arguments.repeat)] if arguments.repeat > 1 else []
    words += ["--lab", arguments.lab] if arguments.lab != "auto" else []
    return shlex.join(words)


def _hearing(store: Store) -> Callable[[Asked], None]:
    """Stores answers; when one cannot be stored the run ends, since whatever it measures from then on is lost."""
    stopped: list[bool] = []

    def hear(asked: Asked) -> None:
        store.asked(asked)
        if store.failed and not stopped:
            stopped.append(True)  # once only: a second time would cut the mending short
            for task in asyncio.all_tasks():
                if task.get_name() == SESSION:
                    task.cancel()

    return hear


def _carry_out(session: Callable[[], Awaitable[object]], store: Store, folder: Path) -> int:
    async def named() -> None:
        task = asyncio.current_task()
        assert task
        task.set_name(SESSION)
        await interruptible(session)

    try:
        asyncio.run(named())
    except (KeyboardInterrupt, asyncio.CancelledError):
        if store.failed:
            raise store.failed from None
        print(f"interrupted; what was measured is kept in {folder}", file=sys.stderr)
        return 130
    except (Exception, BaseExceptionGroup) as error:
        refused = store.failed or leaf(error, Refused)
        if refused is None:
            raise
        with contextlib.suppress(Refused):  # a record that cannot be written is told of already
            for problem in refused.problems:
                detail = {"what": problem.what, "remedy": problem.remedy}
                store.event(Event(at_s=0.0, kind="problem", subject=problem.where, detail=detail))
            store.event(Event(at_s=0.0, kind="run.refused", detail={"exit_code": refused.exit_code}))
        raise refused from None
    return 0


def _show(path: Path, arguments: argparse.Namespace) -> int:
    """Judge the record, write the page, print the table or JSON."""
    record = read(path)
    verdict = judge(record, strict=arguments.strict, baseline=outcome.held_to(arguments))
    written = path.with_name(PAGE) if path.name == RECORD else path.with_suffix(".html")
    try:
        written.write_text(page(record, verdict), "utf-8", errors="replace")
        page_path = shown_path(written)
    except OSError as error:
        page_path = ""
        print(f"page not written: {written}: {error.strerror}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(as_json(verdict), indent=1))
    else:
        print(fitting(table(verdict, page_path=page_path, record_path=shown_path(path)), sys.stdout), end="")
    outcome.leave(record, verdict, arguments)
    return verdict.exit_code


def shown(path: Path) -> int:
    """As `holdfast report` shows it without any option."""
    without = dict.fromkeys(("strict", "baseline", "json", "junit", "history", "write_baseline", "github"))
    return _show(path, argparse.Namespace(**without))


def report(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        print(json.dumps(outcome.schema(arguments.schema), indent=1))
        return 0
    outcome.objections(arguments)
    named = Path(arguments.run) if arguments.run else None
    path = named if named and named.is_file() else newest(arguments.runs, arguments.run, RECORD) / RECORD
    return _show(path, arguments)


