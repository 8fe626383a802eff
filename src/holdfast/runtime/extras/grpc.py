"""Policies around unary gRPC calls: `grpc.intercept_channel(channel, PolicyInterceptor(policy))`, and AsyncPolicyInterceptor for
grpc.aio.

Rules: a deadline of the context shortens the call's own timeout, so the server learns of it.  Streams pass unguarded.  Which
methods may be repeated only the application knows: `methods` names those that the policy covers ("/shop.Orders/Get"), None all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio

from holdfast.runtime.extras.adapting import a_policy, time_left_s
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from holdfast.runtime.calling import Policy

__all__ = ["AsyncPolicyInterceptor", "PolicyInterceptor", "pushback_s", "retry", "unavailable"]


def unavailable(error: Exception) -> bool:
    """For `on=` of the policies."""
    return isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAVAILABLE


def pushback_s(outcome: Any) -> float | None:
    """What the server asked for in `grpc-retry-pushback-ms`; anything but a number from 0 means "do not retry" (gRFC A6)."""
    if not isinstance(outcome, grpc.RpcError):
        return getattr(outcome, "retry_after_s", None)
    metadata: Any = outcome.trailing_metadata() or ()
    said = dict(metadata).get("grpc-retry-pushback-ms")
    if said is None:
        return None
    return int(said) / 1000 if str(said).isdigit() else math.inf


def retry(**settings: Any) -> Retry:
    return Retry(**{"on": unavailable, "retry_after": pushback_s, **settings})


class _Details(NamedTuple):
    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class _CallDetails(_Details, grpc.ClientCallDetails):
    """The same with another timeout."""


def _named(method: Any) -> str:
    return method.decode() if isinstance(method, bytes) else method


def _checked(methods: Any) -> Any:
    if isinstance(methods, str):  # every part of it would be a member
        raise ValueError(f"methods is {methods!r}; it must be None or a collection of names, as {{{methods!r}}}")
    return methods


class PolicyInterceptor(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg,unused-ignore]
    def __init__(self, policy: Policy, *, methods: Collection[str] | None = None):
        self._policy, self._methods = a_policy("policy", policy, "call"), _checked(methods)

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        def attempt() -> Any:
            call = continuation(_CallDetails(
                details.method, time_left_s(details.timeout), details.metadata, details.credentials,
                getattr(details, "wait_for_ready", None), getattr(details, "compression", None)), request)
            error = call.exception()  # waits for the end of the call
            if error is not None:
                raise error
            return call

        covered = self._methods is None or _named(details.method) in self._methods
        return self._policy.call(attempt) if covered else attempt()


class AsyncPolicyInterceptor(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg,unused-ignore]
    def __init__(self, policy: Policy, *, methods: Collection[str] | None = None):
        self._policy, self._methods = a_policy("policy", policy, "acall"), _checked(methods)

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        async def attempt() -> Any:
            call = await continuation(grpc.aio.ClientCallDetails(
                details.method, time_left_s(details.timeout), details.metadata, details.credentials, details.wait_for_ready,
            ), request)
            await call  # raises what went wrong
            return call

        covered = self._methods is None or _named(details.method) in self._methods
        return await (self._policy.acall(attempt) if covered else attempt())
