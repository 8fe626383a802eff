"""`holdfast explain`: what a fault will cost, and the chain of steps that it is made of.  Nothing runs."""

import argparse
import json
import shutil
import sys

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
    topology = sensible(arguments.topology)
    if not topology.probes:
        raise Refused(Problem("nobody asks anything of this service", topology.file, "add `probes:`, such as pages and orders"))
    suite = arguments.suite or (None if topology.drills else "full")
    drills = chosen(drills_of(topology, suite), [arguments.fault] if arguments.fault else [])
    if isinstance(drills, Problem):
        raise Refused(drills)
    found = promised(topology, drills)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "service": topology.service, "promises": [_told(*each) for each in found]}, indent=1))
    elif arguments.fault:
        print(fitting("\n".join(chain(*each) for each in found), sys.stdout), end="")
    else:
        print(fitting(table(found, width=shutil.get_terminal_size((110, 24)).columns), sys.stdout), end="")
    return MET


def _told(name: str, promise: Promise) -> dict[str, object]:
    return {"drill": name, "fault": promise.fault, "tier": promise.tier, "target": promise.target, **promise.as_detail()}
