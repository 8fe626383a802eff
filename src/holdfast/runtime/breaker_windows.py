"""What happened lately: the last so many calls, or the last so many seconds.

Rules: `record` is called under the breaker's lock; a fast success, which cannot raise a rate, is only `next(window.fast)`, and
that is one step for the interpreter, so that it needs no lock.  Every method that counts gives (calls, failures, slow calls).
"""

from __future__ import annotations

import sys
from itertools import repeat
from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NONE: list[int] = []  # the slow calls of every breaker for which no call is slow: it stays empty, and saves each of them a list


def counter() -> Iterator[None]:
    """Counts in one step of the interpreter, and can be read (`__length_hint__`) without counting.  itertools.count cannot be
    read, and an iterator over a range makes an integer for each call that nobody wants."""
    return repeat(None, sys.maxsize)


def value_of(fast: Iterator[None]) -> int:
    return sys.maxsize - int(fast.__length_hint__())  # type: ignore[attr-defined]


def one_step() -> bool:
    """Whether `next(window.fast)` is one step here: not on a free-threaded build, where two threads may count one call."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class CountWindow:
    """The last `size` calls.  Outcomes are numbered; only the numbers of the bad ones are kept.  `timed`: calls may be slow."""

    __slots__ = ("_failed", "_size", "_slow", "ends_s", "fast", "failures_ever", "slow_ever")

    def __init__(self, size: int, timed: bool) -> None:
        self._size = size
        self._failed: list[int] = []
        self._slow = [] if timed else _NONE
        self.fast = counter()
        self.ends_s = inf  # nothing leaves this window because time passes
        self.failures_ever = 0
        self.slow_ever = 0

    def record(self, now_s: float, failed: bool, slow: bool) -> tuple[int, int, int]:
        next(self.fast)
        number = value_of(self.fast)  # fast successes may have come in between: as if they had been before this one
        oldest = number - self._size
        for bad, kept in ((failed, self._failed), (slow, self._slow)):
            if bad:
                kept.append(number)
            while kept and kept[0] <= oldest:
                del kept[0]
        self.failures_ever += failed
        self.slow_ever += slow
        return min(number, self._size), len(self._failed), len(self._slow)

    def counts(self, now_s: float) -> tuple[int, int, int]:
        number = value_of(self.fast)
        oldest = number - self._size
        failed = sum(each > oldest for each in self._failed)
        return min(number, self._size), failed, sum(each > oldest for each in self._slow)

    def successes_ever(self) -> int:
        return value_of(self.fast) - self.failures_ever


class _Bucket:
    __slots__ = ("failures", "fast", "number", "slow")

    def __init__(self, number: int) -> None:
        self.number = number
        self.fast = counter()  # all calls
        self.failures = 0
        self.slow = 0


class TimeWindow:
    """The last `parts` buckets of time, the newest still filling: between `parts - 1` and `parts` bucket lengths."""

    __slots__ = ("_buckets", "_began_s", "_calls_gone", "_length_s", "_parts", "ends_s", "failures_ever", "fast", "slow_ever")

    def __init__(self, window_s: float, parts: int, now_s: float) -> None:
        self._began_s = now_s
        self._length_s = window_s / parts
        self._parts = parts
        self._buckets = [_Bucket(0)]
        self._calls_gone = 0
        self.fast = self._buckets[0].fast
        self.ends_s = now_s + self._length_s
        self.failures_ever = 0
        self.slow_ever = 0

    def record(self, now_s: float, failed: bool, slow: bool) -> tuple[int, int, int]:
        if now_s >= self.ends_s:
            self._rotate(now_s)
        bucket = self._buckets[-1]
        next(bucket.fast)
        bucket.failures += failed
        bucket.slow += slow
        self.failures_ever += failed
        self.slow_ever += slow
        return self._sum(bucket.number)

    def counts(self, now_s: float) -> tuple[int, int, int]:
        return self._sum(max(self._buckets[-1].number, self._number(now_s)))

    def successes_ever(self) -> int:
        return self._calls_gone + sum(value_of(each.fast) for each in self._buckets) - self.failures_ever

    def _number(self, now_s: float) -> int:
        return int((now_s - self._began_s) / self._length_s)

    def _rotate(self, now_s: float) -> None:
        # `max`: rounding may put a moment at the very end of a bucket into the one before.
        number = max(self._number(now_s), self._buckets[-1].number + 1)
        fresh = _Bucket(number)
        kept = [each for each in self._buckets if each.number > number - self._parts]
        self._calls_gone += sum(value_of(each.fast) for each in self._buckets if each.number <= number - self._parts)
        self._buckets = [*kept, fresh]
        self.fast = fresh.fast
        self.ends_s = self._began_s + (number + 1) * self._length_s

    def _sum(self, newest: int) -> tuple[int, int, int]:
        calls = failures = slow = 0
        for each in self._buckets:
            if each.number > newest - self._parts:
                calls += value_of(each.fast)
                failures += each.failures
                slow += each.slow
        return calls, failures, slow
