"""Blocks: `with breaker:`, entered and left in every way; and who listens late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Lock
from typing import Any

import pytest

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError

TOUCHY = BreakerSettings(window_calls=2, min_calls=2, open_s=10.0, open_jitter=0.0, trials=1)


class Delegating:
    """A context manager of the user's own, around a breaker."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker

    def __enter__(self) -> None:
        self.breaker.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self.breaker.__exit__(*raised)


class Loud(CircuitBreaker):
    def __enter__(self) -> Any:
        return super().__enter__()

    def __exit__(self, *raised: Any) -> Any:
        return super().__exit__(*raised)


@pytest.mark.parametrize("make", [lambda breaker: breaker, Delegating], ids=["with", "by hand"])
@pytest.mark.parametrize("kind", [CircuitBreaker, Loud])
def test_a_block_is_left_by_the_way_it_was_entered_whatever_was_entered_around_it(kind: Any, make: Any) -> None:
    breaker = kind(settings=TOUCHY)
    for expected in (1, 2, 3, 4):
        with make(breaker):
            pass
        assert (breaker.snapshot().successes_ever, breaker._inside) == (expected, {})
    with pytest.raises(ConnectionError), make(breaker):
        raise ConnectionError
    assert (breaker.state, breaker.snapshot().failures_ever) == ("open", 1)
    with pytest.raises(CircuitOpenError), make(breaker):
        raise AssertionError("not let in")
    breaker.switch_to("half_open")
    with make(breaker):
        assert breaker.snapshot().in_flight == 1
    assert (breaker.state, breaker._inside) == ("closed", {})


def test_a_block_that_began_before_the_breaker_opened_counts_nothing_once_it_has_closed_again() -> None:
    breaker = CircuitBreaker(settings=TOUCHY)
    for _ in range(5):
        breaker.call(int)

    def held() -> Iterator[None]:
        with breaker:
            yield

    early, error_of = [held() for _ in range(2)], ConnectionError()
    for each in early:
        next(each)
    breaker.switch_to("open")
    breaker.switch_to("closed")
    for _ in range(2):
        breaker.call(int)
    before = breaker.snapshot()
    assert next(early[0], None) is None
    with pytest.raises(ConnectionError):
        early[1].throw(error_of)  # type: ignore[attr-defined]
    assert (breaker.snapshot().calls, breaker.snapshot().failures_ever) == (before.calls, before.failures_ever)


def test_a_breaker_may_be_made_for_one_block() -> None:
    for _ in range(3):
        with CircuitBreaker():
            pass
    with pytest.raises(ConnectionError), CircuitBreaker(settings=BreakerSettings(min_calls=1)):
        raise ConnectionError


@pytest.mark.parametrize("settings", [BreakerSettings(), BreakerSettings(slow_call_s=5.0), BreakerSettings(window_s=60.0)])
def test_a_listener_that_comes_late_hears_every_success_from_then_on(settings: BreakerSettings) -> None:
    breaker, heard = CircuitBreaker(settings=settings), []
    work = breaker(lambda: 1)
    for _ in range(50):
        work()
    end = breaker.listen(heard.append, ("success",))
    work()
    with breaker:
        pass
    assert len(heard) == 2
    end()
    work()
    assert (len(heard), breaker.snapshot().successes_ever) == (2, 53)


def test_a_block_within_an_older_one_of_the_same_function_counts_in_the_era_in_which_it_began() -> None:
    breaker = CircuitBreaker()

    def calls_now(times: int) -> int:
        for _ in range(times):
            breaker.call(int)
        return breaker.snapshot().calls

    with breaker:
        calls_now(30)
        breaker.switch_to("open")
        breaker.switch_to("closed")
        assert calls_now(30) == 30
        with breaker:
            pass
        assert calls_now(0) == 31
    assert (calls_now(0), breaker._inside) == (31, {})


def entered(*blocks: Delegating) -> None:
    for each in blocks:
        each.__enter__()


def left(*blocks: Delegating) -> None:
    for each in blocks:
        each.__exit__(None, None, None)


def opened_and_waited_out(breaker: CircuitBreaker) -> None:
    breaker.switch_to("open", for_s=1e-9)
    time.sleep(1e-6)


def test_a_stack_that_was_handed_on_does_not_end_the_trial_of_another() -> None:
    breaker = CircuitBreaker(settings=TOUCHY)

    def connected() -> ExitStack:
        with ExitStack() as stack:
            stack.enter_context(breaker)
            return stack.pop_all()

    stack = connected()
    opened_and_waited_out(breaker)
    def trial() -> None:
        with breaker:
            stack.close()
            assert (breaker.state, breaker.snapshot().in_flight) == ("half_open", 1)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        trial()
    assert (breaker.state, breaker._inside) == ("open", {})


def test_whoever_leaves_by_hand_takes_nobodys_trial_and_counts_in_no_round_that_did_not_let_it_in() -> None:
    breaker = CircuitBreaker(settings=TOUCHY.replace(trials=5, trials_at_once=2, full_round=True, failure_rate=1.0))
    for _ in range(5):
        breaker.call(int)
    early = [Delegating(breaker) for _ in range(3)]
    entered(*early)
    opened_and_waited_out(breaker)
    trial = Delegating(breaker)
    entered(trial)
    with breaker:
        left(*early)
        seen = breaker.snapshot()
        assert (seen.state, seen.in_flight, seen.calls) == ("half_open", 2, 0)
    left(trial)
    seen = breaker.snapshot()
    assert (seen.state, seen.in_flight, seen.calls, breaker._inside) == ("half_open", 0, 2, {})


def test_a_function_that_leaves_something_else_by_hand_does_not_take_the_call_of_a_generator() -> None:
    breaker = CircuitBreaker(settings=TOUCHY)
    lock = Lock()

    def held() -> Iterator[None]:
        with breaker:
            yield

    def other() -> None:
        with breaker:
            lock.acquire()
            lock.__exit__(None, None, None)

    first = held()
    next(first)
    for _ in range(5):
        breaker.call(int)  # from here on a block needs no record
    other()
    assert len(breaker._inside) == 1
    first.close()
    assert breaker._inside == {}
