"""A call is cancelled at each of its awaits in turn, in every policy: no slot, trial, turn or task stays behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Backoff,
    Balancer,
    BreakerSettings,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    RateLimiter,
    Retry,
    Throttle,
    Timeout,
)

STEPS = 14  # more than any of the calls below takes
AT_ONCE = Backoff(first_s=1e-6, max_s=1e-6, jitter="none")


async def works(fails: bool) -> int:
    for _ in range(3):
        await asyncio.sleep(0)
    if fails:
        raise ConnectionError
    return 1


def half_open() -> CircuitBreaker:
    breaker = CircuitBreaker("db", BreakerSettings(trials=2, trial_failure_rate=1.0))
    breaker.switch_to("half_open")
    return breaker


# Each policy, and what of it is held at the moment.
POLICIES: dict[str, tuple[Callable[[], Any], Callable[[Any], int]]] = {
    "breaker": (half_open, lambda breaker: breaker.snapshot().in_flight),
    "bulkhead": (lambda: Bulkhead(1, max_waiting=2), lambda bulkhead: bulkhead.in_flight + bulkhead.waiting),
    "adaptive limiter": (
        lambda: AdaptiveLimiter(AIMD(latency_s=1.0), start=1, max_waiting=2),
        lambda limiter: limiter.in_flight + limiter.waiting),
    "balancer": (lambda: Balancer(["a", "b"]), lambda balancer: sum(each.in_flight for each in balancer.endpoints)),
    "hedge": (lambda: Hedge(after_s=0.0), lambda hedge: hedge._room.taken),
    "throttle": (Throttle, lambda throttle: 0),
    "rate limiter": (lambda: RateLimiter(1e6, max_wait_s=1.0), lambda limiter: 0),
    "retry": (lambda: Retry(backoff=AT_ONCE), lambda retry: 0), "timeout": (lambda: Timeout(5.0), lambda timeout: 0),
    "fallback": (lambda: Fallback(function=lambda *_: works(False), on=ConnectionError), lambda fallback: 0),
}  # fmt: skip


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
@pytest.mark.parametrize("policy", POLICIES)
def test_whenever_it_is_cancelled_nothing_stays_behind(policy: str, fails: bool) -> None:
    make, held = POLICIES[policy]

    async def cancelled_after(steps: int) -> None:
        guard = make()
        calls = [asyncio.create_task(guard.acall(lambda *_: works(fails))) for _ in range(2)]
        for _ in range(steps):
            await asyncio.sleep(0)
        calls[1].cancel()  # of two, so that it may be the one that waits
        await asyncio.wait(calls, timeout=10.0)
        assert all(call.done() for call in calls)
        assert held(guard) == 0, f"cancelled after {steps} steps"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def main() -> None:
        for steps in range(STEPS):
            await cancelled_after(steps)

    asyncio.run(main())
