"""systemd is told the truth: READY=1 when the program is ready, WATCHDOG=1 only while it is alive, STOPPING=1 when it drains.

    [Service]
    Type=notify
    WatchdogSec=10

Rules: the protocol is a datagram to the socket in NOTIFY_SOCKET (sd_notify(3)); without that variable nothing is sent.  It runs
in threads, so a blocked event loop with an EventLoopLag among the liveness checks means no WATCHDOG=1, and systemd restarts the
program.  The watchdog has a thread of its own: a dependency that hangs must not delay it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Self

from holdfast.runtime import checks

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health

__all__ = ["Notifier", "notify", "watchdog_s"]

log = logging.getLogger("holdfast.runtime")


def notify(state: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Sends `state` (lines like READY=1) and says whether there was somebody to send it to.  OSError when it cannot be sent."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address[0] not in "/@":
        raise OSError(f"NOTIFY_SOCKET is {address!r}; only sockets with a path or an abstract name are known here")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(1.0)
        sender.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
    return True


def watchdog_s(environment: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """WatchdogSec= as this process is told it (sd_watchdog_enabled(3)); None when there is none, or it is for another process."""
    said, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not said.isdigit() or int(said) == 0 or (whose and whose != str(os.getpid() if pid is None else pid)):
        return None
    return int(said) / 1e6


class Notifier:
    """`with Notifier(health): ...`, or `start()` and `stop()`.  Readiness is looked at every `every_s`; liveness at half of the
    watchdog's interval, as sd_watchdog_enabled(3) advises.
    """

    def __init__(self, health: Health, *, every_s: float = 1.0, environment: Mapping[str, str] = os.environ):
        self._health, self._environment = health, environment
        self._every_s = checks.number("every_s", every_s, low=0.01, high=3600.0)
        self._watchdog_s = watchdog_s(environment)
        self._ended = threading.Event()
        self._said: dict[str, str] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        self._health.validate()
        if not self._threads and self._environment.get("NOTIFY_SOCKET"):
            self._ended.clear()
            works: list[tuple[Callable[[], object], float]] = [(self.tell, self._every_s)]
            if self._watchdog_s is not None:
                works.append((self.guard, self._watchdog_s / 2))
            for work in works:
                thread = threading.Thread(target=self._repeat, args=work, name="holdfast-health-systemd", daemon=True)
                thread.start()
                self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Says STOPPING=1, if draining has not said it."""
        threads, self._threads = self._threads, []
        self._ended.set()
        for thread in threads:
            thread.join(5.0)
        if threads:
            try:
                self._send({"STOPPING": "1"})
            except OSError:
                log.exception("systemd could not be told that %r stops", self._health.service)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _repeat(self, work: Callable[[], object], every_s: float) -> None:
        while True:
            try:
                work()
            except Exception:
                log.exception("systemd could not be told of the health of %r", self._health.service)
            if self._ended.wait(every_s):
                return

    def guard(self) -> bool:
        """WATCHDOG=1 if the program is alive."""
        return self._health.ask("liveness").ok and notify("WATCHDOG=1", self._environment)

    def tell(self) -> None:
        """READY=1 the first time that the program is ready, STOPPING=1 when it drains, STATUS= when that has changed."""
        report = self._health.ask("readiness")
        causes = ", ".join(report.causes)
        self._send({
            **({"READY": "1"} if report.ok else {}),
            **({"STOPPING": "1"} if report.draining else {}),
            "STATUS": self._health.draining or f"{report.status}" + (f": {causes}" if causes else ""),
        })

    def _send(self, news: dict[str, str]) -> None:
        """What has not been said before."""
        lines = {key: value for key, value in news.items() if self._said.get(key) != value}
        if lines:
            notify("\n".join(f"{key}={value}" for key, value in lines.items()), self._environment)
            self._said |= lines
