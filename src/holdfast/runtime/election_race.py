"""Drives the course of a term: in a thread of its own, or as a task; tells what happens to whoever waits or listens.

Rules: the owner never waits for the network to learn that its term is over; a second thread, or a timer of the loop, looks at
the clock for it.
"""

from __future__ import annotations

import logging
import time
from _thread import allocate_lock
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.runtime.election_core import contend
from holdfast.runtime.election_store import Pause

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from holdfast.runtime.election_core import Term
    from holdfast.runtime.election_settings import Terms
    from holdfast.runtime.election_store import Seats, Step

__all__ = ["ElectionEvent", "Race", "TaskRace", "ThreadRace", "adrive", "drive"]

# A timer does not count the time for which the machine was suspended, so the clock is looked at this often.
LOOK_S = 0.5


class ElectionEvent(NamedTuple):
    """`state`: contending, unreachable, holding, lost or released.  `at_s` is on the clock of the election, which has no date."""

    name: str
    state: str
    token: int | None
    why: str
    at_s: float


def drive(steps: Generator[Step, Any, Any], pause: Callable[[float], Any]) -> Any:
    """Carries the steps out in this thread."""
    answer: Any = None
    error: Exception | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        try:
            answer = pause(step.seconds) if isinstance(step, Pause) else step.run()
        except Exception as raised:
            error = raised


async def adrive(
    steps: Generator[Step, Any, Any], pause: Callable[[float], Any], call: Callable[[Callable[[], Any]], Any],
) -> Any:
    """The same in a task; `call` carries out what blocks."""
    answer: Any = None
    error: Exception | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value
        answer, error = None, None
        try:
            answer = await (pause(step.seconds) if isinstance(step, Pause) else call(step.run))
        except Exception as raised:
            error = raised


class Race:
    """One contender on its way to one term: the desk of `contend`."""

    def __init__(
        self, seats: Seats, name: str, who: str, terms: Terms, clock: Callable[[], float],
        tell: Callable[[ElectionEvent], None],
    ):
        self.seats, self.name, self.terms, self.clock, self._tell = seats, name, terms, clock, tell
        self.steps = contend(seats, name, who, terms, clock, self)
        self.state = "contending"
        self.why = ""
        self.term: Term | None = None
        self.failure: Exception | None = None
        self.stopping = False
        self.done = False
        self._first = allocate_lock()

    def began(self, term: Term) -> None:
        self.term = term
        self._to("holding", "")

    def waiting(self) -> None:
        self._to("contending", "all seats are taken")

    def well(self) -> None:
        self.why = ""

    def trouble(self, what: str) -> None:
        if self.term is None:
            self._to("unreachable", what)
        else:
            self.why = what

    def over(self, term: Term) -> None:
        """Told once, by whoever notices first."""
        if self._first.acquire(False):
            self._to("released" if self.stopping else "lost", term.ended)

    def _to(self, state: str, why: str) -> None:
        news = state != self.state
        self.state, self.why = state, why
        if news:
            self._tell(ElectionEvent(self.name, state, self.term.token if self.term else None, why, self.clock()))
        self.changed()

    def changed(self) -> None:
        raise NotImplementedError

    def ask_to_stop(self) -> None:
        """From any thread: give up, or resign, without waiting for that."""
        self.stopping = True
        self.changed()
        self.seats.interrupt()


class ThreadRace(Race):
    """For plain code."""

    def start(self) -> None:
        self._news = Condition()
        self._threads = [Thread(target=self._run, name=f"holdfast-{self.name}", daemon=True)]
        self._threads[0].start()

    def changed(self) -> None:
        with self._news:
            self._news.notify_all()

    def wait(self, max_wait_s: float | None) -> Term | None:
        """Until there is a term; None when the time is over first.  Raises what made the race end."""
        until_s = None if max_wait_s is None else time.monotonic() + max_wait_s
        with self._news:
            while self.term is None and not self.done:
                left_s = LOOK_S if until_s is None else min(LOOK_S, until_s - time.monotonic())
                if left_s <= 0:
                    return None
                self._news.wait(left_s)
        if self.failure is not None:
            raise self.failure
        return self.term

    def began(self, term: Term) -> None:
        watchdog = Thread(target=self._watch, args=(term,), name=f"holdfast-{self.name}-watch", daemon=True)
        self._threads.append(watchdog)
        watchdog.start()
        super().began(term)

    def stop(self) -> None:
        """Resigns and returns when the seat was given back, or could not be within the time for that."""
        self.ask_to_stop()
        for thread in self._threads:
            thread.join()
        self.seats.close()

    def _run(self) -> None:
        try:
            drive(self.steps, self._pause)
        except Exception as error:
            self.failure = error
            logging.getLogger("holdfast.runtime").debug("%s: %s", self.name, error)
        finally:
            self.done = True
            self.changed()

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        with self._news:
            while not self.stopping and (left_s := until_s - time.monotonic()) > 0:
                self._news.wait(min(left_s, LOOK_S))
                if self.term is not None and self.term.ended:
                    return

    def _watch(self, term: Term) -> None:
        while not self.stopping and not self.done:
            if not term.may_act():
                self.over(term)
                return
            with self._news:
                if not self.stopping:
                    self._news.wait(min(LOOK_S, max(0.001, term.until_s - self.clock())))


class TaskRace(Race):
    """For asyncio: blocking calls run in one thread of its own, everything else in the loop; a loop that hangs renews nothing."""

    def start(self, lost: Callable[[], None]) -> None:
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._pool = ThreadPoolExecutor(1, f"holdfast-{self.name}")
        self._task = self._loop.create_task(self._run())

    def changed(self) -> None:
        self._news.set()

    async def wait(self, max_wait_s: float | None) -> Term | None:
        import asyncio

        try:
            async with asyncio.timeout(max_wait_s):
                while self.term is None and not self.done:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        if self.failure is not None:
            raise self.failure
        return self.term

    def began(self, term: Term) -> None:
        self._look(term)
        super().began(term)

    async def stop(self) -> None:
        """As in threads.  A cancellation that comes meanwhile is passed on afterwards."""
        import asyncio

        self.ask_to_stop()
        cancelled: BaseException | None = None
        while not self._task.done():
            try:
                await asyncio.wait({self._task})
            except asyncio.CancelledError as error:
                cancelled = error
        if self._timer is not None:
            self._timer.cancel()
        self._pool.shutdown(wait=False)
        self.seats.close()
        if cancelled is not None:
            raise cancelled

    async def _run(self) -> None:
        try:
            await adrive(self.steps, self._pause, lambda call: self._loop.run_in_executor(self._pool, call))
        except Exception as error:
            self.failure = error
            logging.getLogger("holdfast.runtime").debug("%s: %s", self.name, error)
        finally:
            self.done = True
            self.changed()

    async def _pause(self, seconds: float) -> None:
        import asyncio

        if self.stopping:
            return
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass

    def _look(self, term: Term) -> None:
        """The timer that ends the owner's work on time, whatever the network does."""
        if self.stopping:
            return
        if term.may_act():
            self._timer = self._loop.call_later(min(LOOK_S, max(0.0, term.until_s - self.clock())), self._look, term)
        else:
            self.over(term)

    def over(self, term: Term) -> None:
        super().over(term)
        if self.state == "lost":
            self._lost()
