"""The shared breaker through outages of its Redis; with a Redis that is well: test_breaker_extras.py."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_breaker_extras import free_port, redis_at

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError
from holdfast.runtime.testing import FakeClock

redis = pytest.importorskip("redis", reason="redis (the client) is not installed")

from holdfast.runtime.extras.breaker_redis import AsyncSharedBreaker, SharedBreaker  # noqa: E402

LONG = BreakerSettings(window_calls=2, min_calls=2, open_s=100.0, open_jitter=0.0, open_at_most_s=400.0, trials=1)


class Outages:
    """A client of Redis whose server is away while `away` is true.  `asked` counts the scripts."""

    def __init__(self, port: int, waits: bool):
        self.port, self.away, self.asked = port, False, 0
        self._client, self._waits = redis.Redis(port=port), waits

    def register_script(self, text: str) -> Any:
        script = self._client.register_script(text)

        def plain(keys: list[str], args: tuple[Any, ...]) -> Any:
            self.asked += 1
            if self.away:
                raise redis.ConnectionError("refused")
            return script(keys=keys, args=args)

        async def waiting(keys: list[str], args: tuple[Any, ...]) -> Any:
            return plain(keys, args)

        return waiting if self._waits else plain


class Process:
    """One of those who share: its breaker, its clock and its way to Redis."""

    def __init__(self, port: int, waits: bool):
        self.clock, self.redis = FakeClock(), Outages(port, waits)
        self.local = CircuitBreaker("db", LONG, clock=self.clock)
        kind: Any = AsyncSharedBreaker if waits else SharedBreaker
        self._shared = kind(self.local, self.redis, clock=self.clock, refresh_s=0.0, away_s=5.0)
        self._waits = waits

    def call(self, function: Any) -> Any:
        return asyncio.run(self._shared.acall(function)) if self._waits else self._shared.call(function)

    def fails(self, times: int = 2) -> None:
        for _ in range(times):
            with pytest.raises(ConnectionError):
                self.call(down)

    def refused_for_s(self) -> float:
        with pytest.raises(CircuitOpenError) as refusal:
            self.call(int)
        assert refusal.value.retry_after_s is not None
        return refusal.value.retry_after_s


def down() -> None:
    raise ConnectionError


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def both(request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[Process, Process]]:
    caplog.set_level(logging.CRITICAL)
    port = free_port()
    with redis_at(port, tmp_path):
        yield Process(port, request.param), Process(port, request.param)


def test_an_opening_is_told_after_an_outage_of_any_length_with_what_is_left_of_its_wait(both: tuple[Process, Process]) -> None:
    one, other = both
    one.redis.away = True
    one.fails()
    for _ in range(3):
        one.clock.advance(6.0)
        asked = one.redis.asked
        assert one.refused_for_s() > 80.0
        assert one.redis.asked == asked + 1  # a call waits for a Redis that is away once
    one.redis.away = False
    one.clock.advance(6.0)
    assert one.refused_for_s() == pytest.approx(76.0, abs=0.5)
    assert other.refused_for_s() == pytest.approx(76.0, abs=0.5)
    assert (one.local.state, other.local.state) == ("open", "open")


def test_what_opened_again_meanwhile_is_told_with_its_longer_wait_and_grows_from_there(both: tuple[Process, Process]) -> None:
    one, other = both
    one.redis.away = True
    one.fails()
    one.clock.advance(100.0)
    one.fails(1)  # the trial that it made alone
    one.redis.away = False
    one.clock.advance(150.0)
    assert one.refused_for_s() == pytest.approx(50.0, abs=0.5)
    assert other.refused_for_s() == pytest.approx(50.0, abs=0.5)
    with redis.Redis(port=one.redis.port) as client:
        assert float(client.hget("holdfast:breaker:db", "wait")) == 200_000.0


def test_when_the_wait_is_over_as_redis_comes_back_the_trials_are_for_all_together(both: tuple[Process, Process]) -> None:
    one, other = both
    one.redis.away = True
    one.fails()
    one.redis.away = False
    one.clock.advance(101.0)

    def trial() -> str:
        with pytest.raises(CircuitOpenError) as refusal:
            Process(one.redis.port, waits=False).call(int)
        return refusal.value.state

    assert one.call(trial) == "half_open"
    assert (one.local.state, other.call(int)) == ("closed", 0)


def test_what_closed_again_meanwhile_is_not_told(both: tuple[Process, Process]) -> None:
    one, other = both
    one.redis.away = True
    one.fails()
    one.clock.advance(101.0)
    assert one.call(int) == 0
    one.redis.away = False
    one.clock.advance(6.0)
    assert (one.call(int), other.call(int)) == (0, 0)
    assert (one.local.state, other.local.state) == ("closed", "closed")


def test_an_answer_from_before_an_opening_does_not_undo_it(both: tuple[Process, Process]) -> None:
    """Redis says "closed" to one thread while another one opens the breaker."""
    one, other = both
    steps = one._shared._begin()
    text, _ = next(steps)
    one.fails()
    with pytest.raises(CircuitOpenError):
        steps.send(("closed", "", 0.0))
    assert one.local.state == "open"
    assert other.refused_for_s() == pytest.approx(100.0, abs=0.5)


async def asleep() -> int:
    return 1


def generator() -> Iterator[int]:
    yield 1


class NoRedis:
    """Whoever asks it learns that nothing is broken."""

    def register_script(self, text: str) -> Any:
        return lambda keys, args: ["closed", "", 0]


def test_the_plain_form_refuses_coroutines_and_says_which_form_takes_them() -> None:
    local = CircuitBreaker("db", LONG)
    shared = SharedBreaker(local, NoRedis())
    with pytest.raises(TypeError, match="AsyncSharedBreaker"):
        shared(asleep)
    with pytest.raises(TypeError, match="AsyncSharedBreaker"):
        shared.call(asleep)
    with pytest.raises(TypeError, match="AsyncSharedBreaker"):
        shared(lambda: asleep())()
    seen = local.snapshot()
    assert (seen.successes_ever, seen.failures_ever) == (0, 0)
    assert shared(int)("7") == 7


@pytest.mark.parametrize("kind", [SharedBreaker, AsyncSharedBreaker])
def test_neither_form_takes_a_generator(kind: Any) -> None:
    with pytest.raises(TypeError, match="generator"):
        kind(CircuitBreaker("db"), NoRedis())(generator)


@pytest.mark.parametrize("kind", [SharedBreaker, AsyncSharedBreaker])
@pytest.mark.parametrize("value", [True, "x", -1, math.nan, math.inf, None, 3601])
@pytest.mark.parametrize("setting", ["refresh_s", "away_s"])
def test_a_setting_out_of_its_range_is_named(kind: Any, setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{setting} is {value!r}; it must be a number with 0 <= {setting} <= 3600"):
        kind(CircuitBreaker("db"), NoRedis(), **{setting: value})


@pytest.mark.parametrize(("breaker", "settings", "said"), [
    (5, {}, "breaker is 5; it must be a CircuitBreaker"), (CircuitBreaker(), {}, "needs a key"),
    (CircuitBreaker("db"), {"clock": 5}, "clock is 5; it must be a function"),
])
def test_what_it_is_made_of_is_checked(breaker: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SharedBreaker(breaker, NoRedis(), **settings)
