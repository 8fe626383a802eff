"""Fallback: another answer in place of a failure that is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.calling import is_async, once, settled, wrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Fallback"]

_NOTHING: Any = object()


class Fallback:
    """Either a `value`, or a `function` that gets the arguments of the call (it may be a coroutine function when the call is
    async).

    on         exception class, tuple of them, or function of the exception; required, because a fallback for everything hides
               mistakes
    unwanted   function of the result: True takes the fallback
    When `on` or `unwanted` raises, that is logged and there is no fallback.
    What the fallback itself raises is raised, with the first failure as its context.
    """

    __slots__ = ("_function", "_matches", "_unwanted", "_value", "name")

    def __init__(
        self,
        value: Any = _NOTHING,
        *,
        function: Callable[..., Any] | None = None,
        on: Any,
        unwanted: Callable[[Any], bool] | None = None,
        name: str = "fallback",
    ):
        if (value is _NOTHING) == (function is None):
            raise ValueError("value and function: exactly 1 of the two must be given")
        self._value = value
        self._function = checks.optional(checks.function, "function", function)
        self._matches = checks.matcher("on", on, broken=False)
        self._unwanted = checks.optional(checks.predicate, "unwanted", unwanted, broken=False)
        self.name = name

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            result = once(function, args, kwargs)
            if self._unwanted is None or not self._unwanted(result):
                return result
        except Exception as error:
            if not self._matches(error):
                raise
            # Called here, so that a failing fallback shows what it stood in for.
            return self._value if self._function is None else once(self._function, args, kwargs)
        return self._value if self._function is None else once(self._function, args, kwargs)

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        try:
            result = await settled(function, args, kwargs)
            if self._unwanted is None or not self._unwanted(result):
                return result
        except Exception as error:
            if not self._matches(error):
                raise
            return self._value if self._function is None else await settled(self._function, args, kwargs)
        return self._value if self._function is None else await settled(self._function, args, kwargs)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if self._function is not None and is_async(self._function) and not is_async(function):
            raise TypeError(f"{self._function!r} is a coroutine function and cannot stand in for the plain {function!r}")
        return wrap(self, function)
