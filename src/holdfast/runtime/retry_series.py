"""The attempts of one call from the first failure on: whether and when the next one follows.

Rules: nothing here calls or sleeps, so plain and async calls share it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.errors import not_asked

if TYPE_CHECKING:
    from holdfast.runtime.retry import Retry

__all__ = ["RetryEvent", "Series"]


class RetryEvent(NamedTuple):
    """Another attempt follows in `delay_s`.  `attempt` counts from 1 and is the one that failed; `error` is None for a bad
    result.
    """

    policy: str
    attempt: int
    delay_s: float
    error: Exception | None
    result: Any


class Series:
    """The attempts of one call, from the first failure on."""

    __slots__ = ("began_s", "delays", "failed", "retry")

    def __init__(self, retry: Retry, began_s: float):
        self.retry, self.began_s, self.failed = retry, began_s, 0
        self.delays = retry.backoff.delays(retry._rng)

    def accepts(self, result: Any) -> bool:
        retry = self.retry
        if retry._unwanted is not None and retry._unwanted(result):
            return False
        if retry.budget is not None:
            retry.budget.succeeded()
        return True

    def pause_s(self, error: Exception | None, result: Any) -> float | None:
        """Seconds until the next attempt, None when there is none."""
        retry = self.retry
        self.failed += 1
        if not self._paid(error) or self.failed >= retry.attempts:
            return None
        delay_s = next(self.delays)
        asked_s = retry._retry_after(result if error is None else error)
        if asked_s is not None:
            if not asked_s <= retry.max_retry_after_s:  # NaN does not pass either
                return None
            delay_s = max(delay_s, asked_s)
        if delay_s >= self._left_s():  # sleeping would only make the failure later
            return None
        self._tell(RetryEvent(retry.name, self.failed, delay_s, error, result))
        return delay_s

    def _paid(self, error: Exception | None) -> bool:
        """Whether the budget allows another attempt.  Charged for every failure, also for the last one of a call."""
        budget = self.retry.budget
        if budget is None:
            return True
        # A policy within that refused has kept the load from the service already.
        return budget.allows if error is not None and not_asked(error) else budget.failed()

    def over(self) -> bool:
        """After a pause: it may have lasted longer than it was meant to, on a busy or a suspended machine."""
        return self._left_s() <= 0.0

    def _left_s(self) -> float:
        left_s = remaining_s()
        if left_s is None:
            left_s = math.inf
        if self.retry.total_s is None:
            return left_s
        own_s: float = self.began_s + self.retry.total_s - self.retry._clock()
        return min(left_s, own_s)

    def _tell(self, event: RetryEvent) -> None:
        if self.retry._listener is not None:
            try:
                self.retry._listener(event)
            except Exception:
                pass
