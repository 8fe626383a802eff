"""The breaker beside the policies around it and inside of it: what it learns of the callee, and what it must not."""

from __future__ import annotations

import asyncio
import threading
import types
from collections.abc import Generator
from typing import Any

import pytest

from holdfast.runtime import (
    BreakerRegistry,
    BreakerSettings,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceeded,
    Hedge,
    Pipeline,
    Timeout,
    check_deadline,
)
from holdfast.runtime.testing import no_waiting

QUICK = BreakerSettings(window_calls=10, min_calls=2, open_s=10.0, open_jitter=0.0)


def counted(breaker: CircuitBreaker) -> tuple[str, int, int, int]:
    seen = breaker.snapshot()
    return seen.state, seen.successes_ever, seen.failures_ever, seen.ignored_ever


def test_a_deadline_that_ends_a_call_which_still_waits_for_its_slot_blames_nobody() -> None:
    breaker, bulkhead = CircuitBreaker("db", QUICK), Bulkhead(1, max_waiting=10, max_wait_s=5.0)
    guarded = Pipeline(Timeout(0.02), breaker, bulkhead)

    async def never_asked() -> None:
        raise AssertionError("it has no slot")

    async def main() -> None:
        await bulkhead.aacquire()
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await guarded.acall(never_asked)

    asyncio.run(main())
    assert counted(breaker) == ("closed", 0, 0, 2)


def test_a_deadline_within_that_ends_a_call_which_still_waits_blames_nobody_either() -> None:
    breaker, bulkhead = CircuitBreaker("db", QUICK), Bulkhead(1, max_waiting=10, max_wait_s=5.0)

    async def main() -> None:
        await bulkhead.aacquire()
        for _ in range(2):
            with pytest.raises(DeadlineExceeded) as raised:
                await Pipeline(breaker, Timeout(0.02), bulkhead).acall(asyncio.sleep, 60.0)
            assert not raised.value.begun

    asyncio.run(main())
    assert counted(breaker) == ("closed", 0, 0, 2)


def test_a_deadline_that_ends_a_call_under_way_is_a_failure() -> None:
    breaker = CircuitBreaker("db", QUICK)

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await Pipeline(Timeout(0.02), breaker, Bulkhead(1)).acall(asyncio.sleep, 60.0)

    asyncio.run(main())
    assert counted(breaker) == ("open", 0, 2, 0)


def test_the_loser_of_a_hedge_is_no_failure() -> None:
    breaker = CircuitBreaker("db", QUICK)
    lost, told = threading.Event(), threading.Event()
    attempts = iter((True, False))

    def work() -> str:
        if not next(attempts):
            return "second"
        told.wait(20.0)
        try:
            check_deadline()
        finally:
            lost.set()
        return "first"

    hedge = Hedge(after_s=0.01)
    assert Pipeline(hedge, breaker).call(work) == "second"
    told.set()
    assert lost.wait(20.0)
    for _ in range(2_000):  # the loser's thread ends on its own
        if counted(breaker)[3]:
            break
        threading.Event().wait(0.005)
    assert counted(breaker) == ("closed", 1, 0, 1)


def test_a_decorated_plain_function_lives_by_the_fake_clock_too() -> None:
    breaker = CircuitBreaker("db", QUICK)

    @breaker
    def work() -> str:
        return "asked"

    with no_waiting(breaker) as clock:
        breaker.switch_to("open")
        with pytest.raises(CircuitOpenError):
            work()
        clock.advance(11.0)
        assert work() == "asked"


def test_a_generator_that_is_marked_as_a_coroutine_is_guarded_as_one() -> None:
    breaker = CircuitBreaker("db", QUICK)

    @breaker
    @types.coroutine
    def work(error: Exception | None) -> Generator[None, None, str]:
        yield
        if error:
            raise error
        return "done"

    async def main() -> Any:
        assert await work(None) == "done"
        with pytest.raises(ConnectionError):
            await work(ConnectionError())

    asyncio.run(main())
    assert counted(breaker)[1:3] == (1, 1)


def test_of_two_who_configure_a_registry_at_once_the_last_one_is_heeded_by_every_breaker() -> None:
    registry = BreakerRegistry(QUICK)
    x, y = registry["x"], registry["y"]
    begun, go_on = threading.Event(), threading.Event()

    def held(_: object) -> None:
        if not begun.is_set():
            begun.set()
            assert go_on.wait(20.0)

    x.listen(held)
    first = threading.Thread(target=registry.configure, args=(QUICK.replace(trials=2),))
    first.start()
    assert begun.wait(20.0)
    registry.configure(QUICK.replace(trials=3))
    go_on.set()
    first.join(20.0)
    assert [each.settings.trials for each in (x, y, registry["z"])] == [3, 3, 3]


MADE_WRONGLY: dict[str, tuple[Any, str]] = {
    "settings as a mapping": (lambda: CircuitBreaker("x", {"trials": 3}), "settings is .*from_mapping"),  # type: ignore[arg-type]
    "clock": (lambda: CircuitBreaker(clock=5), "clock is 5"),  # type: ignore[arg-type]
    "random": (lambda: CircuitBreaker(random=5), "random is 5"),  # type: ignore[arg-type]
    "lock_free": (lambda: CircuitBreaker(lock_free="no"), "lock_free is 'no'"),  # type: ignore[arg-type]
    "registry settings": (lambda: BreakerRegistry({"trials": 3}), "settings is .*from_mapping"),  # type: ignore[arg-type]
    "registry own": (lambda: BreakerRegistry(own={"a": 5}), "own of 'a' is 5"),  # type: ignore[dict-item]
    "registry listeners": (lambda: BreakerRegistry(listeners=[(print, ("bogus",))]), "'bogus'"),  # type: ignore[list-item]
    "registry clock": (lambda: BreakerRegistry(clock=5), "clock is 5"),  # type: ignore[arg-type]
    "for_s true": (lambda: CircuitBreaker().switch_to("open", for_s=True), "for_s is True"),
    "for_s text": (lambda: CircuitBreaker().switch_to("open", for_s="5"), "for_s is '5'"),  # type: ignore[arg-type]
    "for_s without open": (lambda: CircuitBreaker().switch_to("closed", for_s=5.0), "only with open"),
}


@pytest.mark.parametrize("case", sorted(MADE_WRONGLY))
def test_what_is_wrong_is_refused_when_it_is_given_and_named(case: str) -> None:
    make, why = MADE_WRONGLY[case]
    with pytest.raises(ValueError, match=why):
        make()


def test_settings_that_are_refused_change_nothing() -> None:
    breaker, registry = CircuitBreaker("db", QUICK), BreakerRegistry(QUICK)
    with pytest.raises(ValueError, match="settings is"):
        breaker.configure({"trials": 1})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="own of 'a'"):
        registry.configure(QUICK.replace(trials=1), own={"a": {}})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="settings is None"):
        breaker.configure(None)  # type: ignore[arg-type]
    breaker.switch_to("open")
    assert (breaker.settings, breaker.state, registry["a"].settings) == (QUICK, "open", QUICK)
