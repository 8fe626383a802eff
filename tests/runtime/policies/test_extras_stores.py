"""The adapters for redis, limits and psycopg against real servers, where there are such."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from real_postgres import fresh_postgres, programs

from holdfast.runtime import Backoff, Bulkhead, BulkheadFull, DeadlineExceeded, RateLimited, RetryEvent, deadline
from holdfast.runtime.testing import expired, full

QUICK = Backoff(first_s=0.01, max_s=0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- redis


class RedisServer:
    """One process on one port, which can be ended and started again."""

    def __init__(self, program: str):
        self.program, self.port, self.process = program, free_port(), None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir())
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    pytest.importorskip("redis", reason="redis (the client) is not installed")
    if (program := shutil.which("redis-server")) is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(program)
    server.start()
    yield server
    server.stop()


def test_a_redis_read_survives_a_restart_and_a_write_is_not_repeated(redis_server: RedisServer) -> None:
    import redis

    from holdfast.runtime.extras.redis_client import guard, retry

    def restart(event: RetryEvent) -> None:
        redis_server.start()

    client = guard(redis.Redis(port=redis_server.port), retry(attempts=5, backoff=QUICK, listener=restart))
    assert client.get_retry().get_retries() == 0  # or the two would multiply
    assert client.set("a", "1")
    redis_server.stop()
    assert client.get("a") is None  # nothing is saved, but the answer came
    redis_server.stop()
    with pytest.raises(redis.ConnectionError):
        client.incr("b")
    client.close()


def test_the_async_redis_client_is_guarded_too(redis_server: RedisServer) -> None:
    import redis.asyncio

    from holdfast.runtime.extras.redis_client import guard, retry

    async def main() -> None:
        bulkhead = Bulkhead(1)
        policy = retry(attempts=5, backoff=QUICK, listener=lambda event: redis_server.start())
        client = guard(redis.asyncio.Redis(port=redis_server.port), policy, unsafe_policy=bulkhead)
        assert client.get_retry().get_retries() == 0
        assert await client.set("a", "1")
        assert await client.get("a") == b"1"
        with full(bulkhead), pytest.raises(BulkheadFull):
            await client.set("a", "2")
        redis_server.stop()
        assert await client.get("a") is None
        with pytest.raises(DeadlineExceeded):
            async with deadline(0.1):
                await client.blpop("never", timeout=5)
        await client.aclose()

    asyncio.run(main())


def test_no_command_is_sent_when_the_time_is_over(redis_server: RedisServer) -> None:
    import redis

    from holdfast.runtime.extras.redis_client import guard, retry

    client = guard(redis.Redis(port=redis_server.port), retry())
    with expired(), pytest.raises(DeadlineExceeded):
        client.get("a")
    client.close()


# --- limits


def test_two_limiters_share_one_rate_in_redis_and_pass_when_it_is_away(redis_server: RedisServer) -> None:
    pytest.importorskip("limits", reason="limits is not installed")
    import limits.storage
    import limits.strategies

    from holdfast.runtime.extras.limits import SharedRateLimiter

    def limiter(**settings: Any) -> SharedRateLimiter:
        storage = limits.storage.storage_from_string(f"redis://127.0.0.1:{redis_server.port}")
        return SharedRateLimiter(limits.strategies.FixedWindowRateLimiter(storage), limits.parse("5/hour"), "shop", **settings)

    one, two, strict = limiter(), limiter(), limiter(storage_down="raise")
    for shared in (one, two, one, two, one):
        assert shared.call(lambda: "went") == "went"
    with pytest.raises(RateLimited):
        two(print)()
    redis_server.stop()
    assert one.call(lambda: "went") == "went"
    with pytest.raises(Exception, match="onnect"):
        strict.call(print)


def test_the_async_strategies_of_limits_work_as_well() -> None:
    pytest.importorskip("limits", reason="limits is not installed")
    import limits.aio.storage
    import limits.aio.strategies

    from holdfast.runtime.extras.limits import SharedRateLimiter

    strategy = limits.aio.strategies.MovingWindowRateLimiter(limits.aio.storage.MemoryStorage())
    limiter = SharedRateLimiter(strategy, limits.parse("2/hour"), "shop")

    async def main() -> None:
        for _ in range(2):
            await limiter.acall(asyncio.sleep, 0)
        with pytest.raises(RateLimited):
            await limiter.acall(asyncio.sleep, 0)

    asyncio.run(main())


# --- psycopg


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed under /usr/lib/postgresql")
    with fresh_postgres(found, free_port()) as words:
        yield words


def test_a_transaction_whose_connection_was_ended_is_done_again_as_a_whole(postgres: str) -> None:
    import psycopg

    from holdfast.runtime.extras.psycopg import retry, run

    tries = []

    def work(connection: Any) -> int:
        connection.execute("create table if not exists orders (n int)")
        connection.execute("insert into orders values (1)")
        tries.append(1)
        if len(tries) == 1:
            with psycopg.connect(postgres) as killer:
                killer.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        return int(connection.execute("select count(*) from orders").fetchone()[0])

    assert run(lambda: psycopg.connect(postgres), work, policy=retry(backoff=QUICK)) == 1
    assert len(tries) == 2


def test_a_serialization_failure_is_done_again_and_a_mistake_is_not(postgres: str) -> None:
    import psycopg

    from holdfast.runtime.extras.psycopg import retry, run

    codes = iter(["40001", "40P01"])

    def work(connection: Any) -> str:
        if code := next(codes, None):
            connection.execute(f"do $$ begin raise exception using errcode = '{code}'; end $$")
        return "done"

    with psycopg.connect(postgres, autocommit=True) as connection:
        import contextlib
        assert run(lambda: contextlib.nullcontext(connection), work, policy=retry(backoff=QUICK)) == "done"
        with pytest.raises(psycopg.errors.SyntaxError):
            run(lambda: contextlib.nullcontext(connection), lambda c: c.execute("selec"), policy=retry(backoff=QUICK))


def test_a_connection_that_breaks_during_commit_leaves_the_outcome_unknown_and_is_not_repeated(postgres: str) -> None:
    import psycopg

    from holdfast.runtime.extras.psycopg import CommitUnknown, arun, retry, run

    tries = []
    setup = """
        create or replace function slowly() returns trigger language plpgsql as $$ begin
        perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return null; end $$;
        create table if not exists late (n int);
        drop trigger if exists at_commit on late;
        create constraint trigger at_commit after insert on late deferrable initially deferred
        for each row execute function slowly();
    """
    with psycopg.connect(postgres) as connection:
        connection.execute(setup)

    def work(connection: Any) -> None:
        tries.append(1)
        connection.execute("insert into late values (1)")

    async def awork(connection: Any) -> None:
        tries.append(1)
        await connection.execute("insert into late values (1)")

    async def main() -> None:
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def connect() -> Any:
            async with await psycopg.AsyncConnection.connect(postgres) as connection:
                yield connection

        with pytest.raises(CommitUnknown):
            await arun(connect, awork, policy=retry(backoff=QUICK))

    with pytest.raises(CommitUnknown):
        run(lambda: psycopg.connect(postgres), work, policy=retry(backoff=QUICK))
    asyncio.run(main())
    assert len(tries) == 2


def test_the_deadline_becomes_the_statement_timeout(postgres: str) -> None:
    import psycopg

    from holdfast.runtime.extras.psycopg import run

    began_s = time.monotonic()
    with deadline(0.3), pytest.raises(psycopg.errors.QueryCanceled):
        run(lambda: psycopg.connect(postgres), lambda connection: connection.execute("select pg_sleep(5)"))
    assert time.monotonic() - began_s < 2


def test_a_deadline_longer_than_any_statement_timeout_is_none_of_its_business(postgres: str) -> None:
    import psycopg

    from holdfast.runtime.extras.psycopg import run

    with deadline(40 * 86400.0):
        run(lambda: psycopg.connect(postgres), lambda connection: connection.execute("select 1"))


def test_a_server_that_is_away_is_asked_again() -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

    from holdfast.runtime.extras.psycopg import retry, run

    heard: list[RetryEvent] = []
    port = free_port()
    policy = retry(backoff=QUICK, listener=heard.append)
    with pytest.raises(psycopg.OperationalError):
        run(lambda: psycopg.connect(f"host=127.0.0.1 port={port} user=shop"), print, policy=policy)
    assert len(heard) == 2
