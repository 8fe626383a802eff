"""Retry, its backoff and its budget."""

import asyncio
import random

import pytest
from failing import Asked, Script
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime import Backoff, DeadlineExceeded, Retry, RetryBudget, RetryEvent, Timeout
from holdfast.runtime.testing import FakeClock, no_waiting, run

FIXED = Backoff(first_s=1.0, factor=2.0, max_s=5.0, jitter="none")


def made(clock: FakeClock, **settings: object) -> Retry:
    settings = {"backoff": FIXED, **settings}
    return Retry(clock=clock, sleep=clock.sleep, asleep=clock.asleep, rng=random.Random(1), **settings)  # type: ignore[arg-type]


def called(retry: Retry, script: Script, style: str) -> object:
    if style == "call":
        return retry.call(script)
    if style == "decorator":
        @retry
        def plain() -> object:
            return script()
        return plain()
    if style == "acall":
        return asyncio.run(retry.acall(script.wait))

    @retry
    async def coroutine() -> object:
        return await script.wait()
    return asyncio.run(coroutine())


STYLES = pytest.mark.parametrize("style", ["call", "decorator", "acall", "async decorator"])


@STYLES
def test_a_call_that_succeeds_at_once_is_made_once(style: str) -> None:
    clock, script = FakeClock(), Script("good")
    assert called(made(clock), script, style) == "good"
    assert (script.calls, clock.slept) == (1, [])


@STYLES
def test_it_goes_on_until_success_with_growing_pauses(style: str) -> None:
    clock, script = FakeClock(), Script(*[ConnectionError()] * 4, "good")
    assert called(made(clock, attempts=5), script, style) == "good"
    assert clock.slept == [1.0, 2.0, 4.0, 5.0]


@STYLES
def test_after_the_last_attempt_the_callers_own_exception_is_raised_unchanged(style: str) -> None:
    errors = [ConnectionError("one"), ConnectionError("two")]
    with pytest.raises(ConnectionError) as caught:
        called(made(FakeClock(), attempts=2), Script(*errors), style)
    assert caught.value is errors[1]
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@STYLES
def test_another_exception_is_raised_at_once(style: str) -> None:
    script = Script(ConnectionError(), ValueError("mine"))
    with pytest.raises(ValueError, match="mine"):
        called(made(FakeClock()), script, style)
    assert script.calls == 2


@STYLES
def test_an_unwanted_result_is_asked_for_again_and_returned_in_the_end(style: str) -> None:
    assert called(made(FakeClock(), unwanted=lambda n: n < 3), Script(1, 2, 3), style) == 3
    assert called(made(FakeClock(), unwanted=lambda n: n < 3, attempts=2), Script(1, 2, 3), style) == 2


@STYLES
@pytest.mark.parametrize("order", [KeyboardInterrupt(), SystemExit()])
def test_an_order_to_stop_is_never_retried(style: str, order: BaseException) -> None:
    script = Script(order)
    with pytest.raises(type(order)):
        called(made(FakeClock(), on=lambda error: True), script, style)
    assert script.calls == 1


def test_cancellation_ends_a_pause_at_once_and_no_further_attempt_follows() -> None:
    clock, script = FakeClock(), Script(ConnectionError())

    async def main() -> None:
        task = asyncio.create_task(Retry(backoff=FIXED, clock=clock).acall(script.wait))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main(), clock)
    assert script.calls == 1


def test_no_attempt_begins_after_the_total_time() -> None:
    clock, script = FakeClock(), Script(ConnectionError())
    with pytest.raises(ConnectionError):
        made(clock, attempts=100, total_s=7.5).call(script)
    assert clock.slept == [1.0, 2.0, 4.0]  # the next would begin at 12


def test_the_deadline_of_the_context_bounds_the_pauses() -> None:
    clock, script = FakeClock(), Script(ConnectionError())
    with pytest.raises(ConnectionError):
        Timeout(3.5, clock=clock).call(made(clock, attempts=100).call, script)
    assert clock.slept == [1.0, 2.0]


def test_a_timeout_inside_of_each_attempt_is_retried_and_one_around_all_is_final() -> None:
    clock, tries = FakeClock(), []

    async def hangs() -> None:
        tries.append(clock())
        await asyncio.sleep(60)

    async def main() -> None:
        with pytest.raises(DeadlineExceeded):
            await Timeout(10, clock=clock).acall(made(clock, attempts=100).acall, Timeout(3, clock=clock).acall, hangs)

    run(main(), clock)
    assert [moment - 1000 for moment in tries] == [0, 4, 9]


def test_what_the_other_side_asks_for_is_waited_in_full() -> None:
    clock = FakeClock()
    assert made(clock).call(Script(Asked(30.0), "good")) == "good"
    assert clock.slept == [30.0]


@pytest.mark.parametrize("asked_s", [61.0, float("nan"), float("inf")])
def test_a_wish_beyond_the_limit_ends_the_attempts(asked_s: float) -> None:
    script = Script(Asked(asked_s))
    with pytest.raises(Asked):
        made(FakeClock()).call(script)
    assert script.calls == 1


def test_a_result_can_name_the_time_too() -> None:
    clock = FakeClock()
    retry = made(clock, unwanted=lambda reply: reply["status"] == 503, retry_after=lambda reply: reply.get("after"))
    assert retry.call(Script({"status": 503, "after": 9.0}, {"status": 200}))["status"] == 200
    assert clock.slept == [9.0]


def test_the_listener_hears_of_every_pause_and_disturbs_nobody() -> None:
    heard: list[RetryEvent] = []

    def listener(event: RetryEvent) -> None:
        heard.append(event)
        raise RuntimeError("mine")

    error = ConnectionError()
    assert made(FakeClock(), listener=listener, name="orders").call(Script(error, 1)) == 1
    assert heard == [RetryEvent("orders", 1, 1.0, error, None)]


def test_a_coroutine_function_in_a_plain_call_is_refused_before_it_runs() -> None:
    script = Script(1)
    with pytest.raises(TypeError, match="acall"):
        made(FakeClock()).call(script.wait)
    assert script.calls == 0


def test_a_plain_function_may_be_passed_to_an_async_call() -> None:
    assert asyncio.run(made(FakeClock()).acall(Script(ConnectionError(), 5))) == 5


def test_generators_are_refused_with_a_way_out() -> None:
    def steps():  # type: ignore[no-untyped-def]
        yield 1

    async def asteps():  # type: ignore[no-untyped-def]
        yield 1

    for function in (steps, asteps):
        with pytest.raises(TypeError, match="each of its steps"):
            Retry()(function)


def test_a_decorated_method_keeps_its_name_and_its_object() -> None:
    class Client:
        @Retry()
        def ask(self, question: str) -> tuple[object, str]:
            """Doc."""
            return self, question

    client = Client()
    assert client.ask("q") == (client, "q")
    assert (Client.ask.__name__, Client.ask.__doc__) == ("ask", "Doc.")


@pytest.mark.parametrize(("settings", "says"), [
    ({"attempts": 0}, "attempts is 0; it must be a whole number with 1 <= attempts"),
    ({"attempts": True}, "attempts is True"), ({"attempts": 2.5}, "attempts is 2.5"),
    ({"total_s": 0}, "total_s is 0; it must be a number with 0 < total_s"), ({"total_s": float("nan")}, "total_s is nan"),
    ({"max_retry_after_s": -1}, "0 <= max_retry_after_s"), ({"on": BaseException}, "on is"),
    ({"on": "OSError"}, "on is 'OSError'"),
    ({"on": int}, "on is"), ({"unwanted": 3}, "unwanted is 3; it must be a function"), ({"backoff": 1.0}, "backoff is 1.0"),
])
def test_a_bad_setting_is_named_with_its_range(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        Retry(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [
    {"first_s": -0.1}, {"factor": 0.5}, {"first_s": 5, "max_s": 1}, {"jitter": "some"},
    {"factor": float("inf")}, {"first_s": True},
])
def test_a_bad_backoff_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Backoff(**settings)  # type: ignore[arg-type]


@given(first_s=st.floats(0, 10), factor=st.floats(1, 100), more_s=st.floats(0, 1000),
       jitter=st.sampled_from(["full", "decorrelated", "none"]), seed=st.integers())
def test_delays_stay_within_their_bounds_for_ever(first_s: float, factor: float, more_s: float, jitter: str, seed: int) -> None:
    backoff = Backoff(first_s=first_s, factor=factor, max_s=first_s + more_s, jitter=jitter)
    delays = backoff.delays(random.Random(seed))
    low_s = 0.0 if jitter == "full" else first_s
    for _ in range(2000 if seed % 50 == 0 else 20):
        assert low_s <= next(delays) <= first_s + more_s


def test_full_jitter_spreads_over_the_whole_span() -> None:
    firsts = [next(Backoff(first_s=1.0).delays(random.Random(seed))) for seed in range(500)]
    assert min(firsts) < 0.02
    assert max(firsts) > 0.98
    assert 0.45 < sum(firsts) / 500 < 0.55


def test_the_budget_follows_the_rule_of_grpc() -> None:
    # maxTokens 10, ratio 0.5: the fifth failure leaves 5 tokens, which is not more than half.
    budget = RetryBudget(max_tokens=10, token_ratio=0.5)
    assert [budget.failed() for _ in range(6)] == [True] * 4 + [False] * 2
    for _ in range(3):
        budget.succeeded()
    assert budget.tokens == 5.5
    assert budget.allows


def test_in_an_outage_the_budget_keeps_retries_from_multiplying_the_load() -> None:
    script, budget = Script(ConnectionError()), RetryBudget(max_tokens=20, token_ratio=0.1)
    retry = made(FakeClock(), attempts=4, budget=budget)
    for _ in range(200):
        with pytest.raises(ConnectionError):
            retry.call(script)
    assert 200 < script.calls <= 210


@given(st.lists(st.booleans(), max_size=300))
def test_the_tokens_stay_between_nothing_and_full(outcomes: list[bool]) -> None:
    budget = RetryBudget(max_tokens=7, token_ratio=0.3)
    for good in outcomes:
        budget.succeeded() if good else budget.failed()
        assert 0 <= budget.tokens <= 7
        assert budget.allows == (budget.tokens > 3.5)


def test_no_waiting_makes_a_finished_retry_quick() -> None:
    retry, script = Retry(backoff=Backoff(first_s=100, max_s=100, jitter="none"), attempts=4), Script(ConnectionError())
    with no_waiting(retry) as clock, pytest.raises(ConnectionError):
        retry.call(script)
    assert (script.calls, clock.slept) == (4, [100.0] * 3)
