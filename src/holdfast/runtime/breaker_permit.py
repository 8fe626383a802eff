"""Permits: the right to make one call, as an object.

Rules: a permit ends once, whoever ends it first.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Literal

    from holdfast.runtime.breaker import CircuitBreaker, Era
    from holdfast.runtime.breaker_eras import Outcome


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
