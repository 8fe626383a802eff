"""An event loop in a thread of ours, for programs that have none and for a server that must not depend on theirs.

Rules: a daemon; asyncio is imported when the first one is made.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopThread"]


class LoopThread:
    """Runs until `stop`."""

    def __init__(self, name: str):
        import asyncio

        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self.loop.is_closed()

    def call(self, coroutine: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Its result, from another thread."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout_s)

    def stop(self, wait_s: float = 5.0) -> None:
        if self.alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(wait_s)
