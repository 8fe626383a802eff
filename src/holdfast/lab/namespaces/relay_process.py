"""The process that carries the frames of shaped links, seen from the lab: start it, tell it, notice that it is gone."""

import os
import select
import socket
import sys

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from holdfast.lab.namespaces.link_relay import main; main(int(sys.argv[2]))"
_ANSWER_S = 10.0


def start(source: str) -> socket.socket:
    """`source`: the folder from which it imports us.  It ends when this socket is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.set_inheritable(True)
        argv = [sys.executable, "-I", "-S", "-c", _BOOT, source, str(theirs.fileno())]
        os.posix_spawn(sys.executable, argv, {"PATH": "/usr/bin:/bin"}, setsid=True)
    ours.settimeout(_ANSWER_S)
    return ours


def asked(relay: socket.socket, line: bytes) -> bytes:
    """Its answer, or nothing if it is not there any more."""
    try:
        relay.sendall(line)
        with relay.makefile("rb") as answers:
            return answers.readline()
    except (ConnectionError, TimeoutError):
        return b""


def is_gone(relay: socket.socket) -> bool:
    """It never speaks unasked: there is something to read only where it ended."""
    poll = select.poll()
    poll.register(relay, select.POLLIN)
    return bool(poll.poll(0))
