"""Slots that threads and tasks take and give back, with a bounded queue: beneath the bulkhead and the adaptive limit.

Rules: a free slot is taken and given back without a lock (a deque's pop and append are atomic, also on free-threaded builds).
Waiters are served in order of arrival.  Who stops waiting (timeout, cancellation, Ctrl-C) decides under the lock whether it had
been served, and gives back what it will not use; so no slot is ever lost.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from collections import deque
from typing import Any

from holdfast.runtime.errors import mark_unbegun
from holdfast.runtime.locks import new_lock

__all__ = ["Slots"]


class _Thread:
    """A thread that waits: its gate is a lock that the giver opens."""

    __slots__ = ("gate", "served")

    def __init__(self) -> None:
        self.gate, self.served = allocate_lock(), False
        self.gate.acquire()

    def wake(self) -> bool:
        self.gate.release()
        return True


class _Task:
    __slots__ = ("future", "loop", "served", "thread")

    def __init__(self, loop: Any) -> None:
        self.loop, self.future, self.served, self.thread = loop, loop.create_future(), False, get_ident()

    def wake(self) -> bool:
        try:
            if self.thread == get_ident():
                self._open()
            else:
                self.loop.call_soon_threadsafe(self._open)
        except RuntimeError:  # its loop was closed while it waited
            return False
        return True

    def _open(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class Slots:
    """`free` holds one item per free slot.  `take` and the two waits say whether the caller has a slot now."""

    __slots__ = ("debt", "free", "lock", "max_waiting", "shut", "size", "waiters")

    def __init__(self, size: int, max_waiting: int):
        self.size, self.max_waiting, self.debt = size, max_waiting, 0
        self.free: deque[None] = deque([None] * size)
        self.waiters: deque[Any] = deque()
        self.lock = new_lock()  # a garbage collection within may end a call of the same thread
        self.shut = False

    @property
    def taken(self) -> int:
        return self.size + self.debt - len(self.free)

    def take(self) -> bool:
        if self.waiters or self.shut:  # no overtaking
            return False
        try:
            self.free.pop()
        except IndexError:
            return False
        return True

    def give(self) -> None:
        if self.debt:
            with self.lock:
                if self.debt:
                    self.debt -= 1
                    return
        self.free.append(None)
        # Looked at after the append: a waiter enters the queue before it looks for a free slot once more, so one of the two sees
        # the other.
        if self.waiters:
            self._serve()

    def resize(self, size: int) -> None:
        """Slots above the new size that are in use go when they are given back."""
        with self.lock:
            change, self.size = size - self.size, size
            while change > 0 and self.debt:
                change, self.debt = change - 1, self.debt - 1
            self.free.extend([None] * max(0, change))
            while change < 0:
                change += 1
                try:
                    self.free.pop()
                except IndexError:
                    self.debt += 1
        if self.waiters:
            self._serve()

    def wait(self, patience_s: float) -> bool:
        waiter = _Thread()
        if not self._queue(waiter):
            return False
        try:
            if waiter.gate.acquire(timeout=max(0.0, patience_s)):
                return True
        except BaseException:
            if self._leave(waiter):
                self.give()
            raise
        return self._leave(waiter)

    async def await_(self, patience_s: float) -> bool:
        import asyncio

        waiter = _Task(asyncio.get_running_loop())
        if not self._queue(waiter):
            return False
        try:
            async with asyncio.timeout(patience_s):
                await waiter.future
        except TimeoutError:
            return self._leave(waiter)
        except BaseException as order:
            if self._leave(waiter):
                self.give()
            mark_unbegun(order)
            raise
        return True

    def _queue(self, waiter: Any) -> bool:
        with self.lock:
            if self.shut or len(self.waiters) >= self.max_waiting:
                return False
            self.waiters.append(waiter)
        if self.free:
            self._serve()
        return True

    def _leave(self, waiter: Any) -> bool:
        """Whether it had been served at the last moment."""
        with self.lock:
            if not waiter.served:
                self.waiters.remove(waiter)
            return bool(waiter.served)

    def _serve(self) -> None:
        with self.lock:
            while self.waiters:
                try:
                    self.free.pop()
                except IndexError:
                    return
                waiter = self.waiters.popleft()
                waiter.served = True
                if not waiter.wake():
                    self.free.append(None)
