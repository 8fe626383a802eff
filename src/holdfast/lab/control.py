"""A socket in the run's folder, by which another program can ask a kept lab how it stands, step into a host, or strike.

One question per connection: a JSON line; one answer: a JSON line, with open namespaces beside it where a host was asked for.
"""

import array
import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

NAME = "control.sock"
_MOST_FILES = 8
_ANSWER_S = 5.0

Act = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Answers a question that has a `do`, however long it takes; raises nothing."""


def _address(folder: Path) -> tuple[str, int]:
    """A path that fits into a socket address however deep the folder lies; the caller closes the descriptor."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return f"/proc/self/fd/{descriptor}/{NAME}", descriptor


async def serve(
    folder: Path, status: Callable[[], dict[str, Any]], namespaces: Callable[[str], dict[str, int]] | None, path: str = "",
    act: Act | None = None,
) -> None:  # fmt: skip
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
            async with asyncio.TaskGroup() as acting:
                while True:
                    connection, _ = await loop.sock_accept(server)
                    connection.setblocking(False)
                    try:
                        async with asyncio.timeout(2):
                            question = json.loads(await loop.sock_recv(connection, 4096) or b"{}")
                        if not isinstance(question, dict):
                            raise ValueError("no question")
                        if act and "do" in question:
                            acting.create_task(_act(connection, question, act))
                            continue
                        _answer(connection, question, status, namespaces, path)
                    except (OSError, ValueError, TimeoutError):
                        pass
                    connection.close()
        finally:
            (folder / NAME).unlink(missing_ok=True)


async def _act(connection: socket.socket, question: Mapping[str, Any], act: Act) -> None:
    """Whoever asked may be gone when the answer is there: what was begun is done all the same."""
    with connection:
        answer = await act(question)
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(connection, json.dumps(answer).encode() + b"\n")


def _answer(
    connection: socket.socket, question: dict[str, Any], status: Callable[[], dict[str, Any]],
    namespaces: Callable[[str], dict[str, int]] | None, path: str,
) -> None:  # fmt: skip
    connection.setblocking(True)
    host = question.get("host")
    if host is None:
        answer = {"error": "this lab takes no orders"} if "do" in question else status()
        connection.sendall(json.dumps(answer).encode() + b"\n")
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


def ask(folder: Path, question: Mapping[str, Any], limit_s: float = _ANSWER_S) -> tuple[dict[str, Any], list[int]]:
    """From another process.  Raises OSError where nobody listens any more, or no answer comes within the limit."""
    address, descriptor = _address(folder)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(min(limit_s, _ANSWER_S))
        try:
            connection.connect(address)
        finally:
            os.close(descriptor)
        connection.settimeout(limit_s)
        connection.sendall(json.dumps(question).encode() + b"\n")
        space = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)
        data, ancillary, _, _ = connection.recvmsg(1 << 16, space)
        files = array.array("i")
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                files.frombytes(content[: len(content) - len(content) % files.itemsize])
        while not data.endswith(b"\n") and (more := connection.recv(1 << 16)):
            data += more
    if not data:
        raise ConnectionError("the lab ended before it answered")
    return json.loads(data), list(files)


def ask_newest(runs: Path, question: Mapping[str, Any], limit_s: float = _ANSWER_S) -> tuple[dict[str, Any], list[int]]:
    """Of the newest lab that answers.  Raises LookupError where none does; TimeoutError or ConnectionError from that lab."""
    for path in sorted(runs.glob(f"*/{NAME}"), key=lambda each: each.stat().st_mtime, reverse=True):
        try:
            ask(path.parent, {})
        except OSError:
            continue
        return ask(path.parent, question, limit_s)
    raise LookupError(f"no lab is running in {runs}")
