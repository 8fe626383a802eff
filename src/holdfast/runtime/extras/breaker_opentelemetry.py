"""Circuit breakers for OpenTelemetry: `observe(meter, lambda: [breaker, ...])`.

Rules: the instruments are observable, so the breakers are looked at when a reader collects and calls cost nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdfast.runtime.breaker import CircuitBreaker
from holdfast.runtime.breaker_eras import STATES


def observe(meter: Any, breakers: Callable[[], Iterable[CircuitBreaker]], *, prefix: str = "holdfast.breaker") -> None:
    """Makes the instruments `<prefix>.state`, `.calls`, `.slow_calls`, `.opened` and `.failure_rate` on an opentelemetry
    Meter."""
    from opentelemetry.metrics import Observation

    def states(_: Any) -> Iterator[Any]:
        for breaker in breakers():
            now = breaker.state
            for each in STATES:
                yield Observation(int(each == now), {"breaker": breaker.name, "state": each})

    def calls(_: Any) -> Iterator[Any]:
        for breaker in breakers():
            seen = breaker.snapshot()
            counts = (seen.successes_ever, seen.failures_ever, seen.ignored_ever, seen.rejected_ever)
            for outcome, count in zip(("success", "failure", "ignored", "rejected"), counts, strict=True):
                yield Observation(count, {"breaker": breaker.name, "outcome": outcome})

    def single(field: str) -> Callable[[Any], Iterator[Any]]:
        def callback(_: Any) -> Iterator[Any]:
            for breaker in breakers():
                value = getattr(breaker.snapshot(), field)
                if value is not None:
                    yield Observation(value, {"breaker": breaker.name})

        return callback

    meter.create_observable_gauge(f"{prefix}.state", [states], description="1 for the state it is in")
    meter.create_observable_counter(f"{prefix}.calls", [calls], unit="{call}", description="calls by how they ended")
    meter.create_observable_counter(f"{prefix}.slow_calls", [single("slow_ever")], unit="{call}")
    meter.create_observable_counter(f"{prefix}.opened", [single("opened_ever")], description="how often it opened")
    meter.create_observable_gauge(f"{prefix}.failure_rate", [single("failure_rate")], unit="1")
