"""The refusals of the policies around the breaker, each with the least time after which asking again can succeed."""

from __future__ import annotations

from holdfast.runtime.errors import Rejected

__all__ = ["BulkheadFull", "DeadlineExceeded", "NoEndpoint", "NotAcquired", "RateLimited", "Throttled"]


class BulkheadFull(Rejected):  # noqa: N818
    """All slots are taken and the queue is full, or no slot came free in time."""


class RateLimited(Rejected):  # noqa: N818
    """The rate is used up; `retry_after_s` is exact."""


class DeadlineExceeded(Rejected, TimeoutError):  # noqa: N818
    """The time is over: the call was not begun (`begun` is False), or (only in async code) it was cancelled while it ran."""

    def __init__(
        self, message: str = "", *, retry_after_s: float | None = None, policy: str = "", begun: bool = True,
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s, policy=policy)
        self.begun = begun


class Throttled(Rejected):  # noqa: N818
    """The backend refuses most calls, so this one was spared; chance decides, thus nobody knows when the next one passes."""


class NoEndpoint(Rejected):  # noqa: N818
    """Every endpoint is ejected, or there is none; `retry_after_s` is when the first one comes back."""


class NotAcquired(Rejected):  # noqa: N818
    """No seat came free in time; `state` says why: contending (others hold all), unreachable (the store), stopped."""

    def __init__(
        self, message: str = "", *, retry_after_s: float | None = None, policy: str = "", state: str = "contending",
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s, policy=policy)
        self.state = state
