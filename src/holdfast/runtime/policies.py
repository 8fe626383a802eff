"""Policies out of a mapping: what a topology declares under `uses:`, as one pipeline for the program that makes the calls.

Rules: a key that nobody knows is refused by its name, so a misspelt one never means "without"; what a key needs and a file cannot
say (exceptions, addresses, how many calls at once) is given beside the mapping, and without it the key is left to the balancer
that reads the same file.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.balancer import Balancer, Ejection
from holdfast.runtime.breaker import CircuitBreaker
from holdfast.runtime.breaker_mapping import OF_A_POLICY, OF_NO_POLICY, meant, read
from holdfast.runtime.breaker_settings import BreakerSettings
from holdfast.runtime.budget import RetryBudget
from holdfast.runtime.bulkhead import Bulkhead
from holdfast.runtime.calling import asleep
from holdfast.runtime.deadlines import Timeout
from holdfast.runtime.pipeline import Pipeline
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["policies_from"]

# The names of an ejection in a file, and those of Ejection.
_OF_AN_EJECTION = {
    "failures": "failures", "for": "base_s", "duration": "base_s", "base_s": "base_s", "max_s": "max_s", "most": "max_share",
    "max_share": "max_share",
}  # fmt: skip


def policies_from(
    uses: Mapping[str, Any],
    *,
    name: str = "",
    max_in_flight: int | None = None,
    endpoints: Iterable[Any] | Mapping[Any, float] | None = None,
    retry_on: Any = (ConnectionError, TimeoutError),
    failure_on: Any = Exception,
    ignore_on: Any = (),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    asleep: Callable[[float], Any] = asleep,
) -> Pipeline:
    """One pipeline of what `uses` holds; a key that is absent or None means without that policy.  From the outermost:

        retries: 2             Retry: that many after the first call
        retry_budget: 20%      its RetryBudget: each success earns this share of a retry
        breaker: {open: 10s}   CircuitBreaker: settings as in BreakerSettings.from_mapping; each attempt counts
        max_pending: 50        Bulkhead, when `max_in_flight` is given: so many wait while that many are under way
        timeout: 2s            Timeout of each attempt, and the longest wait for a place in the bulkhead
        ejection: {failures: 5, for: 10s, most: 50%}
                               Balancer over `endpoints`, when these are given: the function gets the address first

    `name` is that of the breaker.  ValueError for a key that nobody knows, a value out of its range, a `retry_budget` without
    `retries`, and when nothing is left.
    """
    given = _known(uses)
    timeout_s = checks.optional(checks.number, "timeout", given.get("timeout"), low=0.0, low_open=True)
    policies = [
        _retry(given, on=retry_on, clock=clock, sleep=sleep, asleep=asleep),
        _breaker(given, name, clock, failure_on=failure_on, ignore_on=ignore_on),
        _bulkhead(given, max_in_flight, timeout_s),
        None if timeout_s is None else Timeout(timeout_s, clock=clock),
        _balancer(given, endpoints, clock),
    ]
    made = [policy for policy in policies if policy is not None]
    if not made:
        raise ValueError(f"{dict(uses)!r} holds no policy; known are {', '.join(sorted(OF_A_POLICY))}")
    return Pipeline(*made)


def _known(uses: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in uses.items():
        if key in OF_NO_POLICY:
            continue
        if key not in OF_A_POLICY:
            raise ValueError(f"{key} is no policy{meant(key, OF_A_POLICY)}")
        if value is not None:
            given[key] = read(key, "timeout_s" if key == "timeout" else key, value) if isinstance(value, str) else value
    return given


def _retry(given: dict[str, Any], **others: Any) -> Retry | None:
    share = given.get("retry_budget")
    budget = None
    if share is not None:
        budget = RetryBudget(token_ratio=checks.number("retry_budget", share, low=0.0, high=1.0, low_open=True))
    if given.get("retries") is None:
        if share is not None:
            raise ValueError(f"retry_budget is {share!r} without retries; give retries, of which it is the budget")
        return None
    return Retry(attempts=1 + checks.whole("retries", given["retries"], low=0), budget=budget, **others)


def _breaker(given: dict[str, Any], name: str, clock: Callable[[], float], **others: Any) -> CircuitBreaker | None:
    if "breaker" not in given:
        return None
    return CircuitBreaker(name, BreakerSettings.from_mapping({"breaker": given["breaker"]}, **others), clock=clock)


def _bulkhead(given: dict[str, Any], max_in_flight: int | None, timeout_s: float | None) -> Bulkhead | None:
    waiting = checks.optional(checks.whole, "max_pending", given.get("max_pending"), low=0)
    if max_in_flight is None:
        return None
    return Bulkhead(max_in_flight, max_waiting=waiting or 0, max_wait_s=1.0 if timeout_s is None else timeout_s)


def _balancer(given: dict[str, Any], endpoints: Any, clock: Callable[[], float]) -> Balancer | None:
    ejection = None
    if (inner := given.get("ejection")) is not None:
        if not isinstance(inner, Mapping):
            raise ValueError(f"ejection is {inner!r}; it must be a mapping of {', '.join(sorted(_OF_AN_EJECTION))}")
        settings: dict[str, Any] = {}
        for key, value in inner.items():
            if (full := _OF_AN_EJECTION.get(key)) is None:
                raise ValueError(f"{key} is no setting of an ejection{meant(key, _OF_AN_EJECTION)}")
            if full in settings:
                raise ValueError(f"{key} is given twice: it is the {full} of an ejection")
            unit = "rate" if full == "max_share" else full
            settings[full] = read(f"ejection {key}", unit, value) if isinstance(value, str) else value
        ejection = Ejection(**settings)
    return None if endpoints is None else Balancer(endpoints, ejection=ejection, clock=clock)
