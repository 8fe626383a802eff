"""Runs the checks that are due: all at once, each in its place, none of them twice at the same time.

Rules: no lock is held while a check or a listener runs.  A coroutine function runs in the loop of the program, everything else in
a thread of the pool, whatever it returns to be awaited in the loop.  The time limit is kept by those who wait, so that it holds
also for a check that ignores its cancellation and for a loop that is blocked.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Hashable, Iterable
from contextvars import Context
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from holdfast.runtime.calling import is_async
from holdfast.runtime.health.flight import Flight, Round, spread
from holdfast.runtime.health.interpret import Watched, Watching, interpreted, raised
from holdfast.runtime.health.loops import LoopThread
from holdfast.runtime.health.pool import Pool
from holdfast.runtime.health.results import Result, Status, failed

if TYPE_CHECKING:
    import asyncio

    from holdfast.runtime.health.track import Track

__all__ = ["Engine"]

log = logging.getLogger("holdfast.runtime")


class Engine:
    """`changed(track, before)` is told of each status that has changed."""

    def __init__(
        self, clock: Callable[[], float], max_threads: int, redact: Callable[[str], str],
        changed: Callable[[Track, Status | None], None],
    ):
        self._clock, self._redact, self._changed = clock, redact, changed
        self.lock = threading.RLock()  # twice by one thread: a garbage collection within may run code that asks
        self.pool = Pool(max_threads)
        self._rounds: dict[Hashable, Round] = {}
        self._home: asyncio.AbstractEventLoop | None = None
        self._own: LoopThread | None = None
        self._pid = os.getpid()

    # --- the wait

    def under_way(self, key: Hashable) -> Round | None:
        found = self._rounds.get(key)
        return None if found is None or found.done or self._pid != os.getpid() else found

    def begin(self, key: Hashable, tracks: Iterable[Track], loop: asyncio.AbstractEventLoop | None) -> Round:
        """The round of those among them that are due, begun or joined."""
        if self._pid != os.getpid():
            self._forked()
        starting: list[Flight] = []
        hung: list[tuple[Track, Status | None]] = []
        with self.lock:
            shared = self._rounds.get(key)
            if shared is not None and not shared.done:
                return shared
            now_s = self._clock()
            begun = Round(key)
            for track in tracks:
                if track.fresh(now_s):
                    continue
                flight = track.flight
                if flight is None or flight.over(self._pid):
                    flight = track.flight = Flight(track, now_s, self._pid)
                    starting.append(flight)
                elif flight.landed:
                    for_s = now_s - flight.began_s
                    track.hangs += 1
                    said = f"has not returned for {for_s:.3g} s, and is not called again before it does"
                    hung.append((track, track.record(failed(said), said, now_s, for_s)))
                    continue
                flight.rounds.append(begun)
                begun.pending.add(flight)
            if begun.pending:
                self._rounds[key] = begun
            else:
                begun.done = True
        for track, before in hung:
            self._changed(track, before)
        for flight in starting:
            self._start(flight, loop)
        return begun

    def wait(self, waited: Round) -> None:
        with self.lock:
            if waited.done:
                return
            gate = waited.gate()
        while not waited.done:
            with self.lock:
                nearest_s = min((flight.deadline_s for flight in waited.pending), default=0.0)
            if gate.acquire(timeout=max(0.0, nearest_s - self._clock())):
                return
            for flight in tuple(waited.pending):
                if flight.deadline_s <= nearest_s:
                    self._expire(flight)

    async def await_(self, waited: Round, loop: asyncio.AbstractEventLoop) -> None:
        with self.lock:
            if waited.done:
                return
            party, new = waited.party(loop)
            future = loop.create_future()
            party.futures.append(future)
            pending = tuple(waited.pending) if new else ()
        now_s = self._clock()
        for flight in pending:
            party.timers.append(loop.call_later(max(0.0, flight.deadline_s - now_s), self._expire, flight))
        await future

    # --- flights

    def _start(self, flight: Flight, asking: asyncio.AbstractEventLoop | None) -> None:
        check = flight.track.check
        try:
            if check.instant:
                self._call(flight, asking)
            elif is_async(check.function):
                self._spawn(flight, check.function, asking)
            elif not self.pool.submit(functools.partial(self._call, flight, asking)):
                flight.running = False
                self._land(flight, failed("no thread could be started"))
        except Exception as error:  # ours, and yet the question must be answered
            flight.running = False
            self._land(flight, raised(error))

    def _call(self, flight: Flight, asking: asyncio.AbstractEventLoop | None) -> None:
        """Of a plain function, in a thread of the pool."""
        if flight.landed:  # it waited too long for a thread
            flight.running = False
            return
        flight.started = True
        watching, said = Watching(), None
        try:
            with watching:
                said = flight.track.check.function()
            if hasattr(said, "__await__"):
                self._spawn(flight, lambda: said, asking, said)
                return
        except BaseException as error:  # noqa: BLE001 - also SystemExit is only this check's own result
            _close(said)
            result, misused = raised(error), False
        else:
            result, misused = interpreted(said, watching.forgotten)
        flight.running = False
        self._land(flight, result, misused)

    def _spawn(
        self, flight: Flight, function: Callable[[], Any], asking: asyncio.AbstractEventLoop | None, made: Any = None,
    ) -> None:
        """`made`: what `function` will give, when that exists already."""
        import asyncio

        loop = flight.loop = self._loop_for(asking)

        def spawn() -> None:
            if flight.landed and not flight.started:
                flight.running = False
                return
            # A context of its own: the deadline of whoever happened to ask first is not the check's.
            flight.task = loop.create_task(self._drive(flight, function), context=Context())
            flight.task.add_done_callback(ended)
            if flight.landed:  # its time was over before the awaitable came here
                flight.task.cancel()

        def ended(task: asyncio.Task[None]) -> None:
            """Also when it was cancelled before its first step."""
            flight.running = False
            _close(made)
            self._land(flight, failed("was cancelled"))
            if not task.cancelled():
                task.exception()

        if asyncio._get_running_loop() is loop:
            spawn()
        else:
            loop.call_soon_threadsafe(spawn)

    async def _drive(self, flight: Flight, function: Callable[[], Any]) -> None:
        import asyncio

        watching, misused = Watching(), False
        flight.started = True
        try:
            with watching:
                awaitable = function()
            said = await Watched(awaitable, watching)
        except asyncio.CancelledError as error:
            result = raised(error) if flight.landed else failed("was cancelled")
        except GeneratorExit:  # the loop is being torn down, and nothing may be awaited any more
            flight.running = False
            self._land(flight, failed("the event loop ended"))
            raise
        except BaseException as error:  # noqa: BLE001 - else SystemExit in a check would end the program's loop
            result = raised(error)
        else:
            result, misused = interpreted(said, watching.forgotten)
        flight.running = False
        self._land(flight, result, misused)

    def _land(self, flight: Flight, result: Result, misused: bool = False) -> None:
        track = flight.track
        message = self._redact(result.message)
        if isinstance(result.value, str):
            result = Result(result.status, message, self._redact(result.value), result.unit)
        if misused and not track.misused:
            log.error("health check %r is written or registered wrongly: %s", track.check.name, message)
        track.misused = misused
        with self.lock:
            if flight.landed:
                return
            flight.landed = True
            now_s = self._clock()
            before = track.record(result, message, now_s, max(0.0, now_s - flight.began_s))
            finished = []
            for each in flight.rounds:
                each.pending.discard(flight)
                if not each.pending:
                    each.done = True
                    finished.append(each)
                    if self._rounds.get(each.key) is each:  # else every set of exclusions ever asked for would be kept
                        del self._rounds[each.key]
        self._changed(track, before)
        spread(finished)

    def _expire(self, flight: Flight) -> None:
        if flight.landed:
            return
        check = flight.track.check
        why = "no answer" if flight.started else "the event loop did not run it" if flight.loop else "no thread was free"
        self._land(flight, failed(f"{why} within {check.timeout_s:g} s"))
        if flight.loop is not None and flight.task is not None:
            try:
                flight.loop.call_soon_threadsafe(flight.task.cancel)
            except RuntimeError:  # closed
                pass

    # --- places

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._home = loop

    def _loop_for(self, asking: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
        """The program's own while it runs, for the clients that a check uses belong to it; else one in a thread of ours."""
        home = self._home
        if home is not None and home.is_running():
            return home
        if asking is not None:
            self._home = asking
            return asking
        with self.lock:
            if self._own is None or not self._own.alive():
                self._own = LoopThread("holdfast-health-loop")
            return self._own.loop

    def _forked(self) -> None:
        """Threads and loops stayed with the parent."""
        self.lock = threading.RLock()
        self.pool.forked()
        self._rounds.clear()
        self._own = self._home = None
        self._pid = os.getpid()


def _close(made: Any) -> None:
    """A coroutine that nobody will await any more; one that has ended is none the worse for it."""
    if type(made) is CoroutineType:
        made.close()
