"""What the usual snippets get wrong, each shown right; and what a call, an outcome and a listener are."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError as FutureCancelled
from typing import Any

import pytest

from holdfast.runtime import BreakerEvent, BreakerSettings, BulkheadFull, CircuitBreaker, CircuitOpenError, deadline
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


def test_a_success_that_completes_the_minimum_opens_it_in_the_plainest_of_functions() -> None:
    breaker = CircuitBreaker(settings=BreakerSettings(window_calls=4, min_calls=4, failure_rate=0.75))
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


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionError(), "failures_ever"), (TimeoutError(), "failures_ever"), (KeyError(), "successes_ever"),
        (BrokenPipeError(), "ignored_ever"), (KeyboardInterrupt(), "ignored_ever"), (asyncio.CancelledError(), "ignored_ever"),
        (FutureCancelled(), "ignored_ever"), (CircuitOpenError("inner"), "ignored_ever"), (BulkheadFull("full"), "ignored_ever"),
    ],
)  # fmt: skip
def test_what_counts_is_declared_and_cancellation_and_refusals_within_count_nothing(error: BaseException, outcome: str) -> None:
    settings = BreakerSettings(failure_on=(OSError, TimeoutError), ignore_on=lambda error: isinstance(error, BrokenPipeError))
    breaker = CircuitBreaker(settings=settings)

    def raising() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        breaker.call(raising)
    assert raised.value is error
    assert getattr(breaker.snapshot(), outcome) == 1


def test_results_may_be_failures_or_count_nothing() -> None:
    settings = BreakerSettings(failure_result=lambda code: code >= 500, ignore_result=lambda code: code == 503)
    breaker = CircuitBreaker(settings=settings)
    work = breaker(lambda code: code)
    assert [work(code) for code in (200, 500, 503, 404)] == [200, 500, 503, 404]
    seen = breaker.snapshot()
    assert (seen.successes_ever, seen.failures_ever, seen.ignored_ever) == (2, 1, 1)


def test_a_predicate_that_raises_makes_a_failure_and_changes_nothing_for_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> bool:
        raise RuntimeError("broken predicate")

    breaker = CircuitBreaker(settings=BreakerSettings(failure_on=broken, failure_result=broken))
    fail(breaker)
    assert breaker.call(lambda: 5) == 5
    assert breaker.snapshot().failures == 2
    assert "broken predicate" in caplog.text


async def _under_a_deadline(breaker: CircuitBreaker) -> None:
    @breaker
    async def slow() -> None:
        await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        async with deadline(0.01):
            await slow()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await slow()
    async with deadline(5):
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


def test_our_own_deadline_around_the_breaker_is_a_failure_and_any_other_cancellation_is_not() -> None:
    breaker = CircuitBreaker()
    asyncio.run(_under_a_deadline(breaker))
    seen = breaker.snapshot()
    assert (seen.failures_ever, seen.ignored_ever) == (1, 2)


def test_waiting_grows_up_to_its_cap_and_jitter_only_shortens_it() -> None:
    class Always:
        def random(self) -> float:
            return 0.5

    clock = FakeClock()
    settings = TOUCHY.replace(open_growth=3.0, open_at_most_s=50.0, open_jitter=0.2)
    breaker = CircuitBreaker(settings=settings, clock=clock, random=Always())  # type: ignore[arg-type]
    fail(breaker, 2)
    waits = []
    for _ in range(4):
        waits.append(breaker.snapshot().retry_after_s)
        clock.advance(waits[-1] or 0.0)
        fail(breaker)
    assert waits == pytest.approx([9.0, 27.0, 45.0, 45.0])


def test_listeners_get_one_frozen_event_and_one_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: BreakerEvent) -> None:
        raise RuntimeError("broken listener")

    heard: list[BreakerEvent] = []
    breaker = CircuitBreaker("db", TOUCHY, clock=FakeClock())
    breaker.listen(broken)
    stop = breaker.listen(heard.append, ("state", "success", "failure", "ignored", "rejected"))
    breaker.call(int)
    fail(breaker)
    with pytest.raises(CircuitOpenError):
        breaker.call(int)
    assert [(event.kind, event.state) for event in heard] == [
        ("success", "closed"), ("failure", "open"), ("state", "open"), ("rejected", "open"),
    ]  # fmt: skip
    assert (heard[2].previous, heard[2].reason, heard[2].retry_after_s) == ("closed", "rate", 10.0)
    assert isinstance(heard[1].error, ConnectionError)
    assert "broken listener" in caplog.text
    with pytest.raises(AttributeError):
        heard[0].era = 5  # type: ignore[misc]
    stop()
    breaker.switch_to("closed")
    assert len(heard) == 4
    with pytest.raises(TypeError, match="await"):
        breaker.listen(_under_a_deadline)  # type: ignore[arg-type]


def test_a_rejection_says_who_why_and_when_and_survives_pickling() -> None:
    breaker = CircuitBreaker("db", TOUCHY, clock=FakeClock())
    fail(breaker, 2)
    with pytest.raises(CircuitOpenError, match="circuit breaker 'db' is open, ask again in 10 s") as refusal:
        breaker.call(int)
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert (copy.policy, copy.state, copy.retry_after_s, str(copy)) == ("db", "open", 10.0, str(refusal.value))


def test_importing_the_breaker_imports_neither_asyncio_nor_anything_else_that_is_slow() -> None:
    script = (
        "import sys; from holdfast.runtime import CircuitBreaker, BreakerSettings; b = CircuitBreaker(); b.call(int); "
        "print(*sorted({'asyncio', 'dataclasses', 'inspect', 'typing', 'threading', 'logging', 're'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=20, env=environment)
    assert (ran.stdout.strip(), ran.stderr) == ("", "")
