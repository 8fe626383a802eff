"""What is remembered of one check: its last result, its status after damping, since when, and its history.

Rules: changed under the lock of the engine only.  A failure is believed after `fall` in a row and warns until then; it is over
after `rise` successes in a row.  The very first result is believed at once: before it there is nothing to stay with.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from holdfast.runtime.health.results import FAIL, WARN, CheckReport, Observation, Result, Status

if TYPE_CHECKING:
    from holdfast.runtime.health.check import Check
    from holdfast.runtime.health.flight import Flight

__all__ = ["Track"]


class Track:
    __slots__ = (
        "at_s", "check", "failures", "flight", "hangs", "history", "message", "misused", "result", "runs", "since_s", "status",
        "streak", "took_s",
    )  # fmt: skip

    def __init__(self, check: Check):
        self.check = check
        self.flight: Flight | None = None
        self.result: Result | None = None
        self.message = ""
        self.status: Status | None = None
        self.at_s = self.took_s = self.since_s = 0.0
        self.streak = 0
        """Successes in a row, or failures in a row as a negative number."""
        self.runs = self.failures = self.hangs = 0
        self.misused = False
        """It has been logged that the check itself is at fault."""
        self.history: deque[Observation] = deque(maxlen=check.history)

    def fresh(self, now_s: float) -> bool:
        """A clock that was put back makes no result fresh."""
        return self.result is not None and 0.0 <= now_s - self.at_s < self.check.ttl_s

    def record(self, result: Result, message: str, now_s: float, took_s: float) -> Status | None:
        """`message` is the result's without secrets.  Gives the status before if it has changed, itself if it has not."""
        before = self.status
        failed = result.status is FAIL
        self.result, self.message, self.at_s, self.took_s = result, message, now_s, took_s
        self.runs += 1
        self.failures += failed
        self.history.append(Observation(at_s=now_s, status=result.status, message=message, took_s=took_s))
        self.streak = min(self.streak, 0) - 1 if failed else max(self.streak, 0) + 1
        if before is None:
            self.status = result.status
        elif failed:
            believed = before is FAIL or -self.streak >= self.check.fall
            self.status = FAIL if believed else WARN
        elif before is not FAIL or self.streak >= self.check.rise:
            self.status = result.status
        if self.status is not before:
            self.since_s = now_s
        return before

    def report(self, excluded: bool = False) -> CheckReport:
        check, result = self.check, self.result
        if excluded or result is None or self.status is None:
            return CheckReport(
                name=check.name, status=Status.PASS if excluded else FAIL, said=Status.PASS if excluded else FAIL,
                message="" if excluded else "has not been asked yet", critical=bool(check.critical), group=check.group,
                excluded=excluded)
        message = self.message
        if self.status is not result.status:
            said = f"{-self.streak} of {check.fall} failures" if self.streak < 0 else f"{self.streak} of {check.rise} successes"
            message = f"{message} ({said})" if message else said
        return CheckReport(
            name=check.name, status=self.status, said=result.status, message=message, critical=bool(check.critical),
            group=check.group, value=result.value, unit=result.unit, at_s=self.at_s, took_s=self.took_s, since_s=self.since_s)
