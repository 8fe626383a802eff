"""The fast breaker does what the slow and obvious one does, for every order of calls, ends, clock steps and interventions.

Calls are suspended and resumed by hand, so that they overlap in any order without threads, and pass through the real wrappers.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from slow_breaker import SlowBreaker
from styles import STYLES, Bad, Dull, Held

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError
from holdfast.runtime.testing import FakeClock

# Times are multiples of 1/8 s, which floats add without error.
EIGHTHS = st.integers(1, 80).map(lambda n: n / 8)
RATES = st.sampled_from([0.1, 0.3, 1 / 3, 0.5, 2 / 3, 0.9, 1.0])


@st.composite
def some_settings(draw: Any) -> BreakerSettings:
    window_calls = draw(st.integers(1, 8))
    window_s = draw(st.sampled_from([None, None, None, 1.0, 8.0]))
    trials = draw(st.integers(1, 4))
    open_s = draw(EIGHTHS)
    return BreakerSettings(
        window_calls=window_calls,
        window_s=window_s,
        window_buckets=draw(st.sampled_from([1, 2, 4])),
        min_calls=draw(st.integers(1, window_calls)),
        failure_rate=draw(RATES),
        slow_call_s=draw(st.sampled_from([None, None, 0.5, 2.0])),
        slow_rate=draw(RATES),
        open_s=open_s,
        open_growth=draw(st.sampled_from([1.0, 1.5, 2.0])),
        open_at_most_s=open_s * draw(st.sampled_from([1, 2, 8])),
        open_jitter=0.0,
        trials=trials,
        trials_at_once=draw(st.none() | st.integers(1, trials)),
        trial_failure_rate=draw(st.none() | RATES),
        full_round=draw(st.booleans()),
        half_open_at_most_s=draw(EIGHTHS),
        ignore_on=Dull,
        failure_on=Bad,
    )


class FastAndSlow(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(chosen=some_settings(), lock_free=st.sampled_from([True, True, True, False]))
    def begin(self, chosen: BreakerSettings, lock_free: bool) -> None:
        self.clock = FakeClock()
        self.fast = CircuitBreaker("fast", chosen, clock=self.clock, lock_free=lock_free)
        self.slow = SlowBreaker(chosen, self.clock())
        self.open_calls: list[Held] = []
        self.guarded = {name: style(self.fast) for name, style in STYLES.items()}

    @rule(target=calls, style=st.sampled_from(sorted(STYLES)))
    def a_call_begins(self, style: str) -> Any:
        era = self.slow.ask(self.clock())
        held = Held(self.guarded[style])
        if era is None:
            with pytest.raises(CircuitOpenError) as refusal:
                held.begin()
            assert refusal.value.state == self.slow.era.state
            if self.slow.era.state == "open":
                assert refusal.value.retry_after_s == self.slow.era.until_s - self.clock()
            return multiple()
        held.begin()
        self.open_calls.append(held)
        return (held, era, self.clock(), style)

    @rule(call=calls, outcome=st.sampled_from(["success", "failure", "ignored", "given up", "harmless"]))
    def a_call_ends(self, call: Any, outcome: str) -> None:
        held, era, began_s, style = call
        if held.ended:
            return
        held.end(outcome)
        counts_as = {"given up": "ignored", "harmless": "success"}.get(outcome, outcome)
        # Generators are never slow: most of their time is their reader's.
        duration_s = 0.0 if "generator" in style else self.clock() - began_s
        self.slow.end(era, self.clock(), counts_as, duration_s)

    @rule(
        style=st.sampled_from(sorted(STYLES)),
        lots=st.lists(
            st.tuples(
                st.integers(1, 3), st.sampled_from(["success", "success", "failure", "failure", "ignored", "harmless"]),
                st.sampled_from([0, 0, 0, 1, 4, 16]), st.sampled_from([0, 0, 0, 1, 8]),
            ),
            min_size=1, max_size=8,
        ),
    )  # fmt: skip
    def calls_one_after_the_other(self, style: str, lots: list[tuple[int, str, int, int]]) -> None:
        for count, outcome, lasting, gap in lots:
            for _ in range(count):
                call = self.a_call_begins(style)
                self.clock.advance(lasting / 8)
                if type(call) is tuple:
                    self.a_call_ends(call, outcome)
                self.they_agree()
                self.clock.advance(gap / 8)

    @rule()
    def the_wait_ends(self) -> None:
        left_s = self.fast.snapshot().retry_after_s
        self.clock.advance(left_s or 0.0)

    @rule(step=EIGHTHS)
    def time_passes(self, step: float) -> None:
        self.clock.advance(step)

    @rule(state=st.sampled_from([*[""] * 30, "closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]))
    def somebody_switches(self, state: Any) -> None:
        if not state:
            return  # seldom, or nothing else would ever get far
        self.fast.switch_to(state)
        self.slow.switch_to(state, self.clock())

    @rule(chosen=some_settings(), seldom=st.integers(0, 9))
    def somebody_configures(self, chosen: BreakerSettings, seldom: int) -> None:
        if seldom:
            return
        self.fast.configure(chosen)
        self.slow.configure(chosen, self.clock())

    def teardown(self) -> None:
        for held in getattr(self, "open_calls", ()):
            if not held.ended:
                held.end("given up")

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "fast"):
            return
        seen, era = self.fast.snapshot(), self.slow.era
        assert (seen.state, seen.era) == (era.state, era.number)
        assert (seen.calls, seen.failures, seen.slow_calls) == self.slow.counts(self.clock())
        assert seen.in_flight == self.slow.in_flight()
        assert (seen.rejected_ever, seen.opened_ever) == (self.slow.rejected, self.slow.opened)
        ever = (seen.successes_ever, seen.failures_ever, seen.ignored_ever)
        assert ever == tuple(map(self.slow.ever, ("success", "failure", "ignored")))
        if era.state == "half_open":
            assert seen.in_flight <= (era.settings.trials_at_once or era.settings.trials)


FastAndSlow.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
TestTheFastBreakerDoesWhatTheSlowOneDoes = FastAndSlow.TestCase


@pytest.mark.soak
class TestForLong(FastAndSlow.TestCase):
    """The same with new interleavings each time."""

    settings = settings(max_examples=1_000, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
