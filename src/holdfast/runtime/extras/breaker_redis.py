"""One circuit breaker for many processes, its state and its trials kept in Redis.

Rules: each process keeps its own window; when one opens, all are open, and a round of trials is counted for all of them together.
Every decision is taken here without input or output, as a generator that yields the script to run; the sync and the async form
only carry scripts to Redis and answers back.  Without Redis the breaker of this process goes on alone, and what it opened
meanwhile is told, with what is left of its wait, before Redis is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from types import CoroutineType
from typing import Any

from holdfast.runtime import breaker_judge as judge
from holdfast.runtime import checks
from holdfast.runtime.breaker import CircuitBreaker
from holdfast.runtime.breaker_eras import HalfOpen
from holdfast.runtime.calling import is_async
from holdfast.runtime.errors import CircuitOpenError
from holdfast.runtime.extras import breaker_redis_scripts as scripts

Steps = Generator[tuple[str, tuple[Any, ...]], Any, Any]
_ALONE = frozenset({"forced_open", "disabled", "metrics_only"})
_ASYNC = "put an AsyncSharedBreaker with a client of redis.asyncio around it"


class _Trial:
    """A call that Redis let in; `name` is that of its round."""

    def __init__(self, name: Any, began_s: float) -> None:
        self.name = name
        self.began_s = began_s


class _Sharing:
    """What both forms do.  `refresh_s`: a closed breaker asks Redis at most this often, so others hear of an opening this late at
    worst; `away_s`: so long Redis is left alone after it did not answer."""

    def __init__(
        self, breaker: CircuitBreaker, client: Any, *, key: str = "", refresh_s: float = 0.2, away_s: float = 5.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        if not isinstance(breaker, CircuitBreaker):
            raise ValueError(f"breaker is {breaker!r}; it must be a CircuitBreaker")
        if not breaker.name and not key:
            raise ValueError("key is ''; a breaker without a name needs a key in Redis")
        self.local = breaker
        self._key = key or f"holdfast:breaker:{breaker.name}"
        self._run = {text: client.register_script(text) for text in (scripts.ASK, scripts.END, scripts.TRIP)}
        self._refresh_s = checks.number("refresh_s", refresh_s, low=0.0, high=3600.0)
        self._away_s = checks.number("away_s", away_s, low=0.0, high=3600.0)
        self._clock = checks.function("clock", clock)
        self._fresh_until_s = self._away_until_s = float("-inf")
        self._told = 0  # how many openings of the local breaker the others know of

    def _begin(self) -> Steps:
        local, now_s = self.local, self._clock()
        closed = local.state == "closed"
        if local.state in _ALONE or now_s < self._away_until_s or (closed and now_s < self._fresh_until_s):
            return local.acquire()
        opened = local._opened
        if opened != self._told:
            if not closed and (yield scripts.TRIP, self._opening()) is None:
                return local.acquire()  # still away: it is told another time, and this call has waited for Redis once, not twice
            self._told = opened
        settings = local.settings
        at_once = settings.trials_at_once or settings.trials
        answer = yield scripts.ASK, (*self._waits(), settings.trials, at_once, int(settings.half_open_at_most_s * 1e3))
        if answer is None:
            return local.acquire()
        verdict, name, wait_s = answer
        if verdict == "trial":
            return _Trial(name, now_s)
        self._follow(verdict, wait_s, opened)
        if verdict == "closed":
            return local.acquire()
        with local._lock:
            next(local._rejected)
        raise CircuitOpenError(local.name, verdict, wait_s if verdict == "open" else None)

    def _end(self, begun: Any, outcome: str, error: BaseException | None) -> Steps:
        opened = self.local._opened
        if not isinstance(begun, _Trial):
            {"success": begun.success, "failure": lambda: begun.failure(error), "ignored": begun.ignore}[outcome]()
            if self.local._opened > opened and self._clock() >= self._away_until_s:
                opened = self.local._opened
                if (yield scripts.TRIP, self._opening()) is not None:
                    self._told = opened
            return
        settings = self.local.settings
        slow = settings.slow_call_s is not None and self._clock() - begun.began_s >= settings.slow_call_s
        measure = HalfOpen(0, settings, 0.0)
        answer = yield scripts.END, (
            *self._waits(), begun.name, outcome, int(slow), settings.trials, measure.failures_to_open, measure.slow_to_open,
            int(settings.full_round),
        )  # fmt: skip
        if answer is not None:
            self._follow(answer[0], answer[2], opened)

    def _follow(self, verdict: str, wait_s: float, opened: int) -> None:
        """The breaker of this process does as all do, so that it knows when Redis goes away.  `opened` is how often it had opened
        when Redis was asked: what another thread found out since then is news to Redis, too."""
        if verdict == "closed":
            if self.local._opened != opened:
                return
            self._fresh_until_s = self._clock() + self._refresh_s
            if self.local.state != "closed":
                self.local.switch_to("closed")
        elif verdict == "open" and wait_s > 0:
            left_s = self.local.snapshot().retry_after_s
            if left_s is None or abs(left_s - wait_s) > 0.05:
                self.local.switch_to("open", for_s=wait_s)
                self._told = self.local._opened

    def _opening(self) -> tuple[Any, ...]:
        """For TRIP: nothing is left once the trials may begin."""
        wait_s = self.local._wait_s or self.local.settings.open_s
        left_s = self.local.snapshot().retry_after_s or 0.0
        return *self._waits(), int(min(wait_s * 1e3, 1e12)), int(min(left_s * 1e3, 1e12))

    def _waits(self) -> tuple[Any, ...]:
        from random import random

        settings = self.local.settings
        longest_ms = min(settings.open_at_most_s * 1e3, 1e12)
        return int(settings.open_s * 1e3), settings.open_growth, int(longest_ms), 1.0 - settings.open_jitter * random()

    def _read(self, answer: Any) -> tuple[str, Any, float]:
        verdict, name, wait_ms = answer
        return (verdict.decode() if isinstance(verdict, bytes) else verdict), name, wait_ms / 1e3

    def _lost(self, error: Exception) -> None:
        import logging

        from redis.exceptions import RedisError

        if not isinstance(error, RedisError | OSError):
            raise error
        self._away_until_s = self._clock() + self._away_s
        logging.getLogger("holdfast.runtime").warning("circuit breaker %r goes on alone: Redis: %s", self.local.name, error)


class SharedBreaker(_Sharing):
    """`SharedBreaker(CircuitBreaker("db"), redis.Redis(socket_timeout=0.1))`: `@shared` on plain functions, and `call`."""

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        begun = self._carry(self._begin())
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._carry(self._end(begun, judge.of_error(self.local.settings, error), error))
            raise
        if type(result) is CoroutineType:
            result.close()
            self._carry(self._end(begun, "ignored", None))
            raise TypeError(f"{function!r} gives a coroutine, which did not run: {_ASYNC}")
        self._carry(self._end(begun, judge.of_result(self.local.settings, result), None))
        return result

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from functools import wraps

        if is_async(function):
            raise TypeError(f"{function!r} is a coroutine function: {_ASYNC}")
        return wraps(function)(lambda *args, **kwargs: self.call(function, *args, **kwargs))

    def _carry(self, steps: Steps) -> Any:
        answer = None
        while True:
            try:
                text, values = steps.send(answer)
            except StopIteration as end:
                return end.value
            try:
                answer = self._read(self._run[text](keys=[self._key], args=values))
            except Exception as error:
                self._lost(error)
                answer = None


class AsyncSharedBreaker(_Sharing):
    """The same with redis.asyncio: `@shared` on coroutine functions, and `acall`."""

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        begun = await self._carry(self._begin())
        try:
            result = function(*args, **kwargs)
            if hasattr(result, "__await__"):
                result = await result
        except BaseException as error:
            # Cancelled or not, the slot must reach Redis; a second cancellation leaves it to the end of the round.
            await self._carry(self._end(begun, judge.of_error(self.local.settings, error), error))
            raise
        await self._carry(self._end(begun, judge.of_result(self.local.settings, result), None))
        return result

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        from functools import wraps

        is_async(function)  # refuses generators; a plain function may give something to wait for

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await self.acall(function, *args, **kwargs)

        return wrapper

    async def _carry(self, steps: Steps) -> Any:
        answer = None
        while True:
            try:
                text, values = steps.send(answer)
            except StopIteration as end:
                return end.value
            try:
                answer = self._read(await self._run[text](keys=[self._key], args=values))
            except Exception as error:
                self._lost(error)
                answer = None
