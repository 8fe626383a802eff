"""One run of one check, and the wait of several askers for several runs.

Rules: a flight lands once, by its result or by its deadline, whichever is first; until its function has really ended, no other
flight of that check begins.  That is why a check that hangs holds one thread or one task, however often it is asked.
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from _thread import LockType
    from collections.abc import Hashable

    from holdfast.runtime.health.results import Report
    from holdfast.runtime.health.track import Track

__all__ = ["Flight", "Round", "spread"]


class Flight:
    __slots__ = ("began_s", "deadline_s", "landed", "loop", "pid", "rounds", "running", "started", "task", "track")

    def __init__(self, track: Track, now_s: float, pid: int):
        self.track = track
        self.pid = pid
        self.began_s = now_s
        self.deadline_s = now_s + track.check.timeout_s
        self.landed = False
        self.running = True
        """Until its function has ended, also beyond the deadline."""
        self.started = False
        """Its function has been called."""
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[Any] | None = None
        self.rounds: list[Round] = []

    def over(self, pid: int) -> bool:
        """Another one may begin: it has ended, or will never end because its event loop was closed under it or its thread stayed
        in the parent of a fork."""
        if self.pid != pid:
            return True
        return self.landed and (not self.running or (self.loop is not None and self.loop.is_closed()))


class _Party:
    """Those who wait for a round in one event loop."""

    __slots__ = ("futures", "timers")

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[None]] = []
        self.timers: list[asyncio.TimerHandle] = []

    def go(self) -> None:
        """In their loop."""
        for timer in self.timers:
            timer.cancel()
        for future in self.futures:
            if not future.done():
                future.set_result(None)


class Round:
    """The flights that one question waits for.  Everybody with the same question waits for the same round."""

    __slots__ = ("done", "gates", "key", "parties", "pending", "report")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.report: tuple[Report, int] | None = None
        """The verdict, made by the first of those who waited, and the era it holds for."""
        self.pending: set[Flight] = set()
        self.done = False
        self.gates: list[LockType] = []
        self.parties: dict[asyncio.AbstractEventLoop, _Party] = {}

    def gate(self) -> LockType:
        gate = allocate_lock()
        gate.acquire()
        self.gates.append(gate)
        return gate

    def party(self, loop: asyncio.AbstractEventLoop) -> tuple[_Party, bool]:
        """And whether it is new."""
        found = self.parties.get(loop)
        if found is not None:
            return found, False
        self.parties[loop] = _Party()
        return self.parties[loop], True


def spread(rounds: list[Round]) -> None:
    """Wakes all who wait for these rounds, which are done."""
    for each in rounds:
        for gate in each.gates:
            gate.release()
        for loop, party in each.parties.items():
            try:
                loop.call_soon_threadsafe(party.go)
            except RuntimeError:  # the loop was closed, and they went with it
                pass
