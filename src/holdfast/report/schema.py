"""The published form of `--json`: what `as_json` writes, as models of which the JSON Schema is made.

New keys may be added within `holdfast.report/1`, so a reader must not refuse those that it does not know.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["met", "violated", "void", "unsteady", "not_mended", "skipped", "inconclusive"]
Number = int | float


class Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Program(Told):
    model_config = ConfigDict(extra="allow")

    name: str
    version: str = ""
    path: str = ""
    source: str = ""
    """Where it was found: `PATH`, or the wheel that brought it."""


class Run(Told):
    id: str | None
    began_wall: str | None
    """ISO 8601, UTC."""
    seed: int | None
    lab: str | None
    fidelity: str | None
    lab_notes: list[str] | None
    """What this lab cannot show."""
    programs: list[Program] | None
    holdfast_version: str | None
    command: str | None


class Finding(Told):
    objective: Literal[
        "write_outage_s", "read_outage_s", "lost_writes", "resurrected_writes", "errors", "failed_writes", "goodput",
        "baseline",
    ]
    """`errors`: failed reads.  `failed_writes`: refused, or without an answer; only planned changes promise none.
    `goodput`: a share of the declared capacity, and more is better."""
    probe: str
    limit: Number
    measured: Number | None
    """Null: it had no end, or was not measured."""
    met: bool | None
    """Null: it could not be measured."""
    sentence: str


class Step(Told):
    name: str
    low_s: float | None
    """Null, as `high_s`: as long as the fault lasts."""
    high_s: float | None
    kind: Literal["timer", "work"]
    """A timer transfers to production, work does not."""
    setting: str
    source: str


class Promise(Told):
    """What was predicted for one path, beside what it saw.  It takes no part in the verdict."""

    probe: str
    low_s: float | None
    """Null: nothing was promised, for `reason`."""
    high_s: float | None
    unbounded: bool
    """Only mending ends it, so there is no upper bound."""
    measured_s: float | None
    """The sum of the outages, or the longest gap between good answers where that is longer; null: no end, or in doubt."""
    kept: bool | None
    given: str
    """The case that the strike turned out to be."""
    reason: str
    chain: list[Step]
    sentence: str


class Outage(Told):
    began_after_s: float
    """Seconds from the strike; a little below zero where the last good answer came before it."""
    length_s: float | None
    """Null: no end, or none but by mending in a drill that waits for failover."""
    ended_after_s: float | None
    ended_by_mending: bool


class Path(Told):
    """What one probe saw."""

    probe: str
    kind: str
    writes: bool
    every_s: float
    calm_s: float
    asked: int
    yes: int
    no: int
    unknown: int
    outages: list[Outage]
    outage_total_s: float | None
    unbounded: bool
    longest_gap_s: float | None
    """Between good answers; null when none came any more."""
    slowest_s: float | None
    error_share: Annotated[float, Field(ge=0, le=1)]
    """Bad answers among all of the window."""
    error_share_window_s: float
    """From the strike to the end of the calm after the last outage."""
    late_p50_s: float
    """How long after their beat questions were asked: half of them, 99 % of them, the latest."""
    late_p99_s: float
    late_max_s: float
    missing: int
    """Questions that no answer was recorded of, besides those that were open when the run ended."""
    doubt: str
    """Why the path is inconclusive, or empty."""
    first_bad_after_s: float | None


class Audit(Told):
    """What one ledger's nodes hold after mending."""

    probe: str
    acknowledged: int | None
    lost: int | None
    """Null: the primary could not be read."""
    resurrected: int | None
    missing: dict[str, int]
    """Per node; on a replica that is lag, not loss."""
    problem: str


class Load(Told):
    """What an overload offered, and what became of it.  Counts, but for the last three."""

    due: int
    good: int
    """Served within the deadline, while the load lasted."""
    refused: int
    failed: int
    late: int
    looks: int
    """How often each instance was asked meanwhile whether it serves."""
    health_missed: int
    """How many of these had no yes in time."""
    not_sent_to: int
    """How many found it out of a balancer's rotation."""
    capacity: float
    """Declared, requests a second."""
    goodput: float
    """Requests a second."""
    lasted_s: float


class Drill(Told):
    name: str
    fault: str
    target: str
    """As declared: `primary`."""
    struck: str
    """What was hit: `db1`."""
    verdict: Verdict
    outcome: Literal["done", "void", "unsteady", "not_mended", "skipped", "unfinished"]
    reason: str
    struck_at_s: float | None
    mended_at_s: float | None
    ended_at_s: float | None
    write_outage_s: float | None
    """The worst of all writing probes; null without one, where `unbounded`, and where a path is in doubt."""
    read_outage_s: float | None
    unbounded: bool
    errors: int
    """Reads that failed and writes that were refused; ambiguous writes are counted apart."""
    failed_reads: int
    refused_writes: int
    ambiguous: int
    acknowledged_writes: int | None
    lost_writes: int | None
    """Null: not known."""
    lost_unknown: str
    """Why it is not known, where a ledger asked."""
    resurrected_writes: int | None
    audits: list[Audit]
    noticed_after_s: float | None
    redundancy: Literal["not seen", "back", "never back", "unknown"]
    redundancy_back_after_s: float | None
    objectives: dict[str, Number | None]
    findings: list[Finding]
    promises: list[Promise]
    paths: list[Path]
    load: Load | None
    """Of an overload."""
    evidence: dict[str, Any]
    """By the fault (`struck`) and by another route (`verified`)."""


class Spread(Told):
    min: Number | None
    median: Number | None
    max: Number | None
    """Null: without end."""
    samples: list[Number | None]
    unbounded: int
    """How many of the samples had no end."""


class Repeated(Told):
    """All repeats of one drill of the plan; a spread is null where nothing was measured."""

    name: str
    """The drill's name without the number of the repeat."""
    fault: str
    target: str
    drills: list[str]
    verdicts: dict[Verdict, int]
    write_outage_s: Spread | None
    read_outage_s: Spread | None
    errors: Spread | None
    ambiguous: Spread | None
    lost_writes: Spread | None
    noticed_after_s: Spread | None
    redundancy_back_after_s: Spread | None
    """0 for a repeat in which redundancy was not seen to be lost."""


class Row(Told):
    drill: str
    probe: str
    writes: bool
    what: Literal["outage", "errors"]
    old: Spread
    new: Spread
    allowed: Number | None
    """The new median may be as great as this."""
    grown: Number | None
    """The new median less the old maximum."""
    change: Literal["worse", "better", "same", "not judged"]
    sentence: str


class Comparison(Told):
    old: str
    warnings: list[str]
    missing: list[str]
    rows: list[Row]


class Trouble(Told):
    model_config = ConfigDict(extra="allow")

    where: str


class Report(Told):
    model_config = ConfigDict(title="Report of holdfast")

    schema_: Annotated[Literal["holdfast.report/1"], Field(alias="schema")]
    service: str
    verdict: Literal["met", "violated", "void", "unsteady", "not_mended", "inconclusive", "incomplete"]
    exit_code: Annotated[int, Field(ge=0, le=6)]
    summary: str
    crashed: bool
    """The run ended before it was complete."""
    run: Run
    objectives: dict[str, Number | None]
    not_judged: list[str]
    drills: list[Drill]
    repeats: list[Repeated]
    baseline: Comparison | None
    """Where the run was held to an earlier one."""
    problems: list[Trouble]
    record: str


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema()}
