"""The breaker does what the libraries of other languages are documented to do, in every calling style."""

from __future__ import annotations

from typing import Any

import pytest
from conformance import ROWS, Row
from styles import STYLES, Bad, Dull, Held

from holdfast.runtime import BreakerSettings, CircuitBreaker, CircuitOpenError
from holdfast.runtime.testing import FakeClock

OUTCOMES = {"ok": "success", "fail": "failure", "dull": "ignored", "no": "harmless", "slow": "success"}


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
                clock.advance(whole.slow_call_s or 0.0 if name == "slow" else 0.0)
                call.end(OUTCOMES[name])
        elif name == "refused":
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
        elif name == "again":
            assert breaker.snapshot().retry_after_s == float(argument), word
        elif name in ("calls", "failures"):
            assert getattr(breaker.snapshot(), name) == int(argument), word
        else:
            assert breaker.state == name, f"{word} in {script}"
    for call in held.values():
        call.end("given up")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1]}")
def test_the_breaker_does_as_documented_elsewhere(row: Row) -> None:
    _, _, settings, script = row
    for style in STYLES:
        if "slow" not in script or "generator" not in style:
            play(script, settings, style)
