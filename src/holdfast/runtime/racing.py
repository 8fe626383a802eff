"""The attempts of a hedge for plain functions: one thread each, and the first success is the answer."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from holdfast.runtime.calling import once
from holdfast.runtime.deadlines import deadline, remaining_s
from holdfast.runtime.rejections import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.runtime.hedge import Hedge

__all__ = ["race"]

LONG_S = 86400.0


class _Attempt:
    """One thread.  It gives its place back itself, because nobody waits for a loser."""

    def __init__(self, work: Callable[[], Any], race: _Race):
        self.error: BaseException | None = None
        self.dropped = False
        self.result: Any = None
        self.limit = deadline(LONG_S)
        self._work, self._race = work, race
        context = copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True, name="holdfast-hedge")

    def start(self) -> None:
        try:
            self._thread.start()
        except BaseException:
            self._race.room.give()
            raise

    def drop(self) -> None:
        """Its error refers to the frame of `_run`, and so to this attempt: it would wait for the garbage collector."""
        self.dropped = True
        self.error = None

    def _run(self) -> None:
        try:
            with self.limit:
                self.result = self._work()
        except BaseException as error:  # handed to the caller's thread, unless that has gone
            self.error = None if self.dropped else error
        finally:
            self._race.room.give()
            self._race.ended(self)


class _Race:
    def __init__(self, room: Any):
        self.room = room
        self._done: deque[_Attempt] = deque()
        self._news = threading.Semaphore(0)

    def ended(self, attempt: _Attempt) -> None:
        self._done.append(attempt)
        self._news.release()

    def next(self, patience_s: float | None) -> _Attempt | None:
        return self._done.popleft() if self._news.acquire(timeout=patience_s) else None


def race(hedge: Hedge, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The caller holds one place of `hedge._room`, for the first attempt.  Its own thread only waits, up to its deadline."""
    course = _Race(hedge._room)
    attempts: list[_Attempt] = []

    def begin() -> None:
        attempt = _Attempt(lambda: once(function, args, kwargs), course)
        attempt.start()
        attempts.append(attempt)

    try:
        begin()
        failed, more = 0, True
        while failed < len(attempts):
            more = more and len(attempts) <= hedge.max_extra and hedge.budget.allows
            left_s = remaining_s()
            ended = course.next(remaining_s(hedge.after_s) if more else left_s)
            if ended is None:
                if remaining_s() == 0.0:
                    raise DeadlineExceeded("the deadline passed while the attempts ran", policy=hedge.name)
                more = hedge._room.take()
                if more and not hedge.budget.spend():
                    hedge._room.give()
                    more = False
                if more:
                    try:
                        begin()
                    except RuntimeError:  # no more threads are to be had: then without another attempt
                        more = False
            elif ended.error is None:
                hedge.budget.succeeded()
                return ended.result
            else:
                failed += 1
        assert attempts[0].error is not None
        raise attempts[0].error
    finally:
        for attempt in attempts:
            attempt.limit.end()
            attempt.drop()
