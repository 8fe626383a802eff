"""Listeners and snapshots.

Rules: a listener that raises is logged and disturbs nobody.  Imported when first needed.
"""

from __future__ import annotations

from holdfast.runtime.breaker_eras import HalfOpen
from holdfast.runtime.breaker_events import KINDS, BreakerEvent, BreakerSnapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from holdfast.runtime.breaker import CircuitBreaker
    from holdfast.runtime.breaker_events import Kind, Listener

_COROUTINE = 0x80


def checked_kinds(listener: Listener, kinds: Iterable[Kind]) -> frozenset[Kind]:
    if not callable(listener) or getattr(getattr(listener, "__code__", None), "co_flags", 0) & _COROUTINE:
        raise TypeError(f"{listener!r} cannot listen: it must be a plain function of one event; nobody would await a coroutine")
    chosen = frozenset((kinds,) if isinstance(kinds, str) else kinds)
    if not chosen or not chosen <= set(KINDS):
        raise ValueError(f"kinds is {kinds!r}; it must be one or several of {', '.join(KINDS)}")
    return chosen  # type: ignore[return-value]


def tell(breaker: CircuitBreaker, news: list[dict[str, Any]]) -> None:
    for fields in news:
        event = None
        for kinds, listener in breaker._listeners:
            if fields["kind"] not in kinds:
                continue
            event = event or BreakerEvent(breaker=breaker.name, **fields)
            try:
                listener(event)
            except Exception:
                import logging  # slow to import, and needed only by people with a broken listener

                logging.getLogger("holdfast.runtime").exception("a listener of circuit breaker %r raised", breaker.name)


def snapshot(breaker: CircuitBreaker, now_s: float, rejected: int) -> BreakerSnapshot:
    """Under the breaker's lock."""
    era = breaker._era
    calls, failures, slow = era.counts(now_s)
    successes_ever, failures_ever, slow_ever, ignored_ever = map(sum, zip(breaker._past, era.ever(), strict=True))
    enough = calls >= (1 if type(era) is HalfOpen else era.settings.min_calls)
    return BreakerSnapshot(
        breaker=breaker.name,
        state=era.state,
        era=era.number,
        since_s=era.since_s,
        retry_after_s=max(0.0, era.until_s - now_s) if era.state == "open" else None,
        calls=calls,
        failures=failures,
        slow_calls=slow,
        failure_rate=failures / calls if enough and calls else None,
        slow_rate=slow / calls if enough and calls else None,
        in_flight=era.in_flight if type(era) is HalfOpen else 0,
        successes_ever=successes_ever,
        failures_ever=failures_ever,
        slow_ever=slow_ever,
        ignored_ever=ignored_ever,
        rejected_ever=rejected,
        opened_ever=breaker._opened,
    )
