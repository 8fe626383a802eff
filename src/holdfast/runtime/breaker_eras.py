"""What a breaker is between two changes of state.  A call records into the era that admitted it, so that its result, when it
comes late, meets an object that nobody looks at any more.

Rules: `record`, `admit` and `give_back` are called under the breaker's lock and decide, they never act: they give the next
state, or None.
`plain` and `timed` tell the wrappers, without a lock, that every call is let in and that a fast success is one step of `fast`:
`plain` needs no clock at all; `timed` needs it, for slow calls or a window of time, which ends at `fast_until_s` unless it is
`endless`.  `refuses` tells them that no call is let in before `until_s`, and that nobody hears of it.
"""

from __future__ import annotations

from math import inf
from sys import _getframe

from holdfast.runtime.breaker_blocks import LEFT, left_in
from holdfast.runtime.breaker_windows import CountWindow, TimeWindow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Literal

    from holdfast.runtime.breaker import CircuitBreaker
    from holdfast.runtime.breaker_settings import BreakerSettings

    State = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]
    Outcome = Literal["success", "failure", "ignored"]

STATES = ("closed", "open", "half_open", "forced_open", "disabled", "metrics_only")


def check_state(state: str, for_s: float | None) -> None:
    if state not in STATES:
        raise ValueError(f"state is {state!r}; it must be one of {', '.join(STATES)}")
    good = isinstance(for_s, int | float) and not isinstance(for_s, bool) and state == "open" and 0 < for_s < inf
    if for_s is not None and not good:
        raise ValueError(f"for_s is {for_s!r} with {state}; it must be a finite number above 0, and only with open")


class _Blocks:
    """The ways out of the blocks that were entered in an era; `breaker` (a weak reference) and `inside` are the breaker's."""

    __slots__ = ("breaker", "inside")

    breaker: Callable[[], CircuitBreaker | None]
    inside: dict[object, Any]

    def left(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        left_in(self, _getframe(1), error, keeps_all=True)  # type: ignore[arg-type]
        return False

    def aleft(self, kind: object, error: BaseException | None, trace: object) -> Awaitable[Literal[False]]:
        left_in(self, _getframe(1), error, keeps_all=True)  # type: ignore[arg-type]
        return LEFT


class Counting(_Blocks):
    """closed, and metrics_only, which counts and never opens."""

    __slots__ = (
        "admits", "endless", "fast", "fast_until_s", "ignored", "number", "plain", "settings", "since_s", "slow_s", "state",
        "timed", "window", "_quick",
    )  # fmt: skip

    until_s = inf
    refuses = False
    quick_unless_heard = "success"

    def __init__(self, state: State, number: int, settings: BreakerSettings, now_s: float, quick: bool) -> None:
        self.state = state
        self.number = number
        self.settings = settings
        self.since_s = now_s
        self.admits = True
        self.ignored = 0
        self.slow_s = inf if settings.slow_call_s is None else settings.slow_call_s
        self.window: CountWindow | TimeWindow
        if settings.window_s is None:
            self.window = CountWindow(settings.window_calls, settings.slow_call_s is not None)
        else:
            self.window = TimeWindow(settings.window_s, settings.window_buckets, now_s)
        self.endless = settings.window_s is None
        self.may_be_quick(quick)

    def may_be_quick(self, quick: bool) -> None:
        """`quick`: the interpreter counts in one step, and nobody asked to see every success."""
        self._quick = quick and self.settings.failure_result is None and self.settings.ignore_result is None
        self._gate(self.window.counts(self.since_s)[0])

    def record(self, now_s: float, outcome: Outcome, slow: bool) -> State | None:
        if outcome == "ignored":
            self.ignored += 1
            return None
        calls, failures, slow_calls = self.window.record(now_s, outcome == "failure", slow)
        self._gate(calls)
        settings = self.settings
        if calls < settings.min_calls or self.state == "metrics_only":
            return None
        # Divided, not multiplied: 7 / 100 is 0.07, but 0.07 * 100 is more than 7.
        return "open" if failures / calls >= settings.failure_rate or slow_calls / calls >= settings.slow_rate else None

    def _gate(self, calls: int) -> None:
        # Below min_calls even a success can open the breaker: it may be the call that makes a verdict possible.
        enough = calls >= self.settings.min_calls
        quick = self._quick and enough
        self.timed = quick and not (self.endless and self.settings.slow_call_s is None)
        self.plain = quick and not self.timed
        self.fast = self.window.fast  # a window of time has a new one for each of its parts
        self.fast_until_s = self.window.ends_s

    def left(self, kind: object, error: BaseException | None, trace: object) -> Literal[False]:
        if error is None and not self.inside:
            for _ in self.fast:
                return False
        left_in(self, _getframe(1), error)
        return False

    def aleft(self, kind: object, error: BaseException | None, trace: object) -> Awaitable[Literal[False]]:
        if error is None and not self.inside:
            for _ in self.fast:
                return LEFT
        left_in(self, _getframe(1), error)
        return LEFT

    def counts(self, now_s: float) -> tuple[int, int, int]:
        return self.window.counts(now_s)

    def ever(self) -> tuple[int, int, int, int]:
        """Successes, failures, slow and ignored calls since the era began."""
        return self.window.successes_ever(), self.window.failures_ever, self.window.slow_ever, self.ignored


class HalfOpen(_Blocks):
    """A round of trials.  It ends with a verdict, or at `until_s` without one."""

    __slots__ = (
        "admits", "failures", "given", "ignored", "in_flight", "number", "plain", "settings", "since_s", "slow", "state",
        "successes", "timed", "until_s", "failures_to_open", "slow_to_open",
    )  # fmt: skip

    refuses = False
    quick_unless_heard = "success"

    def __init__(self, number: int, settings: BreakerSettings, now_s: float) -> None:
        self.state: State = "half_open"
        self.number = number
        self.settings = settings
        self.since_s = now_s
        self.until_s = now_s + settings.half_open_at_most_s
        self.admits = self.plain = self.timed = False
        self.given = self.in_flight = self.successes = self.failures = self.slow = self.ignored = 0
        rate = settings.failure_rate if settings.trial_failure_rate is None else settings.trial_failure_rate
        self.failures_to_open = _least(rate, settings.trials)
        self.slow_to_open = _least(settings.slow_rate, settings.trials)

    def admit(self) -> bool:
        settings = self.settings
        if self.given >= settings.trials or (settings.trials_at_once is not None and self.in_flight >= settings.trials_at_once):
            return False
        self.given += 1
        self.in_flight += 1
        return True

    def may_be_quick(self, quick: bool) -> None:
        """Trials are counted under the lock."""

    def give_back(self) -> None:
        """A trial that has not begun: as if it had never been asked for."""
        self.given -= 1
        self.in_flight -= 1

    def record(self, now_s: float, outcome: Outcome, slow: bool) -> State | None:
        self.in_flight -= 1
        if outcome == "ignored":
            self.given -= 1  # it taught nothing, so another one takes its place
            self.ignored += 1
            return None
        self.successes += outcome == "success"
        self.failures += outcome == "failure"
        self.slow += slow
        trials = self.settings.trials
        done = self.successes + self.failures
        if self.settings.full_round and done < trials:
            return None
        if self.failures >= self.failures_to_open or self.slow >= self.slow_to_open:
            return "open"
        missing = trials - done
        if self.failures + missing < self.failures_to_open and self.slow + missing < self.slow_to_open:
            return "closed"
        return None

    def counts(self, now_s: float) -> tuple[int, int, int]:
        return self.successes + self.failures, self.failures, self.slow

    def ever(self) -> tuple[int, int, int, int]:
        return self.successes, self.failures, self.slow, self.ignored


class Standing(_Blocks):
    """open (until `until_s`), forced_open and disabled: nothing that a call does changes these."""

    __slots__ = ("admits", "number", "plain", "refuses", "settings", "since_s", "state", "timed", "until_s")

    quick_unless_heard = "rejected"

    def __init__(
        self, state: State, number: int, settings: BreakerSettings, now_s: float, quick: bool, until_s: float = inf
    ) -> None:
        self.state = state
        self.number = number
        self.settings = settings
        self.since_s = now_s
        self.until_s = until_s
        self.admits = state == "disabled"
        self.plain = self.timed = False
        self.may_be_quick(quick)

    def may_be_quick(self, quick: bool) -> None:
        self.refuses = quick and self.state == "open"

    def record(self, now_s: float, outcome: Outcome, slow: bool) -> State | None:
        return None

    def counts(self, now_s: float) -> tuple[int, int, int]:
        return 0, 0, 0

    def ever(self) -> tuple[int, int, int, int]:
        return 0, 0, 0, 0


def next_wait_s(breaker: CircuitBreaker) -> float:
    """How long to stay open this time; under the breaker's lock."""
    settings, last_s = breaker._settings, breaker._wait_s
    breaker._wait_s = min(last_s * settings.open_growth, settings.open_at_most_s) if last_s else settings.open_s
    if not settings.open_jitter:
        return breaker._wait_s
    if breaker._random is None:
        from random import Random

        breaker._random = Random()
    return breaker._wait_s * (1.0 - settings.open_jitter * breaker._random.random())


def _least(rate: float, trials: int) -> int:
    """The fewest bad ones of `trials` whose share reaches the rate."""
    bad = max(1, int(rate * trials))  # may be one too low because of rounding, or one too high: 0.07 * 100 is more than 7
    while bad > 1 and (bad - 1) / trials >= rate:
        bad -= 1
    while bad / trials < rate:
        bad += 1
    return bad
