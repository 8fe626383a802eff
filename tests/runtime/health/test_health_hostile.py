"""What must not happen when a check, its caller or its event loop behaves as badly as it can."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest

from holdfast.runtime.health import Check, Health
from holdfast.runtime.health.loops import LoopThread
from holdfast.runtime.testing import FakeClock


def pool_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "holdfast-health"]


class Stubborn:
    """Hangs in a thread until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        self.go.wait(60)


def test_a_plain_check_that_hangs_for_ever_holds_one_thread_however_often_it_is_asked() -> None:
    clock = FakeClock()
    health = Health(clock=clock)
    stubborn = [Stubborn() for _ in range(3)]
    health.add(*(Check(f"c{number}", check, timeout_s=0.01) for number, check in enumerate(stubborn)))
    health.check("good")(lambda: None)
    before = len(pool_threads())
    try:
        for _ in range(50):
            report = health.ask()
            assert (report.status, report["good"].status) == ("fail", "pass")
            clock.advance(10)
        assert [check.calls for check in stubborn] == [1, 1, 1]
        assert len(pool_threads()) - before <= 4
        assert "has not returned for" in report["c0"].message
        assert "not called again before it does" in report["c0"].message
        assert health.counts()["c0"][2] >= 40
    finally:
        for check in stubborn:
            check.go.set()


def test_when_it_returns_at_last_it_is_called_again_and_its_late_answer_is_not_taken_for_a_new_one() -> None:
    clock = FakeClock()
    health = Health(clock=clock)
    check = Stubborn()
    health.add(Check("slow", check, timeout_s=0.01, ttl_s=0))
    end_s = time.monotonic() + 30
    while not check.calls:
        assert not health.ask().ok
        assert time.monotonic() < end_s
    check.go.set()
    while not health.ask().ok:
        assert time.monotonic() < end_s
        clock.advance(1)
        time.sleep(0.01)
    assert check.calls >= 2


def test_there_are_never_more_threads_than_allowed() -> None:
    health = Health(max_threads=3)
    stubborn = [Stubborn() for _ in range(10)]
    before = len(pool_threads())
    try:
        health.add(*(Check(f"c{number}", check, timeout_s=0.05) for number, check in enumerate(stubborn)))
        health.ask()
        assert len(pool_threads()) - before <= 3
        assert sum(check.calls for check in stubborn) <= 3
    finally:
        for check in stubborn:
            check.go.set()


def test_a_check_that_was_given_up_before_a_thread_was_free_is_not_run_afterwards() -> None:
    health = Health(max_threads=1)
    first, second = Stubborn(), Stubborn()
    health.add(Check("first", first, timeout_s=0.05), Check("second", second, timeout_s=0.05))
    health.ask()
    second.go.set()
    first.go.set()
    end_s = time.monotonic() + 30
    while health._tracks["second"].flight.running:  # type: ignore[union-attr]
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert second.calls == 0


def test_a_coroutine_that_ignores_its_cancellation_holds_up_nobody_and_is_not_started_twice() -> None:
    calls = []

    async def deaf() -> None:
        calls.append(1)
        end_s = time.monotonic() + 60
        while not released.is_set() and time.monotonic() < end_s:
            try:
                await asyncio.wait_for(released.wait(), 0.005)
            except (asyncio.CancelledError, TimeoutError):
                pass

    async def main() -> None:
        health = Health()
        health.add(Check("deaf", deaf, timeout_s=0.05, ttl_s=0), Check("good", lambda: None))
        reports = [await asyncio.wait_for(health.aask(), 30) for _ in range(20)]
        assert [report["good"].status for report in reports] == ["pass"] * 20
        assert reports[0]["deaf"].message == "no answer within 0.05 s"
        assert "has not returned for" in reports[-1]["deaf"].message
        assert len(calls) == 1
        released.set()

    released = asyncio.Event()
    asyncio.run(main())


def test_an_awaitable_that_comes_too_late_is_not_awaited_and_the_check_is_called_again() -> None:
    ran, go = [], threading.Event()

    async def work() -> None:
        ran.append(1)

    entered = threading.Event()

    def slow() -> Any:
        entered.set()
        go.wait(60)
        return work()

    health = Health()
    health.add(Check("it", slow, timeout_s=0.2, ttl_s=0))
    end_s = time.monotonic() + 30
    while not entered.is_set():
        assert not health.ask().ok
        assert time.monotonic() < end_s
    assert ran == []
    go.set()
    while not health.ask().ok:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert ran


def test_a_loop_that_is_blocked_is_seen_by_whoever_asks_from_a_thread() -> None:
    loop, blocked = LoopThread("blocked"), threading.Event()
    health = Health()
    health.bind_loop(loop.loop)
    health.add(Check("coroutine", lambda: asyncio.sleep(0), timeout_s=60, ttl_s=0))
    assert health.ask().ok
    impatient = Health()
    impatient.bind_loop(loop.loop)

    async def never_begun() -> None:
        raise AssertionError

    impatient.add(Check("coroutine", never_begun, timeout_s=0.1))
    loop.loop.call_soon_threadsafe(blocked.wait, 60)
    assert impatient.ask()["coroutine"].message == "the event loop did not run it within 0.1 s"
    blocked.set()
    loop.stop()


def test_a_loop_that_ended_under_a_check_does_not_leave_it_hung_for_ever() -> None:
    health = Health()
    health.add(Check("it", lambda: asyncio.sleep(0.001 if health.started else 0), ttl_s=0))

    async def leaves() -> None:
        task = asyncio.create_task(health.aask())
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leaves())
    end_s = time.monotonic() + 30
    while not asyncio.run(health.aask()).ok:
        assert time.monotonic() < end_s


def test_many_rounds_leave_nothing_behind() -> None:
    async def main() -> int:
        health = Health()
        health.add(*(Check(f"c{number}", lambda: asyncio.sleep(0), ttl_s=0) for number in range(5)))
        for number in range(200):
            await health.aask(exclude=[f"c{number % 5}", f"nonsense{number}"])
        assert health._engine._rounds == {}
        assert len(health._known) <= 1
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert asyncio.run(main()) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_fork_the_child_has_threads_of_its_own() -> None:
    health = Health()
    patient: dict[str, Any] = {"ttl_s": 0, "timeout_s": 20}
    health.add(Check("plain", lambda: None, **patient), Check("task", lambda: asyncio.sleep(0), **patient))
    assert health.ask().ok
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"y" if health.ask().ok else b"n")
        os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b"y"
    os.close(read)
    os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_check_that_was_running_at_the_fork_is_run_anew_in_the_child() -> None:
    check = Stubborn()
    health = Health(no_readiness_checks=True)
    health.add(Check("other", lambda: None), Check("slow", check, kind="liveness", timeout_s=20))
    asking = threading.Thread(target=lambda: health.ask("liveness"))
    asking.start()
    end_s = time.monotonic() + 30
    while not check.calls:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        check.go = threading.Event()
        check.go.set()
        health.ask("readiness")
        os.write(write, b"y" if health.ask("liveness").ok and check.calls == 2 else b"n")
        os._exit(0)
    os.close(write)
    assert os.read(read, 1) == b"y"
    os.close(read)
    os.waitpid(child, 0)
    check.go.set()
    asking.join(30)


def test_when_the_machine_has_no_more_threads_the_question_is_still_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def scarce(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    health = Health()
    health.add(Check("plain", lambda: None))
    monkeypatch.setattr(threading.Thread, "start", scarce)
    assert health.ask()["plain"].message == "no thread could be started"


def test_a_clock_that_jumps_while_a_check_runs_ends_no_wait_early_and_none_late() -> None:
    clock = FakeClock()
    go, entered = threading.Event(), threading.Event()

    def check() -> None:
        entered.set()
        go.wait(60)

    health = Health(clock=clock)
    health.add(Check("it", check, timeout_s=50))
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(health.ask()))
    asking.start()
    assert entered.wait(30)
    clock.now_s -= 86_400
    go.set()
    asking.join(30)
    assert answers[0].ok
    assert answers[0]["it"].took_s == 0.0, "no time is negative"
