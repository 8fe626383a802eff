"""How many calls may be in flight, learnt from latency: two algorithms, each a pure function from a window of calls to the next
limit.

`next_limit(limit, window, memory) -> (limit, memory)`; the memory is the algorithm's own, None at first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.runtime import checks

__all__ = ["AIMD", "Gradient", "Window"]


class Window(NamedTuple):
    """The calls that ended in one stretch of time."""

    calls: int
    mean_latency_s: float
    peak_in_flight: int
    dropped: bool


class AIMD:
    """One more per window while the limit is used and latency is fine; times `backoff` after a drop or when latency is above
    `latency_s`.

    Needs no idea of a normal latency, only of a bad one.  Source: Chiu and Jain, 1989 (the rule of TCP's congestion window).
    """

    __slots__ = ("backoff", "increase", "latency_s")

    def __init__(self, *, latency_s: float, increase: float = 1.0, backoff: float = 0.9):
        self.latency_s = checks.number("latency_s", latency_s, low=0.0, low_open=True)
        self.increase = checks.number("increase", increase, low=0.0, high=1000.0, low_open=True)
        self.backoff = checks.number("backoff", backoff, low=0.0, high=1.0, low_open=True, high_open=True)

    def next_limit(self, limit: float, window: Window, memory: Any) -> tuple[float, Any]:
        if window.dropped or window.mean_latency_s > self.latency_s:
            return limit * self.backoff, memory
        if window.peak_in_flight * 2 < limit:  # an idle service proves nothing
            return limit, memory
        return limit + self.increase, memory


class Gradient:
    """Follows the ratio of the usual latency to the present one; finds the knee without being told a latency.

    new = limit * clamp(tolerance * usual / present, 0.5, 1) + queue, smoothed.  `usual` is an exponential average over about
    `memory_windows` windows; when it is far above the present latency it is let decay, so that a slow start is forgotten.
    Source: Netflix concurrency-limits, Gradient2Limit (description in its javadoc).
    """

    __slots__ = ("memory_windows", "queue", "smoothing", "tolerance")

    def __init__(self, *, tolerance: float = 1.5, queue: float = 4.0, smoothing: float = 0.2, memory_windows: int = 600):
        self.tolerance = checks.number("tolerance", tolerance, low=1.0, high=100.0)
        self.queue = checks.number("queue", queue, low=0.0, high=1000.0)
        self.smoothing = checks.number("smoothing", smoothing, low=0.0, high=1.0, low_open=True)
        self.memory_windows = checks.whole("memory_windows", memory_windows, low=1)

    def next_limit(self, limit: float, window: Window, memory: Any) -> tuple[float, Any]:
        present_s = max(window.mean_latency_s, 1e-9)
        usual_s = present_s if memory is None else memory + (present_s - memory) * 2 / (self.memory_windows + 1)
        if usual_s > 2 * present_s:
            usual_s *= 0.95
        if not window.dropped and window.peak_in_flight * 2 < limit:
            return limit, usual_s
        gradient = 0.5 if window.dropped else max(0.5, min(1.0, self.tolerance * usual_s / present_s))
        target = limit * gradient + (0.0 if window.dropped else self.queue)
        return limit * (1 - self.smoothing) + target * self.smoothing, usual_s
