"""Who was not asked cannot have failed: what a policy within refused teaches the policies around it nothing of the callee."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Backoff,
    Balancer,
    Bulkhead,
    BulkheadFull,
    CircuitOpenError,
    DeadlineExceeded,
    Ejection,
    RateLimiter,
    Rejected,
    Retry,
    RetryBudget,
    Throttle,
    Timeout,
)
from holdfast.runtime.errors import not_asked
from holdfast.runtime.testing import expired


def unbegun() -> DeadlineExceeded:
    return DeadlineExceeded("before the call", begun=False)


REFUSALS: dict[str, Callable[[], Exception]] = {
    "a deadline before the call": unbegun, "a full bulkhead": lambda: BulkheadFull("full"),
    "an open breaker": lambda: CircuitOpenError("shop", "open", 1.0),
    "a group of them": lambda: ExceptionGroup("both", [unbegun(), BulkheadFull("full")]),
}  # fmt: skip
ANSWERS: dict[str, Callable[[], Exception]] = {
    "a deadline while it ran": DeadlineExceeded, "a failure": ConnectionError, "a timeout of the client": TimeoutError,
    "a group with a failure": lambda: ExceptionGroup("both", [unbegun(), ConnectionError()]),
}  # fmt: skip


@pytest.fixture(params=["call", "acall"])
def style(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def fail(policy: Any, style: str, error: Callable[[], BaseException], times: int = 30) -> None:
    def raises(*_: object) -> None:
        raise error()

    async def araises(*_: object) -> None:
        raise error()

    for _ in range(times):
        try:
            policy.call(raises) if style == "call" else asyncio.run(policy.acall(araises))
        except (Exception, ExceptionGroup):
            pass


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_told_from_an_answer(refusal: str) -> None:
    assert not_asked(REFUSALS[refusal]())
    assert not any(not_asked(answer()) for answer in ANSWERS.values())
    assert not not_asked(asyncio.CancelledError())


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_balancer_ejects_nobody_for_it(style: str, refusal: str) -> None:
    balancer = Balancer(["a"], ejection=Ejection(failures=2), failed_on=Exception)
    fail(balancer, style, REFUSALS[refusal])
    assert balancer.ejected() == ()
    with pytest.raises((Rejected, ExceptionGroup)), balancer.pick():
        raise REFUSALS[refusal]()
    assert balancer.endpoints[0].failures == 0


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_throttle_counts_neither_a_request_nor_an_accept(style: str, refusal: str) -> None:
    throttle = Throttle()
    fail(throttle, style, REFUSALS[refusal])
    assert throttle.counts() == (0, 0)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_adaptive_limit_stays_where_it_is(style: str, refusal: str) -> None:
    limiter = AdaptiveLimiter(AIMD(latency_s=1.0), start=20, window_s=0.0, window_calls=1, dropped_on=Exception)
    fail(limiter, style, REFUSALS[refusal])
    assert limiter.limit == 20


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_budget_neither_pays_nor_earns(style: str, refusal: str) -> None:
    budget = RetryBudget(max_tokens=4)
    retry = Retry(attempts=3, on=lambda _: True, retry_after=lambda _: None, backoff=Backoff(first_s=0.0), budget=budget)
    fail(retry, style, REFUSALS[refusal], times=3)
    assert budget.tokens == 4.0


def test_a_budget_that_is_used_up_allows_no_other_attempt_after_it() -> None:
    budget, tries = RetryBudget(max_tokens=4), []
    budget.tokens = 1.0

    def refused() -> None:
        tries.append(1)
        raise unbegun()

    with pytest.raises(DeadlineExceeded):
        Retry(backoff=Backoff(first_s=0.0), budget=budget).call(refused)
    assert (len(tries), budget.tokens) == (1, 1.0)


def test_the_deadline_of_a_request_is_not_held_against_whom_nobody_asked() -> None:
    asked: list[object] = []
    balancer, throttle = Balancer(["a"], ejection=Ejection(failures=2)), Throttle()
    with expired():
        for policy in (balancer, throttle):
            for _ in range(5):
                with pytest.raises(DeadlineExceeded):
                    policy.call(Timeout(1).call, asked.append)
    assert (asked, balancer.ejected(), throttle.counts()) == ([], (), (0, 0))


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_the_callee_answered_counts_as_before(style: str, answer: str) -> None:
    balancer, throttle, budget = Balancer(["a"], ejection=Ejection(failures=2), failed_on=Exception), Throttle(), RetryBudget()
    limiter = AdaptiveLimiter(AIMD(latency_s=1.0), start=20, window_s=0.0, window_calls=1, dropped_on=Exception)
    throttle = Throttle(rejected_on=Exception)
    for policy in (balancer, throttle, limiter, Retry(attempts=1, on=Exception, budget=budget)):
        fail(policy, style, ANSWERS[answer], times=2)
    assert (balancer.ejected(), throttle.counts()[1], budget.tokens) == (("a",), 0, 98.0)
    assert limiter.limit == 16


def test_a_bulkhead_within_a_throttle_is_not_taken_for_the_backend() -> None:
    throttle, bulkhead = Throttle(), Bulkhead(1)
    with bulkhead, pytest.raises(BulkheadFull):
        throttle.call(bulkhead.call, int)
    assert throttle.counts() == (0, 0)


# --- a cancellation that comes while the call waits

WAITING: dict[str, Callable[[], Any]] = {
    "bulkhead": lambda: Bulkhead(1, max_waiting=10, max_wait_s=60.0),
    "adaptive limiter": lambda: AdaptiveLimiter(AIMD(latency_s=60.0), start=1, max_waiting=10, max_wait_s=60.0),
    "rate limiter": lambda: RateLimiter(0.01, max_wait_s=3600.0),
}  # fmt: skip


class Witness:
    """A policy that sees what passes, as a breaker between the deadline and the queue would."""

    def __init__(self) -> None:
        self.saw: list[BaseException] = []

    async def acall(self, function: Callable[..., Any], /, *args: Any) -> Any:
        try:
            return await function(*args)
        except BaseException as error:
            self.saw.append(error)
            raise


@pytest.mark.parametrize("ended_by", ["asyncio.timeout", "Timeout", "cancel"])
@pytest.mark.parametrize("policy", WAITING)
def test_a_cancellation_that_reaches_a_waiting_call_says_that_it_was_not_begun(policy: str, ended_by: str) -> None:
    witness, guard = Witness(), WAITING[policy]()

    async def asks() -> None:
        if ended_by == "Timeout":
            await Timeout(0.02).acall(witness.acall, guard.acall, asyncio.sleep, 0)
        else:
            async with asyncio.timeout(0.02 if ended_by == "asyncio.timeout" else None):
                await witness.acall(guard.acall, asyncio.sleep, 0)

    async def main() -> None:
        first = asyncio.create_task(guard.acall(asyncio.sleep, 60))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(asks())
        await asyncio.sleep(0.005)
        if ended_by == "cancel":
            waiting.cancel()
        with pytest.raises((TimeoutError, asyncio.CancelledError, Rejected)):
            await waiting
        first.cancel()
        await asyncio.wait([first])

    asyncio.run(main())
    (saw,) = witness.saw
    # A deadline of ours is known to the queue, which may be the first to give up.
    if not (ended_by == "Timeout" and not_asked(saw)):
        assert saw.begun is False  # type: ignore[attr-defined]


@pytest.mark.parametrize("policy", WAITING)
def test_a_cancellation_of_a_call_that_runs_says_nothing_of_the_kind(policy: str) -> None:
    witness, guard = Witness(), WAITING[policy]()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await witness.acall(guard.acall, asyncio.sleep, 60)

    asyncio.run(main())
    assert getattr(witness.saw[0], "begun", True)


def test_an_order_that_takes_no_mark_passes_as_it_is() -> None:
    class Order(BaseException):
        begun = property()

    order = Order()

    async def stops(_: float) -> None:
        raise order

    limiter = RateLimiter(1.0, max_wait_s=60.0, asleep=stops)
    limiter.acquire()
    with pytest.raises(Order) as caught:
        asyncio.run(limiter.acall(asyncio.sleep, 0))
    assert caught.value is order
