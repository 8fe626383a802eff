"""`holdfast diff OLD NEW`: two topologies, or two runs."""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from holdfast.cli.changes import NOT_KNOWN, changes, told
from holdfast.cli.drill import RECORD
from holdfast.cli.render import production_site
from holdfast.cli.service import newest, sensible
from holdfast.errors import MET, VIOLATED, Problem, Refused
from holdfast.plan import plan
from holdfast.record.store import Record, read
from holdfast.report import side_by_side
from holdfast.report.baseline import Baseline, baseline_of, read_baseline
from holdfast.report.compare import compare
from holdfast.report.terminal import wants_colour

SCHEMA = "holdfast.diff/1"


def diff(arguments: argparse.Namespace) -> int:
    kinds = [_is_topology(word) for word in (arguments.old, arguments.new)]
    if kinds[0] != kinds[1]:
        where = f"{arguments.old} {arguments.new}"
        remedy = "name two topologies, or two runs (a folder, a record, a baseline)"
        raise Refused(Problem("one is a topology and the other a run", where, remedy))
    different, found, text = (_topologies if kinds[0] else _runs)(arguments)
    if arguments.json:
        print(json.dumps({"schema": SCHEMA, "kind": "topologies" if kinds[0] else "runs", **found}, indent=1))
    else:
        print(text, end="")
    return VIOLATED if different and arguments.exit_code else MET


def _is_topology(word: str) -> bool:
    path = Path(word)
    return path.suffix in (".yaml", ".yml") or (path.is_dir() and (path / "topology.yaml").exists())


def _topologies(arguments: argparse.Namespace) -> tuple[bool, dict[str, Any], str]:
    """Raises Refused with every mistake of either."""
    problems = []
    topologies = []
    for word in (arguments.old, arguments.new):
        try:
            topologies.append(sensible(word))
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)
    old, new = topologies
    found = changes(old, new, plan(old, production_site(old)), plan(new, production_site(new)))
    return found.any, {"different": found.any, **asdict(found), "note": NOT_KNOWN if found.promises else ""}, told(found)


def _runs(arguments: argparse.Namespace) -> tuple[bool, dict[str, Any], str]:
    old, new = (_measured(word, arguments.runs) for word in (arguments.old, arguments.new))
    compared = compare(_samples(old), _samples(new))
    others = side_by_side.also(old, new) if isinstance(old, Record) and isinstance(new, Record) else ()
    width = shutil.get_terminal_size((100, 24)).columns
    text = side_by_side.as_text(compared, others, width=width, colour=wants_colour(sys.stdout))
    return compared.differs, side_by_side.as_json(compared, others), text


def _measured(word: str, runs: str) -> Record | Baseline:
    if Path(word).suffix == ".json":
        return read_baseline(Path(word))
    if Path(word).is_file():
        return read(Path(word))
    return read(newest(runs, word, RECORD) / RECORD)


def _samples(measured: Record | Baseline) -> Baseline:
    return baseline_of(measured) if isinstance(measured, Record) else measured
