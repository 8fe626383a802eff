"""Deadlines that nested calls inherit: an inner one can only shorten what is left, and anybody may read it.

Rules: the deadline travels in a context variable, so it follows awaits and tasks, and a thread only when its context is copied.
Async code is interrupted by asyncio.timeout.  Plain code cannot be interrupted from outside: its deadline is looked at when a
call begins (and ends, if so asked), and by whoever reads `remaining_s()` to bound a wait of its own, as the adapters in `extras`
do.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.rejections import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from typing import ParamSpec, Self, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Timeout", "check_deadline", "deadline", "has_passed", "remaining_s"]


class _Limit:
    """A moment on a clock.  `over` ends it before its time: a lost race has no more time at all."""

    __slots__ = ("at_s", "clock", "outer", "over")

    def __init__(self, at_s: float, clock: Callable[[], float], outer: _Limit | None):
        self.at_s, self.clock, self.outer, self.over = at_s, clock, outer, False

    def left_s(self) -> float:
        """May be negative.  Outer limits count too: they may be on another clock, or be over."""
        left_s = -1.0 if self.over else self.at_s - self.clock()
        return left_s if self.outer is None else min(left_s, self.outer.left_s())


_CURRENT: ContextVar[_Limit | None] = ContextVar("holdfast_deadline", default=None)


def remaining_s(at_most: float | None = None) -> float | None:
    """Seconds left until the nearest deadline, 0.0 when it has passed; `at_most` when that is less; None without either.

    None is what most clients take for "no limit": `socket.settimeout(remaining_s(5.0))`.
    """
    limit = _CURRENT.get()
    if limit is None:
        return at_most
    left_s = max(0.0, limit.left_s())
    return left_s if at_most is None else min(left_s, at_most)


def has_passed() -> bool:
    """Whether time itself ended the nearest deadline or one around it; False for a loser of a race, which was given up."""
    limit, passed = _CURRENT.get(), False
    while limit is not None:
        if limit.over:
            return False
        passed = passed or limit.at_s <= limit.clock()
        limit = limit.outer
    return passed


def check_deadline() -> None:
    """For loops in plain code: raises DeadlineExceeded once the time is over; nobody blames the loser of a race for it."""
    limit = _CURRENT.get()
    if limit is not None and limit.left_s() <= 0.0:
        raise DeadlineExceeded("the deadline has passed", begun=has_passed())


class deadline:  # noqa: N801 - reads as a statement: `with deadline(2.0):`
    """`with deadline(2.0):` or `async with deadline(2.0):`.  Seconds count from entering; one object serves one block.

    The plain form refuses to begin when the time is over and lets the block read what is left; the async form cancels the block
    when time is up and raises DeadlineExceeded in its place.
    """

    __slots__ = ("_clock", "_limit", "_policy", "_seconds", "_timeout", "_token")

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic, policy: str = ""):
        self._seconds = checks.number("seconds", seconds, low=0.0)
        self._clock, self._policy = checks.function("clock", clock), policy
        self._limit: _Limit | None = None
        self._token: Token[_Limit | None] | None = None
        self._timeout: Any = None

    def __enter__(self) -> Self:
        assert self._token is None, "one deadline object serves one block"
        self._limit = _Limit(self._clock() + self._seconds, self._clock, _CURRENT.get())
        if self._limit.left_s() <= 0.0:
            raise self._late("the deadline had passed before the call", begun=False)
        self._token = _CURRENT.set(self._limit)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _CURRENT.reset(self._token)

    async def __aenter__(self) -> Self:
        import asyncio

        self.__enter__()
        assert self._limit is not None
        try:
            self._timeout = asyncio.timeout(self._limit.left_s())
            await self._timeout.__aenter__()
        except BaseException:  # it refuses outside of a task
            self.__exit__()
            raise
        return self

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.__exit__()
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as expired:
            begun = getattr(error, "begun", True)  # False where the call still waited for its turn
            raise self._late(f"cancelled after {self._seconds:g} s or what an outer deadline had left", begun=begun) from expired

    def remaining_s(self) -> float:
        return 0.0 if self._limit is None else max(0.0, self._limit.left_s())

    def end(self) -> None:
        """Nothing is left from now on, for plain code that reads the deadline in another thread."""
        self._seconds = 0.0  # in case the block is yet to begin
        if self._limit is not None:
            self._limit.over = True

    def _late(self, why: str, *, begun: bool = True) -> DeadlineExceeded:
        return DeadlineExceeded(why, policy=self._policy, begun=begun)


class Timeout:
    """At most `seconds` per call, less when an outer deadline has less left.

    A plain function is not interrupted; its late result is returned, because the work is done, unless `late_result="raise"`.
    """

    __slots__ = ("_clock", "late_result", "name", "seconds")

    def __init__(
        self, seconds: float, *, late_result: str = "return", name: str = "timeout", clock: Callable[[], float] = time.monotonic,
    ):
        self.seconds = checks.number("seconds", seconds, low=0.0, low_open=True)
        self.late_result = checks.one_of("late_result", late_result, ("return", "raise"))
        self.name, self._clock = name, checks.function("clock", clock)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        # As `with deadline(...)`, written out: it is a third of the cost.
        outer = _CURRENT.get()
        limit = _Limit(self._clock() + self.seconds, self._clock, outer)
        if outer is not None and outer.left_s() <= 0.0:
            raise DeadlineExceeded("the deadline had passed before the call", policy=self.name, begun=False)
        token = _CURRENT.set(limit)
        try:
            result: R = once(function, args, kwargs)
        finally:
            _CURRENT.reset(token)
        if self.late_result == "raise" and limit.left_s() <= 0.0:
            raise DeadlineExceeded(f"the result came after {self.seconds:g} s", policy=self.name)
        return result

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        async with deadline(self.seconds, clock=self._clock, policy=self.name):
            return await settled(function, args, kwargs)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)
