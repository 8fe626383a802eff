"""Ask one question over a socket of its own, in a handful of callbacks: thousands of them hang without costing anything.

A hand-made state machine over sockets that are ready, because streams and transports cost three times as much (measured with
2,000 targets).  Every question ends exactly once: answered, refused, or out of time.  A name's addresses are tried one after
the other, as browsers and curl do: a program that listens on 127.0.0.1 only is found by `localhost`, too.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

from holdfast.watch.names import Address
from holdfast.watch.readiness import Readiness
from holdfast.watch.reply import Question, Reply
from holdfast.watch.target import Target, Word

Done = Callable[[Word, str, str], None]
"""Gets word, role and detail."""

_GOING_ON = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


def _nobody(word: Word, role: str, detail: str) -> None:
    """Everything was told."""


class Exchange:
    """One HTTP question, or a mere connection, on its way.  `done` is called once, from the loop, also after `give_up`.

    Raises OSError where this process has no room for one more socket.
    """

    __slots__ = ("_done", "_fd", "_left", "_loop", "_question", "_ready", "_reply", "_socket", "_target", "_waiting", "tried")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ready: Readiness, target: Target, question: Question | None,
        addresses: Sequence[Address], done: Done,
    ):  # fmt: skip
        self._loop, self._ready, self._target, self._question, self._done = loop, ready, target, question, done
        self._waiting = False
        self._reply: Reply | None = None
        self._left = list(addresses)
        self._connect()

    def give_up(self) -> None:
        """Its time is over."""
        self._end("unknown", "", "no connection in time" if self.connecting else "no answer in time")

    @property
    def connecting(self) -> bool:
        return self._reply is None

    def abandon(self) -> None:
        """Nobody wants to know any more: `done` is not called."""
        if self._fd >= 0:
            self._close()

    def _connect(self) -> None:
        self.tried = self._left.pop(0)
        family, host = self.tried
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._fd = self._socket.fileno()
        try:
            code = self._socket.connect_ex((host, self._target.port))
        except OSError as error:  # an address with a scope that does not exist
            code = error.errno or errno.EINVAL
        if code in _GOING_ON:
            self._ready.when_writable(self._fd, self._connected)
            self._waiting = True
        else:
            self._loop.call_soon(self._refused, code)

    def _refused(self, code: int) -> None:
        if self._fd < 0:
            return
        if self._left:
            self._close()
            try:
                self._connect()
            except OSError as error:
                self._tell("unknown", "", error.strerror or str(error))
            return
        self._end("no", "", errno.errorcode.get(code, str(code)))

    def _close(self) -> None:
        if self._waiting:
            self._ready.forget(self._fd)
            self._waiting = False
        self._fd = -1
        self._socket.close()

    def _end(self, word: Word, role: str, detail: str) -> None:
        if self._fd >= 0:
            self._close()
            self._tell(word, role, detail)

    def _tell(self, word: Word, role: str, detail: str) -> None:
        """And lets go of whoever is told, who holds this: thousands of such pairs would be the garbage collector's work."""
        done, self._done = self._done, _nobody
        done(word, role, detail)

    def _connected(self) -> None:
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._refused(code)
        elif self._question is None:
            self._end("yes", "", "")
        else:
            self._send(self._question)

    def _send(self, question: Question) -> None:
        self._reply = Reply(question)
        try:
            self._socket.send(self._reply.asked())  # a question is far smaller than the buffer of a fresh socket
        except OSError as error:
            self._end("unknown", "", error.strerror or str(error))
            return
        self._ready.when_readable(self._fd, self._read)

    def _read(self) -> None:
        assert self._reply
        try:
            found = self._reply.take(self._socket.recv(1 << 16))
        except BlockingIOError:
            return
        except OSError as error:
            self._end("unknown", "", error.strerror or str(error))
            return
        if found is not None:
            self._end(*found)
