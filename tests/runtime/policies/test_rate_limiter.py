"""The rate limiter: never faster than told, in any stretch of time, whoever gives up on the way."""

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime import RateLimited, RateLimiter, Timeout
from holdfast.runtime.testing import FakeClock, limited, no_waiting, run


def made(clock: FakeClock, rate: float = 10, **settings: object) -> RateLimiter:
    return RateLimiter(rate, clock=clock, sleep=clock.sleep, asleep=clock.asleep, **settings)  # type: ignore[arg-type]


def test_a_burst_passes_and_then_one_call_per_step() -> None:
    clock = FakeClock()
    limiter = made(clock, rate=10, burst=3)
    for _ in range(3):
        limiter.acquire()
    with pytest.raises(RateLimited) as caught:
        limiter.acquire()
    assert caught.value.retry_after_s == pytest.approx(0.1)
    clock.advance(0.1 + 1e-9)
    limiter.acquire()
    assert limiter.wait_s() == pytest.approx(0.1)


def test_retry_after_is_exact_and_a_refusal_costs_nothing() -> None:
    clock = FakeClock()
    limiter = made(clock, rate=3, per_s=60)
    limiter.acquire()
    for _ in range(5):
        with pytest.raises(RateLimited) as caught:
            limiter.acquire()
    clock.advance((caught.value.retry_after_s or 0) + 1e-9)
    limiter.acquire()


def test_a_call_may_wait_as_long_as_it_was_allowed() -> None:
    clock = FakeClock()
    limiter = made(clock, rate=1, max_wait_s=2.5)
    for _ in range(3):
        limiter.call(lambda: None)
    assert clock.slept == pytest.approx([1.0, 1.0])
    with pytest.raises(RateLimited):
        Timeout(0.5, clock=clock).call(limiter.call, lambda: None)


def test_waiting_tasks_go_one_by_one() -> None:
    clock, went = FakeClock(), []
    limiter = RateLimiter(10, burst=2, max_wait_s=60, clock=clock)

    async def work() -> None:
        went.append(clock() - 1000)

    async def main() -> None:
        await asyncio.gather(*[limiter(work)() for _ in range(6)])

    run(main(), clock)
    assert went == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4], abs=1e-6)


@given(
    rate=st.integers(1, 20), burst=st.integers(1, 5),
    calls=st.lists(st.tuples(st.integers(0, 300), st.sampled_from([None, None, 20, 200])), min_size=1, max_size=40),
)
def test_no_stretch_of_time_sees_more_than_the_burst_and_the_rate(
    rate: int, burst: int, calls: list[tuple[int, int | None]],
) -> None:
    """Each call comes some ms after the one before, and some give up after some ms."""
    clock, went = FakeClock(0.0), []
    limiter = RateLimiter(rate, burst=burst, max_wait_s=3, clock=clock)

    async def one(patience_ms: int | None) -> None:
        try:
            async with asyncio.timeout(None if patience_ms is None else patience_ms / 1000):
                await limiter.aacquire()
                went.append(clock())
        except (RateLimited, TimeoutError):
            pass

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for pause_ms, patience_ms in calls:
                await asyncio.sleep(pause_ms / 1000)
                group.create_task(one(patience_ms))

    run(main(), clock)
    went.sort()
    for first in range(len(went)):
        for last in range(first, len(went)):
            assert last - first + 1 <= burst + rate * (went[last] - went[first]) + 1e-6


def test_the_moment_of_a_cancelled_call_goes_to_the_next() -> None:
    clock, went = FakeClock(), []
    limiter = RateLimiter(1, max_wait_s=1000, clock=clock)

    async def main() -> None:
        limiter.acquire()
        tasks = [asyncio.create_task(limiter.aacquire()) for _ in range(500)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await limiter.aacquire()
        went.append(clock() - 1000)

    run(main(), clock)
    assert went == pytest.approx([1.0], abs=1e-6)


def test_eight_threads_share_the_rate() -> None:
    limiter, counts = RateLimiter(1e-6, burst=100), []

    def work() -> None:
        good = 0
        for _ in range(200):
            try:
                limiter.acquire()
                good += 1
            except RateLimited:
                pass
        counts.append(good)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 100


def test_real_time_is_waited_in_reality() -> None:
    limiter, began_s = RateLimiter(100, max_wait_s=1), time.monotonic()
    for _ in range(4):
        limiter.acquire()
    assert time.monotonic() - began_s >= 0.03


def test_it_can_be_exhausted_at_will_and_is_as_before_afterwards() -> None:
    limiter = RateLimiter(1, max_wait_s=5)
    with limited(limiter, retry_after_s=30), pytest.raises(RateLimited) as caught:
        limiter.acquire()
    assert caught.value.retry_after_s == pytest.approx(30, abs=0.1)
    assert limiter.wait_s() == 0.0
    with no_waiting(limiter) as clock:
        for _ in range(4):
            limiter.acquire()
        assert clock.slept == pytest.approx([1, 1, 1])
    assert limiter.wait_s() == 0.0


@pytest.mark.parametrize(("settings", "names"), [
    ({"rate": 0}, "0 < rate"), ({"rate": float("nan")}, "rate is nan"), ({"rate": True}, "rate is True"),
    ({"rate": 1, "per_s": 0}, "0 < per_s"), ({"rate": 1, "burst": 0}, "1 <= burst"),
    ({"rate": 1, "max_wait_s": -1}, "0 <= max_wait_s"),
])
def test_a_bad_setting_is_named_with_its_range(settings: dict[str, object], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        RateLimiter(**settings)  # type: ignore[arg-type]
