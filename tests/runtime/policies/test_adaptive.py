"""The adaptive limit and the client-side throttle: they find what a service can take."""

import asyncio
import contextlib
import random

import pytest
from failing import Script
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime import AIMD, AdaptiveLimiter, BulkheadFull, Gradient, Throttle, Throttled
from holdfast.runtime.concurrency import Known, Window
from holdfast.runtime.testing import FakeClock, full, no_waiting, run, throttled


class Server:
    """Serves `capacity` calls at once in 0.1 s; with more in flight each takes longer in proportion."""

    def __init__(self, capacity: int):
        self.capacity, self.now, self.most = capacity, 0, 0

    async def ask(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.1 * max(1.0, self.now / self.capacity))
        finally:
            self.now -= 1


def limits_found(algorithm: AIMD | Gradient, capacity: int, start: int, clients: int = 50, seconds: float = 80) -> list[int]:
    clock, server = FakeClock(0.0), Server(capacity)
    limiter = AdaptiveLimiter(algorithm, start=start, max_limit=500, window_s=0.5, clock=clock)
    seen: list[int] = []

    async def client() -> None:
        while clock() < seconds:
            try:
                await limiter.acall(server.ask)
            except BulkheadFull:
                await asyncio.sleep(0.2)
            if clock() > seconds / 2:
                seen.append(limiter.limit)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())

    run(main(), clock)
    assert limiter.in_flight == 0
    return seen


@pytest.mark.parametrize("start", [2, 60])
def test_aimd_settles_about_where_latency_turns_bad(start: int) -> None:
    seen = limits_found(AIMD(latency_s=0.15), capacity=10, start=start)
    assert min(seen) >= 10  # 0.15 s is reached with 15 in flight
    assert max(seen) <= 18


@pytest.mark.parametrize("start", [5, 25, 200])
def test_the_gradient_settles_above_the_capacity_and_far_below_the_demand(start: int) -> None:
    seen = limits_found(Gradient(probe_windows=20), capacity=10, start=start)
    steady = sorted(seen)[len(seen) // 4: -len(seen) // 20]
    assert steady[0] >= 10
    assert steady[-1] <= 25


def test_the_gradient_learns_that_a_service_has_become_slower_for_good() -> None:
    algorithm, limit, memory = Gradient(probe_windows=5), 40.0, Known(0.1, 0, 0.0)
    for _ in range(5):
        limit, memory = algorithm.next_limit(limit, Window(10, 0.3, 40, False), memory)  # type: ignore[assignment]
    assert memory.resume  # it measures
    for _ in range(2):
        limit, memory = algorithm.next_limit(limit, Window(10, 0.3, 10, False), memory)  # type: ignore[assignment]
    assert memory == Known(0.3, 0, 0.0)
    assert algorithm.next_limit(limit, Window(10, 0.3, 40, False), memory)[0] > limit


def test_a_drop_shrinks_the_limit_and_other_failures_say_nothing() -> None:
    clock = FakeClock()
    limiter = AdaptiveLimiter(AIMD(latency_s=1, backoff=0.5), start=16, window_s=0, window_calls=1, clock=clock)
    with pytest.raises(ValueError, match="mine"):
        limiter.call(Script(ValueError("mine")))
    assert limiter.limit == 16
    with pytest.raises(TimeoutError):
        limiter.call(Script(TimeoutError()))
    assert limiter.limit == 8
    with pytest.raises(asyncio.CancelledError):
        limiter.call(Script(asyncio.CancelledError()))
    assert (limiter.limit, limiter.in_flight) == (8, 0)


@given(
    limit=st.floats(1, 1000), latency_s=st.floats(0, 100), peak=st.integers(0, 2000), dropped=st.booleans(),
    usual_s=st.floats(1e-6, 100),
)
def test_the_next_limit_grows_slowly_and_falls_at_most_by_half(
    limit: float, latency_s: float, peak: int, dropped: bool, usual_s: float,
) -> None:
    window = Window(10, latency_s, peak, dropped)
    for algorithm, most in ((AIMD(latency_s=0.5), 1.0), (Gradient(), 0.8)):
        after, _ = algorithm.next_limit(limit, window, Known(usual_s, 0, 0.0))
        assert limit * 0.5 <= after <= limit + most + 1e-9
        if dropped:
            assert after < limit
        elif peak * 2 < limit and (isinstance(algorithm, Gradient) or latency_s <= 0.5):
            assert after <= limit


def test_an_adaptive_limiter_can_be_full_at_will_and_forgets_a_test() -> None:
    limiter = AdaptiveLimiter(AIMD(latency_s=1), start=4, window_s=0, window_calls=1)
    with full(limiter), pytest.raises(BulkheadFull):
        limiter(print)()
    with no_waiting(limiter):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                limiter.call(Script(TimeoutError()))
        assert limiter.limit == 2
    assert limiter.limit == 4
    assert limiter.call(lambda: limiter.in_flight) == 1


@pytest.mark.parametrize("settings", [{"start": 0}, {"start": 2000}, {"min_limit": 0}, {"max_limit": 0}, {"window_s": -1},
                                      {"window_calls": 0}, {"max_wait_s": float("nan")}, {"algorithm": "aimd"}])
def test_a_bad_setting_of_the_limiter_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{list(settings)[0]} is .* must be"):
        AdaptiveLimiter(**{"algorithm": AIMD(latency_s=1), **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [lambda: AIMD(latency_s=0), lambda: AIMD(latency_s=1, backoff=1),
                                  lambda: Gradient(tolerance=0.5),
                                  lambda: Gradient(smoothing=0), lambda: Gradient(probe_windows=0)])
def test_a_bad_algorithm_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must be"):
        make()


# The throttle.


def load(throttle: Throttle, clock: FakeClock, capacity: int, demand: int, seconds: int) -> list[int]:
    """What reaches a backend that takes on `capacity` calls per second, second by second."""
    arrived = []
    for _ in range(seconds):
        now = 0
        for _ in range(demand):
            clock.advance(1 / demand)
            outcome = ConnectionError() if now >= capacity else "good"
            script = Script(outcome)
            try:
                throttle.call(script)
            except (ConnectionError, Throttled):
                pass
            now += script.calls
        arrived.append(now)
    return arrived


def test_with_k_of_two_the_backend_sees_about_twice_what_it_can_take() -> None:
    clock = FakeClock()
    throttle = Throttle(window_s=30, clock=clock, rng=random.Random(1))
    assert load(throttle, clock, capacity=100, demand=80, seconds=30) == [80] * 30  # all is well: nobody is refused
    steady = load(throttle, clock, capacity=20, demand=150, seconds=120)[60:]
    assert 35 <= sum(steady) / len(steady) <= 46
    well = load(throttle, clock, capacity=1000, demand=150, seconds=120)
    assert well[-1] == 150


def test_the_probability_is_the_one_of_the_book() -> None:
    clock = FakeClock()
    throttle = Throttle(k=2, clock=clock)
    for n in range(30):
        ticket = throttle.acquire() if n < 5 else None
        if ticket is not None:
            throttle.accepted(ticket)
    assert throttle.probability() == 0.0
    with throttled(throttle):
        assert throttle.probability() > 0.99
        with pytest.raises(Throttled):
            asyncio.run(throttle.acall(asyncio.sleep, 0))
    assert throttle.counts() == (5, 5)
    for _ in range(4):
        with pytest.raises(ConnectionError):
            throttle.call(Script(ConnectionError()))
    requests, accepts = throttle.counts()
    assert throttle.probability() == pytest.approx(max(0, (requests - 2 * accepts) / (requests + 1)))
    clock.advance(121)
    assert throttle.counts() == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(["good", "bad", "mine", "cancelled"]), st.floats(0, 100)), max_size=60))
def test_accepts_never_exceed_requests_and_neither_is_negative(steps: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    throttle = Throttle(window_s=60, clock=clock, rng=random.Random(2))
    outcomes = {"good": 1, "bad": ConnectionError(), "mine": ValueError(), "cancelled": asyncio.CancelledError()}
    for kind, seconds in steps:
        def work(kind: str = kind, seconds: float = seconds) -> object:
            clock.advance(seconds)
            return Script(outcomes[kind])()
        with contextlib.suppress(Throttled, ConnectionError, ValueError, asyncio.CancelledError):
            throttle(work)()
        requests, accepts = throttle.counts()
        assert 0 <= accepts <= requests


def test_a_cancelled_call_counts_neither_way_and_a_very_long_one_is_forgotten() -> None:
    clock = FakeClock()
    throttle = Throttle(window_s=60, clock=clock)
    with pytest.raises(asyncio.CancelledError):
        throttle.call(Script(asyncio.CancelledError()))
    assert throttle.counts() == (0, 0)
    throttle.call(lambda: (clock.advance(61), throttle.counts()))
    assert throttle.counts() == (0, 0)


def test_a_refusing_result_counts_too() -> None:
    throttle = Throttle(rejected=lambda reply: reply == 503)
    assert throttle.call(Script(503)) == 503
    assert throttle.counts() == (1, 0)


@pytest.mark.parametrize("settings", [{"k": 0.9}, {"k": True}, {"window_s": 0}, {"window_s": float("nan")}, {"rejected_on": 5}])
def test_a_bad_setting_of_the_throttle_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{list(settings)[0]} is .* must be"):
        Throttle(**settings)  # type: ignore[arg-type]
