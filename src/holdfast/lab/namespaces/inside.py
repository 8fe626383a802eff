"""An event loop with the network of a host: a thread that moved into the host's network namespace and stays there.

Sockets belong to the namespace of the thread that makes them, so whatever runs here is a client on that host.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from holdfast.lab import linux

T = TypeVar("T")


class HostLoop:
    """One thread and its loop, until `close`."""

    def __init__(self, host: str, pid: int):
        self.pid = pid
        self._loop = asyncio.new_event_loop()
        self._entered = threading.Event()
        self._refusal: OSError | None = None
        self._thread = threading.Thread(target=self._serve, name=f"network of {host}", daemon=True)
        self._thread.start()
        self._entered.wait(5)
        if self._refusal:
            raise self._refusal

    def _serve(self) -> None:
        try:
            descriptor = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            linux.setns(descriptor, linux.CLONE_NEWNET)
            os.close(descriptor)
        except OSError as error:
            self._refusal = error
            return
        finally:
            self._entered.set()
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def run(self, question: Callable[[], Awaitable[T]]) -> T:
        """Cancelling the caller cancels the question."""

        async def asked() -> T:
            return await question()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked(), self._loop))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(2)

    def _stop(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)
