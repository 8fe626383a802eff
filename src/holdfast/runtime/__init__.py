"""Policies for calls that may fail, for use inside your own program: circuit breaker, retry, deadline and their kin.

Rules: only the standard library, no thread and no asyncio on import. Names are looked up when first asked for, so that a program
pays for the policies that it uses.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing for it would cost more than the breaker
if TYPE_CHECKING:
    from typing import Any

    from holdfast.runtime.breaker import CircuitBreaker as CircuitBreaker
    from holdfast.runtime.breaker_settings import BreakerSettings as BreakerSettings
    from holdfast.runtime.errors import CircuitOpenError as CircuitOpenError
    from holdfast.runtime.errors import Rejected as Rejected
    from holdfast.runtime.registry import BreakerRegistry as BreakerRegistry

# One line per exported name: the module in which it lives.
_EXPORTS = {
    "BreakerEvent": "holdfast.runtime.breaker_events",
    "BreakerRegistry": "holdfast.runtime.registry",
    "BreakerSettings": "holdfast.runtime.breaker_settings",
    "BreakerSnapshot": "holdfast.runtime.breaker_events",
    "CircuitBreaker": "holdfast.runtime.breaker",
    "CircuitOpenError": "holdfast.runtime.errors",
    "Rejected": "holdfast.runtime.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value  # the next look-up finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
