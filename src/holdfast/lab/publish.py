"""Make a port of the lab reachable from the machine's own browser: bytes in, bytes out, for people only.

The listening socket was made outside, on 127.0.0.1 of the machine; what it accepts is connected inside.  Nothing that is
measured goes this way.
"""

import asyncio
import socket
from collections.abc import Sequence

from holdfast.errors import Problem, Refused

_CONNECT_S = 5.0


def listener(port: int) -> socket.socket:
    """On 127.0.0.1 only.  Raises Refused when the port is taken."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:  # the second route may lie beyond the last port
        made.close()
        reason = f"port {port} of this machine cannot be had: {getattr(error, 'strerror', error)}"
        raise Refused(Problem(reason, where="--publish", remedy="choose another port")) from None
    made.listen(64)
    return made


async def publish(listening: socket.socket, addresses: Sequence[str], port: int) -> None:
    """Until cancelled."""
    listening.setblocking(False)
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, addresses, port), sock=listening)
    async with server:
        await server.serve_forever()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, addresses: Sequence[str], port: int) -> None:
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_S):
                far_reader, far_writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError):
            continue
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, far_writer))
            both.create_task(_copy(far_reader, writer))
        return
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
