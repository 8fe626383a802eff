"""A page that tells which host made it, over connections that stay open, and an answer to whether it can serve.

HOST and PORT say where it listens.  TERM ends it in good order: nobody new is let in, and requests under way are answered.

    /ready   whether it can serve: never behind anything else
    /work    takes WORK_S of one of SLOTS, so that one host can do SLOTS / WORK_S in a second; the rest waits, however many
    /stock   asks the tier `stock`: HOLDFAST_STOCK_MAX_PENDING at a time, for HOLDFAST_STOCK_TIMEOUT_S; else 503 at once
    /        the page, and so is any other path
"""

import asyncio
import os
import signal
import socket
from urllib.parse import urlsplit

HERE = socket.gethostname()
IDLE_S = 75.0  # longer than a balancer keeps an idle connection, so that it is never closed under a request
WORK_S = float(os.environ.get("WORK_S", "0.05"))
SLOTS = asyncio.Semaphore(int(os.environ.get("SLOTS", "4")))
STOCK = [urlsplit(url) for url in os.environ.get("HOLDFAST_STOCK_URLS", "").split(",") if url]
STOCK_PATIENCE_S = float(os.environ.get("HOLDFAST_STOCK_TIMEOUT_S", "0.15"))
STOCK_SLOTS = asyncio.Semaphore(int(os.environ.get("HOLDFAST_STOCK_MAX_PENDING", "2")))


async def work() -> tuple[str, str]:
    async with SLOTS:
        await asyncio.sleep(WORK_S)
    return "200 OK", f"done by {HERE}\n"


async def stock() -> tuple[str, str]:
    """A compartment of its own: however slow the stock is, other pages do not wait for it, and nobody waits for long."""
    if not STOCK or STOCK_SLOTS.locked():
        return "503 Service Unavailable", "too many are waiting for the stock\n"
    async with STOCK_SLOTS:
        try:
            async with asyncio.timeout(STOCK_PATIENCE_S):
                reader, writer = await asyncio.open_connection(STOCK[0].hostname, STOCK[0].port)
                try:
                    writer.write(b"GET / HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n\r\n")
                    good = (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
                finally:
                    writer.close()
        except (OSError, asyncio.IncompleteReadError):  # a timeout among them
            good = False
    return ("200 OK", "in stock\n") if good else ("503 Service Unavailable", "the stock does not answer\n")


async def page() -> tuple[str, str]:
    return "200 OK", f"made by {HERE}\n"


async def ready() -> tuple[str, str]:
    return "200 OK", "ready\n"


PATHS = {"/work": work, "/stock": stock, "/ready": ready}


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stopping: asyncio.Event) -> bool:
    """Reads one request and answers it.  Returns whether the connection stays open."""
    async with asyncio.timeout(IDLE_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    request, _, fields = head.partition("\r\n")
    for field in fields.split("\r\n"):
        if field.startswith("content-length:"):
            await reader.readexactly(int(field.partition(":")[2]))
    method, path, _ = request.split(" ", 2)
    status, text = await PATHS.get(path.partition("?")[0], page)()
    body = text.encode()
    stays = "connection: close" not in fields and not stopping.is_set()
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"X-Served-By: {HERE}", "Content-Type: text/plain",
             f"Connection: {'keep-alive' if stays else 'close'}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == "head" else body))
    await writer.drain()
    return stays


async def main() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    open_now: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            while await answered(reader, writer, stopping):
                pass
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            open_now.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, os.environ["HOST"], int(os.environ["PORT"]), backlog=512)
    await stopping.wait()
    server.close()
    await asyncio.sleep(0.2)  # what was under way, and what a balancer sent before it noticed
    for writer in open_now:
        writer.close()


if __name__ == "__main__":
    asyncio.run(main())
