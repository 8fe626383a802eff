"""What a breaker meets in a real program: groups of exceptions, clocks that fail, forks, copies, asyncio's timeouts."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    BreakerRegistry,
    BreakerSettings,
    Bulkhead,
    CircuitBreaker,
    RateLimiter,
    Retry,
    RetryBudget,
    Throttle,
    Timeout,
)

PICKY = BreakerSettings(failure_on=ConnectionError, ignore_on=KeyError)


def outcome_of(error: BaseException, settings: BreakerSettings = PICKY) -> str:
    breaker = CircuitBreaker("db", settings)

    def work() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        breaker.call(work)
    assert raised.value is error
    seen = breaker.snapshot()
    counts = {"success": seen.successes_ever, "failure": seen.failures_ever, "ignored": seen.ignored_ever}
    return next(name for name, count in counts.items() if count)


# --- groups of exceptions, as a TaskGroup raises them


def group(*errors: BaseException) -> BaseExceptionGroup[Any]:
    return BaseExceptionGroup("several", errors)


@pytest.mark.parametrize(("error", "outcome"), [
    (group(ConnectionError()), "failure"),
    (group(KeyError(), ConnectionError()), "failure"),
    (group(ValueError(), group(KeyError(), ConnectionResetError())), "failure"),
    (group(ValueError(), KeyError()), "success"),
    (group(KeyError()), "ignored"),
    (group(KeyError(), asyncio.CancelledError()), "ignored"),
    (group(KeyboardInterrupt()), "ignored"),
    (group(KeyboardInterrupt(), ConnectionError()), "failure"),
])  # fmt: skip
def test_a_group_counts_as_the_worst_that_is_in_it(error: BaseException, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_settings_that_name_groups_judge_the_group() -> None:
    assert outcome_of(group(KeyError()), PICKY.replace(failure_on=ExceptionGroup)) == "failure"
    assert outcome_of(group(ConnectionError()), PICKY.replace(ignore_on=(KeyError, BaseExceptionGroup))) == "ignored"


def test_a_predicate_is_asked_for_each_exception_of_a_group() -> None:
    asked: list[BaseException] = []
    errors = ValueError(), OSError()
    assert outcome_of(group(*errors), PICKY.replace(failure_on=lambda error: bool(asked.append(error)))) == "success"
    assert sorted(map(repr, asked)) == sorted(map(repr, errors))


def test_a_task_group_within_the_call_is_a_failure_of_its_callee() -> None:
    breaker = CircuitBreaker("db", PICKY)

    async def fails() -> None:
        raise ConnectionError

    @breaker
    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())
            tasks.create_task(asyncio.sleep(60))

    with pytest.raises(ExceptionGroup):
        asyncio.run(work())
    assert breaker.snapshot().failures_ever == 1


@pytest.mark.parametrize(("errors", "attempts"), [
    ((ConnectionError(), TimeoutError()), 3),
    ((ConnectionError(), ValueError()), 1),
])  # fmt: skip
def test_a_group_is_tried_again_only_when_all_of_it_may_be(errors: tuple[Exception, ...], attempts: int) -> None:
    made: list[int] = []

    def work() -> None:
        made.append(1)
        raise ExceptionGroup("several", errors)

    with pytest.raises(ExceptionGroup):
        Retry(attempts=3, sleep=lambda _: None).call(work)
    assert len(made) == attempts


# --- clocks


class FailsOnce:
    """A clock whose reading number `at` fails."""

    def __init__(self, at: int):
        self.at, self.read = at, 0

    def __call__(self) -> float:
        self.read += 1
        if self.read == self.at:
            raise OSError("no time")
        return 1000.0


def in_block(breaker: CircuitBreaker) -> None:
    with breaker:
        pass


def in_async_block(breaker: CircuitBreaker) -> None:
    async def main() -> None:
        async with breaker:
            pass

    asyncio.run(main())


async def nothing() -> None:
    pass


STYLES: dict[str, Callable[[CircuitBreaker], Any]] = {
    "call": lambda breaker: breaker.call(int), "decorator": lambda breaker: breaker(int)(), "with": in_block,
    "acall": lambda breaker: asyncio.run(breaker.acall(nothing)), "async with": in_async_block,
    "coroutine function": lambda breaker: asyncio.run(breaker(nothing)()),
    "late coroutine": lambda breaker: asyncio.run(breaker(lambda: nothing())()),
    "generator": lambda breaker: list(breaker(lambda: (yield 1))()), "permit": lambda breaker: breaker.acquire().success(),
}  # fmt: skip


@pytest.mark.parametrize("reading", range(1, 6))
@pytest.mark.parametrize("style", STYLES)
def test_a_clock_that_fails_costs_no_trial(style: str, reading: int) -> None:
    clock = FailsOnce(0)
    breaker = CircuitBreaker("db", BreakerSettings(trials=1), clock=clock)
    breaker.switch_to("half_open")
    clock.at = clock.read + reading
    try:
        STYLES[style](breaker)
    except OSError:
        assert breaker.snapshot().in_flight == 0
        STYLES[style](breaker)
    assert breaker.state == "closed"


# --- forks, copies, subclasses


def holds_everything() -> list[tuple[Any, Callable[[], Any]]]:
    """Every policy with a lock, and something that takes it."""
    breaker, registry, budget = CircuitBreaker("db"), BreakerRegistry(), RetryBudget()
    limiter, throttle, bulkhead = RateLimiter(1000.0, burst=100), Throttle(), Bulkhead(5)
    return [
        (breaker._lock, lambda: breaker.switch_to("open")), (registry._lock, lambda: registry["a"]),
        (budget._lock, budget.failed), (limiter._lock, limiter.acquire), (throttle._lock, throttle.acquire),
        (bulkhead._slots.lock, lambda: bulkhead._slots.resize(3)),
    ]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_process_forked_while_a_thread_held_the_locks_can_use_every_policy() -> None:
    policies, held, done = holds_everything(), threading.Event(), threading.Event()

    def hold() -> None:
        for lock, _ in policies:
            lock.acquire()
        held.set()
        done.wait(20.0)
        for lock, _ in policies:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10.0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for _, use in policies:
                use()
            code = 0
        finally:
            os._exit(code)  # the tests go on in the parent alone
    for _ in range(500):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        status = -1
    done.set()
    thread.join(10.0)
    assert status == 0, "the child waits for a thread that it does not have"


@pytest.mark.parametrize("copies", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_breaker_refuses_to_be_copied_and_says_what_to_do(copies: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="pickle its settings"):
        copies(CircuitBreaker("db"))


def test_a_subclass_may_see_every_admission_and_keep_attributes() -> None:
    class Named(CircuitBreaker):
        def __init__(self, name: str) -> None:
            super().__init__(name, BreakerSettings(min_calls=2, window_calls=2))
            self.owner = "payments"

    breaker = Named("db")
    with pytest.raises(ConnectionError), breaker:
        raise ConnectionError
    assert (breaker.owner, breaker.snapshot().failures_ever, type(breaker.__enter__())) == ("payments", 1, Named)
    breaker.__exit__(None, None, None)


def test_methods_of_every_kind_are_guarded_and_bound() -> None:
    breaker = CircuitBreaker("db")

    class Client:
        @breaker
        def plain(self, number: int, *, plus: int = 0) -> tuple[Any, int]:
            return self, number + plus

        @staticmethod
        @breaker
        def static(number: int) -> int:
            return number

        @classmethod
        @breaker
        def of_class(cls, number: int) -> tuple[Any, int]:
            return cls, number

    client = Client()
    assert (client.plain(1, plus=2), client.static(2), client.of_class(number=3)) == ((client, 3), 2, (Client, 3))
    assert breaker.snapshot().successes_ever == 3


# --- asyncio's own timeouts


def test_a_timeout_around_the_call_is_neutral_and_one_within_it_is_a_failure() -> None:
    breaker = CircuitBreaker("db")

    @breaker
    async def slow(own_limit_s: float | None) -> None:
        async with asyncio.timeout(own_limit_s):
            await asyncio.sleep(60)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await slow(None)
        assert (breaker.snapshot().ignored_ever, breaker.snapshot().failures_ever) == (1, 0)
        with pytest.raises(TimeoutError):
            await slow(0.01)
        with pytest.raises(TimeoutError):
            await Timeout(0.01)(slow)(None)

    asyncio.run(main())
    assert (breaker.snapshot().ignored_ever, breaker.snapshot().failures_ever) == (1, 2)


def test_an_async_generator_that_nobody_exhausts_gives_its_trial_back() -> None:
    breaker = CircuitBreaker("db", BreakerSettings(trials=1))
    breaker.switch_to("half_open")

    @breaker
    async def items() -> Any:
        yield 1
        yield 2

    async def main() -> None:
        async for _ in items():
            break
        await asyncio.sleep(0)  # the loop closes what was dropped

    asyncio.run(main())
    assert (breaker.state, breaker.snapshot().in_flight) == ("half_open", 0)
