"""The lab's end of the socket to one host's supervisor: ask and wait for the answer, pass on what it tells by itself."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

from holdfast.lab.verbs import Happening, HostGone


class Agent:
    """Owned by a lab, one per running host.  `heard` gets what the supervisor tells, with times on the monotonic clock."""

    def __init__(self, host: str, heard: Callable[[Happening], None]):
        self.host = host
        self.pid = 0
        """Of the host's first process, as the lab sees it; 0 until the host reported it."""
        self._heard = heard
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._failed = "has no power"
        self._ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def connect(self, channel: socket.socket, task_group: asyncio.TaskGroup) -> None:
        reader, self._writer = await asyncio.open_connection(sock=channel, limit=1 << 24)
        self._listening = task_group.create_task(self._listen(reader), name=f"agent {self.host}")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._handle(json.loads(line))
        except ConnectionError:
            pass
        finally:
            self._lost()

    def _handle(self, message: dict[str, Any]) -> None:
        if "pid" in message:
            self.pid = message["pid"]
            if not self._ready.done():  # whoever waited for it may have been told to end
                self._ready.set_result(self.pid)
        elif "failed" in message:
            self._failed = message["failed"]
        elif "told" in message:
            self._heard(
                Happening(at_s=message["at"], kind=message["told"], process=message["process"], detail=message["detail"])
            )
        elif (future := self._waiting.pop(message["id"], None)) and not future.done():
            if "error" in message:
                future.set_exception(OSError(f"{self.host}: {message['error']}"))
            else:
                future.set_result(message["ok"])

    def _lost(self) -> None:
        for future in (*self._waiting.values(), self._ready):
            if not future.done():
                future.set_exception(HostGone(f"{self.host}: {self._failed}"))
                future.exception()  # marked as seen: whoever waits still gets it, nobody waiting is no error
        self._waiting.clear()

    async def born(self, limit_s: float = 10.0) -> int:
        async with asyncio.timeout(limit_s):
            return await self._ready

    def send(self, line: dict[str, Any]) -> None:
        self._writer.write(json.dumps(line).encode() + b"\n")

    async def ask(self, verb: str, *, limit_s: float = 30.0, **arguments: Any) -> Any:
        """Raises HostGone, or OSError with what went wrong inside, or TimeoutError."""
        if self._listening.done():
            raise HostGone(f"{self.host}: {self._failed}")
        self._next += 1
        identifier = self._next
        future = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        self.send({"id": identifier, "do": verb, **arguments})
        try:
            async with asyncio.timeout(limit_s):  # not wait_for, which may lose a cancellation that comes with the answer
                return await future
        finally:
            self._waiting.pop(identifier, None)

    async def close(self) -> None:
        self._writer.close()
        await asyncio.wait([self._listening], timeout=2)
