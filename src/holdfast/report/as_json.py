"""A report as JSON for other programs.  Names are stable within `holdfast.report/1`; new ones may be added.

Durations are seconds and end in `_s`; null is unknown, except where `unbounded` says that an outage had no end.
"""

from math import inf, isinf
from typing import Any

from holdfast.record.load import Load
from holdfast.record.measure import PathMeasure
from holdfast.record.repeats import Repeated, Spread
from holdfast.report.compare import Comparison, finite
from holdfast.report.findings import Finding, Judged, Report
from holdfast.report.objectives import doubt
from holdfast.report.promised import Promised
from holdfast.report.repeated import verdicts

SCHEMA = "holdfast.report/1"


def as_json(report: Report) -> dict[str, Any]:
    run = report.run
    return {
        "schema": SCHEMA,
        "service": report.service,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "summary": report.summary,
        "crashed": report.crashed,
        "run": {key: run.get(key) for key in
                ("id", "began_wall", "seed", "lab", "fidelity", "lab_notes", "programs", "holdfast_version", "command")},
        "objectives": dict(report.objectives),
        "not_judged": list(report.not_judged),
        "drills": [_drill(drill) for drill in report.drills],
        "repeats": [_repeated(report, each) for each in report.repeats],
        "baseline": comparison(report.baseline) if report.baseline else None,
        "problems": [{"where": event.subject, **event.detail} for event in report.problems],
        "record": report.record_path,
    }


def _drill(drill: Judged) -> dict[str, Any]:
    measured = drill.measure
    return {
        "name": measured.name,
        "fault": measured.fault,
        "target": measured.target,
        "struck": measured.struck,
        "verdict": drill.verdict,
        "outcome": measured.outcome,
        "reason": measured.reason or drill.note,
        "struck_at_s": measured.struck_at_s,
        "mended_at_s": measured.mended_at_s,
        "ended_at_s": measured.ended_at_s,
        "write_outage_s": _worst(drill, writes=True),
        "read_outage_s": _worst(drill, writes=False),
        "unbounded": any(path.outage_total_s is None for path in measured.paths),
        "errors": measured.errors,
        "failed_reads": measured.failed_reads,
        "refused_writes": measured.refused_writes,
        "ambiguous": measured.ambiguous,
        "acknowledged_writes": measured.acknowledged,
        "lost_writes": measured.lost,
        "lost_unknown": measured.lost_unknown,
        "resurrected_writes": measured.resurrected,
        "audits": [
            {"probe": audit.probe, "acknowledged": audit.acknowledged, "lost": audit.lost, "resurrected": audit.resurrected,
             "missing": dict(audit.missing), "problem": audit.problem}
            for audit in measured.audits
        ],
        "noticed_after_s": measured.noticed_after_s,
        "redundancy": measured.redundancy,
        "redundancy_back_after_s": measured.redundancy_back_after_s,
        "objectives": dict(drill.objectives),
        "findings": [_finding(finding) for finding in drill.findings],
        "promises": [_promised(promise) for promise in drill.promises],
        "paths": [_path(path, measured.struck_at_s or 0.0) for path in measured.paths],
        "load": _load(measured.load) if measured.load else None,
        "evidence": dict(measured.evidence),
    }


def _load(load: Load) -> dict[str, Any]:
    counts = ("due", "good", "refused", "failed", "late", "looks", "health_missed", "not_sent_to")
    return {
        **{name: getattr(load, name) for name in counts}, "capacity": load.capacity, "goodput": load.goodput,
        "lasted_s": load.lasted_s,
    }  # fmt: skip


def _worst(drill: Judged, *, writes: bool) -> float | None:
    """The longest total over the probes of one kind, 0 without an outage; null without a probe, without end, or in doubt."""
    paths = [path for path in drill.measure.paths if path.writes is writes]
    totals = [None if path.doubtful else path.outage_total_s for path in paths]
    return None if None in totals else max((total for total in totals if total is not None), default=None)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "objective": finding.objective, "probe": finding.probe, "limit": finding.limit, "measured": finding.measured,
        "met": finding.met, "sentence": finding.sentence,
    }


def _promised(promise: Promised) -> dict[str, Any]:
    return {
        "probe": promise.probe,
        "low_s": promise.low_s,
        "high_s": None if promise.high_s is None else finite(promise.high_s),
        "unbounded": promise.high_s == inf,
        "measured_s": None if promise.measured_s is None else finite(promise.measured_s),
        "kept": promise.kept,
        "given": promise.given,
        "reason": promise.reason,
        "chain": [dict(step) for step in promise.chain],
        "sentence": promise.sentence,
    }


def _path(path: PathMeasure, struck_at_s: float) -> dict[str, Any]:
    return {
        "probe": path.probe, "kind": path.kind, "writes": path.writes, "every_s": path.every_s, "calm_s": path.calm_s,
        "asked": path.asked, "yes": path.yes, "no": path.no, "unknown": path.unknown,
        "outages": [
            {"began_after_s": outage.began_s - struck_at_s, "length_s": outage.length_s,
             "ended_after_s": None if outage.ended_s is None else outage.ended_s - struck_at_s,
             "ended_by_mending": outage.by_mending}
            for outage in path.outages
        ],
        "outage_total_s": path.outage_total_s,
        "unbounded": path.outage_total_s is None,
        "longest_gap_s": path.longest_gap_s,
        "slowest_s": path.slowest_s,
        "error_share": path.error_share,
        "error_share_window_s": path.window_s,
        "late_p50_s": path.beat.p50_s,
        "late_p99_s": path.beat.p99_s,
        "late_max_s": path.beat.most_s,
        "missing": path.beat.missing,
        "doubt": doubt(path),
        "first_bad_after_s": None if path.first_bad_s is None else path.first_bad_s - struck_at_s,
    }


def _repeated(report: Report, each: Repeated) -> dict[str, Any]:
    return {
        "name": each.base,
        "fault": each.fault,
        "target": each.target,
        "drills": [drill.name for drill in each.drills],
        "verdicts": verdicts(report.of(each)),
        "write_outage_s": _spread(each.write_outage_s),
        "read_outage_s": _spread(each.read_outage_s),
        "errors": _spread(each.errors),
        "ambiguous": _spread(each.ambiguous),
        "lost_writes": _spread(each.lost),
        "noticed_after_s": _spread(each.noticed_s),
        "redundancy_back_after_s": _spread(each.redundancy_s),
    }


def _spread(spread: Spread | None) -> dict[str, Any] | None:
    """None where nothing was measured; `unbounded` samples had no end and are null."""
    if spread is None:
        return None
    return {
        "min": finite(spread.least), "median": finite(spread.middle), "max": finite(spread.most),
        "samples": [finite(sample) for sample in spread.samples], "unbounded": sum(map(isinf, spread.samples)),
    }


def comparison(compared: Comparison) -> dict[str, Any]:
    """Also what `holdfast diff` says of two runs."""
    return {
        "old": compared.old,
        "warnings": list(compared.warnings),
        "missing": list(compared.missing),
        "rows": [
            {"drill": row.drill, "probe": row.probe, "writes": row.writes, "what": row.what, "old": _spread(row.old),
             "new": _spread(row.new), "allowed": finite(row.allowed), "grown": finite(row.grown), "change": row.change,
             "sentence": row.sentence}
            for row in compared.rows
        ],
    }
