"""PostgreSQL's advisory locks as seats, against a real server."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from holdfast.runtime import HoldLost, Leader, Lock, NotAcquired, Semaphore, StoreRefused

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
from holdfast.runtime.extras.election_postgres import Postgres, lock_key  # noqa: E402

pytestmark = pytest.mark.real


def leader(postgres: str, name: str, who: str = "a", ttl_s: float = 2.0) -> Leader:
    return Leader(name, store=Postgres(postgres), ttl_s=ttl_s, who=who)


def test_one_leads_the_other_waits_and_tokens_grow_from_term_to_term(postgres: str) -> None:
    first, second = leader(postgres, "grow"), leader(postgres, "grow", "b")

    with first as term:
        assert [(seat.who, seat.token) for seat in second.holders()] == [("a", term.token)]
        with pytest.raises(NotAcquired) as refused, second.hold(0.3):
            pass
    with second as next_term:
        assert next_term.token > term.token
    assert refused.value.state == "contending"
    assert first.holders() == ()


def test_who_waits_is_served_at_once_when_the_leader_resigns(postgres: str) -> None:
    first, second = leader(postgres, "at-once"), leader(postgres, "at-once", "b")
    began: list[float] = []

    def work() -> None:
        with second:
            began.append(time.monotonic())

    with first:
        waiting = threading.Thread(target=work)
        waiting.start()
        time.sleep(0.5)
        assert began == []
    ended_s = time.monotonic()
    waiting.join(10)
    assert began[0] - ended_s < 0.4, "in the server's own queue, long before any lease has run out"


def test_a_term_is_renewed_for_longer_than_its_ttl_and_lost_with_its_session(postgres: str) -> None:
    with pytest.raises(HoldLost, match="session"), leader(postgres, "lost") as term:  # noqa: PT012
        time.sleep(2.5)
        term.check()
        _end_sessions(postgres, "lost")
        _until_over(term)


def test_a_session_that_is_silent_is_ended_by_the_server(postgres: str) -> None:
    """What a frozen holder looks like to the server: the connection is open and nothing comes."""
    seats = Postgres(postgres).seats("silent", 1, 1.0)
    others = leader(postgres, "silent", "b")
    taken = seats._take("a", 1.0, limit_s=5.0)

    with others as term:
        assert taken is not None
        assert term.token > taken.token
    seats.close()


def test_a_task_is_cancelled_when_its_session_ends(postgres: str) -> None:
    async def main() -> None:
        async with leader(postgres, "task"):
            await asyncio.to_thread(_end_sessions, postgres, "task")
            await asyncio.sleep(30)

    with pytest.raises(HoldLost):
        asyncio.run(main())


def test_a_semaphore_has_as_many_seats_as_permits(postgres: str) -> None:
    permits = Semaphore("permits", 2, store=Postgres(postgres), ttl_s=2)

    with permits.hold() as one, permits.hold() as other:
        assert {one.seat, other.seat} == {0, 1}
        with pytest.raises(NotAcquired), permits.hold(0.3):
            pass
    with permits.hold(5.0) as again:
        assert again.token > min(one.token, other.token)


def test_the_write_that_checks_the_token_refuses_a_former_holder(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as shop:
        shop.execute("create table invoices (month text primary key, total int, token bigint not null default 0)")
        shop.execute("insert into invoices values ('may', 0)")
        with Lock("invoices", store=Postgres(postgres), ttl_s=2) as former:
            pass
        with Lock("invoices", store=Postgres(postgres), ttl_s=2) as present:
            write = "update invoices set total = %s, token = %s where month = 'may' and token <= %s"
            assert shop.execute(write, (10, present.token, present.token)).rowcount == 1
            assert shop.execute(write, (99, former.token, former.token)).rowcount == 0


def test_a_wrong_address_is_waited_for_and_a_wrong_user_is_not() -> None:
    nowhere = leader("host=127.0.0.1 port=1 user=shop", "nowhere")

    with pytest.raises(NotAcquired, match="unreachable: PostgreSQL") as refused, nowhere.hold(0.5):
        pass
    assert refused.value.state == "unreachable"
    with pytest.raises(ValueError, match="conninfo"):
        Postgres("nonsense")


def test_a_database_that_does_not_exist_is_an_error_at_once(postgres: str) -> None:
    with pytest.raises(StoreRefused, match="does not exist"), leader(postgres.replace("dbname=postgres", "dbname=shoop"), "db"):
        pass


def _until_over(term: object) -> None:
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s and term.may_act():  # type: ignore[attr-defined]
        time.sleep(0.02)


def _end_sessions(postgres: str, name: str) -> None:
    key = lock_key(name)
    with psycopg.connect(postgres, autocommit=True) as killer:
        killer.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = %s and objid = %s",
            ((key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF),
        )
