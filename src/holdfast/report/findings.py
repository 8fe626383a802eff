"""Measurements beside objectives, and the verdict: pure functions of a record.

A drill's verdict:

| verdict | when |
|---|---|
| not_mended, void, unsteady, skipped | the conductor said so; whatever was measured is shown, and judged only where not mended |
| inconclusive | the run ended before the drill, an objective could not be measured, or nothing was judged at all |
| violated | an objective was not kept |
| met | all were kept |

The run's verdict is the first that applies, since it is the first that a person must act on: not_mended (something may still
be broken), violated (a fact that no other drill can undo), void, unsteady, inconclusive (also a run without an end, and one
in which no drill was executed), incomplete (skipped drills), met.  Drills cannot show availability, so it is not judged.
A run that was refused keeps the exit code that it was refused with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isinf
from typing import Any, Literal

from holdfast import errors
from holdfast.record.event import Event
from holdfast.record.measure import DrillMeasure, measure
from holdfast.record.repeats import Repeated, bases, repeats
from holdfast.record.store import Record
from holdfast.report import words
from holdfast.report.baseline import Baseline, baseline_of
from holdfast.report.compare import Comparison, Row, compare, finite
from holdfast.report.objectives import NOTHING_DECLARED, NOTHING_MEASURED, Finding, declared, findings, measured, not_judged
from holdfast.report.promised import Promised, promised

__all__ = ["DrillVerdict", "EXIT_CODES", "Finding", "Judged", "Report", "RunVerdict", "judge"]

DrillVerdict = Literal["met", "violated", "void", "unsteady", "not_mended", "skipped", "inconclusive"]
RunVerdict = Literal["met", "violated", "void", "unsteady", "not_mended", "inconclusive", "incomplete"]

EXIT_CODES: Mapping[str, int] = {
    "not_mended": errors.NOT_CLEANED,
    "violated": errors.VIOLATED,
    "void": errors.NOT_STRUCK,
    "unsteady": errors.UNSTEADY,
    "inconclusive": errors.INCONCLUSIVE,
    "incomplete": errors.MET,
    "met": errors.MET,
}
"""In order of precedence.  `incomplete` is INCONCLUSIVE in a strict run."""

REFUSED: Mapping[int, RunVerdict] = {
    errors.UNSTEADY: "unsteady", errors.NOT_STRUCK: "void", errors.NOT_CLEANED: "not_mended",
}
"""What a run is called that was refused with this exit code; any other is inconclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One drill with its verdict and the objectives that it was held to."""

    measure: DrillMeasure
    verdict: DrillVerdict
    findings: tuple[Finding, ...]
    objectives: Mapping[str, Any]
    note: str = ""
    """Why there is nothing to judge, where the measuring says nothing of it."""
    promises: tuple[Promised, ...] = ()
    """What was predicted for each path, beside what it saw; it takes no part in the verdict."""

    @property
    def reason(self) -> str:
        """Why it has no judgement, in a sentence."""
        unmeasured = "; ".join(finding.sentence for finding in self.findings if finding.met is None)
        return self.measure.reason or self.note or unmeasured or words.MEANINGS[self.verdict]

    @property
    def missed(self) -> tuple[Promised, ...]:
        """Promises that the measurement lies outside of."""
        return tuple(promise for promise in self.promises if promise.kept is False)

    @property
    def violations(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.met is False)

    @property
    def violated(self) -> frozenset[str]:
        """Names of the objectives that are marked as violated; a write that came back is shown beside those that were lost."""
        names = {"resurrected_writes": "lost_writes"}
        return frozenset(names.get(finding.objective, finding.objective) for finding in self.violations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a person is told of a run.  `run`, `probes` and `hosts` are the record's own."""

    service: str
    verdict: RunVerdict
    exit_code: int
    summary: str
    drills: tuple[Judged, ...]
    objectives: Mapping[str, Any]
    not_judged: tuple[str, ...]
    """What an objective asks for that drills cannot tell, each as a sentence."""
    problems: tuple[Event, ...]
    crashed: bool
    run: Mapping[str, Any]
    probes: Mapping[str, Mapping[str, Any]]
    hosts: tuple[Mapping[str, Any], ...]
    record_path: str = ""
    repeats: tuple[Repeated, ...] = ()
    """One for each drill of the plan, however often it was done."""
    baseline: Comparison | None = None
    """Where the run was held to an earlier one."""

    @property
    def is_repeated(self) -> bool:
        return any(len(each.drills) > 1 for each in self.repeats)

    def of(self, repeated: Repeated) -> tuple[Judged, ...]:
        """The judgements of all repeats of one drill."""
        names = {drill.name for drill in repeated.drills}
        return tuple(drill for drill in self.drills if drill.measure.name in names)

    @property
    def skipped(self) -> tuple[Judged, ...]:
        return tuple(drill for drill in self.drills if drill.verdict == "skipped")

    @property
    def skips(self) -> tuple[tuple[str, str], ...]:
        """(drill, reason), once for each drill of the plan however often it was to be repeated."""
        firsts = ((each.base, [drill for drill in self.of(each) if drill.verdict == "skipped"]) for each in self.repeats)
        return tuple((base, drills[0].measure.reason or words.MEANINGS["skipped"]) for base, drills in firsts if drills)

    @property
    def executed(self) -> tuple[Judged, ...]:
        """Those that were struck and watched to their end."""
        return tuple(drill for drill in self.drills if drill.measure.outcome in ("done", "not_mended"))


def judge(record: Record, *, strict: bool = False, baseline: Baseline | None = None) -> Report:
    """`strict`: a skipped drill makes the run inconclusive instead of incomplete-and-green.

    `baseline`: what an earlier run measured; whatever is worse now is violated.
    """
    limits = record.meta.get("objectives") or {}
    probes = record.meta.get("probes") or {}
    planned = {entry["name"]: entry for entry in record.meta.get("drills") or ()}
    own = {name: entry.get("objectives") or {} for name, entry in planned.items()}
    drills = tuple(
        _judged(drill, {**limits, **{key: limit for key, limit in own.get(drill.name, {}).items() if limit is not None}}, probes)
        for drill in measure(record)
    )
    drills = tuple(
        replace(drill, promises=promised(drill.measure, planned.get(drill.measure.name, {}), record.events)) for drill in drills
    )
    repeated = repeats([drill.measure for drill in drills], bases(record))
    comparison = compare(baseline, baseline_of(record)) if baseline else None
    if comparison:
        drills = _held_to(comparison, drills, repeated)
    run = record.meta.get("run") or {}
    verdict = _verdict(drills, record.ended and (comparison is None or bool(comparison.rows)))
    exit_code = errors.INCONCLUSIVE if strict and verdict == "incomplete" else EXIT_CODES[verdict]
    refused = next((int(event.detail.get("exit_code", errors.INCONCLUSIVE)) for event in record.events
                    if event.kind == "run.refused"), None)
    if refused is not None:
        verdict, exit_code = REFUSED.get(refused, "inconclusive"), refused
    service = str(run.get("service") or next((event.subject for event in record.events if event.kind == "run.began"), "unknown"))
    uncompared = " Nothing in it could be compared with the baseline." if comparison and not comparison.rows else ""
    return Report(
        service=service, verdict=verdict, exit_code=exit_code, drills=drills,
        summary=_summary(verdict, drills, record.ended) + uncompared,
        objectives=measured(limits, probes), not_judged=_not_judged(limits, own, probes),
        problems=tuple(event for event in record.events if event.kind == "problem"), crashed=not record.ended,
        run=run, probes=probes, hosts=tuple(record.meta.get("hosts") or ()), record_path=record.path,
        repeats=repeated, baseline=comparison,
    )


def _judged(drill: DrillMeasure, limits: Mapping[str, Any], probes: Mapping[str, Mapping[str, Any]]) -> Judged:
    found = findings(drill, limits) if drill.outcome in ("done", "not_mended") else ()
    note = ""
    verdict: DrillVerdict
    if drill.outcome == "unfinished" or (drill.outcome == "done" and drill.struck_at_s is None):
        verdict = "inconclusive"
    elif drill.outcome != "done":
        verdict = drill.outcome
    elif not found:
        verdict, note = "inconclusive", NOTHING_MEASURED if declared(limits) else NOTHING_DECLARED
    elif any(finding.met is False for finding in found):
        verdict = "violated"
    else:
        verdict = "inconclusive" if any(finding.met is None for finding in found) else "met"
    return Judged(measure=drill, verdict=verdict, findings=found, objectives=measured(limits, probes), note=note)


def _held_to(comparison: Comparison, drills: tuple[Judged, ...], repeated: Sequence[Repeated]) -> tuple[Judged, ...]:
    """Each row becomes a finding of one drill: of the repeat in which it was worst."""
    added: dict[str, list[Finding]] = {}
    members = {each.base: each.drills for each in repeated}
    for row in comparison.rows:
        if row.change != "not judged" and not isinf(row.allowed):
            worst = max(members[row.drill], key=lambda drill: _sample(drill, row))
            finding = Finding(
                objective="baseline", limit=row.allowed, measured=finite(row.new.middle), met=row.change != "worse",
                sentence=row.sentence, probe=row.probe,
            )
            added.setdefault(worst.name, []).append(finding)
    judged = {row.drill for row in comparison.rows if row.change != "not judged"}
    compared = {drill.name for base in judged for drill in members[base]}
    return tuple(_with(drill, added.get(drill.measure.name, ()), drill.measure.name in compared) for drill in drills)


def _sample(drill: DrillMeasure, row: Row) -> float:
    """Negative where this repeat gave none."""
    path = next((path for path in drill.paths if path.probe == row.probe and drill.outcome == "done"), None)
    if path is None:
        return -1.0
    if row.what == "errors":
        return path.bad
    return float("inf") if path.down_s is None else path.down_s


def _with(drill: Judged, found: Sequence[Finding], compared: bool) -> Judged:
    """A drill that shows nothing keeps its verdict; one without objectives is judged by the baseline alone."""
    if drill.note and compared:
        drill = replace(drill, verdict="met", note="")
    worse = any(finding.met is False for finding in found)
    verdict: DrillVerdict = "violated" if worse and drill.verdict in ("met", "inconclusive") else drill.verdict
    return replace(drill, findings=(*drill.findings, *found), verdict=verdict)


def _verdict(drills: tuple[Judged, ...], ended: bool) -> RunVerdict:
    seen = {drill.verdict for drill in drills}
    if not ended or seen <= {"skipped"}:
        seen.add("inconclusive")
    if any(finding.met is False for drill in drills for finding in drill.findings):
        seen.add("violated")
    for verdict in EXIT_CODES:
        if verdict in seen or (verdict == "incomplete" and "skipped" in seen):
            return verdict  # type: ignore[return-value]
    return "met"


def _summary(verdict: RunVerdict, drills: tuple[Judged, ...], ended: bool) -> str:
    """One line: how many drills stand how, and what the verdict means."""
    if not drills:
        return "No drill was executed."
    if drills and all(drill.note for drill in drills if drill.verdict != "skipped") and any(drill.note for drill in drills):
        note = next(drill.note for drill in drills if drill.note)
        return f"{words.plural(len(drills), 'drill')}: {note}.{'' if ended else ' The run ended before it was complete.'}"
    counts = {name: sum(drill.verdict == name for drill in drills) for name in words.MEANINGS}
    done = sum(number for name, number in counts.items() if name not in ("skipped", "inconclusive"))
    parts = [f"{number} {words.VERDICTS[name].lower()}" for name, number in counts.items() if number]
    end = "" if ended else " The run ended before it was complete."
    if not done and verdict == "inconclusive":
        return f"No drill was executed to its end: {', '.join(parts)}.{end}"
    return f"{words.plural(len(drills), 'drill')}: {', '.join(parts)}; {words.MEANINGS[verdict]}.{end}"


def _not_judged(
    limits: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]], probes: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Of the run, and of single drills where they ask for more."""
    told = not_judged(limits, probes)
    more = ((name, sentence) for name, asked in own.items() for sentence in not_judged(asked, probes))
    return (*told, *(f"{name}: {sentence}" for name, sentence in more if sentence not in told))
