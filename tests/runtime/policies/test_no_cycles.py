"""An exception that a policy let through is gone when its caller is done with it, and with it what the frames of its traceback
hold: connections, buffers, locks.  None waits for the garbage collector."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Backoff,
    Balancer,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Throttle,
    Timeout,
)

AT_ONCE = Backoff(first_s=0.001, max_s=0.001, jitter="none")
POLICIES: dict[str, Callable[[], Any]] = {
    "breaker": CircuitBreaker, "retry": lambda: Retry(backoff=AT_ONCE), "one attempt": lambda: Retry(attempts=1),
    "bulkhead": lambda: Bulkhead(1), "timeout": lambda: Timeout(5.0), "hedge": lambda: Hedge(after_s=5.0),
    "throttle": Throttle, "balancer": lambda: Balancer(["a"]), "rate limiter": lambda: RateLimiter(100.0),
    "adaptive limiter": lambda: AdaptiveLimiter(AIMD(latency_s=1.0)), "fallback": lambda: Fallback(None, on=KeyError),
    "pipeline": lambda: Pipeline(Retry(backoff=AT_ONCE), CircuitBreaker(), Bulkhead(2)),
}  # fmt: skip


class Lost(ConnectionError):
    pass


@pytest.fixture(autouse=True)
def _nobody_collects_garbage() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Fails:
    """Raises, and knows which of its exceptions are still there."""

    def __init__(self) -> None:
        self.raised: list[weakref.ref[Lost]] = []

    def __call__(self, *_: object) -> None:
        raise self._noted(Lost())

    async def wait(self, *_: object) -> None:
        raise self._noted(Lost())

    def _noted(self, error: Lost) -> Lost:
        self.raised.append(weakref.ref(error))
        return error

    def still_there(self) -> int:
        assert self.raised
        return sum(each() is not None for each in self.raised)


@pytest.mark.parametrize("style", ["decorator", "call", "async"])
@pytest.mark.parametrize("policy", POLICIES)
def test_no_exception_waits_for_the_garbage_collector(policy: str, style: str) -> None:
    guard, fails = POLICIES[policy](), Fails()

    async def main() -> None:
        guarded = guard(fails.wait)
        try:
            await guarded()
        except Lost:
            pass
        await asyncio.sleep(0)

    if style == "async":
        asyncio.run(main())
    else:
        try:
            guard(fails.__call__)() if style == "decorator" else guard.call(fails)
        except Lost:
            pass
    assert fails.still_there() == 0
