"""The exceptions of the runtime: a call that was not made says so, and when it may be worth asking again.

Rules: messages are made when somebody reads them, because a rejection must be cheap; every exception survives pickling.
"""

from __future__ import annotations

__all__ = ["CircuitOpenError", "Rejected", "mark_unbegun", "not_asked"]


class Rejected(Exception):  # noqa: N818 - it names what happened; nothing went wrong inside of us
    """A policy refused the call.  A breaker around that policy learns nothing from it, unless it is a TimeoutError as well.

    `retry_after_s` is the least time in seconds from now after which asking again can succeed; None when nobody knows.
    `policy` is the name of the policy that refused.
    """

    __slots__ = ()  # no place for weak references, which no built-in exception has either

    def __init__(self, message: str = "", *, retry_after_s: float | None = None, policy: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.policy = policy


class CircuitOpenError(Rejected):
    """A circuit breaker is open, or half-open with all of its trials taken.

    Made of (policy, state, retry_after_s), which are its `args`; `state` is open, half_open or forced_open.
    """

    __slots__ = ()

    # Made by the interpreter alone: an __init__ of ours would be a third of what a rejection costs.
    __init__ = Exception.__init__

    @property
    def policy(self) -> str:  # type: ignore[override]
        return str(self.args[0]) if self.args else ""

    @property
    def state(self) -> str:
        return str(self.args[1]) if len(self.args) > 1 else "open"

    @property
    def retry_after_s(self) -> float | None:  # type: ignore[override]
        return self.args[2] if len(self.args) > 2 else None

    def __str__(self) -> str:
        again = "" if self.retry_after_s is None else f", ask again in {self.retry_after_s:.3g} s"
        return f"circuit breaker {self.policy!r} is {self.state.replace('_', ' ')}{again}"


def not_asked(error: BaseException) -> bool:
    """Whether a policy within refused, so that this failure says nothing of the callee.  A group did, when all that is in it did.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(not_asked(each) for each in error.exceptions)
    # A deadline that ended the call while it ran is a refusal by name only.
    return isinstance(error, Rejected) and not (isinstance(error, TimeoutError) and getattr(error, "begun", True))


def mark_unbegun(order: BaseException) -> None:
    """What ended a wait before the call: a cancellation that says nothing of the callee.  It has `begun`, False, as a
    DeadlineExceeded has; asyncio hands the same object on to whoever is around.
    """
    try:
        order.begun = False  # type: ignore[attr-defined]
    except AttributeError:  # of a loop of somebody's own, with slots
        pass
