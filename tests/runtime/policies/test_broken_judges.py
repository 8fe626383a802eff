"""A function that judges calls and raises itself: it is logged, and the caller gets what the call gave."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import AIMD, AdaptiveLimiter, Backoff, Balancer, Ejection, Fallback, Retry, RetryBudget, Throttle


class Lost(Exception):
    """The caller's own, and one that no default list names."""


def judge(outcome: Any) -> bool:
    return bool(outcome.status == 503)  # AttributeError


class Vague:
    def __bool__(self) -> bool:
        raise ValueError("neither yes nor no")


AT_ONCE = Backoff(first_s=0.0)
OF_ERRORS: dict[str, Callable[[Any], Any]] = {
    "Retry on": lambda judge: Retry(on=judge, backoff=AT_ONCE), "Fallback on": lambda judge: Fallback("other", on=judge),
    "Throttle rejected_on": lambda judge: Throttle(rejected_on=judge),
    "Balancer failed_on": lambda judge: Balancer(["a"], failed_on=judge, ejection=Ejection(failures=1)),
    "AdaptiveLimiter dropped_on": lambda judge: AdaptiveLimiter(AIMD(latency_s=1.0), dropped_on=judge),
    "Retry retry_after": lambda judge: Retry(on=Lost, retry_after=judge, backoff=AT_ONCE),
}  # fmt: skip
OF_RESULTS: dict[str, Callable[[Any], Any]] = {
    "Retry unwanted": lambda judge: Retry(unwanted=judge, backoff=AT_ONCE),
    "Fallback unwanted": lambda judge: Fallback("other", on=Exception, unwanted=judge),
    "Throttle rejected": lambda judge: Throttle(rejected=judge),
    "Balancer unwanted": lambda judge: Balancer(["a"], unwanted=judge, ejection=Ejection(failures=1)),
}  # fmt: skip


def made(policy: Any, style: str, function: Callable[..., Any]) -> Any:
    async def afunction(*args: object) -> Any:
        return function(*args)

    match style:
        case "call":
            return policy.call(function)
        case "acall":
            return asyncio.run(policy.acall(afunction))
        case "plain":
            return policy(function)()
        case _:
            return asyncio.run(policy(afunction)())


@pytest.mark.parametrize("style", ["call", "acall", "plain", "async"])
@pytest.mark.parametrize("which", [judge, lambda _: Vague()], ids=["raises", "vague"])
@pytest.mark.parametrize("setting", OF_ERRORS)
def test_the_exception_of_the_call_is_raised_all_the_same(
    setting: str, which: Callable[[Any], Any], style: str, caplog: pytest.LogCaptureFixture,
) -> None:
    lost = Lost("the connection")

    def fails(*_: object) -> None:
        raise lost

    with caplog.at_level(logging.ERROR, "holdfast.runtime"), pytest.raises(Lost) as caught:
        made(OF_ERRORS[setting](which), style, fails)
    assert caught.value is lost
    if setting != "Retry retry_after" or which is judge:
        assert f"given as {setting.split()[1]} raised" in caplog.text
        assert "AttributeError" in caplog.text or "neither yes nor no" in caplog.text


@pytest.mark.parametrize("style", ["call", "acall", "plain", "async"])
@pytest.mark.parametrize("which", [judge, lambda _: Vague()], ids=["raises", "vague"])
@pytest.mark.parametrize("setting", OF_RESULTS)
def test_the_result_of_the_call_is_returned_all_the_same(
    setting: str, which: Callable[[Any], Any], style: str, caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[str] = []

    def answers_well(*_: object) -> str:
        answers.append("good")
        return "good"

    with caplog.at_level(logging.ERROR, "holdfast.runtime"):
        assert made(OF_RESULTS[setting](which), style, answers_well) == "good"
    assert answers == ["good"], "it was not repeated"
    assert f"given as {setting.split()[1]} raised" in caplog.text


def test_a_call_that_cannot_be_judged_counts_as_failed() -> None:
    balancer = Balancer(["a"], unwanted=judge, ejection=Ejection(failures=1))
    assert balancer.call(str) == "a"
    assert balancer.ejected() == ("a",)
    throttle = Throttle(rejected=judge)
    assert throttle.call(int) == 0
    assert throttle.counts() == (1, 0)
    limiter = AdaptiveLimiter(AIMD(latency_s=1.0), start=20, window_s=0.0, window_calls=1, dropped_on=judge)
    with pytest.raises(ZeroDivisionError):
        limiter.call(lambda: 1 / 0)
    assert limiter.limit == 18


def test_a_judge_that_raises_later_ends_the_attempts_with_what_the_last_one_gave() -> None:
    answers, budget = iter(["bad", "worse", "never asked for"]), RetryBudget()

    def unwanted(answer: str) -> bool:
        if answer == "worse":
            raise LookupError
        return True

    assert Retry(attempts=5, unwanted=unwanted, backoff=AT_ONCE, budget=budget).call(lambda: next(answers)) == "worse"


@pytest.mark.parametrize("said", ["5", True, object(), b"1", None, [5]])
def test_a_time_that_is_no_number_is_as_none(said: object) -> None:
    pauses: list[float] = []

    def fails() -> None:
        error = Lost()
        error.retry_after_s = said  # type: ignore[attr-defined]
        raise error

    with pytest.raises(Lost):
        Retry(on=Lost, backoff=Backoff(first_s=0.25, jitter="none", factor=1.0), sleep=pauses.append).call(fails)
    assert pauses == [0.25, 0.25]


def test_an_order_to_stop_that_meets_a_judge_passes() -> None:
    def stops(_: Any) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Retry(unwanted=stops).call(int)
