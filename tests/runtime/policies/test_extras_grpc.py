"""The adapter for gRPC: the real client against a real server."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

from grpc import aio  # noqa: E402

from holdfast.runtime import Backoff, DeadlineExceeded, deadline  # noqa: E402
from holdfast.runtime.extras.grpc import AsyncPolicyInterceptor, PolicyInterceptor, retry  # noqa: E402
from holdfast.runtime.testing import expired, no_waiting  # noqa: E402

QUICK = Backoff(first_s=0.0)
METHOD = "/shop.Orders/Get"


class Orders(grpc.GenericRpcHandler):  # type: ignore[misc]
    """`plan` has one answer per call, the last one for ever: bytes, or a status with trailing metadata."""

    def __init__(self) -> None:
        self.plan: list[Any] = [b"good"]
        self.calls, self.left_s = 0, 0.0

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.get)

    def get(self, request: bytes, context: Any) -> bytes:
        answer = self.plan[min(self.calls, len(self.plan) - 1)]
        self.calls += 1
        self.left_s = context.time_remaining()
        if isinstance(answer, bytes):
            return answer
        status, trailing = answer
        context.set_trailing_metadata(trailing)
        context.abort(status, "as told")
        raise AssertionError


@pytest.fixture
def orders() -> Iterator[tuple[Orders, str]]:
    handler, server = Orders(), grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"127.0.0.1:{port}"
    server.stop(None).wait()


def by_thread(address: str, policy: Any, methods: Any = None) -> bytes:
    with grpc.insecure_channel(address) as channel:
        guarded = grpc.intercept_channel(channel, PolicyInterceptor(policy, methods=methods))
        return guarded.unary_unary(METHOD)(b"question", timeout=20)


def by_task(address: str, policy: Any, methods: Any = None) -> bytes:
    async def main() -> bytes:
        interceptors = [AsyncPolicyInterceptor(policy, methods=methods)]
        async with aio.insecure_channel(address, interceptors=interceptors) as channel:
            return await channel.unary_unary(METHOD)(b"question", timeout=20)

    return asyncio.run(main())


WAYS = pytest.mark.parametrize("ask", [by_thread, by_task])
DOWN = (grpc.StatusCode.UNAVAILABLE, ())


@WAYS
def test_a_service_that_is_unavailable_is_asked_again(ask: Any, orders: tuple[Orders, str]) -> None:
    orders[0].plan = [DOWN, DOWN, b"good"]
    assert ask(orders[1], retry(backoff=QUICK)) == b"good"
    assert orders[0].calls == 3


@WAYS
def test_the_pushback_of_the_server_is_waited_or_ends_the_attempts(ask: Any, orders: tuple[Orders, str]) -> None:
    policy = retry(backoff=QUICK)
    orders[0].plan = [(grpc.StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "2500"),)), b"good"]
    with no_waiting(policy) as clock:
        assert ask(orders[1], policy) == b"good"
        assert clock.slept == [2.5]
    orders[0].plan, orders[0].calls = [(grpc.StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "-1"),))], 0
    with pytest.raises(grpc.RpcError):
        ask(orders[1], policy)
    assert orders[0].calls == 1


@WAYS
def test_other_statuses_reach_the_caller_as_they_are(ask: Any, orders: tuple[Orders, str]) -> None:
    orders[0].plan = [(grpc.StatusCode.NOT_FOUND, ())]
    with pytest.raises(grpc.RpcError) as caught:
        ask(orders[1], retry(backoff=QUICK))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert orders[0].calls == 1


@WAYS
def test_only_the_named_methods_are_covered(ask: Any, orders: tuple[Orders, str]) -> None:
    orders[0].plan = [DOWN, b"good"]
    with pytest.raises(grpc.RpcError):
        ask(orders[1], retry(backoff=QUICK), {"/shop.Orders/List"})
    assert ask(orders[1], retry(backoff=QUICK), {METHOD}) == b"good"


@WAYS
def test_the_server_learns_of_the_deadline(ask: Any, orders: tuple[Orders, str]) -> None:
    with deadline(3):
        assert ask(orders[1], retry()) == b"good"
    assert 0 < orders[0].left_s <= 3.1  # of the 20 s of the call; on the wire gRPC rounds up
    with expired(), pytest.raises(DeadlineExceeded):
        ask(orders[1], retry())
    assert orders[0].calls == 1
