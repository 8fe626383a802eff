"""The checks that every setting of a policy passes when it is made: each returns the value or raises ValueError.

Rules: the message names the setting, the value and the range; NaN, infinity and booleans are never numbers.  A function that
judges what a call gave is asked under guard: what it raises is logged, and never replaces what the call gave.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

__all__ = ["chance", "function", "matcher", "number", "one_of", "optional", "predicate", "seconds", "whole"]

YEAR_S = 366 * 86400.0


def number(
    setting: str, value: Any, *, low: float, high: float = YEAR_S, low_open: bool = False, high_open: bool = False,
) -> float:
    """A finite number in the range, as a float.  `low_open` and `high_open` leave the bound itself out."""
    good = (
        isinstance(value, int | float) and not isinstance(value, bool)
        and (value > low if low_open else value >= low) and (value < high if high_open else value <= high)
        and math.isfinite(value)  # last: whole numbers that are no float raise here
    )
    if not good:
        span = f"{low:g} {'<' if low_open else '<='} {setting} {'<' if high_open else '<='} {high:g}"
        raise ValueError(f"{setting} is {value!r}; it must be a number with {span}")
    return float(value)


def whole(setting: str, value: Any, *, low: int, high: int = 1_000_000) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{setting} is {value!r}; it must be a whole number with {low} <= {setting} <= {high}")
    return value


def optional(check: Callable[..., Any], setting: str, value: Any, **bounds: Any) -> Any:
    return None if value is None else check(setting, value, **bounds)


def one_of(setting: str, value: Any, choices: Iterable[str]) -> str:
    if value not in (known := tuple(choices)):
        raise ValueError(f"{setting} is {value!r}; it must be one of {', '.join(map(repr, known))}")
    return str(value)


def function(setting: str, value: Any) -> Any:
    if not callable(value):
        raise ValueError(f"{setting} is {value!r}; it must be a function")
    return value


def chance(setting: str, value: Any, *methods: str) -> Random:
    """A source of chance, of which these methods are used; None makes one."""
    if value is None:
        from random import Random

        return Random()
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        raise ValueError(f"{setting} is {value!r}; it must be a random.Random")
    chosen: Random = value
    return chosen


def predicate(setting: str, value: Any, *, broken: bool) -> Callable[[Any], bool]:
    """A function of an outcome, guarded; `broken` is its answer when it raises."""
    judge = function(setting, value)

    def asked(outcome: Any) -> bool:
        try:
            return True if judge(outcome) else False  # noqa: SIM210 - cheaper than a call of bool
        except Exception:
            _log_broken(setting, "yes" if broken else "no")
            return broken

    return asked


def seconds(setting: str, value: Any) -> Callable[[Any], float | None]:
    """A function from an outcome to seconds, guarded; None for all that is no number."""
    judge = function(setting, value)

    def asked(outcome: Any) -> float | None:
        try:
            said = judge(outcome)
        except Exception:
            _log_broken(setting, "nothing")
            return None
        return said if isinstance(said, int | float) and not isinstance(said, bool) else None

    return asked


def _log_broken(setting: str, answer: str) -> None:
    import logging  # slow to import, and needed only by people with a mistake in such a function

    logger = logging.getLogger("holdfast.runtime")
    logger.exception("the function given as %s raised; its answer is taken to be %s", setting, answer)


def matcher(setting: str, value: Any, *, broken: bool) -> Callable[[Any], bool]:
    """An exception class, several of them, or a function of the exception: as one function of the exception.

    A group of exceptions matches classes when all that is in it does: one that may not be tried again is enough to say no.
    `broken` is the answer of a function that raises.
    """
    kinds = value if isinstance(value, tuple) else (value,)
    if all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        # Cancellation, exit and Ctrl-C are orders to stop, not answers of the service.
        if not all(issubclass(kind, Exception) for kind in kinds):
            raise ValueError(f"{setting} is {value!r}; it must be made of subclasses of Exception")
        return lambda error: isinstance(error, kinds) or (isinstance(error, ExceptionGroup) and error.split(kinds)[1] is None)
    if isinstance(value, type) or not callable(value):
        raise ValueError(f"{setting} is {value!r}; it must be an exception class, a tuple of them or a function of the exception")
    return predicate(setting, value, broken=broken)
