"""What a breaker tells: one event to its listeners, one snapshot to whoever asks.

Rules: imported when first needed, because `dataclasses` is slow to import.  Times are of the breaker's clock, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from holdfast.runtime.breaker_eras import State

    Kind = Literal["state", "success", "failure", "ignored", "rejected"]
    Listener = Callable[["BreakerEvent"], object]

KINDS = ("state", "success", "failure", "ignored", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerEvent:
    """One thing that happened.  `era` grows with every change of state: events of several threads may arrive in any order."""

    kind: Kind
    breaker: str
    at_s: float
    era: int
    state: State
    """After it happened."""
    previous: State | None = None
    """Of kind state: the state before."""
    reason: str = ""
    """Of kind state: rate, trials, waited, too_long, asked, settings."""
    duration_s: float | None = None
    """Of a call, where anybody looked at the clock."""
    error: BaseException | None = None
    retry_after_s: float | None = None
    """Of kind rejected, and of a change to open: how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSnapshot:
    """State and counts at one moment."""

    breaker: str
    state: State
    era: int
    since_s: float
    retry_after_s: float | None
    """Seconds until an open breaker lets a trial through (0.0: the next call is one); None in other states."""
    calls: int
    """In the window, or in this round of trials."""
    failures: int
    slow_calls: int
    failure_rate: float | None
    """None while there are fewer than `min_calls`."""
    slow_rate: float | None
    in_flight: int
    """Trials; 0 when not half-open."""
    successes_ever: int
    """Since the breaker was made; a late result, of an era that is over, is counted nowhere."""
    failures_ever: int
    slow_ever: int
    ignored_ever: int
    rejected_ever: int
    opened_ever: int
