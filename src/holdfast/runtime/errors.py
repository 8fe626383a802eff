"""The exceptions of the runtime: a call that was not made says so, and when it may be worth asking again."""

from __future__ import annotations

__all__ = ["CircuitOpenError", "Rejected"]


class Rejected(Exception):  # noqa: N818 - it names what happened; nothing went wrong inside of us
    """The policy refused the call; the function was not called.

    `retry_after_s` is the least time in seconds from now after which asking again can succeed, None when nobody knows.
    `policy` is the name of the policy that refused.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, policy: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.policy = policy

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with positional arguments only; a rejection must cross process pools whole.
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


class CircuitOpenError(Rejected):
    """A circuit breaker is open, or half-open with all of its trials taken; `state` says which ("open", "half_open", "forced_open")."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, policy: str = "", state: str = "open") -> None:
        super().__init__(message, retry_after_s=retry_after_s, policy=policy)
        self.state = state


def _rebuild(kind: type[Rejected], args: tuple[object, ...], attributes: dict[str, object]) -> Rejected:
    rejection = kind.__new__(kind, *args)
    rejection.args = args
    rejection.__dict__.update(attributes)
    return rejection
