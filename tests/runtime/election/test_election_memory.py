"""The store in memory keeps the contract of the real ones, so that users' tests mean something."""

from __future__ import annotations

import pytest

from holdfast.runtime import HoldLost, Leader, MemoryStore, NotAcquired, Semaphore
from holdfast.runtime.election_race import drive
from holdfast.runtime.election_store import Gone, Unreachable
from holdfast.runtime.testing import FakeClock


def go(steps: object) -> object:
    return drive(steps, lambda seconds: None)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


def test_a_seat_comes_free_when_nobody_renews_and_its_next_token_is_greater(store: MemoryStore, clock: FakeClock) -> None:
    one, other = store.seats("a", 1, 1.0), store.seats("a", 1, 1.0)
    first = go(one.take("one", 5.0, limit_s=1))

    assert go(other.take("other", 5.0, limit_s=1)) is None
    clock.advance(4.0)
    go(one.renew(limit_s=1))
    clock.advance(4.0)
    assert go(other.take("other", 5.0, limit_s=1)) is None
    clock.advance(1.0)
    second = go(other.take("other", 5.0, limit_s=1))
    with pytest.raises(Gone):
        go(one.renew(limit_s=1))
    go(one.leave(limit_s=1))
    assert [holder.who for holder in go(one.holders(limit_s=1))] == ["other"]  # type: ignore[attr-defined]
    assert second.token > first.token  # type: ignore[attr-defined]


def test_away_is_unreachable_and_deposed_is_gone(store: MemoryStore, clock: FakeClock) -> None:
    leader = Leader("a", store=store, clock=clock)

    store.away = True
    with pytest.raises(NotAcquired, match="unreachable"), leader.hold(0.1):
        pass
    with pytest.raises(Unreachable):
        leader.holders()
    store.away = False
    with pytest.raises(HoldLost), leader:
        clock.advance(20)
    seats = store.seats("a", 1, 1.0)
    go(seats.take("me", 5.0, limit_s=1))
    store.depose("a")
    with pytest.raises(Gone):
        go(seats.renew(limit_s=1))


def test_a_semaphore_has_its_seats(store: MemoryStore, clock: FakeClock) -> None:
    permits = Semaphore("slots", 2, store=store, clock=clock)

    with permits.hold() as one, permits.hold() as other:
        assert {one.seat, other.seat} == {0, 1}
        with pytest.raises(NotAcquired), permits.hold(0.1):
            pass
