"""Policies around every request of a requests session: `session.mount("http://", PolicyAdapter(policy))`.

Rules: as in the httpx adapter; redirects are requests of their own.  A timeout that requests was not given is the time left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
import requests.adapters
import urllib3

from holdfast.runtime.extras.adapting import Replies, a_policy, a_single_policy, time_left_s
from holdfast.runtime.extras.replies import UNAVAILABLE, asked_s, repeatable
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from holdfast.runtime.calling import Policy

__all__ = ["PolicyAdapter", "retry", "unavailable"]


def unavailable(reply: requests.Response) -> bool:
    return reply.status_code in UNAVAILABLE


def retry(**settings: Any) -> Retry:
    """A Retry for connection errors, timeouts and replies 429, 502, 503 and 504 that honours Retry-After."""
    on = (requests.ConnectionError, requests.Timeout)
    return Retry(**{"on": on, "unwanted": unavailable, "retry_after": asked_s, **settings})


def _bounded(timeout: Any) -> Any:
    """What requests takes for a timeout (seconds, a pair of them or urllib3's own), no longer than the time left."""
    left_s = time_left_s()
    if left_s is None:
        return timeout
    if isinstance(timeout, urllib3.Timeout):
        bounded = timeout.clone()
    else:
        connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        bounded = urllib3.Timeout(connect=connect_s, read=read_s)
    bounded.total = min(left_s, bounded.total) if isinstance(bounded.total, int | float) else left_s
    return bounded


class PolicyAdapter(requests.adapters.HTTPAdapter):
    def __init__(self, policy: Policy, *, unsafe_policy: Policy | None = None, **settings: Any):
        self._policy = a_policy("policy", policy, "call")
        self._unsafe_policy = a_single_policy("unsafe_policy", unsafe_policy, "call")
        super().__init__(**settings)

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, *more: Any, **keywords: Any,
    ) -> requests.Response:
        replies = Replies()
        kept: requests.Response | None = None
        plain_send = super().send

        def attempt() -> requests.Response:
            for reply in replies.let_go():
                reply.close()
            new = plain_send(request, stream, _bounded(timeout), *more, **keywords)
            if not replies.hold(new):
                new.close()
            return new

        again = repeatable(request.method or "", request.headers) and isinstance(request.body, bytes | str | None)
        policy = self._policy if again else self._unsafe_policy
        try:
            kept = attempt() if policy is None else policy.call(attempt)
            return kept
        finally:
            for reply in replies.end(kept):
                reply.close()
