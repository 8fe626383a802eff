"""The guarded forms of a function, one for each kind of function.

Rules: the common case is written out in each form, since a call into a helper costs more than all the rest; the forms of plain
and of coroutine functions are templates (`arity.py`).  A function is never called to find out what it is.  `for _ in era.fast:`
counts one call, as `next` would, but without a call, and is left at once; `fast` has no end.  (Only a Counting era is plain or
timed, which no type checker can know.)
"""

from __future__ import annotations

from holdfast.runtime.arity import arity_of, cut
from holdfast.runtime.breaker_eras import HalfOpen
from holdfast.runtime.errors import CircuitOpenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
    from typing import Any, ParamSpec, TypeVar

    from holdfast.runtime.breaker import CircuitBreaker, Era

    P = ParamSpec("P")
    R = TypeVar("R")

# Flags of a code object, as in the module inspect; a generator that `types.coroutine` has marked is awaited as a coroutine is.
_GENERATOR, _COROUTINE_FUNCTION, _MARKED_AWAITABLE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


async def _nothing() -> None:
    """To have the type of a coroutine without importing `types`."""


_nothing_yet = _nothing()
_Coroutine = type(_nothing_yet)
_nothing_yet.close()


def wrapped(breaker: CircuitBreaker, function: Callable[P, R]) -> Callable[P, R]:
    from functools import WRAPPER_ASSIGNMENTS, update_wrapper

    if not callable(function):
        raise TypeError(f"{function!r} is not a function")
    flags = _flags(function)
    wrapper: Any
    if flags & (_COROUTINE_FUNCTION | _MARKED_AWAITABLE):
        wrapper = _of_coroutine(breaker, function)
    elif flags & _ASYNC_GENERATOR:
        wrapper = _of_async_generator(breaker, function)
    elif flags & _GENERATOR:
        wrapper = _of_generator(breaker, function)
    else:
        wrapper = _of_plain(breaker, function)
    return update_wrapper(wrapper, function, assigned=[name for name in WRAPPER_ASSIGNMENTS if hasattr(function, name)])


def _flags(function: Any) -> int:
    """Of what runs in the end: within a functools.partial, a bound method, an object with `__call__`."""
    while not hasattr(function, "__code__"):
        if hasattr(function, "_is_coroutine_mark"):  # inspect.markcoroutinefunction
            return _COROUTINE_FUNCTION
        if isinstance(function, type):
            return 0
        inner = getattr(function, "func", None) if type(function).__name__ == "partial" else getattr(function, "__func__", None)
        if inner is None:
            inner = getattr(type(function), "__call__", None)  # noqa: B004 - its code is wanted, not whether it is callable
            return int(getattr(getattr(inner, "__code__", None), "co_flags", 0))
        function = inner
    return _COROUTINE_FUNCTION if hasattr(function, "_is_coroutine_mark") else int(function.__code__.co_flags)


def _of_plain(breaker: CircuitBreaker, function: Callable[..., Any]) -> Any:
    arity = arity_of(function)

    def wrapper(a: Any, b: Any, c: Any) -> Any:
        era: Any = breaker._era
        if not era.plain:
            started_s = breaker._clock()  # before the admission, here and below: one that raises must not take a trial with it
            if not era.timed:
                if era.refuses and (left_s := era.until_s - started_s) > 0.0:  # as _admit does
                    next(breaker._rejected)
                    raise CircuitOpenError(breaker.name, era.state, left_s)
                era = breaker._admit()
            try:
                result = (
                    (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                    else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
                )  # fmt: skip
            except BaseException as error:
                breaker._raised(era, error, started_s)
                raise
            if type(result) is _Coroutine:
                return _later(breaker, era, started_s, result)
            if era.timed and (now_s := breaker._clock()) - started_s < era.slow_s and (era.endless or now_s < era.fast_until_s):
                for _ in era.fast:
                    return result
            breaker._returned(era, result, started_s)
            return result
        try:
            result = (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
        except BaseException as error:
            breaker._raised(era, error, None)
            raise
        if type(result) is not _Coroutine:
            for _ in era.fast:
                return result
        return _later(breaker, era, None, result)

    return cut(wrapper, function, arity)


def _later(breaker: CircuitBreaker, era: Era, started_s: float | None, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """A plain function gave a coroutine."""
    if type(era) is not HalfOpen:
        return _awaited(breaker, era, started_s, coroutine)
    # A coroutine that is dropped, or cancelled before its first step, tells nobody: it asks again when it begins.
    with breaker._lock:
        era.give_back()
    return _admitted_late(breaker, coroutine)


async def _admitted_late(breaker: CircuitBreaker, coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        started_s = breaker._clock()
        era = breaker._admit()
    except BaseException:
        coroutine.close()
        raise
    return await _awaited(breaker, era, started_s, coroutine)


async def _awaited(breaker: CircuitBreaker, era: Era, started_s: float | None, awaitable: Awaitable[Any]) -> Any:
    """A plain function that gave a coroutine: the call ends when that does."""
    try:
        result = await awaitable
    except BaseException as error:
        breaker._raised(era, error, started_s)
        raise
    breaker._returned(era, result, started_s)
    return result


def _of_coroutine(breaker: CircuitBreaker, function: Callable[..., Any]) -> Any:
    arity = arity_of(function)

    async def wrapper(a: Any, b: Any, c: Any) -> Any:
        era: Any = breaker._era
        if not era.plain:
            started_s = breaker._clock()
            if not era.timed:
                era = breaker._admit()
            try:
                result = await (
                    (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                    else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
                )  # fmt: skip
            except BaseException as error:
                breaker._raised(era, error, started_s)
                raise
            if era.timed and (now_s := breaker._clock()) - started_s < era.slow_s and (era.endless or now_s < era.fast_until_s):
                for _ in era.fast:
                    return result
            breaker._returned(era, result, started_s)
            return result
        try:
            result = await (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
        except BaseException as error:
            breaker._raised(era, error, None)
            raise
        for _ in era.fast:
            break
        return result

    return cut(wrapper, function, arity)


def _of_generator(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        era = breaker._admit()
        # No start time: most of a generator's life is spent in whoever reads it, so it is never slow.
        try:
            result = yield from function(*args, **kwargs)
        except BaseException as error:
            breaker._raised(era, error, None)
            raise
        breaker._returned(era, result, None)
        return result

    return wrapper


def _of_async_generator(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        era = breaker._admit()
        try:
            source = function(*args, **kwargs)
            try:
                item = await anext(source)
                while True:
                    try:
                        sent = yield item
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        item = await source.athrow(error)
                    else:
                        item = await source.asend(sent)
            except StopAsyncIteration:
                pass
            finally:
                if not source.ag_running:  # it counts as running when the whole stack of coroutines is thrown away in its midst
                    await source.aclose()
        except BaseException as error:
            breaker._raised(era, error, None)
            raise
        breaker._returned(era, None, None)

    return wrapper


def call(breaker: CircuitBreaker, function: Callable[..., R], args: Any, kwargs: Any) -> R:
    era = breaker._era
    started_s = None if era.plain else breaker._clock()
    if started_s is not None:
        era = breaker._admit()
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        breaker._raised(era, error, started_s)
        raise
    if type(result) is _Coroutine:
        result.close()  # type: ignore[attr-defined]
        breaker._end(era, "ignored", None, None)
        raise TypeError(f"{function!r} gives a coroutine: use acall, or decorate the coroutine function; it did not run")
    _finish(breaker, era, result, started_s)
    return result


async def acall(breaker: CircuitBreaker, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    era = breaker._era
    started_s = None if era.plain else breaker._clock()
    if started_s is not None:
        era = breaker._admit()
    try:
        result = function(*args, **kwargs)
        if hasattr(result, "__await__"):
            result = await result
    except BaseException as error:
        breaker._raised(era, error, started_s)
        raise
    _finish(breaker, era, result, started_s)
    return result


def _finish(breaker: CircuitBreaker, era: Era, result: object, started_s: float | None) -> None:
    if started_s is None:
        next(era.fast)  # type: ignore[union-attr]
    else:
        breaker._returned(era, result, started_s)
