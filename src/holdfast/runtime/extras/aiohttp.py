"""Policies around every request of an aiohttp session: `aiohttp.ClientSession(middlewares=(policy_middleware(policy),))`.

Rules: as in the httpx adapter.  A deadline needs no help here: the policies cancel what is under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from holdfast.runtime.extras.adapting import Replies, a_policy, a_single_policy, task, time_left_s
from holdfast.runtime.extras.replies import UNAVAILABLE, asked_s, repeatable
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from holdfast.runtime.calling import Policy

__all__ = ["policy_middleware", "retry", "unavailable"]


def unavailable(reply: aiohttp.ClientResponse) -> bool:
    return reply.status in UNAVAILABLE


def retry(**settings: Any) -> Retry:
    """A Retry for connection errors, timeouts and replies 429, 502, 503 and 504 that honours Retry-After."""
    on = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
    return Retry(**{"on": on, "unwanted": unavailable, "retry_after": asked_s, **settings})


def _sendable_again(body: Any) -> bool:
    """Bytes, text, JSON and forms of these.  Anything else aiohttp reads as it sends it: it would be empty, or
    begin in its midst, a second time."""
    if isinstance(body, aiohttp.MultipartWriter):
        return all(_sendable_again(part) for part, *_ in body)
    return isinstance(body, bytes | aiohttp.BytesPayload)


def policy_middleware(policy: Policy, *, unsafe_policy: Policy | None = None) -> Any:
    a_policy("policy", policy, "acall")
    a_single_policy("unsafe_policy", unsafe_policy, "acall")

    async def middleware(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        replies = Replies(task)
        kept: aiohttp.ClientResponse | None = None

        async def attempt() -> aiohttp.ClientResponse:
            for reply in replies.let_go():
                reply.close()
            time_left_s()  # or it raises
            new: aiohttp.ClientResponse = await handler(request)
            if not replies.hold(new):
                new.close()
            return new

        again = repeatable(request.method, request.headers) and _sendable_again(request.body)
        chosen = policy if again else unsafe_policy
        try:
            kept = await (attempt() if chosen is None else chosen.acall(attempt))
            return kept
        finally:
            for reply in replies.end(kept):
                reply.close()

    return middleware
