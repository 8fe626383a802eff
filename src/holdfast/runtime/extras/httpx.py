"""Policies around every request of an httpx client: `httpx.Client(transport=PolicyTransport(policy))`, and its async twin.

Rules: `policy` covers requests that may be repeated; the others (POST, PATCH, a body that can be read once) go through
`unsafe_policy`, which therefore must hold no Retry and no Hedge; None there means no policy.  A deadline of the context shortens
every timeout of the request. A reply that the policy drops is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from holdfast.runtime.deadlines import check_deadline, remaining_s
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


def _bounded(request: httpx.Request) -> None:
    check_deadline()
    if remaining_s() is not None:
        given = request.extensions.get("timeout", {})
        timeouts = {name: remaining_s(given.get(name)) for name in ("connect", "read", "write", "pool")}
        request.extensions = {**request.extensions, "timeout": timeouts}


class PolicyTransport(httpx.BaseTransport):
    def __init__(
        self, policy: Policy, *, unsafe_policy: Policy | None = None, transport: httpx.BaseTransport | None = None,
    ):
        self._policy, self._unsafe_policy = policy, unsafe_policy
        self._transport = httpx.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        replies: list[httpx.Response] = []
        kept: httpx.Response | None = None

        def attempt() -> httpx.Response:
            while replies:  # the one before, which was not good enough, gives its connection back first
                replies.pop().close()
            _bounded(request)
            replies.append(reply := self._transport.handle_request(request))
            return reply

        policy = _chosen(request, self._policy, self._unsafe_policy)
        try:
            kept = attempt() if policy is None else policy.call(attempt)
            return kept
        finally:
            for reply in replies:
                if reply is not kept:
                    reply.close()

    def close(self) -> None:
        self._transport.close()


class AsyncPolicyTransport(httpx.AsyncBaseTransport):
    def __init__(
        self, policy: Policy, *, unsafe_policy: Policy | None = None, transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._policy, self._unsafe_policy = policy, unsafe_policy
        self._transport = httpx.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        replies: list[httpx.Response] = []
        kept: httpx.Response | None = None

        async def attempt() -> httpx.Response:
            while replies:
                await replies.pop().aclose()
            _bounded(request)
            replies.append(reply := await self._transport.handle_async_request(request))
            return reply

        policy = _chosen(request, self._policy, self._unsafe_policy)
        try:
            kept = await (attempt() if policy is None else policy.acall(attempt))
            return kept
        finally:
            for reply in replies:
                if reply is not kept:
                    await reply.aclose()

    async def aclose(self) -> None:
        await self._transport.aclose()
