"""A few threads for questions that block and cannot be cut short, such as looking a name up.

They are daemons, unlike those of `concurrent.futures`: a resolver that hangs for half a minute must not keep Ctrl-C waiting.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """`run` may be called from the loop only; `close` lets idle threads end and forgets what waits."""

    def __init__(self, count: int, name: str):
        self._work: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._worker, name=f"{name}-{number}", daemon=True).start()

    def run(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        future = asyncio.get_running_loop().create_future()
        self._work.put((future, function))
        return future

    def close(self) -> None:
        while not self._work.empty():
            self._work.get_nowait()
        for _ in range(self._count):
            self._work.put(None)

    def _worker(self) -> None:
        while (work := self._work.get()) is not None:
            future, function = work
            value, failed = None, None
            try:
                value = function()
            except Exception as error:  # noqa: BLE001 - told to whoever asked
                failed = error
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, value, failed)
            except RuntimeError:
                return  # the loop is closed, and nobody listens any more


def _settle(future: asyncio.Future[Any], value: Any, failed: Exception | None) -> None:
    if future.done():
        return
    if failed is not None:
        future.set_exception(failed)
    else:
        future.set_result(value)
