"""The breaker does what the libraries of other languages are documented to do, in every calling style."""

from __future__ import annotations

from typing import Any

import pytest
from conformance import POLLY, RESILIENCE4J, Row
from conformance_deviations import DEVIATIONS
from conformance_deviations import ROWS as OURS
from conformance_go import FAILSAFE_GO, GOBREAKER
from conformance_names import NAMES
from styles import STYLES, Bad, Dull, Held

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError
from holdfast.runtime.testing import FakeClock

ROWS = (*RESILIENCE4J, *POLLY, *GOBREAKER, *FAILSAFE_GO)
OUTCOMES = {"ok": "success", "fail": "failure", "dull": "ignored", "no": "harmless", "slow": "success", "slowfail": "failure"}
COUNTS = {
    "calls": "calls", "failures": "failures", "slow_calls": "slow_calls", "rate": "failure_rate", "slow_rate": "slow_rate",
    "rejected": "rejected_ever", "flying": "in_flight", "again": "retry_after_s",
}  # fmt: skip
# The styles in which the breaker sees the result of the call.
SEE_RESULTS = ("function", "coroutine_function", "acall")


def play(script: str, settings: dict[str, Any], style: str) -> None:
    clock = FakeClock()
    whole = BreakerSettings(**{"open_jitter": 0.0, "failure_on": Bad, "ignore_on": Dull, **settings})
    breaker = CircuitBreaker("it", whole, clock=clock)
    guarded = STYLES[style](breaker)
    held: dict[str, Held] = {}

    def begin() -> Held:
        call = Held(guarded)  # type: ignore[arg-type]
        call.begin()
        return call

    for word in script.split():
        name, _, argument = word.partition(":")
        name, _, times = name.partition("*")
        if name in OUTCOMES:
            for _ in range(int(times or 1)):
                call = begin()
                clock.advance(whole.slow_call_s or 0.0 if name.startswith("slow") else 0.0)
                call.end(OUTCOMES[name])
        elif name == "refused":
            for _ in range(int(times or 1)):
                with pytest.raises(CircuitOpenError):
                    begin()
        elif name == "begin":
            held[argument] = begin()
        elif name == "end":
            call, _, outcome = argument.partition(":")  # type: ignore[assignment]
            held.pop(call).end(OUTCOMES[outcome])  # type: ignore[call-overload]
        elif name == "to":
            breaker.switch_to(argument)  # type: ignore[arg-type]
        elif name.startswith("+"):
            clock.advance(float(name))
        elif name in COUNTS:
            seen = getattr(breaker.snapshot(), COUNTS[name])
            share = 100 if name.endswith("rate") else 1
            assert seen == (None if argument == "none" else pytest.approx(float(argument) / share)), f"{word} in {script}"
        else:
            assert breaker.state == name, f"{word} in {script}"
    for call in held.values():
        call.end("given up")


def fits(style: str, settings: dict[str, Any], script: str) -> bool:
    if "failure_result" in settings:
        return style in SEE_RESULTS
    return "slow" not in script or "generator" not in style


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_the_breaker_does_as_documented_elsewhere(row: Row) -> None:
    _, _, settings, script = row
    for style in STYLES:
        if fits(style, settings, script):
            play(script, settings, style)


@pytest.mark.parametrize("row", OURS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_the_breaker_differs_where_it_means_to(row: Row) -> None:
    _, _, settings, script = row
    for style in STYLES:
        play(script, settings, style)


def test_every_library_is_told_of_and_every_deviation_has_its_reason() -> None:
    assert {row[0] for row in ROWS} == {"resilience4j", "Polly", "gobreaker", "failsafe-go"}
    assert len({row[:2] for row in ROWS}) == len(ROWS)
    assert all(len(ours) > 30 for _, _, ours, _, _ in DEVIATIONS)


@pytest.mark.parametrize("library", NAMES)
def test_every_test_of_a_library_is_accounted_for(library: str) -> None:
    titles = [row[1] for row in (*ROWS, *OURS) if row[0] == library]
    for name, where in NAMES[library].items():
        found = [title for title in titles if title.startswith(where)]
        assert len(found) == 1 or (where.startswith("none: ") and len(where) > 40), f"{name}: {where!r} is the title of {found}"
