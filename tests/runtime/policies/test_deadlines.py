"""Deadlines that nest, and the timeout policy."""

import asyncio
import contextvars
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime import DeadlineExceeded, Rejected, Timeout, check_deadline, deadline, remaining_s
from holdfast.runtime.testing import FakeClock, expired, run


def test_without_a_deadline_nothing_is_limited() -> None:
    assert remaining_s() is None
    assert remaining_s(5.0) == 5.0
    check_deadline()


# All together pass less than the shortest: a deadline that is over refuses the next block, and the test would leave its own.
@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 0.1)), min_size=1, max_size=8))
def test_an_inner_deadline_can_only_shorten(nested: list[tuple[float, float]]) -> None:
    clock = FakeClock(0.0)
    ends, blocks = [], []
    for seconds, passes in nested:
        block = deadline(seconds, clock=clock)
        block.__enter__()
        blocks.append(block)
        ends.append(clock() + seconds)
        clock.advance(passes)
        assert remaining_s() == pytest.approx(max(0.0, min(ends) - clock()))
    while blocks:
        blocks.pop().__exit__()
        ends.pop()
        assert remaining_s() == (None if not ends else pytest.approx(max(0.0, min(ends) - clock())))


def test_the_rest_is_bounded_by_what_the_reader_allows() -> None:
    with deadline(10, clock=FakeClock()):
        assert remaining_s() == 10.0
        assert remaining_s(3.0) == 3.0
        assert remaining_s(30.0) == 10.0


def test_a_call_is_not_begun_when_the_time_is_over() -> None:
    calls: list[int] = []
    with expired():
        for attempt in (lambda: Timeout(1).call(calls.append, 1), lambda: asyncio.run(Timeout(1).acall(calls.append, 1)),
                        check_deadline):
            with pytest.raises(DeadlineExceeded):
                attempt()
        assert remaining_s() == 0.0
    assert not calls


def test_a_plain_function_is_not_interrupted_and_reads_what_is_left() -> None:
    clock = FakeClock()

    def slow() -> float | None:
        clock.advance(5)
        return remaining_s()

    assert Timeout(2, clock=clock).call(slow) == 0.0
    with pytest.raises(DeadlineExceeded, match="came after 2 s"):
        Timeout(2, clock=clock, late_result="raise")(slow)()


def test_a_coroutine_is_cancelled_when_time_is_up() -> None:
    clock, seen = FakeClock(), []

    @Timeout(2, clock=clock, name="orders")
    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(clock() - 1000)
            raise

    with pytest.raises(DeadlineExceeded) as caught:
        run(hangs(), clock)
    assert seen == [2.0]
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, Rejected)
    assert caught.value.policy == "orders"


def test_the_outer_deadline_ends_an_inner_one_that_allows_more() -> None:
    clock = FakeClock()

    async def main() -> None:
        async with deadline(3, clock=clock):
            await Timeout(50, clock=clock).acall(asyncio.sleep, 60)

    with pytest.raises(DeadlineExceeded):
        run(main(), clock)
    assert clock() == 1003.0


def test_cancellation_from_outside_stays_a_cancellation() -> None:
    async def main() -> None:
        task = asyncio.create_task(Timeout(60).acall(asyncio.sleep, 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_timeout_error_of_the_function_itself_is_not_ours() -> None:
    async def fails() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own") as caught:
        asyncio.run(Timeout(60).acall(fails))
    assert not isinstance(caught.value, DeadlineExceeded)


def test_tasks_inherit_the_deadline_and_threads_only_a_copied_context() -> None:
    clock, seen = FakeClock(), []

    async def main() -> None:
        async with deadline(5, clock=clock):
            seen.append(await asyncio.create_task(settle()))

    async def settle() -> float | None:
        return remaining_s()

    run(main(), clock)
    with deadline(5, clock=clock):
        context = contextvars.copy_context()
        for work in (lambda: seen.append(remaining_s()), lambda: context.run(lambda: seen.append(remaining_s()))):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    assert seen == [5.0, None, 5.0]


def test_outside_of_a_task_the_async_form_refuses_and_leaves_no_deadline_behind() -> None:
    entering = deadline(5).__aenter__()
    with pytest.raises(RuntimeError):
        entering.send(None)
    assert remaining_s() is None


def test_a_refusal_tells_whether_the_call_had_begun() -> None:
    with expired(), pytest.raises(DeadlineExceeded) as before:
        Timeout(5).call(print)
    clock = FakeClock()
    with pytest.raises(DeadlineExceeded) as during:
        run(Timeout(1, clock=clock).acall(asyncio.sleep, 60), clock)
    assert (before.value.begun, during.value.begun) == (False, True)
    assert pickle.loads(pickle.dumps(before.value)).begun is False


def test_the_context_is_as_before_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        Timeout(5).call(lambda: 1 / 0)
    assert remaining_s() is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "2", None])
def test_a_bad_time_is_refused(seconds: object) -> None:
    with pytest.raises(ValueError, match="0 < seconds <= "):
        Timeout(seconds)  # type: ignore[arg-type]
