"""Ready-made checks of the program itself: the lag of its event loop, a circuit breaker, the depth of a queue.

Rules: those that never wait say so (`instant`) and need neither a thread nor a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.health.results import FAIL, PASS, WARN, Result, Status

if TYPE_CHECKING:
    import asyncio

    from holdfast.runtime.breaker import CircuitBreaker

__all__ = ["BreakerState", "EventLoopLag", "QueueDepth", "limits", "measured"]


def limits(
    warn: Any, fail: Any, names: tuple[str, str] = ("warn", "fail"), high: float = 1e15,
) -> tuple[float | None, float | None]:
    """Two rising limits, of which one may be None."""
    low = checks.optional(checks.number, names[0], warn, low=0.0, high=high)
    top = checks.optional(checks.number, names[1], fail, low=0.0, high=high)
    if low is None and top is None:
        raise ValueError(f"{names[0]} and {names[1]} are None; at least one must be a number")
    if low is not None and top is not None and low > top:
        raise ValueError(f"{names[0]} is {low:g}; it must be a number with {names[0]} <= {names[1]} = {top:g}")
    return low, top


def measured(value: float, warn: float | None, fail: float | None, unit: str, what: str) -> Result:
    """At a limit, not only above it."""
    status: Status = PASS
    if fail is not None and value >= fail:
        status = FAIL
    elif warn is not None and value >= warn:
        status = WARN
    limit = fail if status is FAIL else warn
    return Result(status, "" if status is PASS else f"{what} is {value:.4g} {unit}, the limit is {limit:g}", value, unit)


class EventLoopLag:
    """How late the event loop is: a coroutine that computes for two seconds delays everybody else by as much.

    `lag = EventLoopLag(); lag.start()` in the loop; `health.add(Check("loop", lag, kind="liveness"))`.  Asked from another thread
    (HealthServer, Notifier) it also sees a loop that is blocked at this moment.  Until it is started it fails.
    """

    instant = True

    def __init__(
        self, *, warn_s: float | None = 0.2, fail_s: float | None = 5.0, every_s: float = 0.1,
        clock: Callable[[], float] = monotonic,
    ):
        self._warn_s, self._fail_s = limits(warn_s, fail_s, ("warn_s", "fail_s"))
        self._every_s = checks.number("every_s", every_s, low=0.001, high=60.0)
        self._clock: Callable[[], float] = checks.function("clock", clock)
        self._due_s: float | None = None
        self._worst_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """In the loop that is to be watched."""
        import asyncio

        self.stop()
        self._tick(asyncio.get_running_loop())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due_s = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = self._clock()
        if self._due_s is not None:
            self._worst_s = max(self._worst_s, now_s - self._due_s)
        self._due_s = now_s + self._every_s
        self._timer = loop.call_later(self._every_s, self._tick, loop)

    def __call__(self) -> Result:
        """The worst since it was last asked."""
        due_s, worst_s, self._worst_s = self._due_s, self._worst_s, 0.0
        if due_s is None:
            return Result(FAIL, "nobody has called start() in the event loop")
        lag_s = max(0.0, worst_s, self._clock() - due_s)
        return measured(round(lag_s, 6), self._warn_s, self._fail_s, "s", "the lag of the event loop")


class BreakerState:
    """What a circuit breaker knows of its callee anyway, without asking that once more: open fails, half-open warns.

    A breaker that nobody calls stays open for ever, so a check that depends on one belongs to something that is called.
    """

    instant = True
    dependency = True
    _SAYS = {"closed": PASS, "disabled": PASS, "metrics_only": PASS, "half_open": WARN, "open": FAIL, "forced_open": FAIL}

    def __init__(self, breaker: CircuitBreaker):
        checks.function("breaker.snapshot", getattr(breaker, "snapshot", None))
        self._breaker = breaker

    def __call__(self) -> Result:
        state = self._breaker.state
        status = self._SAYS[state]
        seen = self._breaker.snapshot()
        again = "" if seen.retry_after_s is None else f", next trial in {seen.retry_after_s:.3g} s"
        said = "" if status is PASS else f"circuit breaker {seen.breaker!r} is {state.replace('_', ' ')}{again}"
        return Result(status, said, state)


class QueueDepth:
    """`QueueDepth(queue.qsize, warn=800, fail=1000)`: `size` is any function, plain or coroutine, that gives a number."""

    def __init__(self, size: Callable[[], Any], *, warn: float | None = None, fail: float | None = None, unit: str = "entries"):
        self._size = checks.function("size", size)
        self._warn, self._fail = limits(warn, fail)
        self._unit = unit

    def __call__(self) -> Any:
        said = self._size()
        return self._later(said) if hasattr(said, "__await__") else self._judged(said)

    async def _later(self, said: Any) -> Result:
        return self._judged(await said)

    def _judged(self, said: Any) -> Result:
        depth = checks.number("the depth of the queue", said, low=0.0, high=1e15)
        return measured(depth, self._warn, self._fail, self._unit, "the depth")
