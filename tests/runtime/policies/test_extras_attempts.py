"""What the adapters promise of each attempt: which requests are repeated, which replies are closed, which policies are taken."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from small_server import server
from test_extras_http import ByAiohttp, retry_of

from holdfast.runtime import Bulkhead, BulkheadFull
from holdfast.runtime.testing import full

GOOD, BUSY = (200, {}, 0.0), (503, {}, 0.0)


def way_of(kind: Any) -> Any:
    pytest.importorskip(kind.name, reason=f"{kind.name} is not installed")
    return kind()


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
