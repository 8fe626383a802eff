"""What an earlier run measured, in a small file that is kept beside the code and that later runs are held to.

A baseline keeps every sample and no average, so that whoever compares knows the spread.  Only drills that were struck, watched
to their end and mended are in it, and no path that is in doubt.  Keys that this holdfast does not know are left alone: a newer
one may have written them.
"""

import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.errors import Problem, Refused
from holdfast.record.measure import DrillMeasure, measure
from holdfast.record.repeats import bases
from holdfast.record.store import Record

SCHEMA = "holdfast.baseline/1"

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Kept(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Samples(Kept):
    """One probe in one drill; the samples stand in the order in which they were measured."""

    writes: bool
    every_s: Seconds
    """Seconds between two questions."""
    outage_s: Annotated[list[Seconds | None], Field(min_length=1)]
    """One for each repeat: the sum of the outages or the longest gap between good answers, whichever is longer; null: no end."""
    errors: list[Count]
    """One for each repeat: bad answers after the strike."""


class Drill(Kept):
    fault: str = ""
    target: str = ""
    timer_s: Seconds | None = None
    """By how much the timers involved let the outage differ, depending on when the strike falls; null: not known."""
    paths: dict[str, Samples]
    """By the name of the probe."""


class Baseline(Kept):
    """The samples of one run."""

    model_config = ConfigDict(title="Baseline of holdfast")

    schema_: Annotated[Literal["holdfast.baseline/1"], Field(alias="schema")] = SCHEMA
    service: str
    run: str = ""
    """The run that it was made of."""
    lab: str = ""
    """`namespaces` or `loopback`: numbers of one say little about the other."""
    programs: dict[str, str] = {}
    """Name to version."""
    drills: dict[str, Drill]
    """By the name of the drill, without the number of its repeat."""


def baseline_of(record: Record) -> Baseline:
    """Without drills where none was executed to its end."""
    run = record.meta.get("run") or {}
    entries = {entry["name"]: entry for entry in record.meta.get("drills") or ()}
    base_of = bases(record)
    groups: dict[str, list[DrillMeasure]] = {}
    for drill in measure(record):
        if drill.outcome == "done" and any(path.asked and not path.doubtful for path in drill.paths):
            groups.setdefault(base_of.get(drill.name, drill.name), []).append(drill)
    drills = {
        base: Drill(fault=group[0].fault, target=group[0].target, timer_s=entries.get(group[0].name, {}).get("timer_s"),
                    paths=_paths(group))
        for base, group in groups.items()
    }
    return Baseline(
        service=str(run.get("service", "")), run=str(run.get("id", "")), lab=str(run.get("lab", "")), drills=drills,
        programs={str(each.get("name")): str(each.get("version", "")) for each in run.get("programs") or ()},
    )


def _paths(group: Sequence[DrillMeasure]) -> dict[str, Samples]:
    samples: dict[str, list[tuple[float | None, int]]] = {}
    seen = {}
    for drill in group:
        for path in drill.paths:
            if path.asked and not path.doubtful:
                down_s = None if path.down_s is None else round(path.down_s, 6)
                samples.setdefault(path.probe, []).append((down_s, path.bad))
                seen[path.probe] = path
    return {
        probe: Samples(
            writes=seen[probe].writes, every_s=seen[probe].every_s, outage_s=[down_s for down_s, _ in pairs],
            errors=[errors for _, errors in pairs],
        )
        for probe, pairs in samples.items()
    }


def baseline_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Baseline.model_json_schema()}


def written(baseline: Baseline) -> str:
    """The file's text: one line for each list of samples, so that a change of it reads well in a review."""
    told: dict[str, Any] = baseline.model_dump(by_alias=True)
    lines = [f" {json.dumps(key)}: {json.dumps(told[key], ensure_ascii=False)}" for key in told if key != "drills"]
    drills = []
    for name, drill in told["drills"].items():
        head = {key: value for key, value in drill.items() if key != "paths"}
        rows = ",\n".join(
            f"   {json.dumps(probe, ensure_ascii=False)}: {json.dumps(path)}" for probe, path in drill["paths"].items()
        )
        begun = json.dumps(head, ensure_ascii=False)[:-1]
        drills.append(f"  {json.dumps(name, ensure_ascii=False)}: {begun}, \"paths\": {{\n{rows}}}}}")
    body = ",\n".join(drills)
    lines.append(f' "drills": {{\n{body}}}' if drills else ' "drills": {}')
    return "{\n" + ",\n".join(lines) + "}\n"


def understood(text: str, where: str) -> Baseline:
    """Raises Refused with every mistake; `where` is the file."""
    remedy = "write a new one with --write-baseline"
    try:
        return Baseline.model_validate_json(text)
    except ValidationError as error:
        found = [
            Problem(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}".removeprefix(": "), where, remedy)
            for each in error.errors()
        ]
        raise Refused(found[:10]) from None


def read_baseline(path: Path) -> Baseline:
    """Raises Refused where the file is not there or is no baseline."""
    try:
        return understood(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Refused(Problem(f"cannot read the baseline: {reason}", str(path), "name a file of --write-baseline")) from None


def outages_s(path: Samples) -> tuple[float, ...]:
    """Outages with infinity for one without an end."""
    return tuple(inf if sample is None else sample for sample in path.outage_s)
