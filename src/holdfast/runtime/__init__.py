"""Policies for calls that may fail, for use inside your own program: circuit breaker, retry, deadline and their kin.

Rules: only the standard library, no thread and no asyncio on import. Names are looked up when first asked for, so that a program
pays for the policies that it uses.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing for it would cost more than the breaker
if TYPE_CHECKING:
    from typing import Any

    from holdfast.runtime.adaptive import AdaptiveLimiter as AdaptiveLimiter
    from holdfast.runtime.backoff import Backoff as Backoff
    from holdfast.runtime.balancer import Balancer as Balancer
    from holdfast.runtime.balancer import Ejection as Ejection
    from holdfast.runtime.breaker import CircuitBreaker as CircuitBreaker
    from holdfast.runtime.breaker_events import BreakerEvent as BreakerEvent
    from holdfast.runtime.breaker_events import BreakerSnapshot as BreakerSnapshot
    from holdfast.runtime.breaker_settings import BreakerSettings as BreakerSettings
    from holdfast.runtime.budget import RetryBudget as RetryBudget
    from holdfast.runtime.bulkhead import Bulkhead as Bulkhead
    from holdfast.runtime.choosing import ConsistentHash as ConsistentHash
    from holdfast.runtime.choosing import RoundRobin as RoundRobin
    from holdfast.runtime.choosing import TwoChoices as TwoChoices
    from holdfast.runtime.choosing import Weighted as Weighted
    from holdfast.runtime.concurrency import AIMD as AIMD
    from holdfast.runtime.concurrency import Gradient as Gradient
    from holdfast.runtime.deadlines import Timeout as Timeout
    from holdfast.runtime.deadlines import check_deadline as check_deadline
    from holdfast.runtime.deadlines import deadline as deadline
    from holdfast.runtime.deadlines import remaining_s as remaining_s
    from holdfast.runtime.election import Leader as Leader
    from holdfast.runtime.election import Lock as Lock
    from holdfast.runtime.election import Semaphore as Semaphore
    from holdfast.runtime.election_core import HoldLost as HoldLost
    from holdfast.runtime.election_core import Term as Term
    from holdfast.runtime.election_etcd import Etcd as Etcd
    from holdfast.runtime.election_memory import MemoryStore as MemoryStore
    from holdfast.runtime.election_race import ElectionEvent as ElectionEvent
    from holdfast.runtime.election_store import Holder as Holder
    from holdfast.runtime.election_store import StoreRefused as StoreRefused
    from holdfast.runtime.election_store import Unreachable as Unreachable
    from holdfast.runtime.errors import CircuitOpenError as CircuitOpenError
    from holdfast.runtime.errors import Rejected as Rejected
    from holdfast.runtime.fallback import Fallback as Fallback
    from holdfast.runtime.hedge import Hedge as Hedge
    from holdfast.runtime.pipeline import Pipeline as Pipeline
    from holdfast.runtime.policies import policies_from as policies_from
    from holdfast.runtime.rate_limiter import RateLimiter as RateLimiter
    from holdfast.runtime.registry import BreakerRegistry as BreakerRegistry
    from holdfast.runtime.rejections import BulkheadFull as BulkheadFull
    from holdfast.runtime.rejections import DeadlineExceeded as DeadlineExceeded
    from holdfast.runtime.rejections import NoEndpoint as NoEndpoint
    from holdfast.runtime.rejections import NotAcquired as NotAcquired
    from holdfast.runtime.rejections import RateLimited as RateLimited
    from holdfast.runtime.rejections import Throttled as Throttled
    from holdfast.runtime.retry import Retry as Retry
    from holdfast.runtime.retry import RetryEvent as RetryEvent
    from holdfast.runtime.throttle import Throttle as Throttle

# One line per exported name: the module in which it lives.
_EXPORTS = {
    "AdaptiveLimiter": "holdfast.runtime.adaptive",
    "AIMD": "holdfast.runtime.concurrency",
    "Backoff": "holdfast.runtime.backoff",
    "Balancer": "holdfast.runtime.balancer",
    "BreakerEvent": "holdfast.runtime.breaker_events",
    "BreakerRegistry": "holdfast.runtime.registry",
    "BreakerSettings": "holdfast.runtime.breaker_settings",
    "BreakerSnapshot": "holdfast.runtime.breaker_events",
    "Bulkhead": "holdfast.runtime.bulkhead",
    "BulkheadFull": "holdfast.runtime.rejections",
    "check_deadline": "holdfast.runtime.deadlines",
    "CircuitBreaker": "holdfast.runtime.breaker",
    "CircuitOpenError": "holdfast.runtime.errors",
    "ConsistentHash": "holdfast.runtime.choosing",
    "deadline": "holdfast.runtime.deadlines",
    "DeadlineExceeded": "holdfast.runtime.rejections",
    "Ejection": "holdfast.runtime.balancer",
    "ElectionEvent": "holdfast.runtime.election_race",
    "Etcd": "holdfast.runtime.election_etcd",
    "Fallback": "holdfast.runtime.fallback",
    "Gradient": "holdfast.runtime.concurrency",
    "Hedge": "holdfast.runtime.hedge",
    "Holder": "holdfast.runtime.election_store",
    "HoldLost": "holdfast.runtime.election_core",
    "Leader": "holdfast.runtime.election",
    "Lock": "holdfast.runtime.election",
    "MemoryStore": "holdfast.runtime.election_memory",
    "NoEndpoint": "holdfast.runtime.rejections",
    "NotAcquired": "holdfast.runtime.rejections",
    "Pipeline": "holdfast.runtime.pipeline",
    "policies_from": "holdfast.runtime.policies",
    "RateLimited": "holdfast.runtime.rejections",
    "RateLimiter": "holdfast.runtime.rate_limiter",
    "Rejected": "holdfast.runtime.errors",
    "remaining_s": "holdfast.runtime.deadlines",
    "Retry": "holdfast.runtime.retry",
    "RetryBudget": "holdfast.runtime.budget",
    "RetryEvent": "holdfast.runtime.retry",
    "RoundRobin": "holdfast.runtime.choosing",
    "Semaphore": "holdfast.runtime.election",
    "StoreRefused": "holdfast.runtime.election_store",
    "Term": "holdfast.runtime.election_core",
    "Throttle": "holdfast.runtime.throttle",
    "Throttled": "holdfast.runtime.rejections",
    "Timeout": "holdfast.runtime.deadlines",
    "TwoChoices": "holdfast.runtime.choosing",
    "Unreachable": "holdfast.runtime.election_store",
    "Weighted": "holdfast.runtime.choosing",
}
__all__ = list(_EXPORTS)  # `from holdfast.runtime import *` loads every policy


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sys

    __import__(_EXPORTS[name])  # importlib would have to be imported itself
    value = getattr(sys.modules[_EXPORTS[name]], name)
    globals()[name] = value  # the next look-up finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
