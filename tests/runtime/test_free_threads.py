"""Eight threads at a time on a build of Python without the global lock, where they really run at once: every invariant holds."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Balancer,
    BreakerRegistry,
    BreakerSettings,
    Bulkhead,
    BulkheadFull,
    CircuitBreaker,
    CircuitOpenError,
    Ejection,
    Hedge,
    NoEndpoint,
    Pipeline,
    RateLimited,
    RateLimiter,
    Retry,
    RetryBudget,
    Throttle,
    Throttled,
)
from holdfast.runtime.testing import FakeClock

if getattr(sys, "_is_gil_enabled", lambda: True)():
    pytest.skip("this Python has the global lock; python3.13t or newer has none", allow_module_level=True)

THREADS = 8


def at_once(work: Callable[[int], None]) -> None:
    """Every thread runs `work(its number)`; they begin together, none may hang or raise."""
    errors: list[BaseException] = []
    gate = threading.Barrier(THREADS)

    def guarded(number: int) -> None:
        try:
            gate.wait(20.0)
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
        assert not thread.is_alive(), "a thread hangs"
    assert not errors, errors


@pytest.mark.parametrize("settings", [
    {}, {"slow_call_s": 5.0}, {"window_s": 0.02, "window_buckets": 4}, {"window_calls": 3, "min_calls": 3},
], ids=["count", "timed", "time window", "small"])  # fmt: skip
@pytest.mark.parametrize("style", ["decorator", "with", "permit"])
def test_every_call_is_counted_once(settings: dict[str, Any], style: str) -> None:
    breaker = CircuitBreaker("it", BreakerSettings(failure_on=ZeroDivisionError, ignore_on=KeyError, **settings))
    breaker.switch_to("metrics_only")
    each = 20_000 if style == "decorator" else 3_000  # fewer would hide a counter that loses one in 50,000

    def work(number: int) -> None:
        if number % 10 == 0:
            raise ZeroDivisionError
        if number % 10 == 1:
            raise KeyError

    def in_block(number: int) -> None:
        with breaker:
            work(number)

    def in_permit(number: int) -> None:
        with breaker.acquire():
            work(number)

    guarded = {"decorator": breaker(work), "with": in_block, "permit": in_permit}[style]

    def many(_: int) -> None:
        for number in range(each):
            try:
                guarded(number)
            except (ZeroDivisionError, KeyError):
                pass

    at_once(many)
    seen = breaker.snapshot()
    assert (seen.successes_ever, seen.failures_ever, seen.ignored_ever) == tuple(
        THREADS * each * tenths // 10 for tenths in (8, 1, 1)
    )
    assert breaker._inside == {}


def test_never_more_trials_than_allowed_and_no_slot_lost() -> None:
    breaker = CircuitBreaker("it", BreakerSettings(trials=3, trials_at_once=2, open_s=0.001, open_growth=1.0, open_jitter=0.0))
    lock, rounds = threading.Lock(), {}

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(4_000):
            try:
                permit = breaker.acquire()
            except CircuitOpenError:
                continue
            era = permit._era
            if era.state == "half_open":
                with lock:
                    now, most = rounds.get(era.number, (0, 0))
                    rounds[era.number] = now + 1, max(most, now + 1)
                time.sleep(rng.random() / 20_000)
                with lock:
                    now, most = rounds[era.number]
                    rounds[era.number] = now - 1, most
            rng.choice((permit.success, permit.failure, permit.ignore))()
            if breaker.state == "closed":
                breaker.switch_to("half_open")

    at_once(work)
    assert len(rounds) > 10, "the test tests nothing"
    assert max(most for _, most in rounds.values()) <= 2
    assert breaker.snapshot().in_flight == 0


def test_settings_states_and_listeners_change_while_calls_run() -> None:
    breaker, heard = CircuitBreaker("it", BreakerSettings(open_s=0.001, min_calls=5, window_calls=10)), []

    def work(number: int) -> None:
        rng = random.Random(number)
        stop = breaker.listen(heard.append, ("state", "rejected"))
        for step in range(1_500):
            try:
                breaker.call(int if rng.random() < 0.5 else rng.choice, *(() if rng.random() < 0.5 else ([],)))
            except (CircuitOpenError, IndexError, TypeError):
                pass
            if step % 97 == number:
                window_s, slow_call_s = rng.choice((None, 1.0)), rng.choice((None, 1.0))
                breaker.configure(BreakerSettings(open_s=0.001, window_s=window_s, slow_call_s=slow_call_s))
                breaker.switch_to(rng.choice(("closed", "open", "half_open", "metrics_only", "disabled")))
            breaker.snapshot()
        stop()

    at_once(work)
    assert heard
    assert breaker._listeners == ()
    breaker.switch_to("closed")
    assert breaker.call(int) == 0


def test_a_registry_makes_one_breaker_for_a_key_and_keeps_to_its_bound() -> None:
    large, small = BreakerRegistry(at_most=1_000), BreakerRegistry(at_most=50)
    made: list[list[CircuitBreaker]] = [[] for _ in range(THREADS)]

    def work(number: int) -> None:
        rng = random.Random(number)
        made[number] = [large[key] for key in range(500)]
        for _ in range(1_000):
            small[rng.randrange(200)].call(int)

    at_once(work)
    assert all(first is other for several in made for first, other in zip(made[0], several, strict=True))
    assert len(small) == 50


def test_a_bulkhead_never_holds_more_than_its_slots_and_loses_none() -> None:
    bulkhead, lock, inside = Bulkhead(3, max_waiting=4, max_wait_s=0.01), threading.Lock(), [0, 0]

    @bulkhead
    def work() -> None:
        with lock:
            inside[0] += 1
            inside[1] = max(inside)
        with lock:
            inside[0] -= 1

    def many(_: int) -> None:
        for _ in range(2_000):
            try:
                work()
            except BulkheadFull:
                pass

    at_once(many)
    assert inside[0] == 0
    assert 1 <= inside[1] <= 3
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)


def test_a_rate_limiter_lets_exactly_its_burst_through_when_time_stands_still() -> None:
    limiter, went = RateLimiter(100.0, burst=500, clock=FakeClock()), [0] * THREADS

    def work(number: int) -> None:
        for _ in range(400):
            try:
                limiter.acquire()
                went[number] += 1
            except RateLimited:
                pass

    at_once(work)
    assert sum(went) == 500


def test_a_throttle_counts_every_request_and_every_accept() -> None:
    throttle, refused = Throttle(clock=FakeClock()), [0] * THREADS

    def work(number: int) -> None:
        for step in range(1_000):
            try:
                throttle.call(int if step % 2 else _refuses)
            except (ConnectionError, Throttled):
                refused[number] += 1

    at_once(work)
    assert throttle.counts() == (THREADS * 1_000, THREADS * 1_000 - sum(refused))


def _refuses() -> None:
    raise ConnectionError


def test_a_budget_is_paid_for_by_every_failure() -> None:
    budget = RetryBudget(max_tokens=1000.0, token_ratio=0.5)

    def work(_: int) -> None:
        for _ in range(100):
            budget.failed()

    at_once(work)
    assert budget.tokens == 200.0
    at_once(lambda _: [budget.succeeded() for _ in range(100)] and None)
    assert budget.tokens == 600.0
    spent = [0] * THREADS

    def spend(number: int) -> None:
        spent[number] = sum(budget.spend() for _ in range(100))

    at_once(spend)
    assert (sum(spent), budget.tokens) == (100, 500.0)


def test_hedged_calls_answer_and_give_every_thread_back() -> None:
    hedge, answers = Hedge(after_s=0.001, max_extra=2, max_threads=32), [0] * THREADS

    def slowly(number: int) -> int:
        time.sleep(0.002 if number % 3 == 0 else 0.0)
        return number

    def work(number: int) -> None:
        answers[number] = sum(hedge.call(slowly, step) == step for step in range(60))

    at_once(work)
    assert answers == [60] * THREADS
    for _ in range(500):
        if not hedge._room.taken:
            break
        time.sleep(0.01)
    assert hedge._room.taken == 0


def test_a_balancer_and_an_adaptive_limiter_count_what_is_in_flight() -> None:
    balancer = Balancer(["a", "b", "c"], ejection=Ejection(failures=3, base_s=0.01))
    limiter = AdaptiveLimiter(AIMD(latency_s=0.1), start=4)

    def ask(address: str, step: int) -> str:
        if address == "b" and step % 4:
            raise ConnectionError
        return address

    def work(number: int) -> None:
        for step in range(1_000):
            try:
                limiter.call(balancer.call, ask, step)
            except (ConnectionError, NoEndpoint, BulkheadFull):
                pass

    at_once(work)
    assert [endpoint.in_flight for endpoint in balancer.endpoints] == [0, 0, 0]
    assert limiter.in_flight == 0


def test_policies_one_within_the_other_leave_nothing_behind() -> None:
    breaker, bulkhead = CircuitBreaker("it", BreakerSettings(failure_rate=1.0)), Bulkhead(4, max_waiting=8, max_wait_s=5.0)
    guarded = Pipeline(Retry(attempts=2, sleep=lambda _: None), breaker, bulkhead)(lambda number: number)
    sums = [0] * THREADS

    def work(number: int) -> None:
        sums[number] = sum(guarded(step) for step in range(1_000))

    at_once(work)
    assert sums == [sum(range(1_000))] * THREADS
    assert (bulkhead.in_flight, bulkhead.waiting, breaker.snapshot().successes_ever) == (0, 0, THREADS * 1_000)
