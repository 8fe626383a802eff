"""How long a term lasts without renewal, and how far before its end its holder stops: checked when they are made.

Rules: a number that makes no sense is a ValueError that names the setting, the value and the range.
"""

from __future__ import annotations

import re
import time
from typing import Any

from holdfast.runtime import checks

__all__ = ["Terms", "boottime", "checked_name"]

DAY_S = 86_400.0
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


def boottime() -> float:
    """Seconds of a clock that never steps and, on Linux, goes on while the machine is suspended (CLOCK_BOOTTIME, time(7)).

    Elsewhere the monotonic clock: what a suspended machine slept through is then not noticed.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def checked_name(setting: str, value: Any) -> str:
    """Part of a key, of an object's name and of a label, so only what all stores take."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"{setting} is {value!r}; it must be 1 to 100 letters, digits, dots, dashes and underscores,"
            " with a letter or a digit at both ends"
        )
    return value


class Terms:
    """ttl_s          the store frees a seat whose holder has not renewed for so long, 1 s to a day
    margin_s       the holder stops that long before; it must exceed ttl_s times the relative difference of the clocks' rates
                   plus the time that your code needs to stop.  None: a tenth of ttl_s
    renew_every_s  None: a quarter of ttl_s
    attempt_s      how long one member of the store may take to answer before the next is asked.  None: an eighth of ttl_s
    look_every_s   how often a contender looks again although it was not told of any change.  None: 1 s or a quarter of ttl_s

    The tolerated ratio of clock rates is ttl_s / (ttl_s - margin_s), as in client-go's package leaderelection, where the pair is
    LeaseDuration and RenewDeadline.
    """

    __slots__ = ("attempt_s", "look_every_s", "margin_s", "renew_every_s", "retry_s", "ttl_s")

    def __init__(
        self, *, ttl_s: float = 10.0, margin_s: float | None = None, renew_every_s: float | None = None,
        attempt_s: float | None = None, look_every_s: float | None = None,
    ):
        self.ttl_s = ttl = checks.number("ttl_s", ttl_s, low=1.0, high=DAY_S)
        half = ttl / 2
        self.margin_s = _or(margin_s, ttl / 10, "margin_s", low=0.0, high=half, low_open=True)
        believed_s = ttl - self.margin_s
        # Two renewals may fail before the third is too late.
        self.renew_every_s = _or(renew_every_s, ttl / 4, "renew_every_s", low=0.01, high=believed_s / 2)
        self.attempt_s = _or(attempt_s, ttl / 8, "attempt_s", low=0.01, high=believed_s - self.renew_every_s)
        self.look_every_s = _or(look_every_s, min(1.0, ttl / 4), "look_every_s", low=0.05, high=DAY_S)
        self.retry_s = min(0.5, ttl / 20)

    def __repr__(self) -> str:
        return f"Terms({', '.join(f'{name}={getattr(self, name):g}' for name in Terms.__slots__ if name != 'retry_s')})"


def _or(value: Any, default: float, setting: str, **bounds: Any) -> float:
    return default if value is None else checks.number(setting, value, **bounds)
