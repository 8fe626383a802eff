"""What a check says, what is known of it, and the verdict over several: frozen values.

Rules: times are of the clock of the Health, in seconds; nothing here knows the time of day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks

if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["liveness", "readiness", "startup"]

__all__ = ["CheckReport", "GroupReport", "HealthEvent", "Observation", "Report", "Result", "Status", "worst"]


class Status(StrEnum):
    """The three of draft-inadarei-api-health-check-06, section 3.1: healthy, healthy with some concerns, unhealthy."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


# Plain names: what they are is looked at several times per probe, and an attribute of an Enum class is slow to look up.
PASS, WARN, FAIL = Status.PASS, Status.WARN, Status.FAIL
_SEVERITY = {PASS: 0, WARN: 1, FAIL: 2}


def worst(statuses: Iterable[Status]) -> Status:
    """PASS when there are none."""
    return max(statuses, key=_SEVERITY.__getitem__, default=PASS)


@dataclass(frozen=True, slots=True, init=False)
class Result:
    """What a check may return when True and None say too little: `Result("warn", "82 % used", value=82, unit="%")`.

    `value` is a number, a text, a bool or None.  ValueError for an unknown status and for anything that JSON cannot say.
    """

    status: Status
    message: str
    value: float | int | str | bool | None
    unit: str

    def __init__(
        self, status: Status | Literal["pass", "warn", "fail"], message: str = "",
        value: float | int | str | bool | None = None, unit: str = "",
    ) -> None:
        told = Status(checks.one_of("status", status, tuple(Status)))
        for name, text in (("message", message), ("unit", unit)):
            if not isinstance(text, str):
                raise ValueError(f"{name} is {text!r}; it must be a text")
        good = value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        if not good:
            raise ValueError(f"value is {value!r}; it must be a finite number, a text, a bool or None")
        for name, given in (("status", told), ("message", message), ("value", value), ("unit", unit)):
            object.__setattr__(self, name, given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One run of a check that ended, as its history keeps it."""

    at_s: float
    status: Status
    message: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What is known of one check."""

    name: str
    status: Status
    """After damping."""
    said: Status
    """What its last run said."""
    message: str
    """Without secrets."""
    critical: bool
    group: str = ""
    value: float | int | str | bool | None = None
    unit: str = ""
    cause: str = ""
    """The failed check to which this failure is due, when it is not a cause itself."""
    at_s: float = 0.0
    """When the last run ended."""
    took_s: float = 0.0
    since_s: float = 0.0
    """When it took on its status."""
    excluded: bool = False
    """It was neither asked nor counted, because the question said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    name: str
    status: Status
    good: int
    """Members that do not fail."""
    members: int
    at_least: int | None
    critical: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict, and what led to it.  Checks are in the order in which they were registered."""

    service: str
    kind: Kind
    status: Status
    checks: tuple[CheckReport, ...] = ()
    groups: tuple[GroupReport, ...] = ()
    causes: tuple[str, ...] = ()
    """Names of the checks that fail and whose failure is nobody else's."""
    draining: bool = False
    notes: tuple[str, ...] = ()
    at_s: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether to answer 200: it passes or warns."""
        return self.status is not FAIL

    def __getitem__(self, name: str) -> CheckReport:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthEvent:
    """A check changed its status, or the program began or ended draining (then `check` is empty)."""

    service: str
    kind: Literal["status", "draining", "serving"]
    at_s: float
    check: str = ""
    status: Status | None = None
    previous: Status | None = None
    """None for the first one."""
    message: str = ""


def failed(message: str, **more: Any) -> Result:
    return Result(FAIL, message, **more)
