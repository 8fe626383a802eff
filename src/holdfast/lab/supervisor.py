"""The service manager of one host: starts programs, restarts them, reaps, and does what the lab asks over one socket.

In a namespace it is process 1; on loopback it is a subreaper.  In both it is the watchdog: when the socket closes, because
holdfast ended or was killed, everything that runs beneath it is killed and its System V segments are removed.  One runs per
host, so it imports only the standard library and neighbours that do the same.  Messages are JSON lines.

  asked     {"id": 7, "do": "signal", "process": "db1/patroni", "signal": "KILL", "inner": "postgres"}
  answered  {"id": 7, "ok": ...} or {"id": 7, "error": "..."}
  told      {"told": "process.ended", "at": 12.5, "process": "db1/patroni", "detail": {...}}
"""

import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from holdfast.lab.commands import Commands
from holdfast.lab.launch import Place, launch
from holdfast.lab.processes import everyone_below, signal_all, stat_of
from holdfast.lab.segments import Segments
from holdfast.lab.writing import Writing

_LONGEST_WAIT_S = 0.5
_GRACE_S = 10.0


@dataclass(slots=True)
class Kept:
    """One process that this host is meant to run."""

    spec: dict[str, Any]
    wanted: bool = False
    pid: int = 0
    starts: int = 0
    due_s: float | None = None
    recent: list[float] = field(default_factory=list)
    stopping: list[int] = field(default_factory=list)
    """Identifiers of `stop` requests that wait for its end."""


class Supervisor:
    """See the module's first lines.  One thread, one loop."""

    def __init__(self, channel: socket.socket, place: Place, verbs: dict[str, Callable[..., Any]] | None = None):
        self.channel = channel
        self.place = place
        self.kept: dict[str, Kept] = {}
        self.paused = False
        self.spared = 0
        """A process that is no program of the host's, but serves its disk."""
        self.segments = None if os.getpid() == 1 else Segments(self.everyone, (place.uid, place.gid))
        """As process 1 there is nothing to do: a namespace takes its segments with it."""
        self.unread = b""
        self.selector = selectors.DefaultSelector()
        self.commands = Commands(place, self.selector, self._say)
        writing = Writing(place)
        self.verbs: dict[str, Callable[..., Any]] = {
            "keep": self.keep, "write": writing.write, "make_directories": writing.make_directories, "start": self.start,
            "signal": self.signal, "states": self.states, "pause": self.pause, "resume": self.resume, "tree": self.tree,
            "forget": self.forget, **(verbs or {}),
        }  # fmt: skip
        self.answered_later: dict[str, Callable[..., None]] = {"run": self.commands.run, "stop": self.stop}

    # ---- the loop

    def serve(self) -> None:
        """Until the socket closes."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        self.selector.register(self.channel, selectors.EVENT_READ)
        self.selector.register(wake_read, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self.selector.select(self._wait_s()):
                    if key.fileobj is self.channel:
                        if not self._receive():
                            return
                    elif key.fileobj == wake_read:
                        os.read(wake_read, 4096)
                    else:
                        self.commands.read(key.data)
                self._reap()
                self._due()
        finally:
            self.end_everything()

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        due = [kept.due_s for kept in self.kept.values() if kept.due_s is not None and not self.paused]
        due += self.commands.due()
        return max(0.0, min([_LONGEST_WAIT_S, *(moment - now_s for moment in due)]))

    def _receive(self) -> bool:
        try:
            data = self.channel.recv(1 << 20)
        except ConnectionError:
            return False
        if not data:
            return False
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            identifier, verb = message.pop("id"), message.pop("do")
            try:
                if later := self.answered_later.get(verb):
                    later(identifier, **message)
                else:
                    self._say({"id": identifier, "ok": self.verbs[verb](**message)})
            except Exception as error:  # noqa: BLE001 - whatever went wrong belongs to who asked
                self._say({"id": identifier, "error": f"{type(error).__name__}: {error}"})
        return True

    def _say(self, message: dict[str, Any]) -> None:
        self.channel.sendall(json.dumps(message).encode() + b"\n")

    def _tell(self, kind: str, process: str, **detail: object) -> None:
        self._say({"told": kind, "at": time.monotonic(), "process": process, "detail": detail})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.segments:
                self.segments.look(pid)
            code = os.waitstatus_to_exitcode(status)
            for name, kept in self.kept.items():
                if kept.pid == pid:
                    self._ended(name, kept, code)
            self.commands.ended(pid, code)

    def _ended(self, name: str, kept: Kept, code: int) -> None:
        now_s = time.monotonic()
        if kept.spec.get("ends_group"):
            with suppress(ProcessLookupError):
                os.killpg(kept.pid, signal.SIGKILL)
        kept.pid = 0
        restart = kept.spec["restart"]
        self._tell("process.ended", name, code=code)
        for identifier in kept.stopping:
            self._say({"id": identifier, "ok": None})
        kept.stopping.clear()
        if not kept.wanted or restart["policy"] == "never":
            return
        kept.recent = [moment for moment in kept.recent if now_s - moment < restart["window_s"]]
        if restart["burst"] and len(kept.recent) >= restart["burst"]:
            self._tell("process.gave_up", name, starts=kept.starts)
            return
        kept.due_s = now_s + restart["delay_s"]

    def _due(self) -> None:
        now_s = time.monotonic()
        if self.segments:
            self.segments.look()
        for name, kept in self.kept.items():
            if kept.due_s is not None and kept.due_s <= now_s and not self.paused:
                self.start(name)
        self.commands.end_overdue()

    # ---- processes

    def keep(self, processes: list[dict[str, Any]]) -> None:
        """Take note of processes, or of how they are to be run from their next start on; nothing starts yet."""
        for spec in processes:
            if known := self.kept.get(spec["name"]):
                known.spec = spec  # what runs goes on as it was started
            else:
                self.kept[spec["name"]] = Kept(spec)

    def start(self, process: str) -> None:
        kept = self.kept[process]
        kept.wanted, kept.due_s = True, None
        if kept.pid:
            return
        kept.pid = launch(kept.spec, self.place)
        kept.starts += 1
        kept.recent.append(time.monotonic())
        self._tell("process.started", process, attempt=kept.starts)

    def stop(self, identifier: int, process: str) -> None:
        kept = self.kept[process]
        kept.wanted, kept.due_s = False, None
        if not kept.pid:
            self._say({"id": identifier, "ok": None})
            return
        kept.stopping.append(identifier)
        os.kill(kept.pid, getattr(signal, f"SIG{kept.spec['stop_signal']}"))

    def signal(self, process: str, signal_name: str, inner: str = "") -> None:
        pid = self.pid_of(process, inner)
        if not pid:
            raise ProcessLookupError(f"{inner or process} is not running")
        os.kill(pid, getattr(signal, f"SIG{signal_name}"))

    def pid_of(self, process: str, inner: str) -> int:
        """0 when it is not there."""
        kept = self.kept[process]
        if not inner:
            return kept.pid
        try:
            with open(self.place.path(kept.spec["inner"][inner])) as file:
                return int(file.readline())
        except (OSError, ValueError):
            return 0

    def tree(self, process: str) -> list[int]:
        """Everything that belongs to it: what runs beneath it, and beneath the processes inside, which may have left it."""
        roots = {self.kept[process].pid, *(self.pid_of(process, inner) for inner in self.kept[process].spec["inner"])} - {0}
        return sorted(roots | {pid for root in roots for pid in everyone_below(root)})

    def forget(self, process: str) -> None:
        """It ends at once, if it is there, and is kept no more."""
        kept = self.kept.pop(process, None)
        if kept and kept.pid:
            signal_all([kept.pid], signal.SIGKILL)

    def states(self) -> list[dict[str, Any]]:
        found = []
        for name, kept in self.kept.items():
            life = "waiting" if kept.due_s is not None else "gone"
            found.append(self._state(name, kept.pid, life) | {"starts": kept.starts})
            for inner in kept.spec["inner"]:
                found.append(self._state(f"{name}:{inner}", self.pid_of(name, inner), "gone") | {"starts": 0})
        return found

    def _state(self, name: str, pid: int, otherwise: str) -> dict[str, Any]:
        stat = stat_of(pid) if pid else None
        if stat is None or stat[0] in "ZX":
            return {"name": name, "life": otherwise, "identity": ""}
        life = "stopped" if stat[0] in "Tt" else "running"
        return {"name": name, "life": life, "identity": f"{pid}.{stat[2]}"}

    # ---- the host

    def everyone(self) -> list[int]:
        """Every process of this host but the supervisor."""
        if os.getpid() == 1:
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, self.spared)]
        return everyone_below(os.getpid())

    def pause(self) -> int:
        """Stop every process; new ones that a fork just made are stopped as well.  Returns how many stand still."""
        self.paused = True
        for _ in range(50):
            moving = [pid for pid in self.everyone() if (stat := stat_of(pid)) and stat[0] not in "TtZX"]
            if not moving:
                break
            signal_all(moving, signal.SIGSTOP)
            time.sleep(0.002)
        return len(self.everyone())

    def resume(self) -> None:
        self.paused = False
        signal_all(self.everyone(), signal.SIGCONT)

    # ---- the end

    def end_everything(self) -> None:
        """Kill what runs beneath us until nothing does, then remove the shared memory that it left."""
        until_s = time.monotonic() + _GRACE_S
        while time.monotonic() < until_s:
            below = [pid for pid in self.everyone() if (stat := stat_of(pid)) and stat[0] not in "ZX"]
            if self.segments:
                self.segments.look()
            if not below:
                break
            signal_all(below, signal.SIGKILL)
            time.sleep(0.005)
        if self.segments:
            self.segments.remove()
        self._bury()

    def _bury(self) -> None:
        """Who is dead came to us; left as zombies they would wait for a process 1 that, in a container, may never look."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
