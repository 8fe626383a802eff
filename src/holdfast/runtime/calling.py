"""How a policy meets a function: which kind of function it is, and the wrapper that suits it.

Rules: neither asyncio nor inspect is imported; a function is never called to find out what it is.
"""

from __future__ import annotations

import functools
from types import CoroutineType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, Protocol, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

    class Policy(Protocol):
        """What every policy is: a decorator with two ways to make one call."""

        def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...
        async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...
        def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...

__all__ = ["asleep", "is_async", "once", "refuse_coroutine", "settled", "wrap"]

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200  # flags of a code object, as in the module inspect


def _flags(function: Any) -> int:
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, MethodType):
        function = function.__func__
    if isinstance(function, type):
        return 0
    if getattr(function, "_is_coroutine_mark", None) is not None:  # set by inspect.markcoroutinefunction
        return _COROUTINE
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004 - an object with async __call__
    return getattr(code, "co_flags", 0)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine.  TypeError for generators: a policy guards one call, and theirs goes on for long."""
    if not callable(function):
        raise TypeError(f"{function!r} is not a function")
    flags = _flags(function)
    if flags & (_GENERATOR | _ASYNC_GENERATOR):
        raise TypeError(f"{function!r} is a generator: put the policy around the call that each of its steps makes")
    return bool(flags & _COROUTINE)


def refuse_coroutine(coroutine: Any) -> None:
    """A coroutine function was given to a plain call: nothing has run yet, and the policy would not cover it if it did."""
    coroutine.close()
    raise TypeError(f"{coroutine!r} is a coroutine: use acall, or decorate the coroutine function")


async def settled(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a coroutine function, of a function that returns an awaitable, or of a plain one."""
    result = function(*args, **kwargs)
    return await result if hasattr(result, "__await__") else result


def once(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = function(*args, **kwargs)
    if type(result) is CoroutineType:
        refuse_coroutine(result)
    return result


async def asleep(seconds: float) -> None:
    """asyncio.sleep, imported when first needed."""
    import asyncio

    await asyncio.sleep(seconds)


def wrap(policy: Policy, function: Callable[P, R]) -> Callable[P, R]:
    """The function with every call of it made through the policy."""
    wrapper: Any
    if is_async(function):
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            return await policy.acall(function, *args, **kwargs)

        wrapper = awaiting
    else:
        def calling(*args: Any, **kwargs: Any) -> Any:
            return policy.call(function, *args, **kwargs)

        wrapper = calling
    wrapped: Callable[P, R] = functools.wraps(function)(wrapper)
    return wrapped
