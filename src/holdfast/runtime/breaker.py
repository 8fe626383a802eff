"""A circuit breaker: it stops asking a callee that fails, and finds out with a few trials when it may ask again.

Rules: no lock is held while the call runs.  Every change of state makes a new era object, and a call records into the era that
admitted it; only the era that is current can change anything.  Nothing happens by itself: time is looked at when somebody asks.
The lock may be taken twice by one thread, because a garbage collection or a signal handler may end a call within a locked part.
"""

from __future__ import annotations

from _weakref import ref
from math import inf
from sys import _getframe
from time import monotonic

from holdfast.runtime import breaker_judge as judge
from holdfast.runtime.breaker_blocks import Ready, Way, entered, entered_by_with, left
from holdfast.runtime.breaker_eras import Counting, HalfOpen, Standing, check_state, next_wait_s
from holdfast.runtime.breaker_permit import Permit
from holdfast.runtime.breaker_settings import BreakerSettings, check_given, check_settings
from holdfast.runtime.breaker_windows import counter, one_step, value_of
from holdfast.runtime.breaker_wrap import acall, call, wrapped
from holdfast.runtime.errors import CircuitOpenError
from holdfast.runtime.locks import new_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from random import Random
    from types import TracebackType
    from typing import Any, Literal, NoReturn, ParamSpec, Self, TypeVar

    from holdfast.runtime.breaker_eras import Outcome, State
    from holdfast.runtime.breaker_events import BreakerSnapshot, Kind, Listener

    P = ParamSpec("P")
    R = TypeVar("R")
    Era = Counting | HalfOpen | Standing


class CircuitBreaker:
    """`@breaker` on any function, `with breaker:`, `async with breaker:`, `call`, `acall`, or `acquire` for code that cannot
    wrap.

    A call that is not let through raises CircuitOpenError; an exception of the callee is always raised unchanged.
    `lock_free=False`: every call is counted under the lock; else fast successes are not, where the interpreter makes that safe.
    """

    __slots__ = (
        "__weakref__", "_clock", "_era", "_inside", "_listeners", "_lock", "_lock_free", "_opened", "_past", "_random",
        "_rejected", "_settings", "_wait_s", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str = "",
        settings: BreakerSettings | None = None,
        *,
        clock: Callable[[], float] = monotonic,
        random: Random | None = None,
        lock_free: bool | None = None,
    ) -> None:
        settings = BreakerSettings() if settings is None else settings
        check_settings(settings)
        check_given(clock=clock, random=random, lock_free=lock_free)
        self.name = name
        self._settings = settings
        self._clock = clock
        self._random = random
        self._lock = new_lock()
        self._listeners: tuple[tuple[frozenset[Kind], Listener], ...] = ()
        self._inside: dict[object, Any] = {}
        self._past = (0, 0, 0, 0)
        self._rejected = counter()
        self._opened = 0
        self._wait_s = 0.0
        self._lock_free = lock_free is not False and one_step()
        self._era: Era = self._with_blocks(Counting("closed", 1, self._settings, clock(), self._lock_free))

    # --- calls

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, guarded: plain, coroutine, generator or async generator (these two are guarded until they end)."""
        return wrapped(self, function)

    def call(self, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
        return call(self, function, args, kwargs)

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """A coroutine function, a function that gives an awaitable, or a plain one."""
        return await acall(self, function, args, kwargs)

    def acquire(self) -> Permit:
        """A permit, to be ended with `success()`, `failure()` or `ignore()`, or used as `with breaker.acquire() as permit:`."""
        started_s = self._clock()  # first: a clock that raises must not take a trial with it
        return Permit(self, self._admit(), started_s)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a circuit breaker cannot be copied or pickled: pickle its settings and make another one of them")

    if TYPE_CHECKING:
        def __enter__(self) -> Self: ...
        async def __aenter__(self) -> Self: ...
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> Literal[False]: ...
        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> Literal[False]: ...
    else:
        __enter__, __exit__ = Way("_enter", entered), Way("_era.left", left)
        __aenter__, __aexit__ = Way("_aenter", entered, awaited=True), Way("_era.aleft", left, awaited=True)

    # --- looking and steering

    @property
    def state(self) -> State:
        """An open breaker is open until a call is let through as a trial, however long ago its wait ended."""
        return self._era.state

    @property
    def settings(self) -> BreakerSettings:
        return self._settings

    def configure(self, settings: BreakerSettings) -> None:
        """New settings, while calls run.  A closed breaker begins an empty window; an open or half-open one keeps to the old ones
        until its next change of state, so that a round of trials never has more than it was promised."""
        check_settings(settings)
        news: list[dict[str, Any]] = []
        with self._lock:
            self._settings = settings
            if type(self._era) is Counting:
                self._move(self._era.state, self._clock(), "settings", news)
        self._tell(news)

    def switch_to(self, state: State, *, for_s: float | None = None) -> None:
        """Puts the breaker in a state: forced_open, disabled and metrics_only last until the next switch, the others as usual.
        `for_s`, only with open: how long."""
        check_state(state, for_s)
        news: list[dict[str, Any]] = []
        with self._lock:
            self._wait_s = 0.0
            self._move(state, self._clock(), "asked", news, for_s)
        self._tell(news)

    def listen(self, listener: Listener, kinds: Iterable[Kind] = ("state",)) -> Callable[[], None]:
        """The listener gets a BreakerEvent for each change of state, or for what `kinds` names: state, success, failure, ignored,
        rejected.  It runs in the thread of the call; what it raises is logged.  Gives the function that ends it."""
        from holdfast.runtime.breaker_tell import checked_kinds

        entry = (checked_kinds(listener, kinds), listener)
        self._listen(lambda listeners: (*listeners, entry))
        return lambda: self._listen(lambda listeners: tuple(each for each in listeners if each is not entry))

    def snapshot(self) -> BreakerSnapshot:
        from holdfast.runtime.breaker_tell import snapshot

        with self._lock:
            return snapshot(self, self._clock(), value_of(self._rejected))

    # --- how it works

    def _enter(self) -> CircuitBreaker:
        if not self._era.plain or self._inside:
            entered_by_with(self, _getframe(1))
        return self

    def _aenter(self) -> Awaitable[CircuitBreaker]:
        if not self._era.plain or self._inside:
            entered_by_with(self, _getframe(1))
        return Ready(self)

    def _admit(self) -> Era:
        """The era that lets the call in.  CircuitOpenError when there is none."""
        era = self._era
        if era.admits:
            return era
        now_s = self._clock()
        if now_s < era.until_s and type(era) is Standing:
            if era.refuses:  # as _reject, written out
                next(self._rejected)
                raise CircuitOpenError(self.name, era.state, era.until_s - now_s if era.until_s < inf else None)
            self._reject(era, now_s)
        news: list[dict[str, Any]] = []
        with self._lock:
            now_s = self._clock()
            if self._era.state == "half_open" and now_s >= self._era.until_s:
                self._move("open", self._era.until_s, "too_long", news)
            if self._era.state == "open" and now_s >= self._era.until_s:
                self._move("half_open", now_s, "waited", news)
            era = self._era
            let_in = era.admits or (type(era) is HalfOpen and era.admit())
        try:
            self._tell(news)
        except BaseException:  # Ctrl-C within a listener: the trial that was given will not be made
            if let_in:
                self._end(era, "ignored", None, None)
            raise
        if not let_in:
            self._reject(era, now_s)
        return era

    def _reject(self, era: Era, now_s: float) -> NoReturn:
        with self._lock:
            next(self._rejected)
        again_s = era.until_s - now_s if era.state == "open" else None
        if self._listeners:
            self._tell([{"kind": "rejected", "at_s": now_s, "era": era.number, "state": era.state, "retry_after_s": again_s}])
        raise CircuitOpenError(self.name, era.state, again_s)

    def _raised(self, era: Era, error: BaseException, started_s: float | None) -> None:
        outcome: Outcome = "ignored"  # it stays so on a Ctrl-C within a predicate: the slot comes back all the same
        try:
            outcome = judge.of_error(era.settings, error)
        finally:
            self._end(era, outcome, started_s, error)

    def _returned(self, era: Era, result: object, started_s: float | None) -> None:
        outcome: Outcome = "ignored"
        try:
            outcome = judge.of_result(era.settings, result)
        finally:
            self._end(era, outcome, started_s, None)

    def _end(self, era: Era, outcome: Outcome, started_s: float | None, error: BaseException | None) -> bool:
        """Whether it counted: not when the era is over."""
        news: list[dict[str, Any]] = []
        try:
            now_s = self._clock()
        except BaseException:
            with self._lock:
                if era is self._era:
                    era.record(-inf, "ignored", False)
            raise
        duration_s = None if started_s is None else now_s - started_s
        limit_s = era.settings.slow_call_s
        slow = limit_s is not None and duration_s is not None and duration_s >= limit_s
        with self._lock:
            counted = era is self._era
            if counted and type(era) is HalfOpen and now_s >= era.until_s:
                counted = False
                self._move("open", era.until_s, "too_long", news)
            elif counted and (verdict := era.record(now_s, outcome, slow)) is not None:
                self._move(verdict, now_s, "trials" if type(era) is HalfOpen else "rate", news)
            state = self._era.state
        if self._listeners:
            call = {"kind": outcome, "at_s": now_s, "era": era.number, "state": state, "duration_s": duration_s, "error": error}
            self._tell([call, *news])
        return counted

    def _move(self, state: State, at_s: float, reason: str, news: list[dict[str, Any]], for_s: float | None = None) -> None:
        """Begins a new era; under the lock."""
        old, settings = self._era, self._settings
        number = old.number + 1
        wait_s = None
        era: Era
        if state == "half_open":
            era = HalfOpen(number, settings, at_s)
        elif state in ("closed", "metrics_only"):
            self._wait_s = 0.0
            era = Counting(state, number, settings, at_s, self._unheard("success"))
        elif state == "open":
            wait_s = next_wait_s(self) if for_s is None else for_s
            era = Standing(state, number, settings, at_s, self._unheard("rejected"), at_s + wait_s)
        else:
            era = Standing(state, number, settings, at_s, self._unheard("rejected"))
        past = tuple(map(sum, zip(self._past, old.ever(), strict=True)))
        if self._era is not old:
            return  # a garbage collection in here ended a call, and that has moved on already
        self._past, self._era = past, self._with_blocks(era)  # type: ignore[assignment]
        old.plain = old.timed = False
        self._opened += state == "open"
        event = {"kind": "state", "at_s": at_s, "era": number, "state": state, "previous": old.state}
        news.append({**event, "reason": reason, "retry_after_s": wait_s})

    def _listen(self, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> None:
        with self._lock:
            self._listeners = change(self._listeners)
            era = self._era
            era.may_be_quick(self._unheard(era.quick_unless_heard))

    def _unheard(self, kind: str) -> bool:
        """Whether it may be counted without a lock."""
        return self._lock_free and not any(kind in kinds for kinds, _ in self._listeners)

    def _with_blocks(self, era: Era) -> Era:
        era.breaker, era.inside = ref(self), self._inside
        return era

    def _tell(self, news: list[dict[str, Any]]) -> None:
        if news and self._listeners:
            from holdfast.runtime.breaker_tell import tell

            tell(self, news)
