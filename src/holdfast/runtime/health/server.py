"""A small HTTP server for health alone, for programs that have none: `with HealthServer(health, port=8086): ...`.

Rules: it runs in a thread of its own, so it answers also while the program's event loop is blocked.  One request per connection;
a request has to be there whole within a few seconds and a few kilobytes, and the answer to be taken within a few seconds; there
are never more connections than `max_connections`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from holdfast.runtime import checks
from holdfast.runtime.health.answers import Answer, error
from holdfast.runtime.health.asgi import misconfigured
from holdfast.runtime.health.loops import LoopThread
from holdfast.runtime.health.routes import routes_of

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health

__all__ = ["HealthServer"]

log = logging.getLogger("holdfast.runtime")

_HEAD_LIMIT = 8192
_REQUEST = re.compile(r"([A-Z]{1,20}) (\S{1,4096}) HTTP/1\.[01]")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")


class HealthServer:
    """host, port          where it listens; port 0 takes a free one, which `port` then tells
    max_connections     beyond so many a new one is closed at once
    patience_s          for the whole request, and for the whole answer
    and the settings of Routes: prefix, details, paths, metrics.

    `start()` returns when it listens; OSError when it cannot.  Called within an event loop, coroutine checks run in that loop.
    """

    def __init__(
        self, health: Health, *, host: str = "127.0.0.1", port: int = 8086, max_connections: int = 100, patience_s: float = 5.0,
        **settings: Any,
    ):
        self._routes = routes_of(health, **settings)
        self._health = health
        self.host = host
        self.port = checks.whole("port", port, low=0, high=65_535)
        self._at_most = checks.whole("max_connections", max_connections, low=1, high=10_000)
        self._patience_s = checks.number("patience_s", patience_s, low=0.0, low_open=True, high=300.0)
        self._open: set[asyncio.Task[None]] = set()
        self._thread: LoopThread | None = None
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        if self._thread is not None:
            raise RuntimeError("the server of health runs already")
        self._health.validate()
        if asyncio._get_running_loop() is not None:
            self._health.bind_loop()
        self._thread = LoopThread("holdfast-health-server")
        try:
            self._thread.call(self._listen(), 10.0)
        except BaseException:
            self._thread.stop()
            self._thread = None
            raise

    def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and thread.alive():
            thread.call(self._close(), 10.0)
            thread.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=_HEAD_LIMIT, backlog=self._at_most)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._at_most:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head_only, answer = await self._request(reader)
            async with asyncio.timeout(self._patience_s):
                lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", "Connection: close"]
                lines += [f"{name}: {value}" for name, value in answer.headers]
                writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head_only else answer.body))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError):  # the client's affair
            pass
        except Exception:
            log.exception("the server of health could not answer")
        finally:
            writer.transport.abort()  # does nothing when it was closed in good order

    async def _request(self, reader: asyncio.StreamReader) -> tuple[bool, Answer]:
        """Whether only the head is wanted, and the answer."""
        try:
            async with asyncio.timeout(self._patience_s):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return False, error(408, "the request took too long")
        except asyncio.LimitOverrunError:
            return False, error(431, f"the head of a request must be at most {_HEAD_LIMIT} bytes")
        first, *rest = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        parsed = _REQUEST.fullmatch(first)
        headers = [_HEADER.fullmatch(line) for line in rest]
        if parsed is None or not all(headers):
            return False, error(400, "bad request")
        method, target = parsed.groups()
        path, _, query = target.partition("?")
        asked = self._routes.question(unquote(path), query)
        if asked is None:
            return method == "HEAD", error(404, "not found")
        refused = self._routes.refusal(asked, method)
        if refused is None:
            try:
                reports = await self._routes.aask(asked, own_loop=False)
            except ValueError as wrong:
                refused = misconfigured(wrong)
            else:
                named = {found[1].lower(): found[2] for found in headers if found}
                refused = self._routes.answer(asked, reports, lambda: named)
        return method == "HEAD", refused
