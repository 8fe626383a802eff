"""What a check returns or raises is taken strictly: nothing but a clear word is health."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime.health import Check, CheckReport, Health, Result, Status


def said(function: Callable[[], Any]) -> CheckReport:
    health = Health()
    health.add(Check("it", function))
    return health.ask()["it"]


async def answer(what: Any = True) -> Any:
    await asyncio.sleep(0)
    return what


class Callee:
    def __init__(self, what: Any):
        self.what = what

    async def __call__(self) -> Any:
        return self.what

    async def method(self) -> Any:
        return self.what


STYLES: dict[str, Callable[[Any], Callable[[], Any]]] = {
    "plain": lambda what: lambda: what,
    "coroutine": lambda what: functools.partial(answer, what),
    "returns an awaitable": lambda what: lambda: answer(what),
    "async call": Callee,
    "async method": lambda what: Callee(what).method,
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("what", "status"), [
    (True, "pass"), (None, "pass"), (Status.PASS, "pass"), (Status.WARN, "warn"), (Status.FAIL, "fail"),
    (Result("pass", "fine"), "pass"), (Result("warn"), "warn"), (Result(Status.FAIL, "broken"), "fail"),
])
def test_true_none_a_status_and_a_result_are_what_they_say_in_every_style(style: str, what: Any, status: str) -> None:
    report = said(STYLES[style](what))
    assert report.status == status
    assert report.message == (what.message if isinstance(what, Result) else "")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("what", [False, 1, 0, "pass", "ok", "", [], {"status": "pass"}, object(), 1.0, b"pass", answer, Status])
def test_anything_else_is_a_failure_that_names_the_mistake(
    style: str, what: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        report = said(STYLES[style](what))
    assert report.status == "fail"
    assert "a check must return True, None, a Status or a Result" in report.message
    assert "written or registered wrongly" in caplog.text


class Masked:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("who looks?")


class Loud(str):
    def __repr__(self) -> str:
        raise RuntimeError("who asks?")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("made", [lambda: 10**5000, Masked, lambda: Loud("x")], ids=["endless", "masked", "loud"])
def test_an_object_that_cannot_be_looked_at_is_a_failure_too_and_holds_nothing_up(style: str, made: Callable[[], Any]) -> None:
    health = Health()
    health.add(Check("it", STYLES[style](made()), timeout_s=20, ttl_s=0))
    for _ in range(2):
        report = health.ask()["it"]
        assert report.status == "fail"
        assert "a check must return True" in report.message
    assert health.counts()["it"] == (2, 2, 0)


def test_false_is_told_how_to_fail() -> None:
    assert 'return Result("fail", "why") or raise' in said(lambda: False).message


async def forgets() -> None:
    answer()  # type: ignore[unused-coroutine]


async def forgets_late() -> bool:
    await asyncio.sleep(0)
    forgotten = answer()
    return forgotten is not None


def forgets_in_a_thread() -> None:
    answer()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("function", [forgets, forgets_late, forgets_in_a_thread])
def test_a_forgotten_await_is_a_failure_whatever_was_returned(function: Callable[[], Any]) -> None:
    report = said(function)
    assert (report.status, report.message) == ("fail", "did not await answer")


async def gives_a_coroutine() -> Any:
    return answer()


def test_a_coroutine_that_is_returned_from_a_coroutine_is_a_failure() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert said(gives_a_coroutine).message == "returned the coroutine answer without awaiting it"
        gc.collect()
    assert not [each for each in warned if "never awaited" in str(each.message)], "one complaint is enough"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_somebody_elses_forgotten_await_is_not_blamed_on_a_check() -> None:
    async def main() -> CheckReport:
        health = Health()
        health.add(Check("it", functools.partial(asyncio.sleep, 0.02)))

        async def careless() -> None:
            for _ in range(5):
                answer()  # type: ignore[unused-coroutine]
                await asyncio.sleep(0.005)

        report, _ = await asyncio.gather(health.aask(), careless())
        return report["it"]

    assert asyncio.run(main()).status == "pass"


class Cruel(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


@pytest.mark.parametrize(("error", "message"), [
    (OSError("refused"), "OSError: refused"), (ValueError(), "ValueError"), (Cruel(), "Cruel: its text raised RuntimeError"),
    (SystemExit(3), "SystemExit: 3"), (KeyboardInterrupt(), "KeyboardInterrupt"), (GeneratorExit(), "GeneratorExit"),
    (BaseException("odd"), "BaseException: odd"),
])
@pytest.mark.parametrize("style", ["plain", "async"])
def test_whatever_is_raised_is_this_checks_own_failure_and_ends_nothing_else(
    error: BaseException, message: str, style: str,
) -> None:
    def raises() -> None:
        raise error

    async def araises() -> None:
        raise error

    async def main() -> tuple[str, str, str]:
        health = Health()
        health.add(Check("bad", raises if style == "plain" else araises), Check("good", answer))
        report = await health.aask()
        return report["bad"].status, report["bad"].message, report["good"].status

    if style == "async" and isinstance(error, GeneratorExit):
        message = "the event loop ended"
    assert asyncio.run(main()) == ("fail", message, "pass")
