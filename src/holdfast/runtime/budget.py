"""A budget that many calls share, so that retries and hedges cannot multiply an outage.

The rule is gRPC's "retry throttling" (gRFC A6): a bucket of `max_tokens`; a failure costs one token, a success earns
`token_ratio`; nothing extra is sent while half of the tokens or fewer are left.
"""

from __future__ import annotations

from holdfast.runtime import checks
from holdfast.runtime.locks import new_lock

__all__ = ["RetryBudget"]


class RetryBudget:
    """Give one object to all the policies that call the same service.  Safe under threads.

    With the defaults about 50 failures in a row stop the retries, and thereafter ten successes buy one.
    """

    __slots__ = ("_lock", "max_tokens", "token_ratio", "tokens")

    def __init__(self, *, max_tokens: float = 100.0, token_ratio: float = 0.1):
        self.max_tokens = checks.number("max_tokens", max_tokens, low=0.0, high=1000.0, low_open=True)
        self.token_ratio = checks.number("token_ratio", token_ratio, low=0.0, high=self.max_tokens, low_open=True)
        self.tokens = self.max_tokens
        self._lock = new_lock()

    @property
    def allows(self) -> bool:
        return self.tokens > self.max_tokens / 2

    def failed(self) -> bool:
        """Pays for a failed attempt; whether a retry may follow."""
        with self._lock:
            self.tokens = max(0.0, self.tokens - 1.0)
            return self.tokens > self.max_tokens / 2

    def spend(self) -> bool:
        """Pays for an extra attempt if the budget allows one."""
        with self._lock:
            if self.tokens <= self.max_tokens / 2:
                return False
            self.tokens = max(0.0, self.tokens - 1.0)
            return True

    def succeeded(self) -> None:
        if self.tokens < self.max_tokens:  # a full bucket, the usual case, costs no lock
            with self._lock:
                self.tokens = min(self.max_tokens, self.tokens + self.token_ratio)
