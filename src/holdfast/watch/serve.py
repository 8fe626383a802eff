"""A small HTTP server for one verdict: the page, JSON, health, Prometheus, and a stream of events.

    GET /                the live page                 GET /status     all of it as JSON; 503 when the service fails
    GET /health          application/health+json       GET /metrics    Prometheus
    GET /events          server-sent events: the verdict, whenever it changes and once in a while

It answers GET and HEAD and nothing else, holds few connections, and gives a slow client little time.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from importlib import resources

import h11

from holdfast.watch.aggregate import Verdict
from holdfast.watch.answers import CODES, as_event, as_health, as_json, as_prometheus

MOST_CONNECTIONS = 64
PATIENCE_S = 5.0
EVENT_EVERY_S = 1.0
_JSON = "application/json"


class Server:
    """`verdict` is asked for each answer; `changed` wakes those who listen for events."""

    def __init__(self, verdict: Callable[[], Verdict]):
        self._verdict = verdict
        self._changed = asyncio.Event()
        self._connections = 0

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Raises OSError where the port is taken.  Port 0: any that is free."""
        return await asyncio.start_server(self._serve, host, port, limit=1 << 14)

    async def on(self, listening: socket.socket) -> asyncio.Server:
        """The same on a socket that somebody else opened."""
        return await asyncio.start_server(self._serve, sock=listening, limit=1 << 14)

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
        except (TimeoutError, OSError, h11.RemoteProtocolError):
            pass  # whoever is slow, gone, or speaks something else
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
        if path == "/events" and request.method == b"GET":
            await self._events(writer, connection)
            return
        found = self._found(path)
        if found is None:
            await self._answer(writer, connection, 404, "text/plain", b"/, /status, /health, /metrics or /events\n")
            return
        await self._answer(writer, connection, *found, head=request.method == b"HEAD")

    def _found(self, path: str) -> tuple[int, str, bytes] | None:
        if path == "/":
            return 200, "text/html; charset=utf-8", resources.files("holdfast.watch").joinpath("page.html").read_bytes()
        verdict, now_s = self._verdict(), asyncio.get_running_loop().time()
        code = CODES[verdict.status]
        if path == "/status":
            return code, _JSON, json.dumps(as_json(verdict, now_s), indent=1).encode()
        if path == "/health":
            return code, "application/health+json", json.dumps(as_health(verdict)).encode()
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", as_prometheus(verdict).encode()
        return None

    async def _answer(
        self, writer: asyncio.StreamWriter, connection: h11.Connection, code: int, kind: str, body: bytes,
        *more: tuple[str, str], head: bool = False,
    ) -> None:  # fmt: skip
        headers = [
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"), ("Connection", "close"),
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", POLICY), *more,
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
        loop = asyncio.get_running_loop()
        while True:
            writer.write(connection.send(h11.Data(data=as_event(self._verdict(), loop.time()))) or b"")
            async with asyncio.timeout(PATIENCE_S):
                await writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(EVENT_EVERY_S):
                    await self._changed.wait()
            await asyncio.sleep(0.1)  # of many changes in one moment the last is enough


POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
"""The page needs nothing from elsewhere, and may load nothing from there."""


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
