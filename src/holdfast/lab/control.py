"""A socket in the run's folder, by which another terminal can ask a kept lab how it stands, or step into a host.

One question per connection: a JSON line; one answer: a JSON line, with open namespaces beside it where a host was asked for.
"""

import array
import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "control.sock"
_MOST_FILES = 8


def _address(folder: Path) -> tuple[str, int]:
    """A path that fits into a socket address however deep the folder lies; the caller closes the descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{descriptor}/{NAME}", descriptor


async def serve(
    folder: Path, status: Callable[[], dict[str, Any]], namespaces: Callable[[str], dict[str, int]] | None, path: str = ""
) -> None:
    """Until cancelled.  `namespaces` gives open files of a host's namespaces, or raises OSError or LookupError.

    path: directories where a shell in a host finds the service's programs.
    """
    address, descriptor = _address(folder)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        os.close(descriptor)
        server.listen(8)
        server.setblocking(False)
        try:
            while True:
                connection, _ = await loop.sock_accept(server)
                with connection:
                    connection.setblocking(False)
                    try:
                        async with asyncio.timeout(2):
                            question = json.loads(await loop.sock_recv(connection, 4096) or b"{}")
                        _answer(connection, question, status, namespaces, path)
                    except (OSError, ValueError, TimeoutError):
                        continue
        finally:
            (folder / NAME).unlink(missing_ok=True)


def _answer(
    connection: socket.socket, question: dict[str, Any], status: Callable[[], dict[str, Any]],
    namespaces: Callable[[str], dict[str, int]] | None, path: str,
) -> None:  # fmt: skip
    connection.setblocking(True)
    host = question.get("host")
    if host is None:
        connection.sendall(json.dumps(status()).encode() + b"\n")
        return
    try:
        opened = namespaces(host) if namespaces else {}
    except (OSError, LookupError) as error:
        connection.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    try:
        socket.send_fds(connection, [json.dumps({"kinds": list(opened), "path": path}).encode() + b"\n"], list(opened.values()))
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def ask(folder: Path, question: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """From another process.  Raises OSError where nobody listens any more."""
    address, descriptor = _address(folder)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(address)
        finally:
            os.close(descriptor)
        connection.sendall(json.dumps(question).encode() + b"\n")
        space = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)
        data, ancillary, _, _ = connection.recvmsg(1 << 16, space)
        files = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                files.frombytes(content[: len(content) - len(content) % files.itemsize])
        while not data.endswith(b"\n") and (more := connection.recv(1 << 16)):
            data += more
    return json.loads(data), list(files)
