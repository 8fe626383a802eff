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


class Known(NamedTuple):
    """What the gradient remembers: the latency without load, windows since it was measured, and the limit to come back to.

    `resume` is 0.0 but while it measures; `age` is then negative and counts the windows to go.
    """

    usual_s: float
    age: int
    resume: float


class Gradient:
    """Follows the ratio of the latency without load to the present one; finds the knee without being told a latency.

    new = limit * clamp(tolerance * usual / present, 0.5, 1) + queue, smoothed.  `usual` is the least latency seen.  It is
    measured anew, at first and when latency has been above it for `probe_windows`, by cutting the limit to 1 / (2 * tolerance)
    for two windows: an average taken under load would come to think that overload is usual, and the limit would creep up to its
    maximum.
    Source: the gradient controller of Envoy's adaptive concurrency filter; `tolerance` and smoothing as in Netflix'
    Gradient2Limit.
    """

    __slots__ = ("probe_windows", "queue", "smoothing", "tolerance")

    def __init__(self, *, tolerance: float = 1.5, queue: float = 4.0, smoothing: float = 0.2, probe_windows: int = 60):
        self.tolerance = checks.number("tolerance", tolerance, low=1.0, high=100.0)
        self.queue = checks.number("queue", queue, low=0.0, high=1000.0)
        self.smoothing = checks.number("smoothing", smoothing, low=0.0, high=1.0, low_open=True)
        self.probe_windows = checks.whole("probe_windows", probe_windows, low=1)

    def next_limit(self, limit: float, window: Window, memory: Known | None) -> tuple[float, Known | None]:
        present_s = max(window.mean_latency_s, 1e-9)
        if memory is None:
            return self._probe(limit, present_s, window)
        if memory.resume:
            if memory.age < -1:  # among these are calls that began before the cut
                return limit, memory._replace(age=memory.age + 1)
            return memory.resume * (0.5 if window.dropped else 1.0), Known(present_s, 0, 0.0)
        usual_s, age = min(memory.usual_s, present_s), memory.age + 1
        if age >= self.probe_windows and present_s > 1.1 * usual_s:
            return self._probe(limit, usual_s, window)
        known = Known(usual_s, age, 0.0)
        gradient = 0.5 if window.dropped else max(0.5, min(1.0, self.tolerance * usual_s / present_s))
        target = limit * gradient + (0.0 if window.dropped else self.queue)
        new = limit * (1 - self.smoothing) + target * self.smoothing
        # A limit that is not used has not been shown to be too low.
        return (min(limit, new) if window.peak_in_flight * 2 < limit else new), known

    def _probe(self, limit: float, usual_s: float, window: Window) -> tuple[float, Known]:
        return min(limit, window.peak_in_flight) / (2 * self.tolerance), Known(usual_s, -2, limit)
