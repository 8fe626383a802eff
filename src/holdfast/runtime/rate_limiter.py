"""Rate limiter: a token bucket, kept as the one number that GCRA needs.

Rules: a call that must wait reserves its moment first, so waiting calls go in order and never burst; a moment that its call gave
up (cancellation) is handed to the next one that can use it; nobody waits longer than was allowed.
"""

from __future__ import annotations

import heapq
import math
import time
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import asleep as _asleep
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.errors import mark_unbegun
from holdfast.runtime.locks import new_lock
from holdfast.runtime.rejections import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["RateLimiter"]


class RateLimiter:
    """On average `rate` calls per `per_s` seconds, up to `burst` of them at once; in any t seconds at most burst + rate * t /
    per_s.

    max_wait_s=0 refuses at once; above, a call waits up to that long (and up to the deadline of the context) for its turn.
    Threads and tasks may share one limiter.  For a limit shared by several processes see `extras.limits`.
    Source of the algorithm: ITU-T I.371, generic cell rate algorithm (virtual scheduling).
    """

    __slots__ = (
        "_asleep", "_clock", "_freed", "_lock", "_next_s", "_slack_s", "_sleep", "_step_s", "burst", "max_wait_s", "name",
    )

    def __init__(
        self,
        rate: float,
        *,
        per_s: float = 1.0,
        burst: int = 1,
        max_wait_s: float = 0.0,
        name: str = "rate limiter",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Any] = _asleep,
    ):
        checks.number("rate", rate, low=0.0, high=1e9, low_open=True)
        self._step_s = checks.number("per_s", per_s, low=0.0, low_open=True) / rate
        self.burst = checks.whole("burst", burst, low=1)
        if not math.isfinite(self._step_s * self.burst):  # a call that is never due would be let through
            raise ValueError(f"rate is {rate!r}; it must be a number with a finite per_s / rate, also times burst")
        self.max_wait_s = checks.number("max_wait_s", max_wait_s, low=0.0)
        self.name = name
        self._clock: Callable[[], float] = checks.function("clock", clock)
        self._sleep, self._asleep = checks.function("sleep", sleep), checks.function("asleep", asleep)
        self._slack_s = self._step_s * (self.burst - 1)
        self._next_s = float("-inf")  # the "theoretical arrival time" of the next call
        self._freed: list[float] = []  # moments that were given up, earliest first
        self._lock = new_lock()

    def acquire(self) -> None:
        """Returns when the call may go; RateLimited when that is too far off."""
        moment_s = self._reserve()
        while (wait_s := moment_s - self._clock()) > 0.0:
            try:
                self._sleep(wait_s)
            except BaseException:
                self._give_up(moment_s)
                raise

    async def aacquire(self) -> None:
        moment_s = self._reserve()
        while (wait_s := moment_s - self._clock()) > 0.0:
            try:
                await self._asleep(wait_s)
            except BaseException as order:
                self._give_up(moment_s)
                mark_unbegun(order)
                raise

    def wait_s(self) -> float:
        """Seconds until a call made now could go."""
        with self._lock:
            now_s: float = self._clock()
            return max(0.0, self._earliest_s(now_s) - now_s)

    def _earliest_s(self, now_s: float) -> float:
        while self._freed and self._freed[0] < now_s:  # past moments are gone, as tokens above the burst are
            heapq.heappop(self._freed)
        return self._freed[0] if self._freed else max(now_s, self._next_s - self._slack_s)

    def _reserve(self) -> float:
        """The moment of the call, on the clock."""
        patience_s = (remaining_s(self.max_wait_s) or 0.0) if self.max_wait_s else 0.0
        with self._lock:
            now_s = self._clock()
            moment_s = self._earliest_s(now_s)
            wait_s = moment_s - now_s
            if wait_s > patience_s:
                raise RateLimited(f"{self.name}: the next call may go in {wait_s:.3g} s", retry_after_s=wait_s, policy=self.name)
            if self._freed:
                heapq.heappop(self._freed)
            else:
                self._next_s = max(self._next_s, now_s) + self._step_s
            return moment_s

    def _give_up(self, moment_s: float) -> None:
        with self._lock:
            heapq.heappush(self._freed, moment_s)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.acquire()
        result: R = once(function, args, kwargs)
        return result

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        await self.aacquire()
        return await settled(function, args, kwargs)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)
