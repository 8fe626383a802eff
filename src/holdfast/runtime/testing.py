"""For the tests of programs that use these policies: a clock that tests turn, no waiting, and every state at will.

Rules: everything is a block; what a block changed is as before when it ends, also what the policies learnt meanwhile.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.deadlines import _CURRENT, _Limit

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from holdfast.runtime.balancer import Balancer
    from holdfast.runtime.breaker import CircuitBreaker
    from holdfast.runtime.breaker_eras import State
    from holdfast.runtime.rate_limiter import RateLimiter
    from holdfast.runtime.throttle import Throttle

__all__ = [
    "FakeClock", "ejected", "expired", "full", "limited", "no_waiting", "run", "single_attempt", "switched", "throttled",
    "without_budget",
]

FAR_S = 1e9


class FakeClock:
    """Called, it tells the time; `sleep` and `asleep` pass it at once and write it down in `slept`."""

    def __init__(self, start_s: float = 1000.0):
        self.now_s = checks.number("start_s", start_s, low=0.0, high=1e12)
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += checks.number("seconds", seconds, low=0.0, high=1e12)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(max(0.0, seconds))

    async def asleep(self, seconds: float) -> None:
        """Other tasks get their turn, as they do in a real sleep."""
        import asyncio

        await asyncio.sleep(0)
        self.sleep(seconds)


def run(main: Coroutine[Any, Any, Any], clock: FakeClock) -> Any:
    """asyncio.run in the time of the clock: when all tasks wait, the clock leaps to the next timer.

    Timeouts, hedges and queues pass in no time.  Real sockets work but race against the leaps; threads are not waited for.
    """
    import asyncio
    import selectors

    class Leaping(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> Any:
            ready = super().select(None if timeout is None else 0)
            if not ready and timeout:
                clock.advance(max(0.0, timeout))
            return ready

    def loop() -> asyncio.AbstractEventLoop:
        made = asyncio.SelectorEventLoop(Leaping())
        made.time = clock  # type: ignore[method-assign]
        return made

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


def _simple(policies: tuple[Any, ...]) -> Iterator[Any]:
    for policy in policies:
        if hasattr(policy, "policies"):
            yield from _simple(policy.policies)
        else:
            yield policy


def _parts(policy: Any) -> list[Any]:
    """The policy and the objects of ours in which it keeps what it learns."""
    parts = [policy, *getattr(policy, "endpoints", ())]
    if getattr(policy, "budget", None) is not None:
        parts.append(policy.budget)
    return parts


@contextmanager
def _as_before(policy: Any) -> Iterator[None]:
    """Numbers and lists of the policy are put back.  Slots in use are not touched: the calls that hold them give them back."""
    saved = [
        (part, name, list(value) if isinstance(value, list) else value)
        for part in _parts(policy) for name in getattr(type(part), "__slots__", ()) if name != "in_flight"
        and isinstance(value := getattr(part, name, None), int | float | list | None)
    ]
    try:
        yield
    finally:
        for part, name, value in saved:
            setattr(part, name, value)
        if hasattr(policy, "_limit"):
            policy._slots.resize(int(policy._limit))


@contextmanager
def _with(thing: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(thing, name) for name in values}
    for name, value in values.items():
        setattr(thing, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(thing, name, value)


@contextmanager
def no_waiting(*policies: Any, clock: FakeClock | None = None) -> Iterator[FakeClock]:
    """The policies, and those inside of pipelines, live by the fake clock: pauses pass at once, and a full queue refuses at once.

    A circuit breaker among them is in its former state afterwards, with an empty window.
    """
    with ExitStack() as stack:
        clocks = [getattr(policy, "_clock", None) for policy in _simple(policies)]
        if clock is None:  # it goes on from the present, so that what the policies know stays true
            clock = FakeClock(next((known() for known in clocks if known is not None), 1000.0))
        for policy in _simple(policies):
            if hasattr(policy, "switch_to"):
                stack.callback(policy.switch_to, policy.state)  # runs last, by the policy's own clock
                stack.enter_context(_with(policy, _clock=clock))
                continue
            new = {"_clock": clock, "_sleep": clock.sleep, "_asleep": clock.asleep}
            stack.enter_context(_as_before(policy))
            stack.enter_context(_with(policy, **{name: value for name, value in new.items() if hasattr(policy, name)}))
            if hasattr(policy, "_slots"):
                stack.enter_context(_with(policy, max_wait_s=0.0))
        yield clock


@contextmanager
def expired() -> Iterator[None]:
    """The deadline of the context has passed."""
    token = _CURRENT.set(_Limit(-FAR_S, lambda: 0.0, _CURRENT.get()))
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def full(policy: Any) -> Iterator[None]:
    """A Bulkhead or an AdaptiveLimiter refuses every call with BulkheadFull."""
    _need(policy, "_slots", "a Bulkhead or an AdaptiveLimiter")
    with _with(policy._slots, shut=True):
        yield


@contextmanager
def limited(limiter: RateLimiter, retry_after_s: float = 1.0) -> Iterator[None]:
    """A RateLimiter refuses every call; `retry_after_s` is at least that, and more than it may wait."""
    _need(limiter, "_next_s", "a RateLimiter")
    ahead_s = max(checks.number("retry_after_s", retry_after_s, low=0.0), limiter.max_wait_s + 1.0)
    with _as_before(limiter), _with(limiter, _freed=[], _next_s=limiter._clock() + limiter._slack_s + ahead_s):
        yield


@contextmanager
def throttled(throttle: Throttle) -> Iterator[None]:
    """A Throttle refuses every call."""
    _need(throttle, "_is_rejection", "a Throttle")
    size = len(throttle._requests)
    with _as_before(throttle), _with(throttle, _requests=[10**9] * size, _accepts=[0] * size, _rng=_Zero()):
        yield


@contextmanager
def without_budget(policy: Any) -> Iterator[None]:
    """The RetryBudget of a Retry or a Hedge, or the budget itself, is used up."""
    budget = getattr(policy, "budget", None) or policy
    _need(budget, "tokens", "a RetryBudget, or a Retry or a Hedge that has one")
    with _with(budget, tokens=0.0):
        yield


@contextmanager
def ejected(balancer: Balancer, *addresses: Any) -> Iterator[None]:
    """These endpoints of a Balancer are away, all of them when none is named."""
    _need(balancer, "endpoints", "a Balancer")
    known = [endpoint.address for endpoint in balancer.endpoints]
    for address in addresses:
        checks.one_of("address", address, known)
    with ExitStack() as stack:
        for endpoint in balancer.endpoints:
            if endpoint.address in (addresses or known):
                stack.enter_context(_with(endpoint, back_s=balancer._clock() + FAR_S))
        yield


@contextmanager
def switched(breaker: CircuitBreaker, state: State) -> Iterator[None]:
    """A CircuitBreaker is "open", "half_open", "forced_open", "closed", "disabled" or "metrics_only"; afterwards in its former
    state, with an empty window.
    """
    _need(breaker, "switch_to", "a CircuitBreaker")
    before = breaker.state
    breaker.switch_to(state)
    try:
        yield
    finally:
        breaker.switch_to(before)


@contextmanager
def single_attempt(*policies: Any) -> Iterator[None]:
    """Every Retry among the policies, also inside of pipelines, makes one attempt."""
    with ExitStack() as stack:
        for policy in _simple(policies):
            if hasattr(policy, "attempts"):
                stack.enter_context(_with(policy, attempts=1))
        yield


class _Zero:
    def random(self) -> float:
        return 0.0


def _need(policy: Any, attribute: str, kind: str) -> None:
    if not hasattr(policy, attribute):
        raise ValueError(f"policy is {policy!r}; it must be {kind}")
