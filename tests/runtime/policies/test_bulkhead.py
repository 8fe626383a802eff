"""The bulkhead, and the slots beneath it: never more than allowed, never a lost slot."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from holdfast.runtime import Bulkhead, BulkheadFull, Timeout, deadline
from holdfast.runtime.slots import Slots
from holdfast.runtime.testing import FakeClock, full, run


def test_the_call_above_the_limit_is_refused_at_once() -> None:
    bulkhead = Bulkhead(1, name="orders")
    with bulkhead, pytest.raises(BulkheadFull, match="orders: all 1 slots"):
        bulkhead.call(print)
    assert bulkhead.in_flight == 0
    assert bulkhead.call(lambda: bulkhead.in_flight) == 1


def test_a_failed_call_gives_its_slot_back() -> None:
    bulkhead = Bulkhead(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            bulkhead(lambda: 1 / 0)()
        with pytest.raises(TypeError):
            bulkhead.call(asyncio.sleep, 0)
    assert bulkhead.in_flight == 0


def test_who_waits_is_served_in_order_of_arrival() -> None:
    served: list[int] = []

    async def main() -> None:
        bulkhead = Bulkhead(1, max_waiting=10, max_wait_s=60)

        async def work(number: int) -> None:
            served.append(number)
            await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(bulkhead.acall(work, number))
        assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)

    run(main(), FakeClock())
    assert served == list(range(6))


def test_the_queue_is_bounded_in_length_and_in_time() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        bulkhead = Bulkhead(1, max_waiting=1, max_wait_s=2)
        async with bulkhead:
            waiting = asyncio.create_task(bulkhead.acall(asyncio.sleep, 0))
            await asyncio.sleep(0)
            with pytest.raises(BulkheadFull):
                await bulkhead.acall(asyncio.sleep, 0)
            began_s = clock()
            with pytest.raises(BulkheadFull):
                await waiting
            assert clock() - began_s == pytest.approx(2)
        assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)

    run(main(), FakeClock())


def test_the_deadline_shortens_the_wait() -> None:
    async def main(clock: FakeClock) -> None:
        bulkhead = Bulkhead(1, max_waiting=1, max_wait_s=50)
        async with bulkhead:
            with pytest.raises((BulkheadFull, TimeoutError)):
                await Timeout(3, clock=clock).acall(bulkhead.acall, asyncio.sleep, 0)
        assert clock() == pytest.approx(1003)

    run(main(clock := FakeClock()), clock)
    bulkhead = Bulkhead(1, max_waiting=1, max_wait_s=50)
    began_s = time.monotonic()
    with bulkhead, deadline(0.02), pytest.raises(BulkheadFull):
        bulkhead.acquire()
    assert time.monotonic() - began_s < 5


def test_a_task_cancelled_just_after_it_was_served_gives_the_slot_back() -> None:
    async def main() -> None:
        bulkhead = Bulkhead(1, max_waiting=5)
        bulkhead.acquire()
        waiting = asyncio.create_task(bulkhead.acall(asyncio.sleep, 0))
        await asyncio.sleep(0)
        bulkhead.release()  # serves the task, which has not run yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)

    asyncio.run(main())


def test_a_thread_gives_a_slot_to_a_task_and_a_task_to_a_thread() -> None:
    bulkhead, order = Bulkhead(1, max_waiting=2, max_wait_s=5), []

    async def main() -> None:
        bulkhead.acquire()
        task = asyncio.create_task(bulkhead.acall(lambda: order.append("task")))
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: bulkhead.call(order.append, "thread"))
        thread.start()
        while bulkhead.waiting < 2:  # noqa: ASYNC110 - a thread has no event to tell of its waiting
            await asyncio.sleep(0.001)
        threading.Thread(target=bulkhead.release).start()
        await task
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert order == ["task", "thread"]
    assert bulkhead.in_flight == 0


def test_a_slot_that_came_free_between_looking_and_queueing_is_found() -> None:
    slots = Slots(2, 5)
    assert slots.wait(0.0)
    assert asyncio.run(slots.await_(0.05))
    assert slots.taken == 2
    assert not slots.wait(0.0)


def test_a_waiter_whose_loop_is_gone_does_not_keep_the_slot() -> None:
    slots, loop = Slots(1, 5), asyncio.new_event_loop()
    slots.take()
    waiting = slots.await_(10)

    async def until_it_waits() -> None:
        asyncio.ensure_future(waiting)
        await asyncio.sleep(0)

    loop.run_until_complete(until_it_waits())
    task = next(iter(asyncio.all_tasks(loop)))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    thread = threading.Thread(target=slots.give)
    thread.start()
    thread.join()
    assert len(slots.free) == 1


@pytest.mark.parametrize("style", ["call", "decorator"])
def test_eight_threads_never_exceed_the_limit_and_lose_no_slot(style: str) -> None:
    bulkhead, lock = Bulkhead(3, max_waiting=4, max_wait_s=0.01), threading.Lock()
    seen = {"now": 0, "most": 0, "did": 0, "full": 0}

    def work() -> None:
        with lock:
            seen["now"] += 1
            seen["most"] = max(seen["most"], seen["now"])
        if random.random() < 0.05:
            time.sleep(0.0005)
        with lock:
            seen["now"] -= 1
            seen["did"] += 1

    guarded = bulkhead(work) if style == "decorator" else lambda: bulkhead.call(work)

    def run_many() -> None:
        for _ in range(1500):
            try:
                guarded()
            except BulkheadFull:
                with lock:
                    seen["full"] += 1

    threads = [threading.Thread(target=run_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen["most"] <= 3
    assert seen["did"] + seen["full"] == 8 * 1500
    assert (bulkhead.in_flight, bulkhead.waiting, len(bulkhead._slots.free)) == (0, 0, 3)


def test_a_thousand_tasks_cancelled_at_random_lose_no_slot() -> None:
    rng, seen = random.Random(7), {"now": 0, "most": 0}

    async def work() -> None:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        try:
            await asyncio.sleep(rng.random())
        finally:
            seen["now"] -= 1

    async def main() -> None:
        bulkhead = Bulkhead(20, max_waiting=900, max_wait_s=10)
        guarded = bulkhead(work)
        tasks = [asyncio.create_task(guarded()) for _ in range(1000)]
        for _ in range(40):
            await asyncio.sleep(rng.random() / 4)
            for task in rng.sample(tasks, 20):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (bulkhead.in_flight, bulkhead.waiting, len(bulkhead._slots.free)) == (0, 0, 20)

    run(main(), FakeClock())
    assert seen == {"now": 0, "most": 20}


class Resizing(RuleBasedStateMachine):
    """Slots against a plain count."""

    def __init__(self) -> None:
        super().__init__()
        self.slots, self.held, self.size = Slots(3, 0), 0, 3

    @rule()
    def take(self) -> None:
        assert self.slots.take() == (self.held < self.size)
        self.held = min(self.held + 1, max(self.held, self.size))

    @precondition(lambda self: self.held)
    @rule()
    def give(self) -> None:
        self.slots.give()
        self.held -= 1

    @rule(size=st.integers(1, 8))
    def resize(self, size: int) -> None:
        self.slots.resize(size)
        self.size = size

    @invariant()
    def the_counts_agree(self) -> None:
        assert self.slots.taken == self.held
        assert len(self.slots.free) == max(0, self.size - self.held)


TestResizing = Resizing.TestCase
TestResizing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_bulkhead_can_be_full_at_will() -> None:
    bulkhead = Bulkhead(5, max_waiting=5)
    with full(bulkhead), pytest.raises(BulkheadFull):
        bulkhead.call(print)
    assert bulkhead.call(lambda: 1) == 1


def test_who_hands_out_a_future_keeps_its_slot_only_when_the_future_is_awaited() -> None:
    bulkhead, seen = Bulkhead(1, max_waiting=20, max_wait_s=60.0), {"now": 0, "most": 0}

    async def slow() -> None:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        await asyncio.sleep(0.001)
        seen["now"] -= 1

    def hands_out() -> "asyncio.Future[None]":
        return asyncio.ensure_future(slow())

    async def awaits() -> None:
        await hands_out()

    async def most(begin: Callable[[], Awaitable[None]]) -> int:
        seen["most"] = 0
        await asyncio.gather(*[begin() for _ in range(5)])
        return seen["most"]

    async def main() -> None:
        assert await most(bulkhead(hands_out)) == 5, "as the page of the runtime says"
        assert await most(bulkhead(awaits)) == 1
        assert await most(lambda: bulkhead.acall(hands_out)) == 1

    asyncio.run(main())


def test_a_slot_that_nobody_took_cannot_be_given_back() -> None:
    bulkhead = Bulkhead(1, name="orders")
    with pytest.raises(RuntimeError, match="orders: release without acquire"):
        bulkhead.release()
    bulkhead.acquire()
    bulkhead.release()
    with bulkhead, pytest.raises(BulkheadFull):
        bulkhead.acquire()
    assert bulkhead.in_flight == 0


@pytest.mark.parametrize("bad", [
    {"max_in_flight": 0}, {"max_in_flight": True}, {"max_in_flight": 1.5}, {"max_in_flight": 1, "max_waiting": -1},
    {"max_in_flight": 1, "max_wait_s": -0.1}, {"max_in_flight": 1, "max_wait_s": float("nan")},
])
def test_a_bad_setting_is_named_with_its_range(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{list(bad)[-1]} is .* must be a .*<= {list(bad)[-1]}"):
        Bulkhead(**bad)  # type: ignore[arg-type]
