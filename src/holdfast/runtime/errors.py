"""The exceptions of the runtime: a call that was not made says so, and when it may be worth asking again.

Rules: messages are made when somebody reads them, because a rejection must be cheap; every exception survives pickling.
"""

from __future__ import annotations

__all__ = ["CircuitOpenError", "Rejected"]


class Rejected(Exception):  # noqa: N818 - it names what happened; nothing went wrong inside of us
    """A policy refused the call.  A breaker around that policy learns nothing from it, unless it is a TimeoutError as well.

    `retry_after_s` is the least time in seconds from now after which asking again can succeed; None when nobody knows.
    `policy` is the name of the policy that refused.
    """

    def __init__(self, message: str = "", *, retry_after_s: float | None = None, policy: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.policy = policy


class CircuitOpenError(Rejected):
    """A circuit breaker is open, or half-open with all of its trials taken; `state` says which: open, half_open, forced_open."""

    def __init__(
        self, message: str = "", *, retry_after_s: float | None = None, policy: str = "", state: str = "open"
    ) -> None:
        # Exception.__new__ has kept the message already; the calls up the chain would cost half of the rejection.
        self.retry_after_s = retry_after_s
        self.policy = policy
        self.state = state

    def __str__(self) -> str:
        if self.args and self.args[0]:
            return str(self.args[0])
        again = "" if self.retry_after_s is None else f", ask again in {self.retry_after_s:.3g} s"
        return f"circuit breaker {self.policy!r} is {self.state.replace('_', ' ')}{again}"
