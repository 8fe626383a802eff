"""Which sockets can be read or written, for thousands of short exchanges on one event loop.

asyncio wraps every wait for a socket in a handle, a context and several lookups, three times for one question.  Here a selector
of our own keeps them, and the event loop waits for that selector alone: an epoll or kqueue can itself be waited for.
"""

import asyncio
import selectors
from collections.abc import Callable

SLICE = 32
"""Sockets that are served before the event loop runs its timers again: answers that wait do not count as late, questions do."""


class Readiness:
    """`when_readable` and `when_writable` hold until the next of them for that socket, or `forget`.

    A socket is forgotten before it is closed.  Nobody is called after `close`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._selector = selectors.DefaultSelector()
        self._number: int = self._selector.fileno()  # type: ignore[attr-defined]
        loop.add_reader(self._number, self._serve)

    def when_writable(self, fd: int, then: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_WRITE, then)

    def when_readable(self, fd: int, then: Callable[[], None]) -> None:
        """Of a socket that was waited for until it was writable."""
        self._selector.modify(fd, selectors.EVENT_READ, then)

    def forget(self, fd: int) -> None:
        """A socket that is waited for."""
        self._selector.unregister(fd)

    def close(self) -> None:
        self._loop.remove_reader(self._number)
        self._selector.close()

    def _serve(self) -> None:
        waited_for = self._selector.get_map()
        for key, _ in self._selector.select(0)[:SLICE]:
            if waited_for.get(key.fd) is key:  # an exchange before it in this row may have ended it
                key.data()
