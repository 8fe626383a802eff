"""Hedging: the first success wins, losers are ended, and the budget bounds the extra load."""

import asyncio
import threading
import time

import pytest

from holdfast.runtime import DeadlineExceeded, Hedge, RetryBudget, Timeout, check_deadline
from holdfast.runtime.testing import FakeClock, run, without_budget


class Service:
    """Answers after the given seconds in turn; an exception in place of the answer is raised."""

    def __init__(self, *answers: tuple[float, object]):
        self.answers, self.began, self.ended, self.cancelled = answers, 0, 0, 0

    async def ask(self) -> object:
        seconds, answer = self.answers[min(self.began, len(self.answers) - 1)]
        self.began += 1
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # an orderly end takes time
            self.cancelled += 1
            raise
        finally:
            self.ended += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


async def nobody_is_left(service: Service) -> None:
    assert service.began == service.ended
    assert asyncio.all_tasks() == {asyncio.current_task()}


def asked(service: Service, hedge: Hedge) -> tuple[object, float]:
    clock = FakeClock(0.0)

    async def main() -> object:
        try:
            return await hedge.acall(service.ask)
        finally:
            await nobody_is_left(service)

    return run(main(), clock), clock()


def test_a_quick_answer_needs_no_second_attempt() -> None:
    service = Service((0.1, "a"))
    assert asked(service, Hedge(after_s=1)) == ("a", pytest.approx(0.1))
    assert service.began == 1


def test_the_second_attempt_answers_and_the_first_is_cancelled_and_awaited() -> None:
    service = Service((60, "slow"), (0.1, "quick"))
    assert asked(service, Hedge(after_s=1)) == ("quick", pytest.approx(1.11))
    assert (service.began, service.cancelled) == (2, 1)


def test_the_first_may_still_win() -> None:
    service = Service((1.5, "first"), (60, "second"))
    assert asked(service, Hedge(after_s=1))[0] == "first"


def test_an_error_counts_only_when_no_other_attempt_is_under_way() -> None:
    service = Service((1.1, OSError("one")), (0.5, "second"))
    assert asked(service, Hedge(after_s=1)) == ("second", pytest.approx(1.5))
    service = Service((1.1, OSError("one")), (0.5, OSError("two")))
    with pytest.raises(OSError, match="one"):
        asked(service, Hedge(after_s=1))
    service = Service((0.1, OSError("one")), (0, "never asked"))
    with pytest.raises(OSError, match="one"):
        asked(service, Hedge(after_s=1))
    assert service.began == 1


def test_there_are_as_many_extra_attempts_as_allowed() -> None:
    service = Service((60, 1), (60, 2), (60, 3), (60, 4))
    assert asked(service, Hedge(after_s=1, max_extra=2))[0] == 1
    assert service.began == 3


def test_cancellation_ends_every_attempt_before_it_goes_on() -> None:
    service = Service((60, 1))

    async def main() -> None:
        task = asyncio.create_task(Hedge(after_s=1, max_extra=3).acall(service.ask))
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # an impatient caller
        with pytest.raises(asyncio.CancelledError):
            await task
        await nobody_is_left(service)

    run(main(), FakeClock())
    assert service.began == service.ended == 4


def test_when_everything_is_slow_the_budget_ends_the_hedging() -> None:
    service, hedge = Service((60, 1)), Hedge(after_s=1, budget=RetryBudget(max_tokens=10, token_ratio=0.1))

    async def main() -> None:
        await asyncio.gather(*[hedge.acall(service.ask) for _ in range(100)])

    run(main(), FakeClock())
    assert 100 < service.began <= 106
    with without_budget(hedge):
        before = service.began
        asked(service, hedge)
        assert service.began == before + 1


def test_a_thousand_calls_leave_no_task() -> None:
    async def main() -> None:
        hedge = Hedge(after_s=0.5, max_extra=2, budget=RetryBudget(max_tokens=1000, token_ratio=1))
        services = [Service((number % 3, number), (number % 5, number)) for number in range(1000)]
        assert await asyncio.gather(*[hedge.acall(service.ask) for service in services]) == list(range(1000))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert all(service.began == service.ended for service in services)

    run(main(), FakeClock())


# Plain functions run in threads.


def test_a_plain_function_is_hedged_and_the_loser_sees_its_deadline_end() -> None:
    began, ended = [], threading.Event()

    def ask(question: str) -> str:
        began.append(question)
        if len(began) > 1:
            return "quick"
        try:
            while True:
                time.sleep(0.002)
                check_deadline()
        finally:
            ended.set()

    hedge = Hedge(after_s=0.01)
    assert hedge(ask)("q") == "quick"
    assert ended.wait(5)
    assert began == ["q", "q"]
    for _ in range(1000):
        if not hedge._room.taken:
            break
        time.sleep(0.001)
    assert hedge._room.taken == 0


def test_the_error_of_a_plain_function_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        Hedge(after_s=1).call(lambda: 1 / 0)


def test_the_caller_of_a_plain_function_leaves_at_its_deadline() -> None:
    gate = threading.Event()
    with pytest.raises(DeadlineExceeded):
        Timeout(0.05).call(Hedge(after_s=0.01).call, gate.wait, 5)
    gate.set()


def test_above_the_number_of_threads_calls_run_unhedged_in_the_callers_thread() -> None:
    hedge, gate = Hedge(after_s=0.005, max_threads=1), threading.Event()
    other = threading.Thread(target=lambda: hedge.call(gate.wait, 5))
    other.start()
    while not hedge._room.taken:
        time.sleep(0.001)
    assert hedge.call(threading.get_ident) == threading.get_ident()
    gate.set()
    other.join()


@pytest.mark.parametrize("settings", [{"after_s": -1}, {"after_s": float("nan")}, {"after_s": 1, "max_extra": 0},
                                      {"after_s": 1, "max_threads": False}])
def test_a_bad_setting_is_named_with_its_range(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{list(settings)[-1]} is .*<= {list(settings)[-1]}"):
        Hedge(**settings)  # type: ignore[arg-type]
