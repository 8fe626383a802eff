"""Bulkhead: a bounded number of calls in flight and a bounded number waiting, so that one slow service cannot take every
thread.
"""

from __future__ import annotations

import functools
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.arity import arity_of, cut
from holdfast.runtime.calling import is_async, once, refuse_coroutine
from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.rejections import BulkheadFull
from holdfast.runtime.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, Self, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Bulkhead"]


class Bulkhead:
    """Slots are handed out in order of arrival.  Threads and tasks, of any loop, may share one bulkhead.

    max_waiting=0 refuses at once when all slots are taken.  Nobody waits longer than `max_wait_s` or the deadline of the
    context.  A plain call that waits blocks its thread; inside an event loop use the async forms.  Also `with bulkhead:` and
    `async with bulkhead:`.
    """

    __slots__ = ("_slots", "max_in_flight", "max_wait_s", "max_waiting", "name")

    def __init__(self, max_in_flight: int, *, max_waiting: int = 0, max_wait_s: float = 1.0, name: str = "bulkhead"):
        self.max_in_flight = checks.whole("max_in_flight", max_in_flight, low=1)
        self.max_waiting = checks.whole("max_waiting", max_waiting, low=0)
        self.max_wait_s = checks.number("max_wait_s", max_wait_s, low=0.0)
        self.name = name
        self._slots = Slots(self.max_in_flight, self.max_waiting)

    @property
    def in_flight(self) -> int:
        return self._slots.taken

    @property
    def waiting(self) -> int:
        return len(self._slots.waiters)

    def acquire(self) -> None:
        """Takes a slot or raises BulkheadFull; who takes one must `release` it."""
        if not self._slots.take() and not self._slots.wait(remaining_s(self.max_wait_s) or 0.0):
            raise self._full()

    async def aacquire(self) -> None:
        if not self._slots.take() and not await self._slots.await_(remaining_s(self.max_wait_s) or 0.0):
            raise self._full()

    def release(self) -> None:
        """RuntimeError when no slot is taken: it would make one more of them."""
        if self._slots.taken < 1:
            raise RuntimeError(f"{self.name}: release without acquire")
        self._slots.give()

    def _full(self) -> BulkheadFull:
        return BulkheadFull(
            f"{self.name}: all {self.max_in_flight} slots are taken and {self.waiting} of {self.max_waiting} places in the queue",
            policy=self.name)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.acquire()
        try:
            result: R = once(function, args, kwargs)
            return result
        finally:
            self._slots.give()

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        await self.aacquire()
        try:
            result = function(*args, **kwargs)
            return await result if hasattr(result, "__await__") else result
        finally:
            self._slots.give()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        wrapper = _awaiting(self, function) if is_async(function) else _calling(self, function)
        wrapped: Callable[P, R] = functools.wraps(function)(wrapper)
        return wrapped

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._slots.give()

    async def __aenter__(self) -> Self:
        await self.aacquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._slots.give()


# The guarded forms of a function, templates (`arity.py`).


def _calling(bulkhead: Bulkhead, function: Callable[..., Any]) -> Any:
    arity, take, give = arity_of(function), bulkhead._slots.take, bulkhead._slots.give

    def wrapper(a: Any, b: Any, c: Any) -> Any:
        if not take():
            bulkhead.acquire()
        try:
            result = (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
            if type(result) is CoroutineType:
                refuse_coroutine(result)
            return result
        finally:
            give()

    return cut(wrapper, function, arity)


def _awaiting(bulkhead: Bulkhead, function: Callable[..., Any]) -> Any:
    arity, take, give = arity_of(function), bulkhead._slots.take, bulkhead._slots.give

    async def wrapper(a: Any, b: Any, c: Any) -> Any:
        if not take():
            await bulkhead.aacquire()
        try:
            return await (
                (function(*a, **b) if b else function(*a)) if arity is None else function() if not arity
                else function(a) if arity == 1 else function(a, b) if arity == 2 else function(a, b, c)
            )  # fmt: skip
        finally:
            give()

    return cut(wrapper, function, arity)
