"""A Report as health+json, as text, as Kubernetes writes it, and as Prometheus reads it: pure functions.

Rules: the public answer is the status and nothing else; names, messages and values are for operators.  No answer may be cached
by anybody.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from holdfast.runtime.health.results import FAIL, PASS, CheckReport, Report

__all__ = ["Answer", "error", "health_json", "kubernetes", "text"]

HEALTH_JSON = "application/health+json"
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """The same one is sent to many, so its headers are written once."""

    status: int
    kind: str
    body: bytes
    more: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """As ASGI wants them."""
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]

    @functools.cached_property
    def headers(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", self.kind), ("Content-Length", str(len(self.body))), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), *self.more,
        ]  # fmt: skip


def code(report: Report) -> int:
    """200 for pass and warn, 503 for fail."""
    return 200 if report.ok else 503


def error(status: int, words: str, *more: tuple[str, str]) -> Answer:
    return Answer(status, PLAIN, f"{words}\n".encode(), more)


def _facts(check: CheckReport, now_s: float) -> dict[str, Any]:
    """Draft section 4; the keys with a unit at the end are ours (section 4.10).  `time` is left out: it would be the time of
    day, and an age needs no clock that the reader shares."""
    facts: dict[str, Any] = {"status": str(check.status)}
    if check.value is not None:
        facts["observedValue"] = check.value
    if check.unit:
        facts["observedUnit"] = check.unit
    if check.message and check.status is not PASS:
        facts["output"] = check.message
    elif check.message:
        facts["note"] = check.message
    if check.cause:
        facts["cause"] = check.cause
    if check.group:
        facts["group"] = check.group
    facts["critical"] = check.critical
    if check.excluded:
        return {**facts, "excluded": True}
    return {
        **facts, "age_s": round(max(0.0, now_s - check.at_s), 3), "took_s": round(check.took_s, 6),
        "for_s": round(max(0.0, now_s - check.since_s), 3),
    }  # fmt: skip


def health_json(report: Report, now_s: float, details: bool) -> Answer:
    """draft-inadarei-api-health-check-06."""
    said: dict[str, Any] = {"status": str(report.status)}
    if details:
        if report.service:
            said["serviceId"] = report.service
        said["description"] = report.kind
        if report.notes:
            said["notes"] = list(report.notes)
        outputs = [f"{name}: {report[name].message}" for name in report.causes]
        if outputs:
            said["output"] = "; ".join(outputs)
        said["checks"] = {check.name: [_facts(check, now_s)] for check in report.checks}
        if report.groups:
            said["groups"] = {
                group.name: {
                    "status": str(group.status), "good": group.good, "members": group.members, "at_least": group.at_least,
                }
                for group in report.groups
            }
    return Answer(code(report), HEALTH_JSON, (json.dumps(said, indent=2 if details else None) + "\n").encode())


def text(report: Report, now_s: float, details: bool) -> Answer:
    """For people: one line for the whole and, for operators, one for each check."""
    lines = [str(report.status)]
    if details:
        lines = [f"{report.status} {report.kind}" + (f" of {report.service}" if report.service else "")]
        lines += [f"  {note}" for note in report.notes]
        wide = max((len(check.name) for check in report.checks), default=0)
        for check in report.checks:
            age = "excluded" if check.excluded else f"{max(0.0, now_s - check.at_s):.1f} s ago"
            for_s = "" if check.excluded else f", for {max(0.0, now_s - check.since_s):.1f} s"
            flag = "" if check.critical else ", not critical"
            because = f", because of {check.cause}" if check.cause else ""
            lines.append(f"  {check.status:4}  {check.name:{wide}}  {age}{for_s}{flag}{because}"
                         + (f": {check.message}" if check.message else ""))
    return Answer(code(report), PLAIN, ("\n".join(lines) + "\n").encode())


def kubernetes(report: Report, path: str, exclude: Iterable[str], verbose: bool, details: bool) -> Answer:
    """As Kubernetes' own servers answer (k8s.io/apiserver/pkg/server/healthz), but 503 instead of 500.

    Names are shown with `verbose`, or with `details`; reasons with `details` alone.
    """
    known = {check.name for check in report.checks}
    unknown = [name for name in exclude if name not in known]
    lines = []
    for check in report.checks:
        if check.excluded:
            lines.append(f"[+]{check.name} excluded: ok")
        elif check.status is FAIL:
            reason = check.message if details else "reason withheld"
            lines.append(f"[-]{check.name} failed: {reason}" + ("" if check.critical else " (not critical)"))
        else:
            concern = f" (warning: {check.message})" if details and check.status is not PASS else ""
            lines.append(f"[+]{check.name} ok{concern}")
    if report.draining and report.kind == "readiness":
        lines.append(f"[-]shutdown failed: {report.notes[0] if details and report.notes else 'reason withheld'}")
    if unknown:
        quoted = ",".join(json.dumps(name[:64]) for name in unknown[:20])
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    if report.ok and not verbose:
        body = "ok"
    else:
        shown = lines if verbose or details else []
        body = "\n".join([*shown, f"{path} check {'passed' if report.ok else 'failed'}", ""])
    return Answer(code(report), PLAIN, body.encode())
