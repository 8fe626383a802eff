"""The load is offered by the clock, and what became of it is told apart."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from holdfast.probes import load

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"


@asynccontextmanager
async def serving(answer: Callable[[int], tuple[float, bytes]]) -> AsyncIterator[int]:
    """Gives the port.  `answer` says of the nth request how long it takes and what comes; the connection is then closed late."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        wait_s, said = answer(count)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(wait_s)
        writer.write(said)
        if b"Content-Length" not in said:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def offered(answer: Callable[[int], tuple[float, bytes]], **more: float) -> dict[str, float]:
    words = {"rate": 50.0, "lasts_s": 1.0, "deadline_s": 0.4, **more}
    async with serving(answer) as port:
        argv = load.argv(sys.executable, addresses=("127.0.0.1",), port=port, host="entry", path="/", expect=200, **words)
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    return json.loads(said)


def test_good_answers_refusals_and_late_ones_are_counted_apart():
    found = asyncio.run(offered(lambda n: {0: (0.0, GOOD), 1: (0.0, REFUSED), 2: (3.0, GOOD)}[n % 3]))
    assert found["due"] == 50
    assert found["good"] + found["refused"] + found["late"] + found["failed"] == 50
    assert found["good"] == pytest.approx(16, abs=2)
    assert found["refused"] == pytest.approx(17, abs=1)
    assert found["late"] == pytest.approx(17, abs=2)


def test_nobody_waits_for_an_answer_before_the_next_one_is_asked():
    found = asyncio.run(offered(lambda n: (0.3, GOOD)))
    assert found["due"] == 50, "one after the other would be three in a second"
    assert found["lasted_s"] < 1.5


def test_an_answer_that_comes_when_the_offering_is_over_is_no_throughput():
    found = asyncio.run(offered(lambda n: (0.5, GOOD), deadline_s=2.0))
    assert found["good"] == pytest.approx(25, abs=5)
    assert found["late"] == 50 - found["good"]


def test_a_port_where_nobody_listens_is_a_failure():
    async def nobody() -> load.Offered:
        async with serving(lambda n: (0.0, GOOD)) as port:
            pass
        return await load.Offering(
            addresses=["127.0.0.1"], port=port, host="x", path="/", expect=200, rate=20, lasts_s=0.5, deadline_s=0.4,
        ).run()

    assert asyncio.run(nobody()).failed == 10
