"""How long to wait before the next attempt: exponential, with jitter, pure but for the chance handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.runtime import checks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["Backoff"]

JITTERS = ("full", "decorrelated", "none")


class Backoff:
    """Delays in seconds, never above `max_s`.

    full: uniform in 0 .. first_s * factor**n.  decorrelated: uniform in first_s .. 3 * the delay before (factor is not used).
    none: first_s * factor**n exactly, which lets clients that failed together come back together.
    Source of the two jitters: AWS Architecture Blog, "Exponential Backoff and Jitter".
    """

    __slots__ = ("factor", "first_s", "jitter", "max_s")

    def __init__(self, *, first_s: float = 0.1, factor: float = 2.0, max_s: float = 10.0, jitter: str = "full"):
        self.first_s = checks.number("first_s", first_s, low=0.0)
        self.factor = checks.number("factor", factor, low=1.0, high=100.0)
        self.max_s = checks.number("max_s", max_s, low=self.first_s)
        self.jitter = checks.one_of("jitter", jitter, JITTERS)

    def delays(self, rng: Random) -> Iterator[float]:
        """Without end."""
        if self.jitter == "decorrelated":
            delay_s = self.first_s
            while True:
                delay_s = min(self.max_s, rng.uniform(self.first_s, max(self.first_s, delay_s * 3.0)))
                yield delay_s
        ceiling_s = self.first_s
        while True:
            yield rng.uniform(0.0, ceiling_s) if self.jitter == "full" else ceiling_s
            # Multiplied step by step: factor**n overflows long before n is large.
            ceiling_s = min(self.max_s, ceiling_s * self.factor)

    def __repr__(self) -> str:
        return f"Backoff(first_s={self.first_s:g}, factor={self.factor:g}, max_s={self.max_s:g}, jitter={self.jitter!r})"
