"""Invariants under 8 threads and under 1,000 tasks: never more trials than allowed, never a lost slot, counts that add up."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError

THREADS = 8
LONG_S = 8.0


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Gauge:
    """How many are inside, and the most that ever were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = self.all = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


def in_threads(work: Callable[[int], None]) -> None:
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive(), "a thread hangs"
    assert not errors, errors


@pytest.mark.parametrize("lock_free", [True, False])
@pytest.mark.parametrize("more", [{}, {"slow_call_s": 5.0}, {"window_s": 0.05}], ids=["count", "timed", "time window"])
def test_every_call_of_eight_threads_is_counted_once(lock_free: bool, more: dict[str, Any]) -> None:
    each = 3_000
    breaker = CircuitBreaker("stress", BreakerSettings(failure_rate=1.0, **more), lock_free=lock_free)

    @breaker
    def work(number: int) -> None:
        if number % 10 == 0:
            raise ValueError
        if number % 10 == 1:
            raise KeyboardInterrupt

    def many(_: int) -> None:
        for number in range(each):
            try:
                work(number)
            except (ValueError, KeyboardInterrupt):
                pass

    in_threads(many)
    seen = breaker.snapshot()
    assert seen.failures_ever == seen.ignored_ever == THREADS * each // 10
    assert seen.successes_ever == THREADS * each * 8 // 10


def test_no_more_trials_than_allowed_and_no_slot_is_lost() -> None:
    breaker = CircuitBreaker(
        "stress",
        BreakerSettings(
            window_calls=10, min_calls=2, open_s=0.001, open_growth=1.0, open_jitter=0.0, trials=5, trials_at_once=2,
            half_open_at_most_s=60.0,
        ),
    )  # fmt: skip
    trials, rounds = Gauge(), defaultdict(Gauge)
    outcomes = {"success": 0, "failure": 0, "ignored": 0, "refused": 0}
    counting = threading.Lock()
    stop_at_s = time.monotonic() + LONG_S / 2  # enough trials for a proof, however busy the machine is

    def work(number: int) -> None:
        rng = random.Random(number)
        while trials.all <= 100 and time.monotonic() < stop_at_s:
            outcome = rng.choice(["success", "failure", "ignored"])
            try:
                permit = breaker.acquire()
            except CircuitOpenError:
                outcome = "refused"
            else:
                if permit._era.state == "half_open":  # the permit was given for a trial
                    with counting:
                        of_this_round = rounds[permit._era.number]
                    with trials, of_this_round:
                        time.sleep(rng.random() / 5_000)
                counted = getattr(permit, {"ignored": "ignore"}.get(outcome, outcome))()
                if not counted:
                    continue
            with counting:
                outcomes[outcome] += 1

    in_threads(work)
    seen = breaker.snapshot()
    assert trials.all > 50, "the test tests nothing"
    # A late trial of a round that is over may still run beside the next round; within a round there are never more.
    assert max(each.most for each in rounds.values()) == 2
    assert (seen.successes_ever, seen.failures_ever, seen.ignored_ever, seen.rejected_ever) == tuple(outcomes.values())
    assert seen.in_flight == 0
    for _ in range(40):  # no slot is lost: with a healthy callee it closes
        time.sleep(0.002)
        try:
            breaker.call(int)
        except CircuitOpenError:
            pass
    assert breaker.state == "closed"


def test_when_half_open_one_of_a_herd_of_threads_gets_through() -> None:
    breaker = CircuitBreaker("herd", BreakerSettings(open_s=0.001, trials=1))
    breaker.switch_to("open", for_s=0.001)
    time.sleep(0.01)
    start, trials, refused = threading.Barrier(THREADS), Gauge(), []

    def slowly() -> None:
        with trials:
            time.sleep(0.05)

    def work(_: int) -> None:
        start.wait(LONG_S)
        try:
            breaker.call(slowly)
        except CircuitOpenError as refusal:
            refused.append(refusal.state)

    in_threads(work)
    assert trials.all == 1
    assert refused == ["half_open"] * (THREADS - 1)


async def _herd(breaker: CircuitBreaker, tasks: int) -> tuple[Gauge, int, int]:
    inside, refused, cancelled = Gauge(), 0, 0

    @breaker
    async def work(number: int) -> None:
        with inside:
            await asyncio.sleep(0.01 if number % 3 else 10.0)

    async def one(number: int) -> None:
        nonlocal refused, cancelled
        try:
            async with asyncio.timeout(None if number % 3 else 0.005):
                await work(number)
        except CircuitOpenError:
            refused += 1
        except TimeoutError:
            cancelled += 1

    async with asyncio.timeout(LONG_S):
        await asyncio.gather(*(one(number) for number in range(tasks)))
    return inside, refused, cancelled


def test_when_half_open_a_thousand_tasks_make_no_more_than_the_allowed_trials() -> None:
    breaker = CircuitBreaker("tasks", BreakerSettings(open_s=0.001, trials=4, trials_at_once=3))
    breaker.switch_to("half_open")
    inside, refused, cancelled = asyncio.run(_herd(breaker, 1_000))
    assert inside.most == inside.all == 3
    assert cancelled == 1
    assert refused == 997
    assert breaker.state == "half_open"
    assert breaker.snapshot().in_flight == 0, "the cancelled trial gave its slot back"


def test_a_thousand_tasks_of_which_a_third_is_cancelled_are_all_counted() -> None:
    breaker = CircuitBreaker("tasks")
    inside, refused, cancelled = asyncio.run(_herd(breaker, 1_000))
    seen = breaker.snapshot()
    assert (inside.all, refused, inside.now) == (1_000, 0, 0)
    assert (seen.successes_ever, seen.ignored_ever, seen.failures_ever) == (666, 334, 0)
    assert cancelled == 334


def test_settings_and_states_may_be_changed_while_calls_run() -> None:
    breaker = CircuitBreaker("changing", BreakerSettings(window_calls=10, min_calls=1, open_s=0.001))
    stop_at_s = time.monotonic() + 0.4

    def work(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < stop_at_s:
            if number == 0:
                window_s = rng.choice([None, 0.01])
                breaker.configure(BreakerSettings(window_calls=rng.randint(1, 50), min_calls=1, window_s=window_s))
            elif number == 1:
                breaker.switch_to(rng.choice(["closed", "open", "half_open", "disabled", "metrics_only", "forced_open"]))
                breaker.snapshot()
            else:
                try:
                    with breaker:
                        if rng.random() < 0.1:
                            raise ValueError
                except (ValueError, CircuitOpenError):
                    pass

    in_threads(work)
    assert not breaker._inside
    breaker.switch_to("closed")
    breaker.call(int)
    assert breaker.snapshot().calls == 1
