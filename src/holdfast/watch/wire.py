"""Ask one question over a socket of its own, in a handful of callbacks: thousands of them hang without costing anything.

A hand-made state machine over the event loop's readers and writers, because streams and transports cost three times as much
(measured with 2,000 targets); h11 reads the answers.  Every question ends exactly once: answered, refused, or out of time.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

import h11

from holdfast.watch.target import Target, Word

Done = Callable[[Word, str, str], None]
"""Gets word, role and detail."""

LARGEST_BODY = 1 << 20
_GOING_ON = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Exchange:
    """One HTTP question, or a mere connection, on its way.  `done` is called once, from the loop, also after `give_up`."""

    __slots__ = ("_body", "_connection", "_done", "_fd", "_loop", "_socket", "_status", "_target")

    def __init__(self, loop: asyncio.AbstractEventLoop, target: Target, address: str, done: Done):
        self._loop, self._target, self._done = loop, target, done
        self._connection: h11.Connection | None = None
        self._status, self._body = 0, b""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._fd = self._socket.fileno()
        code = self._socket.connect_ex((address, target.port))
        if code in _GOING_ON:
            loop.add_writer(self._fd, self._connected)
        else:
            loop.call_soon(self._end, "no", "", errno.errorcode.get(code, str(code)))

    def give_up(self) -> None:
        """Its time is over."""
        self._end("unknown", "", "no connection in time" if self._connection is None else "no answer in time")

    def _end(self, word: Word, role: str, detail: str) -> None:
        if self._fd < 0:
            return
        self._loop.remove_writer(self._fd)
        self._loop.remove_reader(self._fd)
        self._fd = -1
        self._socket.close()
        self._done(word, role, detail)

    def _connected(self) -> None:
        self._loop.remove_writer(self._fd)
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._end("no", "", errno.errorcode.get(code, str(code)))
        elif self._target.kind == "tcp":
            self._end("yes", "", "")
        else:
            self._send()

    def _send(self) -> None:
        target = self._target
        self._connection = connection = h11.Connection(h11.CLIENT)
        headers = [("Host", target.header_host or target.host), ("Connection", "close"), ("User-Agent", "holdfast-watch")]
        if target.body:
            headers += [("Content-Length", str(len(target.body))), ("Content-Type", "application/json")]
        data = connection.send(h11.Request(method=target.method, target=target.path, headers=headers)) or b""
        if target.body:
            data += connection.send(h11.Data(data=target.body)) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        try:
            self._socket.send(data)  # a question is far smaller than the buffer of a fresh socket
        except OSError as error:
            self._end("unknown", "", error.strerror or str(error))
            return
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        assert self._connection
        try:
            self._connection.receive_data(self._socket.recv(1 << 16))
            while (event := self._connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                elif isinstance(event, h11.Data):
                    self._body = (self._body + bytes(event.data))[:LARGEST_BODY]
                else:  # the end of the message, or of the connection
                    self._understood()
                    return
        except BlockingIOError:
            return
        except (OSError, h11.RemoteProtocolError) as error:
            self._end("unknown", "", getattr(error, "strerror", None) or str(error))

    def _understood(self) -> None:
        if not self._status:
            self._end("unknown", "", "the connection closed before an answer")
            return
        read = self._target.read
        try:
            word = read(self._status, self._body) if read else "yes"
        except Exception as error:  # noqa: BLE001 - what a program says in place of an answer is never our end
            self._end("unknown", "", f"status {self._status}, not understood: {type(error).__name__}")
            return
        if word in ("yes", "no"):
            self._end(word, "", f"status {self._status}")  # type: ignore[arg-type]
        else:
            self._end("yes" if word else "unknown", word, f"status {self._status}")
