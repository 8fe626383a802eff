"""Hedging: when the answer is late, ask once more and take the first; the slowest few percent get much faster.

Rules: an extra attempt costs a token of the budget; the first success wins; an error counts only when no other attempt is under
way, and never begins one (that is Retry's work).  Async losers are cancelled and awaited.  Plain functions run in threads, which
nobody can cancel: a loser's deadline ends, which it sees at its next `check_deadline()` or `remaining_s()`, and the number of
threads is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.budget import RetryBudget
from holdfast.runtime.calling import once, settled, wrap
from holdfast.runtime.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Hedge"]


class Hedge:
    """Begins another attempt `after_s` after the last one, at most `max_extra` of them per call.  Only for calls that may run
    twice.

    after_s       near the 95th percentile of the latency: then about 5 % of the calls send a second one
    budget        a RetryBudget, by default one of its own with 10 tokens that ten successes refill by one: at most 10 % extra
                  for long
    max_threads   plain functions only: attempts alive at once, losers included; beyond, calls run in the caller's thread unhedged
    """

    __slots__ = ("_room", "after_s", "budget", "max_extra", "max_threads", "name")

    def __init__(
        self, *, after_s: float, max_extra: int = 1, budget: RetryBudget | None = None, max_threads: int = 64,
        name: str = "hedge",
    ):
        self.after_s = checks.number("after_s", after_s, low=0.0)
        self.max_extra = checks.whole("max_extra", max_extra, low=1, high=10)
        self.budget = RetryBudget(max_tokens=10.0, token_ratio=0.1) if budget is None else budget
        if not isinstance(self.budget, RetryBudget):
            raise ValueError(f"budget is {budget!r}; it must be a RetryBudget or None")
        self.max_threads = checks.whole("max_threads", max_threads, low=1, high=10_000)
        self.name = name
        self._room = Slots(self.max_threads, 0)

    async def acall(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        import asyncio

        tasks: list[asyncio.Task[Any]] = []
        running = done = task = None
        try:
            while True:
                tasks.append(asyncio.create_task(settled(function, args, kwargs)))
                more = len(tasks) <= self.max_extra
                while running := {task for task in tasks if not task.done()}:
                    patience_s = self.after_s if more and self.budget.allows else None
                    done, _ = await asyncio.wait(running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        if not task.cancelled() and task.exception() is None:
                            self.budget.succeeded()
                            return task.result()
                    if not done:
                        # The budget may have gone to other calls while this one waited.
                        more = self.budget.spend()
                        if more:
                            break
                else:
                    return tasks[0].result()  # all have failed: the first one's error
        finally:
            await _end(tasks)
            # An error's traceback refers to this frame, and a task to its error: they would wait for the garbage collector.
            tasks.clear()
            running = done = task = None  # noqa: F841

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        from holdfast.runtime.racing import race

        if not self._room.take():
            result: R = once(function, args, kwargs)
            return result
        answer: R = race(self, function, args, kwargs)
        return answer

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrap(self, function)


async def _end(tasks: list[Any]) -> None:
    """Cancels what still runs and waits until it has ended, also when we are cancelled meanwhile."""
    import asyncio

    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: a loser's error is nobody's news
    if cancelled is not None:
        raise cancelled
