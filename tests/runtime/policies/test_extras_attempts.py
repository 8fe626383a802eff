"""What the adapters promise of each attempt: which requests are repeated, which replies are closed, which policies are taken."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from small_server import server
from test_extras_http import ByAiohttp, ByAsyncHttpx, ByHttpx, ByRequests, retry_of

from holdfast.runtime import (
    BreakerSettings,
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    DeadlineExceeded,
    Hedge,
    Pipeline,
    Retry,
    Timeout,
    deadline,
)
from holdfast.runtime.testing import expired, full

GOOD, BUSY = (200, {}, 0.0), (503, {}, 0.0)
LARGE = {"X-Size": "1000000"}  # a client that has read all of a reply frees its connection by itself
WAYS = [ByHttpx, ByAsyncHttpx, ByRequests, ByAiohttp]


def way_of(kind: Any) -> Any:
    pytest.importorskip(kind.name, reason=f"{kind.name} is not installed")
    return kind()


@pytest.fixture(params=WAYS, ids=lambda kind: kind.__name__)
def way(request: pytest.FixtureRequest) -> Any:
    return way_of(request.param)


# --- bodies


async def stream() -> AsyncIterator[bytes]:
    yield b"order of lamps"


def form(*fields: Any) -> Callable[[], Any]:
    def make() -> Any:
        import aiohttp

        made = aiohttp.FormData(default_to_multipart=True)
        for field in fields:
            made.add_field("order", io.BytesIO(field) if isinstance(field, bytes) else field)
        return made

    return make


@pytest.mark.parametrize(("data", "times"), [
    (lambda: b"lamps", 2), (lambda: "lamps", 2), (lambda: {"order": "lamps"}, 2), (form("lamps", "bulbs"), 2), (lambda: None, 2),
    (stream, 1), (lambda: io.BytesIO(b"lamps"), 1), (lambda: io.StringIO("lamps"), 2), (form("lamps", b"a file"), 1),
], ids=["bytes", "text", "form", "multipart", "nothing", "stream", "file", "text in memory", "file in a form"])
def test_aiohttp_repeats_a_request_only_when_its_body_can_be_sent_again(data: Callable[[], Any], times: int) -> None:
    way = way_of(ByAiohttp)
    with server(BUSY, GOOD) as told:
        assert way.ask(retry_of(way), told.url, "PUT", content=data()) == ((200, "answer 1") if times == 2 else (503, "answer 0"))
        assert len(told.seen) == times
        assert len(set(told.seen)) == 1


def test_aiohttp_takes_a_body_that_is_read_once_through_the_unsafe_policy() -> None:
    way, bulkhead = way_of(ByAiohttp), Bulkhead(1)
    with server(GOOD) as told, full(bulkhead):
        with pytest.raises(BulkheadFull):
            way.ask(retry_of(way), told.url, "PUT", unsafe=bulkhead, content=stream())
        assert told.seen == []


# --- the time that is left


def careful() -> CircuitBreaker:
    return CircuitBreaker("shop", BreakerSettings(window_calls=2, min_calls=1))


def knows_nothing(breaker: CircuitBreaker, attempt: Callable[[], Any]) -> None:
    with expired(), pytest.raises(DeadlineExceeded) as late:
        attempt()
    assert not late.value.begun
    seen = breaker.snapshot()
    assert (seen.state, seen.successes_ever, seen.failures_ever, seen.ignored_ever) == ("closed", 0, 0, 1)


def test_a_breaker_learns_nothing_from_a_request_that_was_not_sent(way: Any) -> None:
    breaker = careful()
    with server(GOOD) as told:
        knows_nothing(breaker, lambda: way.ask(breaker, told.url))
        assert told.seen == []


def test_nor_from_a_transaction_that_was_not_begun() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    from holdfast.runtime.extras.psycopg import arun, run

    plain, waiting = careful(), careful()
    knows_nothing(plain, lambda: run(print, print, policy=plain))
    knows_nothing(waiting, lambda: asyncio.run(arun(print, print, policy=waiting)))


def test_nor_from_a_command_that_was_not_sent() -> None:
    redis = pytest.importorskip("redis", reason="redis is not installed")
    from holdfast.runtime.extras.redis_client import guard

    breaker, client = careful(), guard(redis.Redis(), Bulkhead(1))
    knows_nothing(breaker, lambda: breaker.call(client.get, "a"))


def test_nor_from_a_grpc_call_that_was_not_sent() -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
    from holdfast.runtime.extras.grpc import AsyncPolicyInterceptor, PolicyInterceptor

    plain, waiting = careful(), careful()
    with grpc.insecure_channel("127.0.0.1:1") as channel:
        ask = grpc.intercept_channel(channel, PolicyInterceptor(plain)).unary_unary("/shop.Orders/Get")
        knows_nothing(plain, lambda: ask(b"question"))

    async def main() -> None:
        async with grpc.aio.insecure_channel("127.0.0.1:1", interceptors=[AsyncPolicyInterceptor(waiting)]) as channel:
            await channel.unary_unary("/shop.Orders/Get")(b"question")

    knows_nothing(waiting, lambda: asyncio.run(main()))


class InTurn:
    """A policy of two attempts, the first with little time."""

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        with deadline(0.5):
            function(*args, **kwargs)
        with deadline(50.0):
            return function(*args, **kwargs)


def test_an_attempt_is_not_bounded_by_what_an_earlier_one_had_left() -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    from holdfast.runtime.extras.httpx import PolicyTransport

    reads: list[float] = []

    def answer(request: Any) -> Any:
        reads.append(request.extensions["timeout"]["read"])
        return httpx.Response(200)

    with httpx.Client(transport=PolicyTransport(InTurn(), transport=httpx.MockTransport(answer)), timeout=20.0) as client:
        request = client.build_request("GET", "http://shop/")
        client.send(request)
        assert reads[0] <= 0.5
        assert reads[1] == request.extensions["timeout"]["read"] == 20.0


@pytest.mark.parametrize(("timeout", "left_s"), [
    ({"total": 3}, 0.1), ({"total": 0.1}, 5.0), ({"connect": 3, "read": 3}, 0.1), ({"read": 0.1}, 5.0), ({}, 0.1),
])
def test_a_timeout_of_urllib3_is_shortened_like_any_other(timeout: dict[str, float], left_s: float) -> None:
    requests = pytest.importorskip("requests", reason="requests is not installed")
    import urllib3

    from holdfast.runtime.extras.requests import PolicyAdapter

    given = urllib3.Timeout(**timeout)
    with server((200, {}, 0.6), GOOD) as told, requests.Session() as session:
        session.trust_env = False
        session.mount("http://", PolicyAdapter(Timeout(5)))
        began_s = time.monotonic()
        with deadline(left_s), pytest.raises(requests.Timeout):
            session.get(told.url, timeout=given)
        assert time.monotonic() - began_s < 0.5
        with deadline(5.0):
            assert session.get(told.url, timeout=urllib3.Timeout(3)).text == "answer 1"
    assert repr(given) == repr(urllib3.Timeout(**timeout))


# --- replies


class Witness:
    """A policy that sees every reply, also those of losers."""

    def __init__(self) -> None:
        self.replies: list[Any] = []

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        reply = function(*args, **kwargs)
        self.replies.append(reply)
        return reply

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __call__(self, function: Any) -> Any:
        raise NotImplementedError

    def open(self) -> list[Any]:
        return [reply for reply in self.replies if not (reply.is_closed if hasattr(reply, "is_closed") else reply.raw.closed)]


def httpx_client(policy: Any) -> Any:
    import httpx

    return httpx.Client(transport=of_httpx(policy))


def requests_session(policy: Any) -> Any:
    import requests

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", of_requests(policy))
    return session


@pytest.mark.parametrize(("kind", "client"), [(ByHttpx, httpx_client), (ByRequests, requests_session)])
def test_a_reply_that_comes_after_the_winners_is_closed(kind: Any, client: Any) -> None:
    way_of(kind)
    witness = Witness()
    with server((200, LARGE, 1.0), (200, LARGE, 0.0)) as told, client(Pipeline(Hedge(after_s=0.03), witness)) as hedging:
        assert hedging.get(told.url).text.startswith("answer 1")
        for _ in range(200):
            if len(witness.replies) == 2 and not witness.open():
                return
            time.sleep(0.02)
    raise AssertionError(f"{len(witness.open())} of {len(witness.replies)} replies are open")


def test_a_client_that_hedges_keeps_its_connections() -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")
    from holdfast.runtime.extras.httpx import PolicyTransport

    pool = httpx.HTTPTransport(limits=httpx.Limits(max_connections=3))
    transport = PolicyTransport(Hedge(after_s=0.03), transport=pool)
    with server((200, LARGE, 0.1)) as told, httpx.Client(transport=transport, timeout=1.0) as client:
        for _ in range(6):
            assert client.get(told.url).status_code == 200


class BothAtOnce:
    """A policy whose second attempt begins when the first has its reply and is about to win."""

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        replies: list[Any] = []
        for _ in range(2):
            thread = threading.Thread(target=lambda: replies.append(function(*args, **kwargs)))
            thread.start()
            thread.join()
        return replies[0]

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        first = await asyncio.create_task(function(*args, **kwargs))
        await asyncio.create_task(function(*args, **kwargs))
        return first


def test_an_attempt_does_not_close_the_reply_of_another_that_may_win(way: Any) -> None:
    with server((200, LARGE, 0.0)) as told:
        assert way.ask(BothAtOnce(), told.url, pool_size=2)[1].startswith("answer 0")


# --- policies


def of_httpx(*policies: Any, **unsafe: Any) -> Any:
    pytest.importorskip("httpx", reason="httpx is not installed")
    from holdfast.runtime.extras.httpx import PolicyTransport

    return PolicyTransport(*policies, **unsafe)


def of_async_httpx(*policies: Any, **unsafe: Any) -> Any:
    pytest.importorskip("httpx", reason="httpx is not installed")
    from holdfast.runtime.extras.httpx import AsyncPolicyTransport

    return AsyncPolicyTransport(*policies, **unsafe)


def of_requests(*policies: Any, **unsafe: Any) -> Any:
    pytest.importorskip("requests", reason="requests is not installed")
    from holdfast.runtime.extras.requests import PolicyAdapter

    return PolicyAdapter(*policies, **unsafe)


def of_aiohttp(*policies: Any, **unsafe: Any) -> Any:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    from holdfast.runtime.extras.aiohttp import policy_middleware

    return policy_middleware(*policies, **unsafe)


def of_redis(*policies: Any, **unsafe: Any) -> Any:
    redis = pytest.importorskip("redis", reason="redis is not installed")
    from holdfast.runtime.extras.redis_client import guard

    return guard(redis.Redis(), *policies, **unsafe)


def of_grpc(*policies: Any, **more: Any) -> Any:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    from holdfast.runtime.extras.grpc import AsyncPolicyInterceptor, PolicyInterceptor

    with suppress(ValueError):  # both refuse the same
        PolicyInterceptor(*policies, **more)
    return AsyncPolicyInterceptor(*policies, **more)


def of_psycopg(policy: Any) -> Any:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    from holdfast.runtime.extras.psycopg import run

    return run(print, print, policy=policy)


HTTP = [of_httpx, of_async_httpx, of_requests, of_aiohttp]


@pytest.mark.parametrize("adapter", [*HTTP, of_redis, of_grpc, of_psycopg])
@pytest.mark.parametrize("policy", [5, Retry, "retry", print])
def test_what_is_no_policy_is_refused_when_the_adapter_is_made(adapter: Any, policy: Any) -> None:
    with pytest.raises(ValueError, match="policy is .*; it must be a policy, with a?call"):
        adapter(policy)


@pytest.mark.parametrize("adapter", [*HTTP, of_redis])
@pytest.mark.parametrize("unsafe", [
    5, Retry(), Hedge(after_s=1), Pipeline(Bulkhead(1), Retry()), Pipeline(Pipeline(Hedge(after_s=1)), Bulkhead(1)),
])
def test_an_unsafe_policy_that_repeats_is_refused(adapter: Any, unsafe: Any) -> None:
    with pytest.raises(ValueError, match="unsafe_policy is .*; it must"):
        adapter(Retry(), unsafe_policy=unsafe)
    adapter(Retry(), unsafe_policy=Pipeline(Bulkhead(1), Retry(attempts=1), Timeout(1)))


def test_a_name_alone_is_no_collection_of_methods() -> None:
    with pytest.raises(ValueError, match="methods is '/shop.Orders/Get'"):
        of_grpc(Retry(), methods="/shop.Orders/Get")
