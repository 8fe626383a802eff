"""Circuit breakers for Prometheus: `REGISTRY.register(BreakerCollector(lambda: [breaker, ...]))`.

Rules: the breakers are looked at when Prometheus asks, so that calls cost nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdfast.runtime.breaker import CircuitBreaker
from holdfast.runtime.breaker_eras import STATES


class BreakerCollector:
    """`breakers` gives those to show at each scrape; their names must differ.  Of a registry:
    `lambda: [breaker for _, breaker in registry.items()]`."""

    def __init__(self, breakers: Callable[[], Iterable[CircuitBreaker]], *, prefix: str = "holdfast_breaker") -> None:
        self._breakers = breakers
        self._prefix = prefix

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        name = self._prefix
        state = GaugeMetricFamily(f"{name}_state", "1 for the state it is in", labels=["breaker", "state"])
        calls = CounterMetricFamily(f"{name}_calls", "Calls by how they ended", labels=["breaker", "outcome"])
        slow = CounterMetricFamily(f"{name}_slow_calls", "Calls that were slow, whatever their outcome", labels=["breaker"])
        opened = CounterMetricFamily(f"{name}_opened", "How often it opened", labels=["breaker"])
        rate = GaugeMetricFamily(f"{name}_failure_rate", "In the window, once there are enough calls", labels=["breaker"])
        for breaker in self._breakers():
            seen = breaker.snapshot()
            for each in STATES:
                state.add_metric([seen.breaker, each], float(each == seen.state))
            ended = {
                "success": seen.successes_ever, "failure": seen.failures_ever, "ignored": seen.ignored_ever,
                "rejected": seen.rejected_ever,
            }  # fmt: skip
            for outcome, count in ended.items():
                calls.add_metric([seen.breaker, outcome], count)
            slow.add_metric([seen.breaker], seen.slow_ever)
            opened.add_metric([seen.breaker], seen.opened_ever)
            if seen.failure_rate is not None:
                rate.add_metric([seen.breaker], seen.failure_rate)
        yield from (state, calls, slow, opened, rate)

    def describe(self) -> list[Any]:
        """Nothing: the names are not checked at registration, and no breaker is looked at."""
        return []
