"""Permits, and how `with breaker:` finds the one that it entered with.

Rules: a permit ends once, whoever ends it first.  One breaker is entered by many threads, tasks and generators at a time, and
left in any order; what they do not share is the frame of the `with` statement, so that frame is the key.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType, TracebackType
    from typing import Any, Literal

    from holdfast.runtime.breaker import CircuitBreaker, Era
    from holdfast.runtime.breaker_eras import Outcome


class Ready:
    """An awaitable that is done: cheaper than a coroutine."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, Any]:
        return self.value
        yield  # makes this a generator


LEFT = Ready(False)  # what `async with` is told at its end: the exception goes on


class Permit:
    """The right to make one call.  `success()`, `failure()` and `ignore()` end it; they say whether it counted: not when it had
    ended before, and not when the breaker has changed its state since."""

    __slots__ = ("_breaker", "_era", "_left", "_outer", "_started_s")

    def __init__(self, breaker: CircuitBreaker, era: Era, started_s: float, outer: Any = None) -> None:
        self._breaker = breaker
        self._era = era
        self._started_s = started_s
        self._outer = outer
        self._left = [True]  # popping is one step, so two threads cannot both succeed

    def success(self) -> bool:
        return self._end("success")

    def failure(self, error: BaseException | None = None) -> bool:
        """`error` is for the listeners; nobody judges it."""
        return self._end("failure", error)

    def ignore(self) -> bool:
        """The call taught nothing about the callee: given up, or never made."""
        return self._end("ignored")

    def returned(self, result: object) -> bool:
        """The settings judge whether this result is a success."""
        from holdfast.runtime import breaker_judge as judge

        try:
            return self._end(judge.of_result(self._era.settings, result))
        except BaseException:  # Ctrl-C within a predicate: the slot must come back all the same
            self.ignore()
            raise

    def raised(self, error: BaseException) -> bool:
        """The settings judge whether this exception is a failure."""
        from holdfast.runtime import breaker_judge as judge

        try:
            return self._end(judge.of_error(self._era.settings, error), error)
        except BaseException:
            self.ignore()
            raise

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if error is None:
            self.success()
        else:
            self.raised(error)
        return False

    def _end(self, outcome: Outcome, error: BaseException | None = None) -> bool:
        try:
            self._left.pop()
        except IndexError:
            return False
        return self._breaker._end(self._era, outcome, self._started_s, error)


def entered(breaker: CircuitBreaker, frame: FrameType) -> None:
    """The general way into `with breaker:`; the short one of `__enter__` knows no trials, clocks, nor a block within a block."""
    started_s = breaker._clock()
    breaker._inside[frame] = Permit(breaker, breaker._admit(), started_s, outer=breaker._inside.get(frame))


def left(breaker: CircuitBreaker, entry: Any, frame: FrameType, error: BaseException | None) -> None:
    """The general way out; `entry` is what was kept under the frame: an era, a permit, or nothing."""
    if entry is None:
        entry = _entered_elsewhere(breaker._inside, frame)
    if type(entry) is not Permit:
        entry = Permit(breaker, entry, breaker._clock())  # the era was plain: nobody asks how long it took
    elif entry._outer is not None:
        breaker._inside[frame] = entry._outer
    if error is None:
        entry.success()
    else:
        entry.raised(error)


def _entered_elsewhere(inside: dict[Any, Any], frame: FrameType) -> Any:
    """Entered by one function and left by another, as contextlib.ExitStack does: both are methods of the same object."""
    owner = frame.f_locals.get("self")
    waiting = list(inside)
    of_owner = [key for key in waiting if owner is not None and key.f_locals.get("self") is owner]
    for key in (*reversed(of_owner), *reversed(waiting)):
        entry = inside.pop(key, None)  # None: another thread has left by it meanwhile
        if entry is not None:
            return entry
    raise RuntimeError("a circuit breaker was left that had not been entered")
