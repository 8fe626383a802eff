"""`holdfast check`: every mistake at once."""

import argparse
import json
import sys

from holdfast.cli.ending import as_document
from holdfast.cli.service import kinds, sensible
from holdfast.drills.suites import drills_of
from holdfast.errors import BAD_INPUT, MET, Refused
from holdfast.topology.model import Topology
from holdfast.topology.schema import schema


def check(arguments: argparse.Namespace) -> int:
    if arguments.schema:
        print(json.dumps(schema(kinds()), indent=1))
        return MET
    try:
        topology = sensible(arguments.topology)
    except Refused as refused:
        if arguments.json:
            print(as_document(refused))
            return refused.exit_code
        for problem in refused.problems:
            print(problem)
        print(counted(len(refused.problems), "problem"), file=sys.stderr)
        return BAD_INPUT
    if arguments.json:
        print(as_document(None))
    else:
        print(f"{topology.service}: {_size(topology)}, no problem")
        if not drills_of(topology, None):
            print("note: nothing here can be broken: no tier has two replicas or more, and there is no `drills:`")
    return MET


def counted(number: int, noun: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _size(topology: Topology) -> str:
    """Without what holdfast adds by itself: tiers of virtual IPs and of sidecars are not in the file."""
    tiers = sum(not topology.bearer(name) for name in topology.tiers)
    clients = len(topology.clients)
    hosts = counted(len(topology.places) - clients, "host")
    programs = counted(len(topology.instances), "program")
    return f"{counted(tiers, 'tier')}, {hosts} (+{counted(clients, 'client')}), {programs}"
