"""What HTTP itself says about repeating a request: for all HTTP adapters, and free of any client library.

Source: RFC 9110, sections 9.2.2 (idempotent methods), 10.2.3 (Retry-After) and 15.6.4 (503); RFC 6585, section 4 (429).
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UNAVAILABLE", "asked_s", "repeatable", "retry_after_of"]

# The server, or one before it, says that it did not do the work and may do it later.
UNAVAILABLE = frozenset({429, 502, 503, 504})

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


def repeatable(method: str, headers: Mapping[str, str]) -> bool:
    """Whether sending it twice means the same as once.  An Idempotency-Key makes any request so."""
    return method.upper() in IDEMPOTENT or "idempotency-key" in headers or "Idempotency-Key" in headers


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds.  A date is taken relative to the Date of the same reply, so that no clock of ours matters; without one it says
    nothing.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (TypeError, ValueError, IndexError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def asked_s(outcome: Any) -> float | None:
    """For `Retry(retry_after=...)`: of a reply its Retry-After, of an exception its `retry_after_s`."""
    headers = getattr(outcome, "headers", None)
    return getattr(outcome, "retry_after_s", None) if headers is None else retry_after_of(headers)
