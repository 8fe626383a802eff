"""What all policies share: they are light, need the standard library only, and behave alike."""

import ast
import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import runtime
from holdfast.runtime import (
    AIMD,
    AdaptiveLimiter,
    Balancer,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Fallback,
    Hedge,
    NoEndpoint,
    Pipeline,
    RateLimiter,
    Rejected,
    Retry,
    RetryBudget,
    Throttle,
    Throttled,
    Timeout,
    remaining_s,
    testing,
)
from holdfast.runtime.calling import is_async

ROOM = Path(runtime.__file__).parent
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem not in ("__init__",))

POLICIES = {
    "retry": lambda: Retry(budget=RetryBudget(), total_s=5, unwanted=lambda result: result is None),
    "timeout": lambda: Timeout(5), "bulkhead": lambda: Bulkhead(3), "rate limiter": lambda: RateLimiter(1e6, burst=1000),
    "fallback": lambda: Fallback("other", on=LookupError), "hedge": lambda: Hedge(after_s=5),
    "adaptive": lambda: AdaptiveLimiter(AIMD(latency_s=5)), "throttle": lambda: Throttle(),
    "with a breaker": lambda: Pipeline(Retry(), CircuitBreaker("shop"), Bulkhead(3)),
    "pipeline": lambda: Pipeline(Timeout(5), Retry(), Bulkhead(3)),
}


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    return POLICIES[request.param]()


class Boom(Exception):
    pass


def echo(*args: object, **kwargs: object) -> tuple[object, object]:
    """Doc."""
    return args, kwargs


async def aecho(*args: object, **kwargs: object) -> tuple[object, object]:
    await asyncio.sleep(0)
    return args, kwargs


def boom() -> None:
    raise Boom


async def aboom() -> None:
    raise Boom


def test_arguments_and_results_pass_through_in_every_style(policy) -> None:  # type: ignore[no-untyped-def]
    expected = ((1, 2), {"function": 3, "self": 4})
    assert policy.call(echo, 1, 2, function=3, self=4) == expected
    assert policy(echo)(1, 2, function=3, self=4) == expected
    assert asyncio.run(policy.acall(aecho, 1, 2, function=3, self=4)) == expected
    assert asyncio.run(policy(aecho)(1, 2, function=3, self=4)) == expected
    assert asyncio.run(policy.acall(echo, 1, 2, function=3, self=4)) == expected
    assert asyncio.run(policy.acall(lambda: aecho(1))) == ((1,), {})


def test_a_decorated_function_stays_what_it_was(policy) -> None:  # type: ignore[no-untyped-def]
    assert (policy(echo).__name__, policy(echo).__doc__) == ("echo", "Doc.")
    assert is_async(policy(aecho))
    assert not is_async(policy(echo))


def test_the_callers_own_exception_is_raised_unchanged(policy) -> None:  # type: ignore[no-untyped-def]
    for attempt in (lambda: policy.call(boom), lambda: policy(boom)(), lambda: asyncio.run(policy.acall(aboom)),
                    lambda: asyncio.run(policy(aboom)())):
        with pytest.raises(Boom) as caught:
            attempt()
        assert caught.value.__cause__ is None


def test_a_coroutine_function_in_a_plain_call_is_refused(policy) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match="acall"):
        policy.call(aecho)


def test_a_generator_is_refused(policy) -> None:  # type: ignore[no-untyped-def]
    def steps():  # type: ignore[no-untyped-def]
        yield 1

    with pytest.raises(TypeError, match="generator"):
        policy(steps)


def test_cancellation_passes_and_leaves_nothing_behind(policy) -> None:  # type: ignore[no-untyped-def]
    async def main() -> None:
        began = asyncio.Event()

        async def hangs() -> None:
            began.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(policy.acall(hangs))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert remaining_s() is None

    asyncio.run(main())
    assert getattr(policy, "in_flight", 0) == 0
    assert policy.call(echo) == ((), {})


def test_every_name_of_the_package_leads_somewhere() -> None:
    for name in dir(runtime):
        assert getattr(runtime, name) is not None or name.startswith("__")
    with pytest.raises(AttributeError):
        _ = runtime.Nonsense
    # A name that is also a module would be one or the other, as chance has it.
    assert not set(runtime._EXPORTS) & set(MODULES)


def test_a_star_import_brings_every_name_and_no_other() -> None:
    names: dict[str, object] = {}
    exec("from holdfast.runtime import *", names)
    del names["__builtins__"]
    assert set(names) == set(runtime._EXPORTS)


def test_type_checkers_know_every_name() -> None:
    known = {alias.asname for node in ast.walk(ast.parse((ROOM / "__init__.py").read_text()))
             if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(runtime._EXPORTS) <= known


def test_the_names_of_the_package_load_none_of_its_modules() -> None:
    code = "import sys, holdfast.runtime as r; r.__all__; sys.exit(any(n.startswith('holdfast.runtime.') for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOM.parents[1])}, check=False).returncode == 0


@pytest.mark.parametrize("module", MODULES)
def test_a_module_needs_no_asyncio_and_starts_no_thread(module: str) -> None:
    code = (f"import sys, threading, holdfast.runtime.{module}; "
            "sys.exit('asyncio' in sys.modules or threading.active_count() > 1 or 'pydantic' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOM.parents[1])}, check=False).returncode == 0


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_the_standard_library_only(module: str) -> None:
    for node in ast.walk(ast.parse((ROOM / f"{module}.py").read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        for name in names:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "holdfast"}, name


# The test mode.


def test_a_clock_goes_only_forward() -> None:
    clock = testing.FakeClock()
    clock.sleep(-1)
    assert clock() == 1000
    for bad in (-1, float("nan"), True):
        with pytest.raises(ValueError, match="seconds is"):
            clock.advance(bad)


def test_states_can_be_forced_for_the_endpoints_and_the_throttle() -> None:
    balancer, throttle = Balancer(["a", "b"]), Throttle()
    with testing.ejected(balancer), pytest.raises(NoEndpoint):
        balancer.call(echo)
    with testing.ejected(balancer, "a"):
        assert balancer.ejected() == ("a",)
    with testing.throttled(throttle), pytest.raises(Throttled):
        throttle.call(echo)
    assert throttle.counts() == (0, 0)
    with pytest.raises(ValueError, match="address is 'c'"), testing.ejected(balancer, "c"):
        pass


def test_a_breaker_can_be_in_any_state_and_comes_back() -> None:
    breaker, retry = CircuitBreaker("shop"), Retry(attempts=3, on=(CircuitOpenError, ConnectionError))
    whole = Pipeline(retry, breaker)
    with testing.switched(breaker, "forced_open"), testing.no_waiting(retry), pytest.raises(CircuitOpenError):
        whole.call(echo)
    assert breaker.state == "closed"
    with testing.no_waiting(whole) as clock:
        breaker.switch_to("open", for_s=60)
        with pytest.raises(CircuitOpenError):
            breaker.call(echo)
        assert whole.call(echo) == ((), {})  # the retry waits as long as the breaker says
        assert clock.slept[0] == pytest.approx(60, abs=0.01)
    assert breaker.state == "closed"
    assert breaker.call(echo) == ((), {})


def test_a_thousand_tasks_through_retry_breaker_and_bulkhead_leave_nothing_behind() -> None:
    rng, bulkhead, most = random.Random(3), Bulkhead(10, max_waiting=1000, max_wait_s=100), [0]
    clock = testing.FakeClock()
    breaker = CircuitBreaker("shop", clock=clock)
    ask = Pipeline(Retry(attempts=3, clock=clock, rng=rng), breaker, bulkhead)

    async def work() -> None:
        most[0] = max(most[0], bulkhead.in_flight)
        await asyncio.sleep(rng.random() / 10)
        if rng.random() < 0.1:
            raise ConnectionError

    async def main() -> None:
        tasks = [asyncio.create_task(ask.acall(work)) for _ in range(1000)]
        for task in rng.sample(tasks, 200):
            await asyncio.sleep(0.01)
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), ConnectionError, asyncio.CancelledError, CircuitOpenError}
        assert sum(outcome is None for outcome in outcomes) > 700
        assert asyncio.all_tasks() == {asyncio.current_task()}

    testing.run(main(), clock)
    assert (bulkhead.in_flight, bulkhead.waiting, most[0]) == (0, 0, 10)


@pytest.mark.parametrize("force", [testing.full, testing.limited, testing.throttled, testing.without_budget, testing.ejected])
def test_a_state_that_a_policy_does_not_have_is_refused_by_name(force) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="policy is .*; it must be"), force(Timeout(1)):
        pass


def test_what_a_test_did_to_a_budget_is_forgotten() -> None:
    retry = Retry(budget=RetryBudget(max_tokens=4))
    with testing.no_waiting(retry), pytest.raises(ConnectionError):
        retry.call(next, iter_of_failures())
    assert retry.budget is not None
    assert retry.budget.tokens == 4


def iter_of_failures():  # type: ignore[no-untyped-def]
    class Failing:
        def __next__(self) -> None:
            raise ConnectionError

    return Failing()


def test_every_refusal_is_a_rejection_and_survives_pickling() -> None:
    import pickle

    from holdfast.runtime import BulkheadFull, DeadlineExceeded, RateLimited

    for kind in (BulkheadFull, DeadlineExceeded, RateLimited, Throttled, NoEndpoint):
        error = pickle.loads(pickle.dumps(kind("why", retry_after_s=1.5, policy="orders")))
        assert isinstance(error, Rejected)
        assert (type(error), str(error), error.retry_after_s, error.policy) == (kind, "why", 1.5, "orders")
