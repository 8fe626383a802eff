"""What the usual snippets get wrong, each shown right."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError
from holdfast.runtime.testing import FakeClock

TOUCHY = BreakerSettings(window_calls=2, min_calls=2, open_s=10.0, open_jitter=0.0, trials=1)


def failing() -> None:
    raise ConnectionError("down")


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError):
            breaker.call(failing)


def test_it_opens_from_closed_even_after_very_many_successes() -> None:
    breaker = CircuitBreaker(settings=BreakerSettings(window_calls=10, min_calls=10, failure_rate=0.5))
    for _ in range(10_000):
        breaker.call(int)
    fail(breaker, 5)
    assert breaker.state == "open"


@pytest.mark.parametrize("timed", [None, 5.0])
def test_a_success_that_completes_the_minimum_opens_it_in_the_plainest_of_functions(timed: float | None) -> None:
    breaker = CircuitBreaker(settings=BreakerSettings(window_calls=4, min_calls=4, failure_rate=0.75, slow_call_s=timed))
    fail(breaker, 3)
    assert breaker.state == "closed"
    breaker(lambda: None)()
    assert breaker.state == "open"


def test_a_window_of_time_forgets_successes_and_opens_on_the_next_call_in_the_plainest_of_functions() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(settings=BreakerSettings(window_s=4.0, window_buckets=4, min_calls=2, failure_rate=0.5), clock=clock)
    work = breaker(lambda: None)
    for _ in range(9):
        work()
    clock.advance(2)
    fail(breaker, 2)
    assert breaker.state == "closed"
    clock.advance(2)
    work()
    assert breaker.state == "open"


def test_seven_of_a_hundred_are_seven_percent_although_that_times_a_hundred_is_more_than_seven_for_floats() -> None:
    assert 0.07 * 100 > 7
    breaker = CircuitBreaker(settings=BreakerSettings(window_calls=100, min_calls=100, failure_rate=0.07))
    fail(breaker, 7)
    for _ in range(93):
        breaker.call(int)
    assert breaker.state == "open"


def test_the_wall_clock_may_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = CircuitBreaker(settings=TOUCHY)
    fail(breaker, 2)
    for jump_s in (1e9, -1e9):
        monkeypatch.setattr("time.time", lambda jump_s=jump_s: jump_s)
        with pytest.raises(CircuitOpenError) as refusal:
            breaker.call(int)
        assert 9.0 < refusal.value.retry_after_s <= 10.0


def test_a_clock_that_goes_back_does_no_harm() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(settings=BreakerSettings(window_s=10.0, min_calls=1), clock=clock)
    breaker.call(int)
    clock.now_s -= 100
    breaker.call(int)
    assert breaker.snapshot().calls == 2


async def _one_more() -> int:
    return 1


async def test_body_of_acall() -> None:
    breaker = CircuitBreaker()
    assert await breaker.acall(_one_more) == 1
    assert await breaker.acall(lambda: _one_more()) == 1
    assert await breaker.acall(len, "ab") == 2, "a plain function passed to an async call"
    async with breaker as entered:
        assert entered is breaker
    assert breaker.snapshot().successes_ever == 4


def test_an_async_call_takes_coroutine_functions_what_gives_coroutines_and_plain_functions() -> None:
    asyncio.run(test_body_of_acall())


test_body_of_acall.__test__ = False  # type: ignore[attr-defined]


def test_a_coroutine_function_passed_to_a_plain_call_is_refused_and_counts_nothing() -> None:
    breaker = CircuitBreaker()
    with pytest.raises(TypeError, match="acall"):
        breaker.call(_one_more)
    assert breaker.snapshot().calls == 0


@pytest.mark.parametrize("timed", [None, 5.0])
def test_a_plain_function_that_gives_a_coroutine_has_ended_when_that_has(timed: float | None) -> None:
    async def down() -> None:
        raise ConnectionError

    breaker = CircuitBreaker(settings=BreakerSettings(window_calls=9, min_calls=2, failure_rate=0.4, slow_call_s=timed))
    work = breaker(lambda: down())
    for _ in range(3):
        breaker.call(int)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            asyncio.run(work())
    assert breaker.state == "open"


def test_functions_keep_their_kind_their_name_and_their_self() -> None:
    breaker = CircuitBreaker()

    class Client:
        @breaker
        def get(self, key: str) -> str:
            """Doc."""
            return key * 2

        @breaker
        async def aget(self) -> Client:
            return self

        async def __call__(self) -> int:
            return 3

    @breaker
    def count() -> Iterator[int]:
        got = yield 1
        yield got * 2

    @breaker
    async def acount() -> AsyncIterator[int]:
        got = yield 1
        yield got * 2

    client = Client()
    assert client.get("a") == "aa"
    assert (Client.get.__name__, Client.get.__doc__) == ("get", "Doc.")
    assert inspect.iscoroutinefunction(Client.aget)
    assert asyncio.run(client.aget()) is client
    assert inspect.iscoroutinefunction(breaker(client))
    assert inspect.iscoroutinefunction(breaker(functools.partial(_one_more)))
    assert inspect.isgeneratorfunction(count)
    assert inspect.isasyncgenfunction(acount)
    counting = count()
    assert (next(counting), counting.send(4)) == (1, 8)  # type: ignore[attr-defined]

    async def read() -> tuple[int, int]:
        items: Any = acount()
        return await anext(items), await items.asend(4)

    assert asyncio.run(read()) == (1, 8)


def test_a_generator_that_is_read_halfway_and_dropped_counts_nothing_and_gives_its_slot_back() -> None:
    breaker = CircuitBreaker(settings=TOUCHY)

    @breaker
    def count() -> Iterator[int]:
        yield 1
        yield 2

    breaker.switch_to("half_open")
    counting = count()
    next(counting)
    assert breaker.snapshot().in_flight == 1
    del counting
    gc.collect()
    assert breaker.snapshot().in_flight == 0
    assert breaker.state == "half_open"


def test_one_block_within_another_of_the_same_function_ends_each_its_own_call() -> None:
    breaker = CircuitBreaker(settings=BreakerSettings(trials=3))
    for state in ("closed", "half_open"):
        breaker.switch_to(state)  # type: ignore[arg-type]
        before = breaker.snapshot().successes_ever
        with breaker, breaker:
            pass
        assert breaker.snapshot().successes_ever == before + 2
        assert not breaker._inside


def test_a_permit_ends_once() -> None:
    breaker = CircuitBreaker()
    permit = breaker.acquire()
    assert permit.failure()
    assert not permit.failure()
    assert not permit.success()
    assert breaker.snapshot().failures == 1
    with breaker.acquire() as inner:
        inner.ignore()
    assert breaker.snapshot().calls == 1
