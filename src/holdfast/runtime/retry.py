"""Retry: the first attempt inline, everything else only once it has failed.

Rules: a call that succeeds at once pays for one `try`; the decision whether and when to go on is one pure series, the same for
plain and async calls; the caller's own exception, the last one, is raised unchanged.
"""

from __future__ import annotations

import functools
import time
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.arity import arity_of, cut
from holdfast.runtime.backoff import Backoff
from holdfast.runtime.budget import RetryBudget
from holdfast.runtime.calling import asleep as _asleep
from holdfast.runtime.calling import is_async, refuse_coroutine, settled
from holdfast.runtime.retry_series import RetryEvent, Series

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Retry", "RetryEvent", "retry_after_s"]


def retry_after_s(outcome: Any) -> float | None:
    """What the other side asked for: the attribute `retry_after_s` of an exception or a result, as every Rejected has it."""
    return getattr(outcome, "retry_after_s", None)


class Retry:
    """Up to `attempts` in all.  Put it around calls that may be repeated without harm.

    on             exception class, tuple of them, or function of the exception: which failures are worth another attempt
    unwanted       function of the result: True asks for another attempt; after the last one the result is returned
    total_s        no attempt begins later than this after the first; the deadline of the context holds as well
    retry_after    function of the exception or unwanted result: seconds the other side asked us to wait, or None; it is waited
                   in full, or, above `max_retry_after_s` or the deadline, no further attempt is made
    budget         shared by all callers of one service
    listener       gets a RetryEvent before every pause; what it raises is dropped
    When `on` or `unwanted` raises, that is logged and there is no further attempt; of `retry_after` only numbers are heeded.
    """

    def __init__(
        self,
        *,
        attempts: int = 3,
        backoff: Backoff | None = None,
        on: Any = (ConnectionError, TimeoutError),
        unwanted: Callable[[Any], bool] | None = None,
        total_s: float | None = None,
        retry_after: Callable[[Any], float | None] = retry_after_s,
        max_retry_after_s: float = 60.0,
        budget: RetryBudget | None = None,
        listener: Callable[[RetryEvent], object] | None = None,
        name: str = "retry",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Any] = _asleep,
        rng: random.Random | None = None,
    ):
        self.attempts = checks.whole("attempts", attempts, low=1)
        self.backoff = Backoff() if backoff is None else backoff
        if not isinstance(self.backoff, Backoff):
            raise ValueError(f"backoff is {backoff!r}; it must be a Backoff")
        self.total_s = checks.optional(checks.number, "total_s", total_s, low=0.0, low_open=True)
        self.max_retry_after_s = checks.number("max_retry_after_s", max_retry_after_s, low=0.0)
        if budget is not None and not isinstance(budget, RetryBudget):
            raise ValueError(f"budget is {budget!r}; it must be a RetryBudget or None")
        self.budget, self.name = budget, name
        self._matches = checks.matcher("on", on, broken=False)
        self._unwanted = checks.optional(checks.predicate, "unwanted", unwanted, broken=False)
        self._retry_after = checks.seconds("retry_after", retry_after)
        self._listener = checks.optional(checks.function, "listener", listener)
        self._clock, self._sleep = checks.function("clock", clock), checks.function("sleep", sleep)
        self._asleep = checks.function("asleep", asleep)
        self._rng = checks.chance("rng", rng, "uniform")

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        began_s = 0.0 if self.total_s is None else self._clock()
        error, result = None, None
        try:
            result = function(*args, **kwargs)
        except Exception as raised:
            if not self._matches(raised):
                raise
            error = raised
        else:
            if type(result) is CoroutineType:
                refuse_coroutine(result)
            if self._unwanted is None or not self._unwanted(result):
                if self.budget is not None:
                    self.budget.succeeded()
                return result
        try:
            last: R = self._again(Series(self, began_s), error, result, function, args, kwargs)
            return last
        finally:
            del error  # or it would wait for the garbage collector: its traceback refers to this frame

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        began_s = 0.0 if self.total_s is None else self._clock()
        error, result = None, None
        try:
            result = function(*args, **kwargs)
            if hasattr(result, "__await__"):
                result = await result
        except Exception as raised:
            if not self._matches(raised):
                raise
            error = raised
        else:
            if self._unwanted is None or not self._unwanted(result):
                if self.budget is not None:
                    self.budget.succeeded()
                return result
        try:
            return await self._aagain(Series(self, began_s), error, result, function, args, kwargs)
        finally:
            del error

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        wrapper = _awaiting(self, function) if is_async(function) else _calling(self, function)
        wrapped: Callable[P, R] = functools.wraps(function)(wrapper)
        return wrapped

    def _again(
        self, series: Series, error: Exception | None, result: Any, function: Callable[..., Any], args: Any, kwargs: Any,
    ) -> Any:
        try:
            while (delay_s := series.pause_s(error, result)) is not None:
                self._sleep(delay_s)
                if series.over():
                    break
                error, result = None, None
                try:
                    result = function(*args, **kwargs)
                except Exception as raised:
                    if not self._matches(raised):
                        raise
                    error = raised
                if error is None and series.accepts(result):
                    return result
            if error is not None:
                raise error
            return result
        finally:
            del error

    async def _aagain(
        self, series: Series, error: Exception | None, result: Any, function: Callable[..., Any], args: Any, kwargs: Any,
    ) -> Any:
        try:
            while (delay_s := series.pause_s(error, result)) is not None:
                await self._asleep(delay_s)
                if series.over():
                    break
                error, result = None, None
                try:
                    result = await settled(function, args, kwargs)
                except Exception as raised:
                    if not self._matches(raised):
                        raise
                    error = raised
                if error is None and series.accepts(result):
                    return result
            if error is not None:
                raise error
            return result
        finally:
            del error


# The guarded forms of a function, templates (`arity.py`).  Written out instead of `wrap`: one call or one coroutine less on the
# way of every success.


def _calling(retry: Retry, function: Callable[..., Any]) -> Any:
    arity = arity_of(function)

    def wrapper(a: Any, b: Any, c: Any) -> Any:
        began_s = 0.0 if retry.total_s is None else retry._clock()
        try:
            result = (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
        except Exception as raised:
            if not retry._matches(raised):
                raise
            error, result = raised, None
        else:
            if type(result) is CoroutineType:
                refuse_coroutine(result)
            if retry._unwanted is None or not retry._unwanted(result):
                if retry.budget is not None:
                    retry.budget.succeeded()
                return result
            error = None  # type: ignore[assignment]
        args, kwargs = (
            (a, b) if arity is None else ((), {}) if not arity else ((a,), {}) if arity == 1 else ((a, b), {}) if arity == 2
            else ((a, b, c), {})
        )  # fmt: skip
        try:
            return retry._again(Series(retry, began_s), error, result, function, args, kwargs)
        finally:
            del error  # or it would wait for the garbage collector: its traceback refers to this frame

    return cut(wrapper, function, arity)


def _awaiting(retry: Retry, function: Callable[..., Any]) -> Any:
    arity = arity_of(function)

    async def wrapper(a: Any, b: Any, c: Any) -> Any:
        began_s = 0.0 if retry.total_s is None else retry._clock()
        try:
            result = await (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
        except Exception as raised:
            if not retry._matches(raised):
                raise
            error, result = raised, None
        else:
            if retry._unwanted is None or not retry._unwanted(result):
                if retry.budget is not None:
                    retry.budget.succeeded()
                return result
            error = None  # type: ignore[assignment]
        args, kwargs = (
            (a, b) if arity is None else ((), {}) if not arity else ((a,), {}) if arity == 1 else ((a, b), {}) if arity == 2
            else ((a, b, c), {})
        )  # fmt: skip
        try:
            return await retry._aagain(Series(retry, began_s), error, result, function, args, kwargs)
        finally:
            del error  # or it would wait for the garbage collector: its traceback refers to this frame

    return cut(wrapper, function, arity)
