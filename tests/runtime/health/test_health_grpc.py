"""gRPC's health protocol, asked by the real client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
health_pb2 = pytest.importorskip("grpc_health.v1.health_pb2", reason="grpcio-health-checking is not installed")

from grpc_health.v1 import health_pb2_grpc  # noqa: E402

from holdfast.runtime.extras.health_grpc import add_to_server  # noqa: E402
from holdfast.runtime.health import Check, Health, Result  # noqa: E402

UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = 0, 1, 2, 3
SERVICES = {"shop.Orders": "orders"}


def request(service: str) -> Any:
    return health_pb2.HealthCheckRequest(service=service)


def shop(answers: list[str]) -> Health:
    health = Health("shop")
    health.group("orders", critical=False)
    health.add(Check("pages", lambda: True), Check("database", lambda: Result(answers[0]), group="orders", ttl_s=0))
    return health


@pytest.fixture
def answers() -> list[str]:
    return ["pass"]


@pytest.fixture
def stub(answers: list[str]) -> Iterator[Any]:
    server = grpc.server(ThreadPoolExecutor(8))
    add_to_server(shop(answers), server, services=SERVICES, every_s=0.02)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield health_pb2_grpc.HealthStub(channel)
    server.stop(None).wait(30)


def test_check_answers_for_the_whole_for_each_kind_and_for_a_service(stub: Any, answers: list[str]) -> None:
    def status(service: str) -> int:
        return stub.Check(request(service), timeout=30).status

    assert [status(name) for name in ("", "liveness", "readiness", "startup", "shop.Orders")] == [SERVING] * 5
    answers[0] = "fail"
    assert (status(""), status("shop.Orders")) == (SERVING, NOT_SERVING), "orders are not critical for the whole"


def test_an_unknown_service_is_not_found(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.Check(request("shop.Nobody"), timeout=30)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_watch_tells_the_state_at_once_and_then_each_change(stub: Any, answers: list[str]) -> None:
    heard = stub.Watch(request("shop.Orders"), timeout=30)
    assert next(heard).status == SERVING
    answers[0] = "fail"
    assert next(heard).status == NOT_SERVING
    answers[0] = "warn"
    assert next(heard).status == SERVING
    heard.cancel()
    assert next(stub.Watch(request("shop.Nobody"), timeout=30)).status == SERVICE_UNKNOWN


def test_the_async_server_does_the_same(answers: list[str]) -> None:
    async def main() -> None:
        health = shop(answers)
        server = grpc.aio.server()
        add_to_server(health, server, services=SERVICES, every_s=0.02)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert (await stub.Check(request(""), timeout=30)).status == SERVING
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Check(request("nobody"), timeout=30)
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            heard = stub.Watch(request(""), timeout=30)
            assert (await heard.read()).status == SERVING
            health.drain()
            assert (await heard.read()).status == NOT_SERVING
            assert (await stub.Check(request("liveness"), timeout=30)).status == SERVING
            heard.cancel()
        await server.stop(None)

    asyncio.run(main())


def test_wrong_registration_is_an_error_at_the_start() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    with pytest.raises(ValueError, match="no readiness checks"):
        add_to_server(Health(), server)
    with pytest.raises(ValueError, match=r"services\['a'\] is 'nobody'; it must be one of 'database', 'orders', 'pages'"):
        add_to_server(shop(["pass"]), server, services={"a": "nobody"})
    alive = shop(["pass"])
    alive.check("loop", kind="liveness")(lambda: True)
    with pytest.raises(ValueError, match=r"services\['a'\] is 'loop'"):
        add_to_server(alive, server, services={"a": "loop"})
