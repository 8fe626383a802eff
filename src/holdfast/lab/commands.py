"""Commands that the lab asks a host to run once, as a person in a shell there would, and what they print.

Standard library, `launch` and `processes` only, because supervisors import it.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from holdfast.lab.launch import Place, launch
from holdfast.lab.processes import signal_all

_OUTPUT_BYTES = 1 << 20


@dataclass(slots=True)
class Running:
    """One command, and what it printed so far."""

    identifier: int
    pid: int
    pipe: int
    until_s: float
    printed: bytearray = field(default_factory=bytearray)
    closed: bool = False
    code: int | None = None


class Commands:
    """Owned by a supervisor.  `say` answers the lab."""

    def __init__(self, place: Place, selector: selectors.BaseSelector, say: Callable[[dict[str, Any]], None]):
        self._place, self._selector, self._say = place, selector, say
        self._running: dict[int, Running] = {}

    def run(self, identifier: int, argv: list[str], run_limit_s: float, user: str) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        spec = {"argv": argv, "env": {}, "environment_file": "", "cwd": "/", "user": user, "needs": [], "log": write}
        pid = launch(spec, self._place)
        os.close(write)
        running = Running(identifier, pid, read, time.monotonic() + run_limit_s)
        self._running[pid] = running
        self._selector.register(read, selectors.EVENT_READ, running)

    def read(self, running: Running) -> None:
        """Its pipe has something, or is at its end."""
        try:
            data = os.read(running.pipe, 1 << 16)
        except BlockingIOError:
            return
        if data:
            running.printed += data[: max(0, _OUTPUT_BYTES - len(running.printed))]
        else:
            self._close(running)
            self._finish(running)

    def ended(self, pid: int, code: int) -> None:
        """Some process was reaped; perhaps it is one of these."""
        if running := self._running.get(pid):
            running.code = code
            self._finish(running)

    def due(self) -> list[float]:
        """When the patience with each of them ends."""
        return [running.until_s for running in self._running.values()]

    def end_overdue(self) -> None:
        now_s = time.monotonic()
        signal_all([running.pid for running in self._running.values() if running.until_s <= now_s], signal.SIGKILL)

    def _close(self, running: Running) -> None:
        if not running.closed:
            running.closed = True
            self._selector.unregister(running.pipe)
            os.close(running.pipe)

    def _finish(self, running: Running) -> None:
        """Answer once the command has ended; what a grandchild may still print is not waited for."""
        if running.code is None:
            return
        if not running.closed:
            self.read(running)
            self._close(running)
        if self._running.pop(running.pid, None):
            text = running.printed.decode(errors="replace")
            self._say({"id": running.identifier, "ok": {"code": running.code, "text": text}})
