"""`with breaker:` and `async with breaker:`, and how a block finds the call that it began.

Rules: a `with` statement looks up `__exit__` before it enters (language reference, "The with statement"), so the way out is a
method of the era in which the block began, and one that began while the era was `plain` needs no record.  Any other is kept in
`inside` under the frame of its statement: one breaker is entered by many threads, tasks and generators at a time, and left in any
order, but they do not share that frame.  Whoever calls `breaker.__exit__` by hand looks it up only then: what had begun in a
plain era counts in the era in which it ends.
"""

from __future__ import annotations

from _operator import attrgetter  # the module operator would have to be imported
from sys import _getframe

from holdfast.runtime.breaker_permit import Permit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType
    from typing import Any

    from holdfast.runtime.breaker import CircuitBreaker, Era


class Ready:
    """An awaitable that is done: cheaper than a coroutine."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, Any]:
        return self.value
        yield  # makes this a generator


_BY_HAND = frozenset({"__enter__", "__aenter__"})  # names in the code of whoever enters by them, and not by a `with` statement
LEFT = Ready(False)  # what `async with` is told at its end: the exception goes on


class Way(property):
    """A way into a block or out of it.  Looked up on a breaker, as `with` does, it is what stands at `path`, without a step of
    Python.  Looked up on the class and called with the breaker, as contextlib.ExitStack does much later, it is `kept`: that keeps
    every call under the frame, and finds it under another one of the same object."""

    def __init__(self, path: str, kept: Callable[..., Any], awaited: bool = False) -> None:
        super().__init__(attrgetter(path))
        self._kept = kept
        self._awaited = awaited

    def __call__(self, breaker: CircuitBreaker, *raised: Any) -> Any:
        value = self._kept(breaker, _getframe(1), *raised)
        return Ready(value) if self._awaited else value


def entered(breaker: CircuitBreaker, frame: FrameType) -> CircuitBreaker:
    """Kept under the frame, whatever the era."""
    started_s = breaker._clock()
    breaker._inside[frame] = Permit(breaker, breaker._admit(), started_s, outer=breaker._inside.get(frame))
    return breaker


def entered_by_with(breaker: CircuitBreaker, frame: FrameType) -> None:
    """By a `with` statement, when others are inside or the era is not plain.  A block within one that is kept is kept too."""
    if not breaker._era.plain or frame in breaker._inside:
        entered(breaker, frame)


def left(breaker: CircuitBreaker, frame: FrameType, kind: Any, error: BaseException | None, trace: Any) -> bool:
    permit = breaker._inside.pop(frame, None) or _entered_elsewhere(breaker, frame, handed_on=True)
    if permit is None:
        raise RuntimeError("a circuit breaker was left that had not been entered")
    _end(breaker, permit, frame, error)
    return False


def left_in(era: Era, frame: FrameType, error: BaseException | None, keeps_all: bool = False) -> None:
    """Out of a block of that era, when others are inside or an exception comes out.  An era that `keeps_all` has let in nobody
    whom it does not find: who leaves by hand may have come in before that era, and counts nothing in it."""
    breaker = era.breaker()
    if breaker is None:
        return  # it was made for this block alone: nobody can ask what it counted
    permit = breaker._inside.pop(frame, None)
    names = frame.f_code.co_names
    if permit is None and breaker._inside and ("__exit__" in names or "__aexit__" in names):  # by hand, in no `with` statement
        permit = _entered_elsewhere(breaker, frame)
    if permit is None and keeps_all:
        return
    if permit is None:  # the era was plain: nobody asks how long it took
        permit = Permit(breaker, era, breaker._clock())
    _end(breaker, permit, frame, error)


def _end(breaker: CircuitBreaker, permit: Permit, frame: FrameType, error: BaseException | None) -> None:
    if permit._outer is not None:
        breaker._inside[frame] = permit._outer
    if error is None:
        permit.success()
    else:
        permit.raised(error)


def _entered_elsewhere(breaker: CircuitBreaker, frame: FrameType, handed_on: bool = False) -> Permit | None:
    """Entered by one function and left by another, as contextlib.ExitStack does: both are methods of the same object, unless it
    was `handed_on` by `pop_all`.  A `with` statement leaves what it entered itself: nobody may take its call from it."""
    inside: dict[Any, Any] = breaker._inside
    owner = frame.f_locals.get("self")
    by_hand = [key for key in list(inside) if not _BY_HAND.isdisjoint(key.f_code.co_names)]
    owners = [key.f_locals.get("self") for key in by_hand]
    of_owner = [key for key, its in zip(by_hand, owners, strict=True) if owner is not None and its is owner]
    of_nobody = [key for key, its in zip(by_hand, owners, strict=True) if handed_on or owner is None or its is None]
    for key in (*reversed(of_owner), *reversed(of_nobody)):
        permit: Permit | None = inside.pop(key, None)  # None: another thread has left by it meanwhile
        if permit is not None:
            return permit
    return None
