"""A page that tells which host made it, over connections that stay open, and an answer to whether it can serve.

HOST and PORT say where it listens.  TERM ends it in good order: nobody new is let in, and requests under way are answered.
"""

import asyncio
import os
import signal
import socket

HERE = socket.gethostname()
IDLE_S = 75.0  # longer than a balancer keeps an idle connection, so that it is never closed under a request


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stopping: asyncio.Event) -> bool:
    """Reads one request and answers it.  Returns whether the connection stays open."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_S)).decode("latin-1").lower()
    request, _, fields = head.partition("\r\n")
    for field in fields.split("\r\n"):
        if field.startswith("content-length:"):
            await reader.readexactly(int(field.partition(":")[2]))
    body = b"ready\n" if " /ready " in request else f"made by {HERE}\n".encode()
    stays = "connection: close" not in fields and not stopping.is_set()
    lines = ("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", f"X-Served-By: {HERE}", "Content-Type: text/plain",
             f"Connection: {'keep-alive' if stays else 'close'}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if request.startswith("head ") else body))
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


asyncio.run(main())
