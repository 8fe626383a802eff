"""What a run leaves besides its page: JUnit, baseline, history, and what GitHub Actions shows."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from holdfast.errors import Problem, Refused
from holdfast.record.history import json_lines
from holdfast.record.store import Record
from holdfast.report import github
from holdfast.report.baseline import Baseline, baseline_of, baseline_schema, read_baseline, written
from holdfast.report.findings import Report
from holdfast.report.junit import junit

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file to which a step's summary is appended (GitHub Docs, Workflow commands)."""


def objections(arguments: argparse.Namespace) -> None:
    """Before a long run rather than after it: raises Refused where a file could not be written, or the baseline not be read."""
    found = [
        Problem("a file cannot be written there", where=f"{option} {path}", remedy="name a file in a folder that exists")
        for option, path in (
            ("--junit", arguments.junit), ("--write-baseline", arguments.write_baseline), ("--history", arguments.history),
        ) if path and (Path(path).is_dir() or not Path(path).absolute().parent.is_dir())
    ]  # fmt: skip
    try:
        held_to(arguments)
    except Refused as refused:
        found += refused.problems
    if found:
        raise Refused(found)


def schema(which: str) -> dict[str, Any]:
    """JSON Schema of `--json`, or of a baseline."""
    from holdfast.report.schema import schema as report_schema

    return report_schema() if which == "report" else baseline_schema()


def held_to(arguments: argparse.Namespace) -> Baseline | None:
    return read_baseline(Path(arguments.baseline)) if arguments.baseline else None


def leave(record: Record, report: Report, arguments: argparse.Namespace) -> None:
    """Everything that was asked for.  Annotations go to standard error, where GitHub reads them too, and JSON stays JSON."""
    try:
        if arguments.junit:
            Path(arguments.junit).write_text(junit(report), "utf-8")
        if arguments.history:
            with Path(arguments.history).open("w", encoding="utf-8") as file:
                file.writelines(json_lines(record))
        if arguments.write_baseline:
            _baseline(record, Path(arguments.write_baseline))
        if arguments.github:
            for line in github.annotations(report):
                print(line, file=sys.stderr)
            if path := os.environ.get(SUMMARY):
                with Path(path).open("a", encoding="utf-8") as file:
                    file.write(github.summary(report))
    except OSError as error:
        remedy = "`holdfast report` writes it from the record, which is kept"
        raise Refused(Problem(f"cannot write: {error.strerror}", str(error.filename), remedy)) from None


def _baseline(record: Record, path: Path) -> None:
    """An empty one would make the next run compare nothing, so the old file is kept."""
    made = baseline_of(record)
    if made.drills:
        path.write_text(written(made), "utf-8")
        print(f"baseline of {len(made.drills)} drills in {path}", file=sys.stderr)
    else:
        print("no baseline was written: no drill was measured to its end", file=sys.stderr)
