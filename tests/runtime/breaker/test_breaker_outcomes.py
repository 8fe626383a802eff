"""What a call counts as, what listeners hear, and what a rejection tells."""

from __future__ import annotations

import asyncio
import gc
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError as FutureCancelled

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


async def _the_loser_of_a_race(breaker: CircuitBreaker) -> None:
    async def lose() -> None:
        async with deadline(60) as limit:
            limit.end()
            await breaker.acall(asyncio.sleep, 5)

    task = asyncio.create_task(lose())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


def test_the_loser_of_a_race_is_given_up_and_not_too_slow() -> None:
    breaker = CircuitBreaker()
    asyncio.run(_the_loser_of_a_race(breaker))
    seen = breaker.snapshot()
    assert (seen.failures_ever, seen.ignored_ever) == (0, 1)


def test_a_call_may_end_while_its_own_thread_is_within_the_breaker_as_in_a_garbage_collection() -> None:
    breaker = CircuitBreaker(settings=TOUCHY)

    @breaker
    def count() -> Iterator[int]:
        yield 1

    breaker.switch_to("half_open")
    counting = count()
    next(counting)
    with breaker._lock:
        del counting
        gc.collect()
    assert breaker.snapshot().in_flight == 0


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
