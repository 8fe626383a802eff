"""Adaptive concurrency: a bulkhead whose size follows the latency of the calls, because nobody knows the right number in
advance.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.concurrency import AIMD, Gradient, Window
from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.errors import not_asked
from holdfast.runtime.locks import new_lock
from holdfast.runtime.rejections import BulkheadFull
from holdfast.runtime.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["AdaptiveLimiter"]


class AdaptiveLimiter:
    """Refuses (BulkheadFull) above the present limit.

    algorithm   AIMD or Gradient
    dropped_on  failures that mean overload: exception class, tuple of them, or function of the exception.  Other failures say
                nothing about the limit (they are often fast) and are not counted, nor are cancelled calls and those that a
                policy within refused, whatever `dropped_on` says.  When that function raises, it is logged and counts as
                overload
    window_s    the limit is set anew at most this often, and after `window_calls` calls at least
    """

    __slots__ = (
        "_calls", "_clock", "_dropped", "_is_drop", "_limit", "_lock", "_memory", "_peak", "_since_s", "_slots", "_total_s",
        "algorithm", "max_limit", "max_wait_s", "min_limit", "name", "window_calls", "window_s",
    )

    def __init__(
        self,
        algorithm: AIMD | Gradient,
        *,
        start: int = 20,
        min_limit: int = 1,
        max_limit: int = 1000,
        max_waiting: int = 0,
        max_wait_s: float = 1.0,
        dropped_on: Any = TimeoutError,
        window_s: float = 1.0,
        window_calls: int = 10,
        name: str = "adaptive limiter",
        clock: Callable[[], float] = time.monotonic,
    ):
        if isinstance(algorithm, type) or not callable(getattr(algorithm, "next_limit", None)):
            raise ValueError(f"algorithm is {algorithm!r}; it must be AIMD(...) or Gradient(...)")
        self.algorithm = algorithm
        self.min_limit = checks.whole("min_limit", min_limit, low=1)
        self.max_limit = checks.whole("max_limit", max_limit, low=self.min_limit)
        self._limit = float(checks.whole("start", start, low=self.min_limit, high=self.max_limit))
        self.max_wait_s = checks.number("max_wait_s", max_wait_s, low=0.0)
        self.window_s = checks.number("window_s", window_s, low=0.0)
        self.window_calls = checks.whole("window_calls", window_calls, low=1)
        self._is_drop = checks.matcher("dropped_on", dropped_on, broken=True)
        self._slots = Slots(int(self._limit), checks.whole("max_waiting", max_waiting, low=0))
        self.name, self._clock, self._lock = name, checks.function("clock", clock), new_lock()
        self._memory: Any = None
        self._begin(clock())

    @property
    def limit(self) -> int:
        return self._slots.size

    @property
    def in_flight(self) -> int:
        return self._slots.taken

    @property
    def waiting(self) -> int:
        return len(self._slots.waiters)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not self._slots.take() and not self._slots.wait(remaining_s(self.max_wait_s) or 0.0):
            raise self._full()
        began_s, in_flight, counts, dropped = self._clock(), self._slots.taken, False, False
        try:
            result: R = once(function, args, kwargs)
            counts = True
            return result
        except Exception as error:
            counts = dropped = not not_asked(error) and self._is_drop(error)
            raise
        finally:
            self._slots.give()
            if counts:
                self._learn(began_s, in_flight, dropped)

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if not self._slots.take() and not await self._slots.await_(remaining_s(self.max_wait_s) or 0.0):
            raise self._full()
        began_s, in_flight, counts, dropped = self._clock(), self._slots.taken, False, False
        try:
            result = await settled(function, args, kwargs)
            counts = True
            return result
        except Exception as error:
            counts = dropped = not not_asked(error) and self._is_drop(error)
            raise
        finally:
            self._slots.give()
            if counts:
                self._learn(began_s, in_flight, dropped)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)

    def _full(self) -> BulkheadFull:
        return BulkheadFull(f"{self.name}: all {self.limit} slots of the present limit are taken", policy=self.name)

    def _begin(self, now_s: float) -> None:
        self._since_s, self._calls, self._total_s, self._peak, self._dropped = now_s, 0, 0.0, 0, False

    def _learn(self, began_s: float, in_flight: int, dropped: bool) -> None:
        now_s = self._clock()
        with self._lock:
            self._calls += 1
            self._total_s += max(0.0, now_s - began_s)
            self._peak = max(self._peak, in_flight)
            self._dropped = self._dropped or dropped
            if self._calls < self.window_calls or now_s - self._since_s < self.window_s:
                return
            window = Window(self._calls, self._total_s / self._calls, self._peak, self._dropped)
            limit, self._memory = self.algorithm.next_limit(self._limit, window, self._memory)
            self._limit = min(float(self.max_limit), max(float(self.min_limit), limit))
            self._begin(now_s)
            if (size := int(self._limit)) != self._slots.size:
                self._slots.resize(size)
