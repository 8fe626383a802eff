"""The state of all checks in Prometheus' text format 0.0.4, written by hand: the library is not needed for that.

Rules: no message is in it, for messages have no bound on how many different ones there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from holdfast.runtime.health.answers import Answer
from holdfast.runtime.health.health import Health
from holdfast.runtime.health.results import Report, Status

__all__ = ["metrics"]

KIND = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
Sample = tuple[dict[str, str], float]


def _family(name: str, kind: str, what: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        inside = ",".join(f'{key}="{label.translate(_ESCAPED)}"' for key, label in labels.items())
        yield f"{name}{{{inside}}} {value:.10g}"


def metrics(health: Health, reports: Sequence[Report]) -> Answer:
    """Of the reports of all kinds, asked before; always 200: it tells of the health and does not judge the scrape."""
    service = {"service": health.service}
    now_s = health.now_s()
    checks = {check.name: check for report in reports for check in report.checks}
    of_each = {name: {**service, "check": name} for name in checks}
    runs = health.counts()
    lines: list[str] = []
    for name, kind, what, samples in (
        ("holdfast_health_status", "gauge", "1 for the status that the verdict has", [
            ({**service, "kind": report.kind, "status": str(status)}, float(report.status is status))
            for report in reports for status in Status]),
        ("holdfast_health_draining", "gauge", "1 while the program is shutting down", [(service, float(bool(health.draining)))]),
        ("holdfast_health_check_status", "gauge", "1 for the status that the check has, after damping", [
            ({**of_each[check.name], "status": str(status)}, float(check.status is status))
            for check in checks.values() for status in Status]),
        ("holdfast_health_check_critical", "gauge", "1 when its failure is a failure of the whole", [
            (of_each[check.name], float(check.critical)) for check in checks.values()]),
        ("holdfast_health_check_cause", "gauge", "1 when it fails and no other failure explains that", [
            (of_each[check.name], float(check.status is Status.FAIL and not check.cause)) for check in checks.values()]),
        ("holdfast_health_check_duration_seconds", "gauge", "How long its last run took", [
            (of_each[check.name], check.took_s) for check in checks.values()]),
        ("holdfast_health_check_age_seconds", "gauge", "How long ago its last run ended", [
            (of_each[check.name], max(0.0, now_s - check.at_s)) for check in checks.values()]),
        ("holdfast_health_check_state_seconds", "gauge", "How long it has had its status", [
            (of_each[check.name], max(0.0, now_s - check.since_s)) for check in checks.values()]),
        ("holdfast_health_check_value", "gauge", "What it measured, in its own unit", [
            ({**of_each[check.name], "unit": check.unit}, float(check.value)) for check in checks.values()
            if isinstance(check.value, int | float)]),
        ("holdfast_health_check_runs_total", "counter", "Runs that ended", [
            (of_each[name], runs[name][0]) for name in checks]),
        ("holdfast_health_check_failures_total", "counter", "Runs that failed", [
            (of_each[name], runs[name][1]) for name in checks]),
        ("holdfast_health_check_hangs_total", "counter", "Times that it was due and its last run had not returned", [
            (of_each[name], runs[name][2]) for name in checks]),
    ):
        lines += _family(name, kind, what, samples)
    return Answer(200, KIND, ("\n".join(lines) + "\n").encode())
