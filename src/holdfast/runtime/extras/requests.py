"""Policies around every request of a requests session: `session.mount("http://", PolicyAdapter(policy))`.

Rules: as in the httpx adapter; redirects are requests of their own.  A timeout that requests was not given is the time left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
import requests.adapters

from holdfast.runtime.deadlines import check_deadline, remaining_s
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
    check_deadline()
    if remaining_s() is None:
        return timeout
    connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return remaining_s(connect_s), remaining_s(read_s)


class PolicyAdapter(requests.adapters.HTTPAdapter):
    def __init__(self, policy: Policy, *, unsafe_policy: Policy | None = None, **settings: Any):
        self._policy, self._unsafe_policy = policy, unsafe_policy
        super().__init__(**settings)

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, *more: Any, **keywords: Any,
    ) -> requests.Response:
        replies: list[requests.Response] = []
        kept: requests.Response | None = None
        plain_send = super().send

        def attempt() -> requests.Response:
            while replies:
                replies.pop().close()
            replies.append(reply := plain_send(request, stream, _bounded(timeout), *more, **keywords))
            return reply

        again = repeatable(request.method or "", request.headers) and isinstance(request.body, bytes | str | None)
        policy = self._policy if again else self._unsafe_policy
        try:
            kept = attempt() if policy is None else policy.call(attempt)
            return kept
        finally:
            for reply in replies:
                if reply is not kept:
                    reply.close()
