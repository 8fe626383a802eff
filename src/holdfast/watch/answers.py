"""One verdict in the forms that others read: JSON, `application/health+json`, Prometheus' text, and events for the page."""

import json
import re
from collections.abc import Iterator
from typing import Any

from holdfast.watch.aggregate import Group, Member, Verdict
from holdfast.watch.standing import Standing

SCHEMA = "holdfast.watch/1"
CODES = {"pass": 200, "warn": 200, "fail": 503}
"""Status codes that a balancer understands; a warning still serves."""
_VALUES = {"pass": 1.0, "warn": 0.5, "fail": 0.0}


def as_json(verdict: Verdict, now_s: float) -> dict[str, Any]:
    """Everything.  `now_s` is the moment on the loop's clock, from which ages are counted."""
    return {
        "schema": SCHEMA, "service": verdict.service, "status": verdict.status, "why": verdict.why,
        "groups": [_group(group, now_s) for group in verdict.groups],
    }  # fmt: skip


def _group(group: Group, now_s: float) -> dict[str, Any]:
    return {
        "name": group.name, "status": group.status, "why": group.why, "up": group.up, "need": group.need, "total": group.total,
        "members": [_member(member, now_s) for member in group.members],
    }  # fmt: skip


def _member(member: Member, now_s: float) -> dict[str, Any]:
    return {
        "name": member.name, "status": member.status, "role": member.role, "why": member.why, "weight": member.weight,
        "in_state_s": None if member.since_s is None else round(now_s - member.since_s, 3),
        "questions": [_question(each, now_s) for each in member.questions],
    }  # fmt: skip


def _question(standing: Standing, now_s: float) -> dict[str, Any]:
    last = standing.last
    return {
        "asks": standing.target.said, "level": standing.target.level, "state": standing.state, "asked": standing.asked,
        "bad": standing.bad, "detail": last.detail if last else "", "took_s": round(last.took_s, 6) if last else None,
        "age_s": round(now_s - last.asked_s, 3) if last else None,
        "history": standing.history,
    }  # fmt: skip


def as_health(verdict: Verdict) -> dict[str, Any]:
    """The shape of the draft "Health Check Response Format for HTTP APIs" (draft-inadarei-api-health-check, 3 and 4)."""
    checks = {
        f"{group.name}:{member.name}": [{"componentId": member.name, "status": member.status,
                                         **({"output": member.why} if member.why else {})}]
        for group in verdict.groups for member in group.members
    }  # fmt: skip
    why = {"output": verdict.why} if verdict.why else {}
    return {"status": verdict.status, "serviceId": verdict.service, **why, "checks": checks}


def as_prometheus(verdict: Verdict) -> str:
    """Text format 0.0.4."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    service = _quoted(verdict.service)
    yield "# HELP holdfast_watch_service_status 1 pass, 0.5 warn, 0 fail."
    yield "# TYPE holdfast_watch_service_status gauge"
    yield f"holdfast_watch_service_status{{service={service}}} {_VALUES[verdict.status]:g}"
    for name, what, value in (
        ("group_status", "1 pass, 0.5 warn, 0 fail.", lambda group: _VALUES[group.status]),
        ("group_up", "Weight of the members that are up.", lambda group: group.up),
        ("group_need", "Weight that must be up.", lambda group: group.need),
    ):
        yield f"# HELP holdfast_watch_{name} {what}"
        yield f"# TYPE holdfast_watch_{name} gauge"
        for group in verdict.groups:
            yield f"holdfast_watch_{name}{{service={service},group={_quoted(group.name)}}} {value(group):g}"
    yield "# HELP holdfast_watch_member_up Whether its process is there and its service is right."
    yield "# TYPE holdfast_watch_member_up gauge"
    for group in verdict.groups:
        for member in group.members:
            labels = f"service={service},group={_quoted(group.name)},member={_quoted(member.name)},role={_quoted(member.role)}"
            yield f"holdfast_watch_member_up{{{labels}}} {int(member.status == 'pass')}"
    yield "# HELP holdfast_watch_questions_total Questions that were answered or given up, by what came of them."
    yield "# TYPE holdfast_watch_questions_total counter"
    for group in verdict.groups:
        for member in group.members:
            for each in member.questions:
                labels = f"service={service},member={_quoted(member.name)},question={_quoted(each.target.name)}"
                yield f'holdfast_watch_questions_total{{{labels},answer="good"}} {each.asked - each.bad}'
                yield f'holdfast_watch_questions_total{{{labels},answer="bad"}} {each.bad}'


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text).replace("\n", "\\n") + '"'


def as_event(verdict: Verdict, now_s: float) -> bytes:
    """One server-sent event (WHATWG HTML, 9.2)."""
    return b"data: " + json.dumps(as_json(verdict, now_s), separators=(",", ":")).encode() + b"\n\n"
