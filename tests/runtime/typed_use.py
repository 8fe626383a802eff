"""What type checkers must see of the decorators: read by mypy in test_typing, never run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from holdfast.runtime import (
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Fallback,
    Hedge,
    Pipeline,
    RateLimiter,
    Retry,
    Throttle,
    Timeout,
)
from holdfast.runtime.health import Check, Health, Report, Result, Status

breaker = CircuitBreaker("typed")
health = Health("typed")


@health.check("checked", critical=False)
def checked() -> Result:
    return Result("warn")


@health.check("achecked")
async def achecked() -> bool:
    return True


@breaker
def plain(name: str, *, times: int = 1) -> list[str]:
    return [name] * times


@breaker
async def coroutine(name: str) -> int:
    return len(name)


@breaker
def counting(up_to: int) -> Iterator[int]:
    yield from range(up_to)


@breaker
async def acounting(up_to: int) -> AsyncIterator[int]:
    for number in range(up_to):
        yield number


@Retry()
@Timeout(1.0)
@Bulkhead(3)
@RateLimiter(5)
@Throttle()
@Hedge(after_s=1.0)
@Fallback(None, on=OSError)
def stacked(name: str) -> bytes:
    return name.encode()


@Pipeline(Retry(), breaker)
def piped(name: str) -> bytes:
    return name.encode()


async def uses() -> None:
    assert_type(plain("a", times=2), list[str])
    assert_type(await coroutine("a"), int)
    assert_type(counting(3), Iterator[int])
    assert_type(acounting(3), AsyncIterator[int])
    assert_type(stacked("a"), bytes)
    assert_type(piped("a"), bytes)
    assert_type(breaker.call(len, "a"), int)
    with breaker:
        pass
    async with breaker:
        pass
    plain(1)  # type: ignore[arg-type]
    plain("a", time=2)  # type: ignore[call-arg]
    stacked()  # type: ignore[call-arg]
    breaker(5)  # type: ignore[arg-type]
    Bulkhead("3")  # type: ignore[arg-type]
    assert_type(checked(), Result)
    assert_type(await achecked(), bool)
    assert_type(await health.aask("liveness"), Report)
    assert_type(health.ask()["checked"].status, Status)
    health.ask("aliveness")  # type: ignore[arg-type]
    Check("a", 5)  # type: ignore[arg-type]
    breaker.switch_to("ajar")  # type: ignore[arg-type]


def unreachable_after_a_block_is_not_assumed(breaker: CircuitBreaker) -> int:
    with breaker:  # it never swallows an exception, so nothing is missing here
        return 1


def waits(error: CircuitOpenError) -> None:
    assert_type(error.retry_after_s, float | None)
