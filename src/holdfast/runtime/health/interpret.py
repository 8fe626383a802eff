"""What a check returned or raised, as a Result; strictly, so that a mistake in a check is never taken for health.

Rules: True and None pass, a Status or a Result is what it says, everything else is a failure that names the mistake.  A coroutine
that the check made and nobody awaited is a mistake too, whatever the check returned.
"""

from __future__ import annotations

import warnings
from _thread import get_ident
from collections.abc import Generator
from types import CoroutineType
from typing import Any

from holdfast.runtime.health.results import FAIL, PASS, Result, Status

__all__ = ["Watched", "Watching", "interpreted", "raised"]

_SHORT = 100
_EXPECTED = "a check must return True, None, a Status or a Result"

# Of each thread that runs a step of a check at this moment: the names of the coroutines that nobody awaited.
_FORGOTTEN: dict[int, list[str]] = {}


def _listen_to_the_interpreter() -> None:
    """The interpreter calls warnings._warn_unawaited_coroutine when it destroys a coroutine that never began (CPython, PyPy).
    There is no public way to hear of it: a warning may be switched off.
    """
    told = getattr(warnings, "_warn_unawaited_coroutine", None)
    if told is None or getattr(told, "heard_by_holdfast", False):
        return

    def hears(coroutine: Any) -> None:
        names = _FORGOTTEN.get(get_ident())
        if names is not None:
            names.append(getattr(coroutine, "__qualname__", "?"))
        told(coroutine)

    hears.heard_by_holdfast = True  # type: ignore[attr-defined]
    warnings._warn_unawaited_coroutine = hears  # type: ignore[attr-defined]


class Watching:
    """`with watching:` around each step of a check; `forgotten` are the coroutines that died in one without having begun."""

    __slots__ = ("_outer", "forgotten")

    def __init__(self) -> None:
        _listen_to_the_interpreter()
        self.forgotten: list[str] = []
        self._outer: list[str] | None = None

    def __enter__(self) -> None:
        self._outer = _FORGOTTEN.get(get_ident())
        _FORGOTTEN[get_ident()] = self.forgotten

    def __exit__(self, *_: object) -> None:
        if self._outer is None:
            _FORGOTTEN.pop(get_ident(), None)
        else:
            _FORGOTTEN[get_ident()] = self._outer


class Watched:
    """`await Watched(awaitable, watching)`: the same, with every step of it watched."""

    __slots__ = ("_awaitable", "_watching")

    def __init__(self, awaitable: Any, watching: Watching):
        self._awaitable, self._watching = awaitable, watching

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._awaitable.__await__()
        step: Any = steps.__next__
        given: tuple[Any, ...] = ()
        while True:
            try:
                with self._watching:
                    waits_for = step(*given)
            except StopIteration as end:
                return end.value
            try:
                sent = yield waits_for
                step, given = (steps.__next__, ()) if sent is None or not hasattr(steps, "send") else (steps.send, (sent,))
            except BaseException as error:
                if not hasattr(steps, "throw"):
                    raise
                step, given = steps.throw, (error,)


def interpreted(said: Any, forgotten: list[str]) -> tuple[Result, bool]:
    """The result, and whether the check itself is at fault.  Never raises, whatever the object does when it is looked at."""
    try:
        return _interpreted(said, forgotten)
    except Exception as error:  # noqa: BLE001 - `__class__` may be a property that raises
        return Result(FAIL, f"returned an object that raised {type(error).__name__} when it was looked at; {_EXPECTED}"), True


def _interpreted(said: Any, forgotten: list[str]) -> tuple[Result, bool]:
    if type(said) is CoroutineType:
        said.close()
        return Result(FAIL, f"returned the coroutine {said.__qualname__} without awaiting it"), True
    if forgotten:
        return Result(FAIL, f"did not await {', '.join(dict.fromkeys(forgotten))}"), True
    if said is None or said is True:
        return Result(PASS), False
    if isinstance(said, Result):
        return said, False
    if isinstance(said, Status):
        return Result(said), False
    hint = '; for a failure return Result("fail", "why") or raise' if said is False else ""
    return Result(FAIL, f"returned {_shown(said)}; {_EXPECTED}{hint}"), True


def raised(error: BaseException) -> Result:
    try:
        words = str(error)
    except BaseException as worse:  # noqa: BLE001 - also an exception whose text cannot be had has its name
        words = f"its text raised {type(worse).__name__}"
    name = type(error).__name__
    return Result(FAIL, f"{name}: {words}" if words else name)


def _shown(said: Any) -> str:
    """Its kind, and for short plain things what it is: the text of a stranger's object could be anything, or raise, and of a
    long one a part could be half a secret, which nobody would know as one.
    """
    short = (
        len(said) <= _SHORT if type(said) in (str, bytes)
        else abs(said) < 10**_SHORT if type(said) is int else type(said) in (bool, float)
    )
    return repr(said) if short else f"an object of type {type(said).__name__}"
