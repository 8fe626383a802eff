"""`holdfast strike` and `mend`: break the service that `holdfast up` keeps, by hand, and keep a record as a drill does."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.blueprint import Site
from holdfast.cli.describe import describe, possible
from holdfast.cli.service import kinds
from holdfast.drills import prepare
from holdfast.drills.by_hand import ByHand
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill
from holdfast.errors import MET, Problem, Refused
from holdfast.faults.catalogue import FAULTS
from holdfast.lab import control
from holdfast.lab.verbs import Lab
from holdfast.record.event import Asked, Event
from holdfast.record.store import Store
from holdfast.topology.model import Topology

RECORD = "record.sqlite"
_LONGEST_S = 4000.0
"""Somewhat more than the longest drill may take, with all that is waited for before and after it."""
_EARLIER = 10_000


def strike(arguments: argparse.Namespace) -> int:
    told = order(arguments.runs, {"do": "strike", "drill": arguments.drill, "patience_s": arguments.patience})
    if arguments.json:
        print(json.dumps(told, indent=1))
    else:
        print(f"{told['drill']}: struck {told['struck']}: {told['proof']}")
        print(_ended(told) if "outcome" in told else "`holdfast mend` ends it")
    return MET


def mend(arguments: argparse.Namespace) -> int:
    told = order(arguments.runs, {"do": "mend"})
    print(json.dumps(told, indent=1) if arguments.json else _ended(told))
    return MET


def _ended(told: dict[str, Any]) -> str:
    if "drill" not in told:
        return str(told["outcome"])
    lost = "" if told["lost_writes"] is None else f"; {told['lost_writes']} acknowledged writes lost"
    return f"{told['drill']}: mended, and the service stands again{lost}"


def order(runs: str, question: dict[str, Any]) -> dict[str, Any]:
    """What the newest lab answered.  Raises Refused with what it refused, and its exit code."""
    try:
        answer, _ = control.ask_newest(Path(runs), question, _LONGEST_S)
    except LookupError:
        remedy = "start one with `holdfast up TOPOLOGY`; --runs names its folder"
        raise Refused(Problem("no lab is running", where=runs, remedy=remedy)) from None
    except OSError as error:
        raise Refused(Problem(f"the lab gave no answer: {error}", where=runs, remedy="is `holdfast up` still there?")) from None
    if "error" in answer:
        raise Refused(Problem(answer["error"], where=runs, remedy="a lab of `holdfast drill` is struck by its own drills alone"))
    if "problems" in answer:
        raise Refused([Problem(**each) for each in answer["problems"]], answer["exit_code"])
    ok: dict[str, Any] = answer["ok"]
    return ok


class Notes:
    """The record of what is done by hand: made when something is, with what happened before."""

    def __init__(self, folder: Path, about: Callable[[Store, tuple[Drill, ...]], None]):
        """`about` writes what the record says of its run and its drills."""
        self._folder, self._about = folder, about
        self._store: Store | None = None
        self._earlier: list[Event] = []
        self._drills: tuple[Drill, ...] = ()

    def write(self, event: Event) -> None:
        if self._store:
            self._store.event(event)
        elif len(self._earlier) < _EARLIER:
            self._earlier.append(event)

    def hear(self, asked: Asked) -> None:
        if self._store:
            self._store.asked(asked)

    def add(self, drill: Drill | None) -> None:
        """This drill is about to begin; with None, something was asked by hand."""
        if not self._store:
            self._store = Store.create(self._folder / RECORD)
            for event in self._earlier:
                self._store.event(event)
            self._earlier.clear()
            print(f"recording what is done by hand in {self._folder.name}", file=sys.stderr)
        self._drills += (drill,) if drill else ()
        self._about(self._store, self._drills)

    def end(self, at_s: float, service: str) -> None:
        self.write(Event(at_s=at_s, kind="run.ended", subject=service))

    def close(self) -> Path | None:
        """The record, if there is one."""
        if self._store:
            self._store.close()
            return self._folder / RECORD
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Who attends a lab that is kept."""

    conductor: Conductor
    hand: ByHand
    notes: Notes


def kept(topology: Topology, site: Site, lab: Lab, secrets: Mapping[str, str], folder: Path, seed: int) -> Kept:
    probes = prepare.probes(topology, site, secrets, folder.name)

    def about(store: Store, drills: tuple[Drill, ...]) -> None:
        able = possible(store, lab, drills)
        describe(store, topology, site, lab, folder, seed, probes, able, "", f"holdfast up {topology.folder} --seed {seed}")

    def begin(drill: Drill | None) -> str:
        notes.add(drill)
        return lab.why_not(FAULTS[drill.fault].needs) if drill else ""

    def write(event: Event) -> None:
        notes.write(event)
        hand.saw(event)

    def hear(asked: Asked) -> None:
        notes.hear(asked)
        hand.heard(asked)

    notes = Notes(folder, about)
    conductor = Conductor(
        topology=topology, site=site, lab=lab, secrets=secrets, seed=seed, probes=probes, write=write, hear=hear,
    )  # fmt: skip
    hand = ByHand(
        conductor=conductor, topology=topology, kinds=kinds(), lab=lab, probes={each.name: each for each in probes},
        begin=begin, write=write,
    )  # fmt: skip
    return Kept(conductor=conductor, hand=hand, notes=notes)
