"""A bounded number of threads for checks that block.

Rules: daemons, so that a check that hangs for ever does not keep the program from ending; begun when there is work and no idle
thread, ended when idle for long; none survives a fork, and the child begins with none.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Pool"]

IDLE_S = 30.0


class Pool:
    __slots__ = ("_at_most", "_idle", "_jobs", "_ready", "threads")

    def __init__(self, at_most: int):
        self._at_most = at_most
        self.threads = 0
        self._begin()

    def _begin(self) -> None:
        self._ready = threading.Condition(threading.Lock())
        self._jobs: deque[Callable[[], None]] = deque()
        self._idle = 0

    def forked(self) -> None:
        """In the child of a fork: the threads stayed with the parent."""
        self.threads = 0
        self._begin()

    def submit(self, job: Callable[[], None]) -> bool:
        """The job must not raise.  False when it will never be run: there is no thread, and none is to be had."""
        with self._ready:
            self._jobs.append(job)
            if self._idle >= len(self._jobs) or self.threads >= self._at_most:
                self._ready.notify()
                return True
            self.threads += 1
        try:
            threading.Thread(target=self._work, name="holdfast-health", daemon=True).start()
        except RuntimeError:  # the machine has no more of them
            with self._ready:
                self.threads -= 1
                if not self.threads and job in self._jobs:
                    self._jobs.remove(job)
                    return False
        return True

    def _work(self) -> None:
        ready = self._ready
        while True:
            with ready:
                while not self._jobs:
                    self._idle += 1
                    woken = ready.wait(IDLE_S)
                    self._idle -= 1
                    if not woken and not self._jobs:
                        self.threads -= 1
                        return
                job = self._jobs.popleft()
            job()
            del job  # it holds the check's result, for as long as this thread idles
