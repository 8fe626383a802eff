"""`holdfast explain`: what a fault will cost, and the chain of steps that it is made of.  Nothing runs."""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from holdfast.cli.promised import promised
from holdfast.cli.service import sensible
from holdfast.drills.drill import chosen
from holdfast.drills.suites import drills_of
from holdfast.errors import MET, Problem, Refused
from holdfast.predict.promise import Promise
from holdfast.report.explained import chain, table
from holdfast.report.letters import fitting

SCHEMA = "holdfast.promises/1"


def explain(arguments: argparse.Namespace) -> int:
    where, fault = _meant(arguments)
    topology = sensible(where)
    if not topology.probes:
        raise Refused(Problem("nobody asks anything of this service", topology.file, "add `probes:`, such as pages and orders"))
    suite = arguments.suite or (None if topology.drills else "full")
    drills = chosen(drills_of(topology, suite), [fault] if fault else [])
    if isinstance(drills, Problem):
        raise Refused(replace(drills, where="explain"))
    found = promised(topology, drills)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "service": topology.service, "promises": [_told(*each) for each in found]}, indent=1))
    elif fault:
        print(fitting("\n".join(chain(*each) for each in found), sys.stdout), end="")
    else:
        print(fitting(table(found, width=shutil.get_terminal_size((110, 24)).columns), sys.stdout), end="")
    return MET


def _meant(arguments: argparse.Namespace) -> tuple[str, str]:
    """Topology and fault, or "": of one word alone, what is there as a file is a topology."""
    words = list(arguments.words)
    if arguments.topology is not None:
        words.insert(0, arguments.topology)
    elif len(words) == 1 and not Path(words[0]).exists() and "/" not in words[0]:
        words.insert(0, ".")
    if len(words) > 2:
        what = f"{' '.join(words)!r} is more than one topology and one fault"
        raise Refused(Problem(what, "explain", "write `holdfast explain TOPOLOGY FAULT`, a drill's name in quotes"))
    return (words or ["."])[0], words[1] if len(words) > 1 else ""


def _told(name: str, promise: Promise) -> dict[str, object]:
    return {"drill": name, "fault": promise.fault, "tier": promise.tier, "target": promise.target, **promise.as_detail()}
