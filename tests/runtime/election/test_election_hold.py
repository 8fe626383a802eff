"""What a holder sees: in plain code and in tasks, when all is well and when it is not."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import time

import pytest
from pretend_store import PretendStore

from holdfast.runtime import ElectionEvent, HoldLost, Leader, Lock, NotAcquired, Semaphore, Term
from holdfast.runtime.election_etcd import encoded, seat_key
from holdfast.runtime.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> PretendStore:
    return PretendStore(clock)


def leader(store: PretendStore, clock: FakeClock, who: str = "a") -> Leader:
    return Leader("billing", store=store, who=who, clock=clock)


def until(true: object, limit_s: float = 20.0) -> None:
    ends_s = time.monotonic() + limit_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < ends_s, "it did not happen"
        time.sleep(0.01)


# --- plain code


def test_a_block_holds_and_gives_back(store: PretendStore, clock: FakeClock) -> None:
    ours, other = leader(store, clock), leader(store, clock, "b")
    assert ours.state == "idle"

    with ours as term:
        assert (ours.state, ours.token, ours.term) == ("holding", term.token, term)
        assert [(holder.who, holder.token) for holder in other.holders()] == [("a", term.token)]
        with pytest.raises(NotAcquired, match="all seats are taken") as refused, other.hold(0.1):
            pass

    assert refused.value.state == "contending"
    assert (ours.state, ours.token) == ("released", None)
    with pytest.raises(HoldLost):
        ours.check()
    with other as next_term:
        assert next_term.token > term.token


def test_a_pause_longer_than_the_lease_is_noticed_at_the_next_check(store: PretendStore, clock: FakeClock) -> None:
    ours = leader(store, clock)

    with pytest.raises(HoldLost, match="could not be renewed in time"), ours as term:  # noqa: PT012
        term.check()
        clock.advance(9.0)  # the margin is a second
        ours.check()


def test_a_block_that_ends_too_late_does_not_end_as_if_all_were_well(store: PretendStore, clock: FakeClock) -> None:
    with pytest.raises(HoldLost), leader(store, clock):
        clock.advance(9.0)


def test_the_error_of_the_block_is_not_hidden_by_the_loss(store: PretendStore, clock: FakeClock) -> None:
    with pytest.raises(KeyError, match="mine"), leader(store, clock):  # noqa: PT012
        clock.advance(9.0)
        raise KeyError("mine")


def test_a_listener_is_told_of_the_loss_without_anybody_asking(store: PretendStore, clock: FakeClock) -> None:
    ours, told = leader(store, clock), []

    def failing(event: ElectionEvent) -> None:
        raise RuntimeError("a listener's own matter")

    ours.listen(failing)
    end = ours.listen(told.append)
    with pytest.raises(HoldLost), ours:  # noqa: PT012
        clock.advance(9.0)
        until(lambda: len(told) > 1)
    assert [event.state for event in told] == ["holding", "lost"]
    end()
    with ours:
        assert len(told) == 2


def test_a_store_that_is_away_at_start_is_a_state_and_no_leadership(store: PretendStore, clock: FakeClock) -> None:
    store.away = True
    ours = leader(store, clock)

    with pytest.raises(NotAcquired, match="unreachable: no member of etcd answered") as refused, ours.hold(0.3):
        pass

    assert refused.value.state == ours.state == "unreachable"
    assert pickle.loads(pickle.dumps(refused.value)).state == "unreachable"


def test_a_key_that_an_operator_deleted_ends_the_term(store: PretendStore) -> None:
    ours = Leader("billing", store=store, renew_every_s=0.05)

    with pytest.raises(HoldLost, match="was deleted"), ours:  # noqa: PT012
        store.etcd.delete(encoded(seat_key("billing")))
        until(lambda: ours.state == "lost")


def test_run_leads_again_after_a_loss_and_ends_with_the_work(store: PretendStore, clock: FakeClock) -> None:
    tokens: list[int] = []

    def work(term: Term) -> str:
        tokens.append(term.token)
        if len(tokens) < 3:
            clock.advance(12.0)
            term.check()
        return "done"

    assert leader(store, clock).run(work) == "done"
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 3


def test_run_does_not_take_the_loss_of_another_lock_for_its_own(store: PretendStore, clock: FakeClock) -> None:
    other = Lock("other", store=store, clock=clock)

    def work(term: Term) -> None:
        raise HoldLost("of something else", None)

    with pytest.raises(HoldLost, match="something else"):
        leader(store, clock).run(work)
    assert other.state == "idle"


def test_stop_ends_the_waiting_of_plain_code(store: PretendStore, clock: FakeClock) -> None:
    ours, said = leader(store, clock, "b"), []

    def wait() -> None:
        try:
            ours.run(lambda term: None)
        except NotAcquired as refused:
            said.append(refused.state)

    with leader(store, clock):
        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: ours.state == "contending" and store.asked > 8)
        ours.stop()
        thread.join(10)
    assert said == ["stopped"]


def test_one_object_serves_one_block_and_hold_gives_more(store: PretendStore, clock: FakeClock) -> None:
    permits = Semaphore("slots", 2, store=store, clock=clock)

    with permits as one:
        with pytest.raises(RuntimeError, match="hold"):
            permits.__enter__()
        with permits.hold() as other:
            assert {one.seat, other.seat} == {0, 1}
            with pytest.raises(NotAcquired), permits.hold(0.1):
                pass
    hold = permits.hold()
    with hold, pytest.raises(RuntimeError, match="one block"):
        hold.__enter__()


def test_no_thread_is_left_behind(store: PretendStore, clock: FakeClock) -> None:
    before = set(threading.enumerate())
    with leader(store, clock):
        pass
    asyncio.run(_once(leader(store, clock)))
    gc.collect()
    until(lambda: not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("holdfast-")])


async def _once(ours: Leader) -> None:
    async with ours:
        pass


def test_who_leads_can_be_watched(store: PretendStore, clock: FakeClock) -> None:
    watcher = leader(store, clock, "w").watch()
    assert next(watcher) == ()
    with leader(store, clock):
        assert [holder.who for holder in next(watcher)] == ["a"]
    assert next(watcher) == ()
    watcher.close()


# --- tasks


def test_the_task_is_cancelled_and_learns_why(store: PretendStore, clock: FakeClock) -> None:
    async def main() -> list[str]:
        ends = []

        async def part() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                ends.append("part")

        with pytest.raises(HoldLost, match="could not be renewed"):  # noqa: PT012
            async with leader(store, clock), asyncio.TaskGroup() as group:
                group.create_task(part())
                await asyncio.sleep(0)
                clock.advance(9.0)
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
        await asyncio.sleep(0)
        return ends

    assert asyncio.run(main()) == ["part"]


def test_a_cancellation_from_outside_stays_one(store: PretendStore, clock: FakeClock) -> None:
    async def holder() -> None:
        async with leader(store, clock):
            await asyncio.sleep(1000)

    async def main() -> None:
        task = asyncio.create_task(holder())
        await asyncio.to_thread(until, lambda: store.etcd.keys)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert store.etcd.keys == {}, "given back all the same"


def test_waiting_tasks_can_be_cancelled(store: PretendStore, clock: FakeClock) -> None:
    async def main() -> None:
        async with leader(store, clock):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), leader(store, clock, "b"):
                    pass

    asyncio.run(main())


def test_arun_leads_again_also_when_a_task_of_a_group_noticed_first(store: PretendStore, clock: FakeClock) -> None:
    tokens: list[int] = []

    async def part(term: Term) -> None:
        clock.advance(12.0)
        term.check()

    async def work(term: Term) -> str:
        tokens.append(term.token)
        if len(tokens) < 3:
            async with asyncio.TaskGroup() as group:
                group.create_task(part(term))
        return "done"

    assert asyncio.run(leader(store, clock).arun(work)) == "done"
    assert len(tokens) == 3


def test_a_loop_that_hangs_renews_nothing(store: PretendStore, clock: FakeClock) -> None:
    async def main() -> int:
        async with Leader("billing", store=store, ttl_s=2, renew_every_s=0.05):
            await asyncio.sleep(0.3)
            before = store.asked
            time.sleep(0.5)  # noqa: ASYNC251
            return store.asked - before

    assert asyncio.run(main()) <= 2, "but for the request that was under way"


def test_who_leads_can_be_watched_by_tasks(store: PretendStore, clock: FakeClock) -> None:
    async def main() -> None:
        seen = leader(store, clock, "w").awatch()
        assert await anext(seen) == ()
        async with leader(store, clock):
            assert [holder.who for holder in await anext(seen)] == ["a"]
            assert await leader(store, clock, "x").aholders() == await leader(store, clock, "y").aholders() != ()
        await seen.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
