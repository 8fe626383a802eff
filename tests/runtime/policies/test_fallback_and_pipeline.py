"""The fallback, and policies one around the other."""

import asyncio

import pytest
from failing import Script

from holdfast.runtime import Backoff, Bulkhead, Fallback, Pipeline, Retry, Timeout
from holdfast.runtime.testing import FakeClock, full, no_waiting, single_attempt


def test_the_value_stands_in_for_the_failures_that_were_named() -> None:
    fallback = Fallback([], on=ConnectionError)
    assert fallback.call(Script(ConnectionError())) == []
    assert fallback(Script("good"))() == "good"
    with pytest.raises(KeyError):
        fallback.call(Script(KeyError()))
    assert asyncio.run(fallback.acall(Script(ConnectionError()).wait)) == []


def test_the_function_gets_the_arguments_of_the_call() -> None:
    def cached(key: str) -> str:
        return f"old {key}"

    async def acached(key: str) -> str:
        return f"older {key}"

    assert Fallback(function=cached, on=OSError).call(Script(OSError()), "k") == "old k"
    assert asyncio.run(Fallback(function=acached, on=OSError).acall(Script(OSError()).wait, "k")) == "older k"
    with pytest.raises(TypeError, match="cannot stand in"):
        Fallback(function=acached, on=OSError)(Script(1))


def test_an_unwanted_result_takes_the_fallback() -> None:
    assert Fallback(0, on=OSError, unwanted=lambda result: result is None).call(Script(None)) == 0


def test_a_failing_fallback_shows_what_it_stood_in_for() -> None:
    first = OSError("first")
    with pytest.raises(KeyError) as caught:
        Fallback(function=Script(KeyError("second")), on=OSError).call(Script(first))
    assert caught.value.__context__ is first


def test_cancellation_is_never_replaced() -> None:
    async def main() -> None:
        task = asyncio.create_task(Fallback(1, on=lambda error: True).acall(asyncio.sleep, 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


@pytest.mark.parametrize("settings", [{"on": OSError}, {"value": 1, "function": print, "on": OSError}, {"value": 1, "on": ()},
                                      {"value": 1, "on": None}])
def test_a_bad_fallback_is_refused(settings: dict[str, object]) -> None:
    if settings.get("on") == ():  # an empty tuple matches nothing, which is a meaning
        Fallback(**settings)  # type: ignore[arg-type]
        return
    with pytest.raises(ValueError, match="must be"):
        Fallback(**settings)  # type: ignore[arg-type]


class Noted:
    """A policy of the user's own: it needs nothing but the three ways to be called."""

    def __init__(self, name: str, notes: list[str]):
        self.name, self.notes = name, notes

    def call(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.notes.append(self.name)
        return function(*args, **kwargs)

    async def acall(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.notes.append(self.name)
        return await function(*args, **kwargs)

    def __call__(self, function):  # type: ignore[no-untyped-def]
        return lambda *args, **kwargs: self.call(function, *args, **kwargs)


def test_the_order_is_the_one_that_the_reader_sees() -> None:
    notes: list[str] = []
    outer, inner = Noted("outer", notes), Noted("inner", notes)
    pipeline = Pipeline(outer, inner)

    @outer
    @inner
    def stacked(x: int, y: int) -> int:
        return x + y

    assert pipeline.call(lambda x, y: x + y, 1, y=2) == 3
    assert pipeline(lambda x, y: x + y)(1, y=2) == 3
    assert stacked(1, y=2) == 3

    async def add(x: int, y: int) -> int:
        return x + y

    assert asyncio.run(pipeline.acall(add, 1, y=2)) == 3
    assert notes == ["outer", "inner"] * 4


def test_the_order_matters_and_is_kept() -> None:
    bulkhead, refused = Bulkhead(1), []
    retry = Retry(on=Exception, attempts=3, listener=refused.append, backoff=Backoff(first_s=0.0))
    with full(bulkhead), no_waiting(retry):
        for pipeline, attempts in ((Pipeline(retry, bulkhead), 3), (Pipeline(bulkhead, retry), 0)):
            refused.clear()
            with pytest.raises(Exception, match="slots are taken"):
                pipeline.call(print)
            assert len(refused) == max(0, attempts - 1)


def test_a_pipeline_is_a_policy_and_fits_into_another() -> None:
    clock = FakeClock()
    retry = Retry(clock=clock, sleep=clock.sleep, backoff=Backoff(first_s=1, jitter="none"))
    inner = Pipeline(retry, Bulkhead(2))
    whole = Pipeline(Fallback("last", on=OSError), Timeout(60), inner)
    assert whole.call(Script(ConnectionError(), "good")) == "good"
    assert whole.call(Script(ConnectionError())) == "last"
    script = Script(ConnectionError())
    with single_attempt(whole):
        assert whole.call(script) == "last"
    assert script.calls == 1
    assert repr(inner) == "Pipeline(Retry, Bulkhead)"


@pytest.mark.parametrize("policies", [(), (print,), (Retry,), (Retry(), None)])
def test_what_is_no_policy_is_refused(policies: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="policies"):
        Pipeline(*policies)  # type: ignore[arg-type]
