"""`holdfast check`: every mistake at once."""

import argparse
import json
import sys

from holdfast.cli.service import kinds, sensible
from holdfast.errors import BAD_INPUT, MET, Problem, Refused
from holdfast.topology.schema import schema


def check(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        print(json.dumps(schema(kinds()), indent=1))
        return MET
    if not arguments.topology:
        raise Refused(Problem("no topology was named", where="holdfast check", remedy="name a topology.yaml or its folder"))
    try:
        topology = sensible(arguments.topology)
    except Refused as refused:
        if arguments.json:
            rows = [{"what": each.what, "where": each.where, "remedy": each.remedy} for each in refused.problems]
            print(json.dumps({"schema": "holdfast.check/1", "problems": rows}, indent=1))
            return refused.exit_code
        for problem in refused.problems:
            print(problem)
        count = len(refused.problems)
        print(f"{count} problem{'' if count == 1 else 's'}", file=sys.stderr)
        return BAD_INPUT
    if arguments.json:
        print(json.dumps({"schema": "holdfast.check/1", "problems": []}, indent=1))
    else:
        hosts, instances = len(topology.places), len(topology.instances)
        print(f"{topology.service}: {len(topology.tiers)} tiers, {hosts} hosts, {instances} programs, no problem")
    return MET
