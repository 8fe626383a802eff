"""A small HTTP server for one verdict: the page, JSON, health, Prometheus, and a stream of events.

    GET /                the live page                 GET /status     all of it as JSON; 503 when the service fails
    GET /health          application/health+json       GET /metrics    Prometheus
    GET /events          server-sent events: the verdict, whenever it changes and once in a while

It answers GET and HEAD and nothing else, holds few connections, and gives a slow client little time.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib import resources
from math import inf

import h11

from holdfast.watch.aggregate import Verdict
from holdfast.watch.answers import CODES, as_event, as_health, as_json, as_prometheus
from holdfast.watch.names import literal

MOST_CONNECTIONS = 64
MOST_LISTENERS = 32
"""Of them, for events: however many look at the page, balancers and Prometheus get their answers."""
PATIENCE_S = 5.0
EVENT_EVERY_S = 1.0
SAME_S = 0.1
"""An answer serves all who ask within so long, or until something changes."""
SHARE = 10
"""Of this many parts of the time, writing one form takes one at the most: of thousands of targets that is tens of ms a piece."""
_JSON = "application/json"


class Server:
    """`verdict` is asked for each answer; `changed` wakes those who listen for events.

    hosts: names by which it may be asked for, beside addresses, `localhost`, and whatever ends in `.localhost`.  Others are
    refused where it listens on loopback: a page from elsewhere, whose name its owner points to 127.0.0.1, must not read this.
    """

    def __init__(self, verdict: Callable[[], Verdict], hosts: Sequence[str] = ()):
        self._verdict = verdict
        self._hosts = frozenset(host.lower() for host in hosts)
        self._changed = asyncio.Event()
        self._changed_s = 0.0
        self._connections = self._listeners = 0
        self._written: dict[str, tuple[float, float, int, bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.written = 0
        """Bodies that were written anew."""

    def changed(self) -> None:
        self._changed_s = asyncio.get_running_loop().time()
        self._changed.set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def on(self, listening: socket.socket) -> AsyncIterator[None]:
        """Serve on a socket that somebody else opened; at the end everybody is hung up on, who listens for events as well."""
        server = await asyncio.start_server(self._accepted, sock=listening, limit=1 << 14)
        try:
            yield
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(tuple(self._tasks), timeout=PATIENCE_S)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections > MOST_CONNECTIONS:
                await self._answer(writer, h11.Connection(h11.SERVER), 503, "text/plain", b"too many connections\n")
                return
            connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 14)
            async with asyncio.timeout(PATIENCE_S):
                request = await _request(connection, reader)
            if request is not None:
                await self._reply(writer, connection, request)
        except (TimeoutError, OSError, h11.ProtocolError):
            writer.transport.abort()  # whoever is slow, gone, or speaks something else
        finally:
            self._connections -= 1
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    async def _reply(self, writer: asyncio.StreamWriter, connection: h11.Connection, request: h11.Request) -> None:
        path = request.target.split(b"?")[0].decode("ascii", "replace")
        if request.method not in (b"GET", b"HEAD"):
            await self._answer(writer, connection, 405, "text/plain", b"only GET\n", ("Allow", "GET, HEAD"))
            return
        if not self._may_ask(request, writer.get_extra_info("sockname")):
            told = b"This host name is not known here.  Ask by address, or name it: holdfast watch --host NAME\n"
            await self._answer(writer, connection, 421, "text/plain", told, head=request.method == b"HEAD")
            return
        if path == "/events" and request.method == b"GET":
            if self._listeners >= MOST_LISTENERS:
                await self._answer(writer, connection, 503, "text/plain", b"too many listen already\n", ("Retry-After", "5"))
                return
            self._listeners += 1
            try:
                await self._events(writer, connection)
            finally:
                self._listeners -= 1
            return
        found = self._found(path)
        if found is None:
            await self._answer(writer, connection, 404, "text/plain", b"/, /status, /health, /metrics or /events\n")
            return
        await self._answer(writer, connection, *found, head=request.method == b"HEAD")

    def _found(self, path: str) -> tuple[int, str, bytes] | None:
        if path == "/":
            return 200, "text/html; charset=utf-8", resources.files("holdfast.watch").joinpath("page.html").read_bytes()
        written = self._body(path)
        return None if written is None else (written[0], _KINDS[path], written[1])

    def _body(self, path: str) -> tuple[int, bytes] | None:
        """Code and body, written as often as `SAME_S` and `SHARE` say."""
        if path not in _KINDS:
            return None
        now_s = asyncio.get_running_loop().time()
        at_s, cost_s, code, body = self._written.get(path, (-inf, 0.0, 0, b""))
        if now_s - at_s >= SHARE * cost_s and (now_s - at_s >= SAME_S or at_s < self._changed_s):
            began_s = time.thread_time()
            verdict = self._verdict()
            code = CODES[verdict.status] if path in ("/status", "/health") else 200
            body = _WRITERS[path](verdict, now_s)
            self._written[path] = (now_s, time.thread_time() - began_s, code, body)
            self.written += 1
        return code, body

    def _may_ask(self, request: h11.Request, here: tuple[object, ...]) -> bool:
        """DNS rebinding: see the class."""
        if not is_loopback(str(here[0])):
            return True
        host = next((value.decode("latin-1") for name, value in request.headers if name == b"host"), "").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        known = name in self._hosts or name == "localhost" or name.endswith(".localhost")
        return known or not name or literal(name.strip("[]")) is not None

    async def _answer(
        self, writer: asyncio.StreamWriter, connection: h11.Connection, code: int, kind: str, body: bytes,
        *more: tuple[str, str], head: bool = False,
    ) -> None:  # fmt: skip
        headers = [
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"), ("Connection", "close"),
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", POLICY),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("Referrer-Policy", "no-referrer"), *more,
        ]  # fmt: skip
        data = connection.send(h11.Response(status_code=code, headers=headers, reason=HTTPStatus(code).phrase)) or b""
        if not head:
            data += connection.send(h11.Data(data=body)) or b""
        writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            await writer.drain()

    async def _events(self, writer: asyncio.StreamWriter, connection: h11.Connection) -> None:
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("Connection", "close")]
        writer.write(connection.send(h11.Response(status_code=200, headers=headers)) or b"")
        while True:
            _, event = self._body("/events") or (0, b"")
            writer.write(connection.send(h11.Data(data=event)) or b"")
            async with asyncio.timeout(PATIENCE_S):
                await writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVENT_EVERY_S):
                    await self._changed.wait()
            await asyncio.sleep(0.1)  # of many changes in one moment the last is enough


POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
POLICY += "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The page needs nothing from elsewhere, and may load nothing from there."""


_KINDS = {
    "/status": _JSON, "/health": "application/health+json", "/metrics": "text/plain; version=0.0.4; charset=utf-8",
    "/events": "text/event-stream",
}  # fmt: skip
_WRITERS: Mapping[str, Callable[[Verdict, float], bytes]] = {
    "/status": lambda verdict, now_s: json.dumps(as_json(verdict, now_s), indent=1).encode(),
    "/health": lambda verdict, _: json.dumps(as_health(verdict)).encode(),
    "/metrics": lambda verdict, _: as_prometheus(verdict).encode(),
    "/events": as_event,
}  # fmt: skip


def is_loopback(address: str) -> bool:
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """None where the client hung up."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(1 << 14)
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            return event
        elif isinstance(event, h11.ConnectionClosed):
            return None
