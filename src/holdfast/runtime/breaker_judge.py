"""Whether an exception or a result is a success, a failure, or nothing.

Rules: a predicate that raises makes the call a failure and is logged; it never replaces what the call gave its caller.  Of a
group of exceptions each one is judged by itself, and the worst verdict is the group's, unless the settings name groups.
"""

from __future__ import annotations

import sys

from holdfast.runtime.errors import Rejected, not_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.runtime.breaker_eras import Outcome
    from holdfast.runtime.breaker_settings import BreakerSettings, Errors


def of_error(settings: BreakerSettings, error: BaseException) -> Outcome:
    if isinstance(error, BaseExceptionGroup):
        return _of_group(settings, error)
    if not isinstance(error, Exception):
        # CancelledError, GeneratorExit, KeyboardInterrupt, trio.Cancelled: somebody stopped the call; it says nothing of the
        # callee.  Nor does our own deadline, where the call still waited for a slot or its turn (`begun` is False then).
        late = type(error).__name__ == "CancelledError" and getattr(error, "begun", True) and _our_deadline_passed()
        return "failure" if late else "ignored"
    if not_asked(error):
        return "ignored"
    late = isinstance(error, Rejected)  # our own deadline: all other refusals are gone
    kind = type(error)
    if kind.__name__ == "CancelledError" and kind.__module__.startswith("concurrent.futures"):
        return "ignored"  # an Exception for reasons of history
    try:
        if _matches(settings.ignore_on, error):
            return "ignored"
        return "failure" if late or _matches(settings.failure_on, error) else "success"
    except Exception:
        _log_broken_predicate("of exceptions")
        return "failure"


def of_result(settings: BreakerSettings, result: Any) -> Outcome:
    try:
        if settings.ignore_result is not None and settings.ignore_result(result):
            return "ignored"
        return "failure" if settings.failure_result is not None and settings.failure_result(result) else "success"
    except Exception:
        _log_broken_predicate("of results")
        return "failure"


def _of_group(settings: BreakerSettings, group: BaseExceptionGroup[Any]) -> Outcome:
    """As of a TaskGroup: one task that was refused and one that was ignored are a failure together."""
    for errors, outcome in ((settings.ignore_on, "ignored"), (settings.failure_on, "failure")):
        kinds = errors if isinstance(errors, tuple) else (errors,)
        if any(isinstance(kind, type) and issubclass(kind, BaseExceptionGroup) and isinstance(group, kind) for kind in kinds):
            return outcome  # type: ignore[return-value]
    outcomes = {of_error(settings, each) for each in group.exceptions}
    return "failure" if "failure" in outcomes else "success" if "success" in outcomes else "ignored"


def _matches(errors: Errors, error: BaseException) -> bool:
    if isinstance(errors, type | tuple):
        return isinstance(error, errors)
    return bool(errors(error))


def _our_deadline_passed() -> bool:
    """A deadline around the breaker ends its call by cancelling it.  Whoever uses one has loaded its module."""
    module = sys.modules.get("holdfast.runtime.deadlines")
    return module is not None and bool(module.has_passed())


def _log_broken_predicate(which: str) -> None:
    import logging  # slow to import, and needed only by people with a mistake in a predicate

    logging.getLogger("holdfast.runtime").exception("a breaker's predicate %s raised; the call counts as a failure", which)
