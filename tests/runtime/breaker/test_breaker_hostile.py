"""Permits come back whatever happens around the call: interrupted predicates and listeners, calls that never begin, clocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from holdfast.runtime import BreakerEvent, BreakerRegistry, BreakerSettings, CircuitBreaker, CircuitOpenError, Timeout
from holdfast.runtime.testing import FakeClock, expired

ONE_TRIAL = BreakerSettings(window_calls=2, min_calls=2, open_s=10.0, open_growth=1.0, open_jitter=0.0, trials=1)


def half_open(settings: BreakerSettings = ONE_TRIAL, **more: Any) -> CircuitBreaker:
    breaker = CircuitBreaker("db", settings, **more)
    breaker.switch_to("half_open")
    return breaker


def interrupts(_: object) -> bool:
    raise KeyboardInterrupt


def failing() -> None:
    raise ConnectionError


def in_block(breaker: CircuitBreaker, work: Callable[[], Any]) -> None:
    with breaker:
        work()


def in_permit(breaker: CircuitBreaker, work: Callable[[], Any]) -> None:
    with breaker.acquire():
        work()


STYLES: dict[str, Callable[[CircuitBreaker, Callable[[], Any]], Any]] = {
    "call": lambda breaker, work: breaker.call(work), "decorator": lambda breaker, work: breaker(work)(),
    "acall": lambda breaker, work: asyncio.run(breaker.acall(work)), "with": in_block, "permit": in_permit,
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_a_trial_is_not_lost_when_a_predicate_is_interrupted(style: str) -> None:
    breaker = half_open(ONE_TRIAL.replace(failure_on=interrupts))
    with pytest.raises(KeyboardInterrupt):
        STYLES[style](breaker, failing)
    seen = breaker.snapshot()
    assert (seen.in_flight, seen.ignored_ever) == (0, 1)


@pytest.mark.parametrize("style", ["call", "decorator", "acall"])
def test_a_trial_is_not_lost_when_a_predicate_of_results_is_interrupted(style: str) -> None:
    breaker = half_open(ONE_TRIAL.replace(failure_result=interrupts))
    with pytest.raises(KeyboardInterrupt):
        STYLES[style](breaker, int)
    assert breaker.snapshot().in_flight == 0


def test_a_trial_is_not_lost_when_a_listener_is_interrupted_as_it_begins() -> None:
    breaker = CircuitBreaker("db", ONE_TRIAL, clock=(clock := FakeClock()))
    breaker.switch_to("open")
    stop = breaker.listen(interrupts)
    clock.advance(10.0)
    with pytest.raises(KeyboardInterrupt):
        breaker.call(int)
    stop()
    breaker.call(int)
    assert breaker.state == "closed"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_coroutine_that_is_never_awaited_takes_no_trial() -> None:
    breaker = half_open()

    async def work() -> int:
        return 1

    guarded = breaker(lambda: work())
    guarded().close()
    assert breaker.snapshot().in_flight == 0
    assert asyncio.run(guarded()) == 1
    assert breaker.state == "closed"


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_task_cancelled_before_its_first_step_takes_no_trial() -> None:
    breaker = half_open()

    async def work() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        for guarded in (breaker(work), breaker(lambda: work())):
            task = asyncio.create_task(guarded())
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(main())
    assert (breaker.state, breaker.snapshot().in_flight) == ("half_open", 0)


def test_a_coroutine_that_waited_too_long_to_begin_is_refused_then() -> None:
    breaker = half_open()

    async def work() -> None:
        await asyncio.sleep(0)

    waiting = breaker(lambda: work())()
    permit = breaker.acquire()
    with pytest.raises(CircuitOpenError):
        asyncio.run(waiting)
    permit.success()


def test_an_async_generator_left_in_its_midst_gives_its_trial_back() -> None:
    breaker = half_open()

    @breaker
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> None:
        source = items()
        assert await anext(source) == 1
        assert breaker.snapshot().in_flight == 1
        await source.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert (breaker.state, breaker.snapshot().in_flight) == ("half_open", 0)


def test_cancellation_inside_of_async_with_gives_the_trial_back() -> None:
    breaker = half_open()

    async def work() -> None:
        async with breaker:
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        assert breaker.snapshot().in_flight == 1
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    assert (breaker.state, breaker.snapshot().in_flight, breaker._inside) == ("half_open", 0, {})


def test_a_listener_may_use_the_breaker_it_listens_to() -> None:
    states: list[str] = []
    breaker = CircuitBreaker("db", ONE_TRIAL)

    def closes(event: BreakerEvent) -> None:
        states.append(event.state)
        if event.state == "open":
            breaker.switch_to("closed")

    breaker.listen(closes)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            breaker.call(failing)
    assert states == ["open", "closed"]
    assert breaker.call(int) == 0


def test_a_call_within_a_call_of_the_same_breaker_counts_by_itself() -> None:
    breaker = CircuitBreaker("db", ONE_TRIAL.replace(failure_rate=1.0))
    with pytest.raises(ConnectionError):
        breaker.call(lambda: (breaker.call(int), breaker.call(failing)))
    seen = breaker.snapshot()
    assert (seen.successes_ever, seen.failures_ever) == (1, 2)


def test_a_clock_that_goes_backwards_neither_opens_nor_wedges_it() -> None:
    for settings in (ONE_TRIAL, ONE_TRIAL.replace(window_s=5.0, slow_call_s=1.0)):
        breaker = CircuitBreaker("db", settings, clock=(clock := FakeClock(1000.0)))
        permit = breaker.acquire()
        clock.now_s = 0.0
        assert permit.success()
        breaker.call(int)
        assert (breaker.state, breaker.snapshot().slow_calls, breaker.snapshot().calls) == ("closed", 0, 2)
        breaker.switch_to("open")
        clock.now_s = -5.0
        with pytest.raises(CircuitOpenError):
            breaker.call(int)
        clock.now_s = 10.0
        assert breaker.call(int) == 0


def test_a_deadline_that_had_passed_before_the_call_says_nothing_of_the_callee() -> None:
    breaker = CircuitBreaker("db", ONE_TRIAL)
    guarded = breaker(Timeout(5.0)(int))
    with expired():
        for _ in range(5):
            with pytest.raises(TimeoutError):
                guarded()
    seen = breaker.snapshot()
    assert (breaker.state, seen.failures_ever, seen.ignored_ever) == ("closed", 0, 5)


def test_our_own_deadline_inside_of_the_breaker_is_a_failure_whatever_else_is_declared_one() -> None:
    breaker = CircuitBreaker("db", ONE_TRIAL.replace(failure_on=ZeroDivisionError))

    async def main() -> None:
        guarded = breaker(Timeout(0.01)(asyncio.sleep))
        with pytest.raises(TimeoutError):
            await guarded(60)

    asyncio.run(main())
    assert breaker.snapshot().failures_ever == 1


def test_a_listener_may_use_the_registry_that_is_being_configured() -> None:
    registry = BreakerRegistry(at_most=3)
    for key in "abc":
        registry[key].listen(lambda event: registry[f"beside {event.breaker}"])
    registry.configure(BreakerSettings(trials=9))
    assert len(registry) == 3
    assert all(breaker.settings.trials == 9 for _, breaker in registry.items())


def test_a_breaker_evicted_while_in_use_goes_on_for_those_who_hold_it() -> None:
    registry = BreakerRegistry(ONE_TRIAL, at_most=1)
    held = registry["a"]
    with held:
        assert registry["b"] is not held
        assert "a" not in registry
    assert held.snapshot().successes_ever == 1


def test_blocks_left_by_other_hands_in_many_threads_are_all_left() -> None:
    breaker = CircuitBreaker("db")
    errors: list[BaseException] = []

    def enter() -> None:
        breaker.__enter__()

    def leave() -> None:
        breaker.__exit__(None, None, None)

    def work() -> None:
        try:
            for _ in range(500):
                enter()
                leave()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (errors, breaker._inside, breaker.snapshot().successes_ever) == ([], {}, 2_000)
