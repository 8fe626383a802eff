"""Programs to watch, on loopback: one that answers as told, one that never answers, and one that is not there."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def answering(address: str = "127.0.0.1", status: int = 200, body: bytes = b"ok\n") -> AsyncIterator["Answering"]:
    made = Answering(status, body)
    server = await asyncio.start_server(made.serve, address, 0)
    async with server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


class Answering:
    """`status` and `body` may be changed while it runs; `asked` counts."""

    def __init__(self, status: int, body: bytes):
        self.status, self.body, self.port, self.asked = status, body, 0, 0
        self.raw: bytes | None = None
        """Instead of an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # a mere connection
            writer.close()
            return
        self.asked += 1
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n".encode()
        writer.write(head + self.body if self.raw is None else self.raw)
        writer.close()


@asynccontextmanager
async def hanging() -> AsyncIterator[int]:
    """The port of one whose kernel accepts connections and who never answers."""
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        ear.listen(1024)
        yield ear.getsockname()[1]


def nobody() -> int:
    """A port at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
