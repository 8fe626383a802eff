"""What must not happen to the policies when calls are interrupted, collected as garbage, or come to their end at a bad moment."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from holdfast.runtime import (
    Backoff,
    Bulkhead,
    DeadlineExceeded,
    Hedge,
    RateLimited,
    RateLimiter,
    Retry,
    RetryBudget,
    Timeout,
    deadline,
)
from holdfast.runtime.slots import Slots
from holdfast.runtime.testing import FakeClock, run

ONE_SECOND = Backoff(first_s=1.0, factor=1.0, max_s=1.0, jitter="none")


class Tries:
    """Fails every time, and counts."""

    def __init__(self, error: BaseException):
        self.error, self.made = error, 0

    def __call__(self) -> None:
        self.made += 1
        raise self.error

    async def wait(self) -> None:
        self()


# --- retry


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit(), asyncio.CancelledError()])
def test_what_is_no_exception_is_never_tried_again(error: BaseException) -> None:
    budget, tries = RetryBudget(), Tries(error)
    retry = Retry(on=lambda _: True, budget=budget)
    with pytest.raises(type(error)):
        retry.call(tries)
    coroutine = retry.acall(tries.wait)
    with pytest.raises(type(error)):
        coroutine.send(None)
    assert (tries.made, budget.tokens) == (2, 100.0)


def test_cancelled_between_attempts_it_makes_no_other() -> None:
    tries = Tries(ConnectionError())

    async def main() -> None:
        task = asyncio.create_task(Retry(backoff=Backoff(first_s=60.0, max_s=60.0, jitter="none")).acall(tries.wait))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert tries.made == 1


@pytest.mark.parametrize("limited_by", ["total_s", "deadline"])
@pytest.mark.parametrize("style", ["plain", "async"])
def test_a_pause_that_lasted_too_long_is_not_followed_by_an_attempt(limited_by: str, style: str) -> None:
    clock, tries = FakeClock(), Tries(ConnectionError("the first"))

    def oversleeps(_: float) -> None:
        clock.advance(60.0)

    async def aoversleeps(_: float) -> None:
        clock.advance(60.0)

    retry = Retry(
        backoff=ONE_SECOND, total_s=5.0 if limited_by == "total_s" else None, clock=clock, sleep=oversleeps, asleep=aoversleeps)
    with deadline(5.0 if limited_by == "deadline" else 1e6, clock=clock), pytest.raises(ConnectionError, match="the first"):
        retry.call(tries) if style == "plain" else asyncio.run(retry.acall(tries.wait))
    assert tries.made == 1


def test_every_failure_is_paid_for_once_and_every_call_that_succeeds_earns_once() -> None:
    budget = RetryBudget(max_tokens=10.0, token_ratio=0.5)
    clock = FakeClock()
    answers: Iterator[bool] = iter([False, False, True, True])

    def work() -> int:
        if not next(answers):
            raise ConnectionError
        return 1

    retry = Retry(attempts=3, backoff=ONE_SECOND, budget=budget, clock=clock, sleep=clock.sleep)
    assert (retry.call(work), budget.tokens) == (1, 8.5)
    assert (retry.call(work), budget.tokens) == (1, 9.0)


@pytest.mark.parametrize("policy", [Retry(), Bulkhead(3)], ids=["retry", "bulkhead"])
def test_a_plain_function_that_gives_a_coroutine_is_refused_and_not_left_unguarded(policy: Retry | Bulkhead) -> None:
    async def work() -> int:
        return 1

    with pytest.raises(TypeError, match="acall"):
        policy(lambda: work())()


# --- slots


def test_a_slot_may_be_given_back_by_a_garbage_collection_within_the_slots() -> None:
    slots, given = Slots(1, 5), threading.Event()
    assert slots.take()

    class Woken:
        served = False

        def wake(self) -> bool:
            return True

    def work() -> None:
        slots.waiters.append(Woken())
        with slots.lock:
            slots.give()
        given.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert given.wait(5.0), "it waits for itself"


def test_a_slot_served_in_the_moment_of_the_cancellation_goes_to_the_next() -> None:
    async def main() -> None:
        bulkhead = Bulkhead(1, max_waiting=2, max_wait_s=60.0)
        await bulkhead.aacquire()
        first, second = asyncio.create_task(bulkhead.aacquire()), asyncio.create_task(bulkhead.aacquire())
        await asyncio.sleep(0)
        bulkhead.release()  # serves the first ...
        first.cancel()  # ... which is cancelled before it knows
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5.0)
        bulkhead.release()
        assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)

    asyncio.run(main())


# --- hedge


def test_when_no_thread_is_to_be_had_for_a_second_attempt_the_first_one_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    start, begun = threading.Thread.start, []

    def scarce(thread: threading.Thread) -> None:
        begun.append(thread)
        if len(begun) > 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    hedge = Hedge(after_s=0.01)
    assert hedge.call(lambda: time.sleep(0.1) or 5) == 5
    assert len(begun) == 2
    for _ in range(500):
        if not hedge._room.taken:
            break
        time.sleep(0.01)
    assert hedge._room.taken == 0


def test_a_hedged_call_that_is_cancelled_leaves_no_attempt_behind() -> None:
    ended = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(1)

    async def main() -> None:
        task = asyncio.create_task(Hedge(after_s=1.0, max_extra=2).acall(hangs))
        await asyncio.sleep(2.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main(), FakeClock())
    assert len(ended) == 3


# --- rate limiter


def test_waiting_calls_go_in_the_order_in_which_they_came() -> None:
    clock, went = FakeClock(), []

    async def main() -> None:
        limiter = RateLimiter(1, max_wait_s=60.0, clock=clock)

        async def call(number: int) -> None:
            await limiter.aacquire()
            went.append((number, clock() - 1000.0))

        await asyncio.gather(*(call(number) for number in range(5)))

    run(main(), clock)
    assert went == [(number, pytest.approx(float(number))) for number in range(5)]


def test_a_moment_given_up_is_not_lost_and_the_rate_still_holds() -> None:
    clock = FakeClock()

    async def main() -> None:
        limiter = RateLimiter(1, max_wait_s=1.5, clock=clock)
        await limiter.aacquire()
        waiting = asyncio.create_task(limiter.aacquire())
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await limiter.aacquire()
        waiting.cancel()
        await asyncio.wait([waiting])
        await limiter.aacquire()
        assert clock() - 1000.0 == pytest.approx(1.0)

    run(main(), clock)


def test_a_deadline_that_has_passed_lets_no_attempt_begin_in_any_order_of_policies() -> None:
    tries = Tries(ConnectionError())
    with pytest.raises(DeadlineExceeded), deadline(0.0):
        Retry()(Timeout(5.0)(tries))()
    assert tries.made == 0
