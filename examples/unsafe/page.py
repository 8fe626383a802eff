"""A page, and two answers to the question whether it can be served: one that looks, and one that never does.

`/` writes the visit to the file that VISITS names, if any, and fails where it cannot.  `/ready` tries the same first.
`/health` says yes as long as the program runs.  HOST and PORT say where it listens.
"""

import asyncio
import os

VISITS = os.environ.get("VISITS", "")


def written() -> bool:
    try:
        if VISITS:
            with open(VISITS, "ab", buffering=0) as file:
                if file.write(b"one more visit".ljust(4096)) < 4096:
                    return False
    except OSError:
        return False
    return True


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        path = head.split(b" ", 2)[1]
        status = b"200 OK" if path == b"/health" or written() else b"500 Internal Server Error"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    except (OSError, IndexError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, os.environ["HOST"], int(os.environ["PORT"]))
    async with server:
        await server.serve_forever()


asyncio.run(main())
