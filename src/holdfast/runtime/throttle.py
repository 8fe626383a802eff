"""Client-side throttling: when the backend refuses most of our calls, refuse them here, where that costs nothing.

Rules: the share that is refused follows from the last minutes alone; there is no state to trip and none to recover from.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.errors import not_asked
from holdfast.runtime.locks import new_lock
from holdfast.runtime.rejections import Throttled

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Throttle"]

BUCKETS = 12


class Throttle:
    """Refuses with probability max(0, (requests - k * accepts) / (requests + 1)) over the last `window_s`.

    `requests` counts all calls, also those refused here; `accepts` those that the backend took on.  With k = 2 the backend still
    sees about twice what it can take, enough to notice that it is well again; a lower k refuses sooner.
    Source: Google, Site Reliability Engineering, chapter 21, "Client-Side Throttling".

    rejected_on  failures that mean "the backend did not take it on": exception class, tuple of them, or function of the
                 exception. Other failures are accepts: the backend worked for them
    rejected     function of the result: True means the same, for clients that return a 503 instead of raising
    When one of the two functions raises, that is logged and the call counts as not taken on.
    A cancelled call is neither, nor is one that a policy within refused; it is taken out of `requests` again.
    """

    __slots__ = (
        "_accepts", "_clock", "_is_rejected", "_is_rejection", "_lock", "_requests", "_rng", "_slot", "_width_s",
        "k", "name", "window_s",
    )

    def __init__(
        self,
        *,
        k: float = 2.0,
        window_s: float = 120.0,
        rejected_on: Any = (ConnectionError, TimeoutError),
        rejected: Callable[[Any], bool] | None = None,
        name: str = "throttle",
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ):
        self.k = checks.number("k", k, low=1.0, high=100.0)
        self.window_s = checks.number("window_s", window_s, low=1e-6)  # far below, the buckets cannot be numbered
        self._is_rejection = checks.matcher("rejected_on", rejected_on, broken=True)
        self._is_rejected = checks.optional(checks.predicate, "rejected", rejected, broken=True)
        self.name, self._clock, self._lock = name, checks.function("clock", clock), new_lock()
        self._rng = checks.chance("rng", rng, "random")
        self._requests, self._accepts = [0] * BUCKETS, [0] * BUCKETS
        self._width_s = self.window_s / BUCKETS
        self._slot = int(clock() // self._width_s)  # counts up for ever; its remainder is the present bucket

    def probability(self) -> float:
        """Of the next call being refused here."""
        with self._lock:
            self._turn()
            requests, accepts = sum(self._requests), sum(self._accepts)
        return max(0.0, (requests - self.k * accepts) / (requests + 1))

    def counts(self) -> tuple[int, int]:
        """Requests and accepts in the window."""
        with self._lock:
            self._turn()
            return sum(self._requests), sum(self._accepts)

    def acquire(self) -> int:
        """Counts the request; Throttled by chance.  Gives the ticket for `accepted`, `withdrawn` or neither."""
        with self._lock:
            slot = self._turn()
            requests, accepts = sum(self._requests), sum(self._accepts)
            self._requests[slot % BUCKETS] += 1
        refused = (requests - self.k * accepts) / (requests + 1)
        if refused > 0.0 and self._rng.random() < refused:
            raise Throttled(f"{self.name}: the backend took on {accepts} of {requests} calls of late", policy=self.name)
        return slot

    def accepted(self, ticket: int) -> None:
        self._count(ticket, self._accepts, 1)

    def withdrawn(self, ticket: int) -> None:
        self._count(ticket, self._requests, -1)

    def _count(self, ticket: int, buckets: list[int], change: int) -> None:
        """In the bucket of the request, so that the two never drift apart; dropped when that bucket has left the window."""
        with self._lock:
            if ticket > self._turn() - BUCKETS:
                buckets[ticket % BUCKETS] += change

    def _turn(self) -> int:
        slot = int(self._clock() // self._width_s)
        for old in range(max(self._slot + 1, slot - BUCKETS + 1), slot + 1):
            self._requests[old % BUCKETS] = self._accepts[old % BUCKETS] = 0
        self._slot = max(self._slot, slot)
        return self._slot

    def _judge(self, ticket: int, error: BaseException | None, result: Any) -> None:
        if error is None:
            if self._is_rejected is None or not self._is_rejected(result):
                self.accepted(ticket)
        elif not isinstance(error, Exception) or not_asked(error):
            self.withdrawn(ticket)
        elif not self._is_rejection(error):
            self.accepted(ticket)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        ticket = self.acquire()
        try:
            result: R = once(function, args, kwargs)
        except BaseException as error:
            self._judge(ticket, error, None)
            raise
        self._judge(ticket, None, result)
        return result

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        ticket = self.acquire()
        try:
            result = await settled(function, args, kwargs)
        except BaseException as error:
            self._judge(ticket, error, None)
            raise
        self._judge(ticket, None, result)
        return result

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)
