"""The ready-made checks with the real clients against real servers: there, gone, hung, wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_servers import Postgres, etcd, free_port, postgres_folder, until

from holdfast.runtime.health import Check, CheckReport, Health, HealthServer, Result

SECRET = "s3cret-s3cret"


def report_of(check: Any, timeout_s: float = 20.0) -> CheckReport:
    health = Health()
    health.add(Check("it", check, timeout_s=timeout_s))
    return health.ask()["it"]


async def areport_of(check: Any) -> CheckReport:
    health = Health()
    health.add(Check("it", check, timeout_s=20.0))
    return (await health.aask())["it"]


# --- PostgreSQL


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary and its standby."""
    with postgres_folder() as (folder, identity):
        made: list[Postgres] = []
        for name in ("primary", "standby"):
            (folder / name).mkdir()
            if identity:
                os.chown(folder / name, identity["user"], identity["group"])
            made.append(Postgres(folder / name, identity))
        primary, standby = made
        try:
            primary.create()
            primary.start()
            standby.copy_of(primary)
            (folder / "standby/data").chmod(0o700)
            standby.start()
            yield primary, standby
        finally:
            standby.stop()
            primary.stop()


@pytest.mark.real
def test_a_database_is_what_is_wanted_of_it(servers: tuple[Postgres, Postgres]) -> None:
    import psycopg

    from holdfast.runtime.extras.health_psycopg import Ping

    primary, standby = servers

    def said(server: Postgres, role: str) -> tuple[str, str]:
        report = report_of(Ping(lambda: psycopg.connect(server.dsn), role=role))
        return str(report.status), report.message

    assert said(primary, "any") == said(primary, "primary") == said(standby, "any") == said(standby, "standby") == ("pass", "")
    assert said(standby, "primary") == ("fail", "takes no writes: it is a standby")
    assert said(primary, "standby") == ("fail", "is the primary")
    read_only = Ping(lambda: psycopg.connect(primary.dsn, options="-c default_transaction_read_only=on"), role="primary")
    assert report_of(read_only).message == "takes no writes: it is set to read only"


@pytest.mark.real
def test_the_async_clients_and_pools_are_asked_in_the_programs_loop(servers: tuple[Postgres, Postgres]) -> None:
    import psycopg

    from holdfast.runtime.extras.health_psycopg import Ping, ReplicationLag

    pools = pytest.importorskip("psycopg_pool", reason="psycopg-pool is not installed")
    primary, standby = servers

    async def main() -> None:
        assert (await areport_of(Ping(lambda: psycopg.AsyncConnection.connect(primary.dsn)))).status == "pass"
        async with pools.AsyncConnectionPool(standby.dsn, min_size=1, open=False) as pool:
            assert (await areport_of(Ping(pool.connection, role="standby"))).value == "standby"
            assert (await areport_of(ReplicationLag(pool.connection))).status == "pass"

    asyncio.run(main())


@pytest.mark.real
def test_a_standby_tells_its_lag_and_whether_it_is_connected(servers: tuple[Postgres, Postgres]) -> None:
    import psycopg

    from holdfast.runtime.extras.health_psycopg import ReplicationLag

    primary, standby = servers

    def lag(server: Postgres, **settings: Any) -> CheckReport:
        return report_of(ReplicationLag(lambda: psycopg.connect(server.dsn), **settings))

    assert (lag(primary).status, lag(primary).message) == ("pass", "is the primary")
    until(lambda: lag(standby).status == "pass")
    writing = psycopg.connect(primary.dsn, autocommit=True)
    with psycopg.connect(standby.dsn, autocommit=True) as connection, writing as writer:
        writer.execute("CREATE TABLE IF NOT EXISTS lagging (n int)")
        until(lambda: connection.execute("SELECT to_regclass('lagging') IS NOT NULL").fetchone() == (True,))
        connection.execute("SELECT pg_wal_replay_pause()")
        writer.execute("INSERT INTO lagging VALUES (1)")
        behind = until(lambda: (found := lag(standby, warn_s=0.2, fail_s=60.0)).status == "warn" and found)
        assert behind.message.startswith("the replication lag is ")
        assert behind.value >= 0.2
        connection.execute("SELECT pg_wal_replay_resume()")
    until(lambda: lag(standby, warn_s=0.2).value == 0.0)


@pytest.mark.real
def test_a_database_that_is_gone_or_frozen_fails_in_time_and_no_password_is_told(servers: tuple[Postgres, Postgres]) -> None:
    import psycopg

    from holdfast.runtime.extras.health_psycopg import Ping, ReplicationLag

    primary, standby = servers
    check = Ping(lambda: psycopg.connect(primary.dsn))
    assert report_of(check).status == "pass"
    assert primary.process is not None
    pid = primary.process.pid
    backends = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for each in (pid, *backends):
        os.kill(each, signal.SIGSTOP)
    began_s = time.monotonic()
    frozen = report_of(check, timeout_s=0.5)
    assert (frozen.status, frozen.message) == ("fail", "no answer within 0.5 s")
    assert time.monotonic() - began_s < 4.0
    for each in (*backends, pid):
        os.kill(each, signal.SIGCONT)
    primary.stop()
    gone = report_of(Ping(lambda: psycopg.connect(primary.dsn + "&password=" + SECRET)))
    assert gone.status == "fail"
    assert SECRET not in gone.message
    until(lambda: report_of(ReplicationLag(lambda: psycopg.connect(standby.dsn))).message.startswith("no WAL receiver"))
    primary.start()


@pytest.mark.real
def test_an_engine_of_sqlalchemy_is_asked_through_its_own_pool(servers: tuple[Postgres, Postgres]) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    from sqlalchemy.ext.asyncio import create_async_engine

    from holdfast.runtime.extras.health_sqlalchemy import Ping

    url = servers[0].dsn.replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.2)
    assert report_of(Ping(engine)).status == "pass"
    with engine.connect():
        exhausted = report_of(Ping(engine))
    assert (exhausted.status, "QueuePool limit" in exhausted.message) == ("fail", True)
    engine.dispose()

    async def main() -> None:
        pytest.importorskip("greenlet", reason="greenlet, which SQLAlchemy's asyncio needs, is not installed")
        made = create_async_engine(url)
        assert (await areport_of(Ping(made))).status == "pass"
        await made.dispose()

    asyncio.run(main())
    lost = sqlalchemy.create_engine(f"postgresql+psycopg://shop:{SECRET}@127.0.0.1:{free_port()}/shop")
    failed = report_of(Ping(lost))
    assert failed.status == "fail"
    assert SECRET not in failed.message
    with pytest.raises(ValueError, match="engine is 5"):
        Ping(5)  # type: ignore[arg-type]


# --- etcd


@pytest.mark.real
def test_a_member_of_etcd_is_healthy_silent_or_gone() -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")

    from holdfast.runtime.extras.health_etcd import Member

    with etcd() as (url, process), httpx.Client(trust_env=False, timeout=5) as client:
        assert report_of(Member(client, url)).status == "pass"
        assert report_of(Member(client, url, serializable=True)).status == "pass"

        async def main() -> None:
            async with httpx.AsyncClient(trust_env=False) as aclient:
                assert (await areport_of(Member(aclient, url))).status == "pass"

        asyncio.run(main())
        process.send_signal(signal.SIGSTOP)
        assert report_of(Member(client, url), timeout_s=0.3).message == "no answer within 0.3 s"
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert report_of(Member(client, url)).message.startswith("ConnectError")
    with pytest.raises(ValueError, match="it must be like http://"):
        Member(httpx.Client(), "10.0.0.1:2379")


def test_a_member_without_a_quorum_says_so() -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")

    from holdfast.runtime.extras.health_etcd import Member

    def said(status: int, body: str) -> str:
        pretend = httpx.MockTransport(lambda request: httpx.Response(status, text=body))
        report = report_of(Member(httpx.Client(transport=pretend), "http://etcd:2379"))
        assert report.status == "fail"
        return report.message

    assert said(503, '{"health":"false","reason":"RAFT NO LEADER"}') == "is not healthy: RAFT NO LEADER"
    assert said(503, '{"health":"false"}') == "is not healthy"
    for nonsense in ("", "[]", "5", "null", "<html>"):
        assert said(200, nonsense) == "answered 200 and nothing that etcd says"


# --- another service


@pytest.mark.parametrize(("said", "status"), [("pass", "pass"), ("warn", "warn"), ("fail", "fail")])
def test_the_health_of_another_service_is_taken_over(said: str, status: str) -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")

    from holdfast.runtime.extras.health_httpx import Get

    other = Health("billing")
    other.add(Check("database", lambda: Result(said)))
    with HealthServer(other, port=0) as server, httpx.Client(trust_env=False, timeout=20) as client:
        url = f"http://127.0.0.1:{server.port}/health"
        report = report_of(Get(client, url))
        assert report.status == status

        async def main() -> None:
            async with httpx.AsyncClient(trust_env=False, timeout=20) as aclient:
                assert (await areport_of(Get(aclient, url))).status == status

        asyncio.run(main())
        missing_page = report_of(Get(client, f"http://u:{SECRET}@127.0.0.1:{server.port}/nowhere"))
        assert (missing_page.status, SECRET in missing_page.message) == ("fail", False)
        assert report_of(Get(client, f"http://127.0.0.1:{server.port}/nowhere", expect={404})).status == "pass"
    assert report_of(Get(httpx.Client(trust_env=False), url)).status == "fail"


def test_an_unknown_word_from_another_service_is_a_failure() -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed")

    from holdfast.runtime.extras.health_httpx import Get

    def said(body: str) -> CheckReport:
        headers = {"content-type": "application/health+json"}
        pretend = httpx.MockTransport(lambda request: httpx.Response(200, text=body, headers=headers))
        return report_of(Get(httpx.Client(transport=pretend), "http://billing/health"))

    assert said('{"status": "UP"}').status == "pass"
    assert said('{"status": "splendid"}').message == "http://billing/health has the unknown status 'splendid'"
    for nonsense in ("", "{}", "[]", "5"):
        assert said(nonsense).status == "fail"


# --- redis


@pytest.mark.real
def test_redis_answers_and_is_what_is_wanted_of_it() -> None:
    redis = pytest.importorskip("redis", reason="redis (the client) is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")

    from holdfast.runtime.extras.health_redis import Ping

    port = free_port()
    server = subprocess.Popen([str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port, socket_timeout=5)
    try:
        until(lambda: report_of(Ping(client)).status == "pass")
        assert report_of(Ping(client, role="master")).value == "master"
        assert report_of(Ping(client, role="slave")).message == "is a master"

        async def main() -> None:
            aclient = redis.asyncio.Redis(port=port)
            assert (await areport_of(Ping(aclient, role="master"))).status == "pass"
            await aclient.aclose()

        asyncio.run(main())
    finally:
        server.kill()
        server.wait()
    assert report_of(Ping(client)).status == "fail"


def test_what_redis_says_of_its_role_is_judged() -> None:
    redis = pytest.importorskip("redis", reason="redis (the client) is not installed")

    from holdfast.runtime.extras.health_redis import Ping

    ping = Ping(redis.Redis(port=free_port()), role="slave")
    assert ping._judged([b"slave", b"10.0.0.1", 6379, b"connected", 5]).status == "pass"
    assert ping._judged([b"slave", b"10.0.0.1", 6379, b"connect", -1]).message == "its link to the master is in state connect"
    assert ping._judged([b"master", 0, []]).message == "is a master"
    with pytest.raises(ValueError, match="client is 5"):
        Ping(5)
