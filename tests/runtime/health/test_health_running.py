"""How checks are run: all at once, each once, with a limit, and not again before their time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import deadline, remaining_s
from holdfast.runtime.health import Check, Health, HealthEvent, Result
from holdfast.runtime.testing import FakeClock, run


class Counted:
    """Called, it counts; the rest of what it does is handed in."""

    def __init__(self, does: Callable[[], Any] = lambda: None):
        self.calls, self._does = 0, does

    def __call__(self) -> Any:
        self.calls += 1
        return self._does()


def health_of(*functions: Callable[[], Any], clock: Callable[[], float] = time.monotonic, **settings: Any) -> Health:
    health = Health("shop", clock=clock)
    health.add(*(Check(f"c{number}", function, **settings) for number, function in enumerate(functions)))
    return health


async def hangs() -> None:
    await asyncio.Event().wait()


def test_coroutine_checks_run_all_at_once() -> None:
    clock = FakeClock()

    async def slow() -> None:
        await asyncio.sleep(1.5)

    health = health_of(*[slow] * 20, clock=clock)
    began_s = clock()
    assert run(health.aask(), clock).ok
    assert clock() - began_s == pytest.approx(1.5)


def test_plain_checks_run_all_at_once_in_threads_and_never_in_the_loops_own() -> None:
    together = threading.Barrier(8)  # none of them passes alone
    seen: set[int] = set()

    def check() -> None:
        seen.add(threading.get_ident())
        together.wait(30)

    health = health_of(*[check] * 8, timeout_s=60)
    assert asyncio.run(health.aask()).ok
    assert len(seen) == 8
    assert threading.get_ident() not in seen


def test_a_thousand_probes_at_the_same_time_are_one_call_of_each_check() -> None:
    async def main() -> None:
        plain = [Counted() for _ in range(5)]
        tasks = [Counted(lambda: asyncio.sleep(0.01)) for _ in range(5)]
        health = health_of(*plain, *tasks)
        reports = await asyncio.gather(*(health.aask() for _ in range(1000)))
        assert all(report.ok for report in reports)
        assert [check.calls for check in (*plain, *tasks)] == [1] * 10

    asyncio.run(main())


def test_probes_from_threads_and_from_loops_share_one_call() -> None:
    entered, go = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        go.wait(30)

    check = Counted(slow)
    health = health_of(check, timeout_s=60)
    oks: list[bool] = []
    threads = [threading.Thread(target=lambda: oks.append(health.ask().ok)) for _ in range(20)]
    threads += [threading.Thread(target=lambda: oks.append(asyncio.run(health.aask()).ok)) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    go.set()
    for thread in threads:
        thread.join(30)
    assert (check.calls, oks) == (1, [True] * 25)


def test_a_result_is_given_out_again_until_its_time_to_live_is_over() -> None:
    clock = FakeClock()
    check = Counted()
    health = health_of(check, clock=clock, ttl_s=10)
    first = health.ask()
    clock.advance(9.9)
    assert health.ask() is first
    assert check.calls == 1
    clock.advance(0.1)
    assert health.ask() is not first
    assert check.calls == 2


def test_each_check_has_a_time_to_live_of_its_own() -> None:
    clock = FakeClock()
    often, seldom = Counted(), Counted()
    health = Health(clock=clock)
    health.add(Check("often", often, ttl_s=1), Check("seldom", seldom, ttl_s=60))
    for _ in range(10):
        health.ask()
        clock.advance(1)
    assert (often.calls, seldom.calls) == (10, 1)
    assert health.now_s() - health.ask()["seldom"].at_s == 10, "a result says how old it is"


def test_a_clock_that_steps_makes_no_old_result_fresh_and_no_age_negative() -> None:
    clock = FakeClock()
    check = Counted()
    health = health_of(check, clock=clock, ttl_s=10)
    health.ask()
    clock.now_s += 86_400
    health.ask()
    clock.now_s -= 86_400
    report = health.ask()
    assert check.calls == 3
    assert report["c0"].at_s <= health.now_s()


def test_a_check_that_hangs_costs_its_own_result_and_its_time_limit() -> None:
    clock = FakeClock()
    health = Health(clock=clock)

    async def soon() -> None:
        await asyncio.sleep(1)

    health.add(Check("good", soon), Check("hung", hangs, timeout_s=3))

    async def main() -> None:
        began_s = clock()
        report = await health.aask()
        assert clock() - began_s == pytest.approx(3)
        assert {check.name: check.status for check in report.checks} == {"good": "pass", "hung": "fail"}
        assert report["hung"].message == "no answer within 3 s"

    run(main(), clock)


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_the_answer_comes_within_fifty_milliseconds_of_the_limit_of_what_hangs(kind: str) -> None:
    go = threading.Event()

    def plain() -> bool:
        return go.wait(30)

    health = Health()
    health.add(Check("good", Counted()), Check("hung", plain if kind == "plain" else hangs, timeout_s=0.2, ttl_s=0))
    beyond_s = []
    for _ in range(5):  # the machine may be busy with something else at one moment
        began_s = time.monotonic()
        assert not health.ask().ok
        beyond_s.append(time.monotonic() - began_s - 0.2)
    go.set()
    assert min(beyond_s) < 0.05
    assert max(beyond_s) < 2.0


def test_the_limit_includes_the_wait_for_a_thread() -> None:
    go, entered = threading.Event(), threading.Event()

    def first() -> bool:
        entered.set()
        return go.wait(30)

    health = Health(max_threads=1)
    health.add(Check("first", first, timeout_s=60), Check("second", Counted(), timeout_s=0.05))
    asking = threading.Thread(target=lambda: health.ask(only="first"))
    asking.start()
    assert entered.wait(30)
    assert health.ask(only="second")["second"].message == "no thread was free within 0.05 s"
    go.set()
    asking.join(30)


def test_readiness_does_not_wait_for_an_excluded_check_and_takes_it_for_good() -> None:
    called = Counted(hangs)
    health = Health()
    health.add(Check("good", Counted()), Check("hung", called))
    report = health.ask(exclude=["hung", "unheard-of"])
    assert report.ok
    assert report["hung"].excluded
    assert called.calls == 0


def test_one_check_or_group_can_be_asked_alone_with_what_it_needs() -> None:
    others = Counted()
    health = Health()
    health.group("orders", critical=False)
    health.add(
        Check("network", Counted()), Check("database", lambda: Result("fail", "gone"), group="orders", needs="network"),
        Check("others", others))
    assert health.ask().status == "warn"
    assert others.calls == 1
    alone = Health()
    alone.group("orders", critical=False)
    alone.add(
        Check("network", Counted()), Check("database", lambda: Result("fail", "gone"), group="orders", needs="network"),
        Check("others", others))
    report = alone.ask(only="orders")
    assert (report.status, [check.name for check in report.checks]) == ("fail", ["network", "database"])
    assert others.calls == 1
    assert alone.ask(only="network").ok


def test_startup_latches_and_until_then_nothing_is_ready() -> None:
    answers = iter(["fail", "warn"])
    migrated = Counted(lambda: Result(next(answers), "migrating"))
    health = Health()
    health.add(Check("migrated", migrated, kind="startup", ttl_s=0), Check("ready", Counted(), ttl_s=0))
    assert (health.ask("startup").status, health.started) == ("fail", False)
    report = health.ask("readiness")
    assert (report.status, health.started) == ("warn", True)
    assert [health.ask("startup").ok for _ in range(3)] == [True] * 3
    assert [check.name for check in health.ask("readiness").checks] == ["ready"]
    assert migrated.calls == 2, "the latch is closed for good"


def test_once_the_latch_is_closed_startup_is_no_part_of_readiness_whatever_is_still_fresh() -> None:
    health = health_of(Counted(), ttl_s=3600)
    health.check("migrated", kind="startup", ttl_s=3600)(lambda: True)
    assert [check.name for check in health.ask().checks] == ["c0", "migrated"]
    assert [check.name for check in health.ask().checks] == ["c0"]


def test_a_startup_check_that_is_registered_late_is_not_taken_for_passed() -> None:
    health = health_of(Counted())
    assert health.ask().ok
    health.check("migrated", kind="startup")(lambda: Result("fail"))
    assert not health.ask("startup").ok
    assert not health.ask("readiness").ok


def test_a_program_whose_startup_failed_is_alive() -> None:
    health = Health(no_readiness_checks=True)
    health.check("migrated", kind="startup")(lambda: Result("fail"))
    assert health.ask("liveness").ok
    assert not health.ask("readiness").ok
    assert not health.started


def test_draining_ends_readiness_at_once_also_where_a_good_result_is_still_fresh_and_leaves_it_alive() -> None:
    health = health_of(Counted(), ttl_s=3600)
    heard: list[HealthEvent] = []
    health.listen(heard.append)
    assert health.ask().ok
    health.drain("SIGTERM password=hunter22")
    report = health.ask()
    assert (report.status, report.draining, report.notes) == ("fail", True, ("draining: SIGTERM password=***",))
    assert health.ask("liveness").ok
    health.serve_again()
    assert health.ask().ok
    assert [event.kind for event in heard] == ["status", "draining", "serving"]


def test_a_listener_hears_of_changes_only_and_one_that_raises_disturbs_nobody() -> None:
    clock = FakeClock()
    answers = iter(["pass", "pass", "fail", "fail", "warn"])
    health = health_of(lambda: Result(next(answers), "why"), clock=clock)
    heard: list[HealthEvent] = []

    def broken(event: HealthEvent) -> None:
        raise OSError

    health.listen(broken)
    end = health.listen(heard.append)
    for _ in range(4):
        health.ask()
        clock.advance(1)
    end()
    health.ask()
    assert [(event.check, event.previous, event.status) for event in heard] == [("c0", None, "pass"), ("c0", "pass", "fail")]


def test_asking_plainly_inside_of_an_event_loop_is_refused_instead_of_blocking_it() -> None:
    async def main() -> None:
        health = health_of(Counted())
        await health.aask()
        with pytest.raises(RuntimeError, match=r"await health\.aask"):
            health.ask()  # though the answer is known

    asyncio.run(main())


def test_coroutine_checks_run_in_the_loop_of_the_program_whoever_asks() -> None:
    loops: list[Any] = []

    async def where() -> None:
        loops.append(asyncio.get_running_loop())

    async def main() -> None:
        health = health_of(where, ttl_s=0)
        health.bind_loop()
        await asyncio.to_thread(health.ask)
        await health.aask()
        assert loops == [asyncio.get_running_loop()] * 2

    asyncio.run(main())


def test_coroutine_checks_run_also_in_a_program_without_a_loop_and_after_its_loop_has_ended() -> None:
    health = health_of(lambda: asyncio.sleep(0), ttl_s=0)
    assert health.ask().ok
    assert asyncio.run(health.aask()).ok
    assert health.ask().ok


def test_the_deadline_of_whoever_asks_first_is_not_the_checks() -> None:
    left: list[Any] = []

    async def check() -> None:
        left.append(remaining_s())

    async def main() -> None:
        health = health_of(check)
        async with deadline(0.5):
            await health.aask()

    asyncio.run(main())
    assert left == [None]


def test_whoever_gives_up_takes_the_check_from_nobody() -> None:
    async def main() -> None:
        check = Counted(lambda: asyncio.sleep(0.05))
        health = health_of(check)
        impatient, patient = asyncio.create_task(health.aask()), asyncio.create_task(health.aask())
        await asyncio.sleep(0.01)
        impatient.cancel()
        assert (await patient).ok
        assert impatient.cancelled()
        assert check.calls == 1

    asyncio.run(main())
