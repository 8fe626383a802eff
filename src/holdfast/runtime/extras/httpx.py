"""Policies around every request of an httpx client: `httpx.Client(transport=PolicyTransport(policy))`, and its async twin.

Rules: `policy` covers requests that may be repeated; the others (POST, PATCH, a body that can be read once) go through
`unsafe_policy`, which is refused when it holds a Retry or a Hedge; None there means no policy.  A deadline of the context
shortens every timeout of the request.  A reply that the policy drops is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from holdfast.runtime.extras.adapting import Replies, a_policy, a_single_policy, task, time_left_s
from holdfast.runtime.extras.replies import UNAVAILABLE, asked_s, repeatable
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from holdfast.runtime.calling import Policy

__all__ = ["AsyncPolicyTransport", "PolicyTransport", "retry", "unavailable"]


def unavailable(reply: httpx.Response) -> bool:
    """For `unwanted=` of the policies: the service did not do the work."""
    return reply.status_code in UNAVAILABLE


def retry(**settings: Any) -> Retry:
    """A Retry for transport errors and for replies 429, 502, 503 and 504 that honours Retry-After; settings as those of Retry."""
    return Retry(**{"on": httpx.TransportError, "unwanted": unavailable, "retry_after": asked_s, **settings})


def _chosen(request: httpx.Request, policy: Policy, unsafe_policy: Policy | None) -> Policy | None:
    again = repeatable(request.method, request.headers) and isinstance(request.stream, httpx.ByteStream)
    return policy if again else unsafe_policy


def _bounded(extensions: Any) -> Any:
    """Those of a request, with its timeouts no longer than the time left."""
    if time_left_s() is None:
        return extensions
    given = extensions.get("timeout", {})
    return {**extensions, "timeout": {name: time_left_s(given.get(name)) for name in ("connect", "read", "write", "pool")}}


class PolicyTransport(httpx.BaseTransport):
    def __init__(
        self, policy: Policy, *, unsafe_policy: Policy | None = None, transport: httpx.BaseTransport | None = None,
    ):
        self._policy = a_policy("policy", policy, "call")
        self._unsafe_policy = a_single_policy("unsafe_policy", unsafe_policy, "call")
        self._transport = httpx.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        replies, given = Replies(), request.extensions
        kept: httpx.Response | None = None

        def attempt() -> httpx.Response:
            for reply in replies.let_go():  # the one before, which was not good enough, gives its connection back first
                reply.close()
            request.extensions = _bounded(given)
            reply = self._transport.handle_request(request)
            if not replies.hold(reply):
                reply.close()
            return reply

        policy = _chosen(request, self._policy, self._unsafe_policy)
        try:
            kept = attempt() if policy is None else policy.call(attempt)
            return kept
        finally:
            request.extensions = given  # it may be sent again, with more time
            for reply in replies.end(kept):
                reply.close()

    def close(self) -> None:
        self._transport.close()


class AsyncPolicyTransport(httpx.AsyncBaseTransport):
    def __init__(
        self, policy: Policy, *, unsafe_policy: Policy | None = None, transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._policy = a_policy("policy", policy, "acall")
        self._unsafe_policy = a_single_policy("unsafe_policy", unsafe_policy, "acall")
        self._transport = httpx.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        replies, given = Replies(task), request.extensions
        kept: httpx.Response | None = None

        async def attempt() -> httpx.Response:
            for reply in replies.let_go():
                await reply.aclose()
            request.extensions = _bounded(given)
            reply = await self._transport.handle_async_request(request)
            if not replies.hold(reply):
                await reply.aclose()
            return reply

        policy = _chosen(request, self._policy, self._unsafe_policy)
        try:
            kept = await (attempt() if policy is None else policy.acall(attempt))
            return kept
        finally:
            request.extensions = given
            for reply in replies.end(kept):
                await reply.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()
