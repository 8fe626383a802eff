"""Every setting is checked when it is made: the message names the setting, the value and what it must be."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Balancer,
    ConsistentHash,
    Hedge,
    RateLimiter,
    Retry,
    RoundRobin,
    Throttle,
    Timeout,
    TwoChoices,
)

VAST = 10**400  # no float

BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: Retry(budget=0.2), "budget is 0.2; it must be a RetryBudget"),  # type: ignore[arg-type]
    (lambda: Retry(rng=5), "rng is 5; it must be a random.Random"),  # type: ignore[arg-type]
    (lambda: Retry(clock=5), "clock is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Retry(sleep=5), "sleep is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Retry(asleep=5), "asleep is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Retry(total_s=VAST), f"total_s is {VAST}; it must be a number with 0 < total_s"),
    (lambda: Timeout(VAST), f"seconds is {VAST}; it must be a number with 0 < seconds"),
    (lambda: Timeout(-VAST), f"seconds is -{VAST}; it must be a number with 0 < seconds"),
    (lambda: Hedge(after_s=1.0, budget=0.1), "budget is 0.1; it must be a RetryBudget"),  # type: ignore[arg-type]
    (lambda: AdaptiveLimiter(AIMD), "algorithm is <class"),  # type: ignore[arg-type]
    (lambda: AdaptiveLimiter(AIMD(latency_s=1.0), clock=5), "clock is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Balancer(["a"], choice=RoundRobin), "choice is <class"),
    (lambda: Balancer(["a"], clock=5), "clock is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Balancer("http://a:80"), "endpoints is 'http://a:80'; it must be a list of addresses"),
    (lambda: Balancer(b"a:80"), "endpoints is b'a:80'; it must be a list of addresses"),
    (lambda: Balancer(80), "endpoints is 80; it must be a list of addresses"),  # type: ignore[arg-type]
    (lambda: Balancer(["a"]).set_endpoints("b"), "endpoints is 'b'; it must be a list of addresses"),
    (lambda: ConsistentHash("tenant"), "key is 'tenant'; it must be a function"),  # type: ignore[arg-type]
    (lambda: TwoChoices(rng=5), "rng is 5; it must be a random.Random"),  # type: ignore[arg-type]
    (lambda: Throttle(rng=5), "rng is 5; it must be a random.Random"),  # type: ignore[arg-type]
    (lambda: Throttle(clock=5), "clock is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: Throttle(window_s=1e-310), "window_s is 1e-310; it must be a number with 1e-06 <= window_s"),
    (lambda: RateLimiter(1.0, clock=5), "clock is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: RateLimiter(1.0, sleep=5), "sleep is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: RateLimiter(1.0, asleep=5), "asleep is 5; it must be a function"),  # type: ignore[arg-type]
    (lambda: RateLimiter(1e-305, per_s=3e7), "rate is 1e-305; it must be a number with a finite per_s / rate"),
    (lambda: RateLimiter(1e-300, per_s=3e7, burst=1000), "rate is 1e-300; it must be a number with a finite per_s / rate"),
    (lambda: RateLimiter(VAST), f"rate is {VAST}; it must be a number"),
]


@pytest.mark.parametrize(("make", "words"), BAD, ids=[f"{number} {words[:30]}" for number, (_, words) in enumerate(BAD)])
def test_a_bad_setting_is_refused_by_its_name(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_what_only_looks_like_a_bad_setting_is_taken() -> None:
    assert Balancer(("http://a:80",)).call(str) == "http://a:80"
    assert ConsistentHash(str).key is str
    RateLimiter(1e-300, per_s=3e7).acquire()
    assert Throttle(window_s=1e-6).call(int) == 0
