"""The adapters for httpx, requests and aiohttp: the real client against a real server."""

import asyncio
import time
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_server import server

from holdfast.runtime import Backoff, Bulkhead, BulkheadFull, DeadlineExceeded, Pipeline, Timeout, deadline
from holdfast.runtime.extras.replies import repeatable, retry_after_of
from holdfast.runtime.testing import full, no_waiting

GOOD, BUSY, HANGS_UP = (200, {}, 0.0), (503, {"Retry-After": "7"}, 0.0), (0, {}, 0.0)
QUICK = Backoff(first_s=0.0)

Ask = Callable[..., tuple[int, str]]


class ByHttpx:
    name = "httpx"

    def ask(
        self, policy: Any, url: str, method: str = "GET", unsafe: Any = None, times: int = 1, *, pool_size: int = 1, **more: Any,
    ) -> tuple[int, str]:
        import httpx

        from holdfast.runtime.extras.httpx import PolicyTransport

        pool = httpx.HTTPTransport(limits=httpx.Limits(max_connections=pool_size))
        transport = PolicyTransport(policy, unsafe_policy=unsafe, transport=pool)
        with httpx.Client(transport=transport) as client:
            for _ in range(times):
                reply = client.request(method, url, **more)
            return reply.status_code, reply.text


class ByAsyncHttpx:
    name = "httpx"

    def ask(
        self, policy: Any, url: str, method: str = "GET", unsafe: Any = None, times: int = 1, *, pool_size: int = 1, **more: Any,
    ) -> tuple[int, str]:
        import httpx

        from holdfast.runtime.extras.httpx import AsyncPolicyTransport

        async def main() -> tuple[int, str]:
            pool = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=pool_size))
            async with httpx.AsyncClient(transport=AsyncPolicyTransport(policy, unsafe_policy=unsafe, transport=pool)) as client:
                for _ in range(times):
                    reply = await client.request(method, url, **more)
                return reply.status_code, reply.text

        return asyncio.run(main())


class ByRequests:
    name = "requests"

    def ask(
        self, policy: Any, url: str, method: str = "GET", unsafe: Any = None, times: int = 1, *, pool_size: int = 1, **more: Any,
    ) -> tuple[int, str]:
        import requests

        from holdfast.runtime.extras.requests import PolicyAdapter

        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", PolicyAdapter(policy, unsafe_policy=unsafe, pool_maxsize=pool_size))
            for _ in range(times):
                reply = session.request(method, url, data=more.get("content"))
            return reply.status_code, reply.text


class ByAiohttp:
    name = "aiohttp"

    def ask(
        self, policy: Any, url: str, method: str = "GET", unsafe: Any = None, times: int = 1, *, pool_size: int = 1, **more: Any,
    ) -> tuple[int, str]:
        import aiohttp

        from holdfast.runtime.extras.aiohttp import policy_middleware

        async def main() -> tuple[int, str]:
            middlewares = (policy_middleware(policy, unsafe_policy=unsafe),)
            async with aiohttp.ClientSession(middlewares=middlewares, connector=aiohttp.TCPConnector(limit=pool_size)) as session:
                for _ in range(times):
                    async with session.request(method, url, data=more.get("content")) as reply:
                        text = await reply.text()
                return reply.status, text

        return asyncio.run(main())


@pytest.fixture(params=[ByHttpx, ByAsyncHttpx, ByRequests, ByAiohttp], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip(request.param.name, reason=f"{request.param.name} is not installed")
    return request.param()


def retry_of(way: Any, **settings: Any) -> Any:
    from importlib import import_module

    return import_module(f"holdfast.runtime.extras.{way.name}").retry(**{"backoff": QUICK, "max_retry_after_s": 10.0, **settings})


def test_a_busy_service_is_asked_again_after_the_time_it_named(way: Any) -> None:
    retry = retry_of(way)
    with server(BUSY, BUSY, GOOD) as told, no_waiting(retry) as clock:
        assert way.ask(retry, told.url) == (200, "answer 2")
        assert clock.slept == [7.0, 7.0]
        assert told.seen == ["GET"] * 3


def test_a_connection_that_breaks_is_a_failure(way: Any) -> None:
    with server(HANGS_UP, GOOD) as told:
        assert way.ask(retry_of(way), told.url) == (200, "answer 1")


def test_after_the_last_attempt_the_reply_is_handed_on_as_it_is(way: Any) -> None:
    with server((503, {}, 0.0)) as told:
        assert way.ask(retry_of(way, attempts=2), told.url) == (503, "answer 1")


def test_a_request_that_may_have_been_done_is_not_repeated(way: Any) -> None:
    with server(BUSY, GOOD) as told:
        assert way.ask(retry_of(way), told.url, "POST", content=b"order") == (503, "answer 0")
        assert told.seen == ["POST order"]


def test_a_body_is_sent_again_with_a_repeated_request(way: Any) -> None:
    with server((503, {}, 0.0), GOOD) as told:
        assert way.ask(retry_of(way), told.url, "PUT", content=b"order") == (200, "answer 1")
        assert told.seen == ["PUT order"] * 2


def test_the_unsafe_policy_covers_the_others(way: Any) -> None:
    bulkhead = Bulkhead(1)
    with server(GOOD) as told, full(bulkhead):
        with pytest.raises(BulkheadFull):
            way.ask(retry_of(way), told.url, "POST", unsafe=bulkhead)
        assert way.ask(retry_of(way), told.url)[0] == 200


def test_dropped_replies_leak_no_connection(way: Any) -> None:
    """Each client has room for one connection: a reply that was not closed would block the next request for ever."""
    large = (503, {"X-Size": "1000000"}, 0.0)  # a client that has read all of a reply frees its connection by itself
    plan = [large, large, GOOD] * 4
    with server(*plan) as told:
        bulkhead = Bulkhead(1)
        assert way.ask(Pipeline(retry_of(way), bulkhead), told.url, times=4)[0] == 200
        assert len(told.seen) == 12
        assert bulkhead.in_flight == 0


def test_a_slow_server_is_left_when_the_time_is_over(way: Any) -> None:
    began_s = time.monotonic()
    with server((200, {}, 0.6)) as told:
        with pytest.raises(Exception) as caught, deadline(0.1):  # noqa: PT011 - each client has its own
            way.ask(Timeout(5), told.url)
        assert time.monotonic() - began_s < 0.5
        assert "imeout" in type(caught.value).__name__ or isinstance(caught.value, DeadlineExceeded)


def test_no_request_is_sent_when_the_time_is_over(way: Any) -> None:
    from holdfast.runtime.testing import expired

    with server(GOOD) as told, expired():
        with pytest.raises(DeadlineExceeded):
            way.ask(retry_of(way), told.url)
        assert told.seen == []


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"Retry-After": "120"}, 120.0), ({"Retry-After": " 5 "}, 5.0), ({}, None), ({"Retry-After": "soon"}, None),
    ({"Retry-After": "-3"}, None), ({"Retry-After": "1.5"}, None), ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:27:30 GMT"}, 30.0),
    ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
])
def test_retry_after_is_a_number_or_a_date_beside_the_date_of_the_reply(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(headers) == seconds


@given(st.text(max_size=40), st.text(max_size=40) | st.datetimes().map(format_datetime))
def test_nonsense_in_the_headers_never_raises(after: str, date: str) -> None:
    seconds = retry_after_of({"Retry-After": after, "Date": date})
    assert seconds is None or seconds >= 0


def test_an_idempotency_key_makes_a_post_repeatable() -> None:
    assert not repeatable("POST", {})
    assert repeatable("POST", {"Idempotency-Key": "1"})
    assert repeatable("get", {})
