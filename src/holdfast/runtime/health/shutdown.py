"""An end without an error: readiness fails first, the balancers get time to notice, then the program ends in its usual way.

Rules: a handler of a signal does next to nothing, because it may interrupt anything; the rest is done in a thread.
"""

from __future__ import annotations

import os
import signal
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from holdfast.runtime import checks

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health

__all__ = ["GracefulShutdown", "grace_for"]


def grace_for(interval_s: float, fall: int, *, timeout_s: float = 0.0, margin_s: float = 0.5) -> float:
    """Seconds after which a balancer that asks every `interval_s` and believes the `fall`-th refusal sends nobody any more: its
    first question may be an interval away, the others follow, the last answer may take `timeout_s`.
    """
    checks.number("interval_s", interval_s, low=0.0, low_open=True, high=3600.0)
    checks.whole("fall", fall, low=1, high=1000)
    checks.number("timeout_s", timeout_s, low=0.0, high=3600.0)
    checks.number("margin_s", margin_s, low=0.0, high=3600.0)
    return interval_s * fall + timeout_s + margin_s


class GracefulShutdown:
    """`GracefulShutdown(health, grace_s=5.0).install()` once the server has set its own handlers (in its startup hook), in the
    main thread.  A first SIGTERM begins the draining; after `grace_s` seconds, or at the second one, the handler that was there
    before is called, and the server ends in its usual way.

    grace_s   see `grace_for`; 0 <= grace_s <= 3600
    then      called, in the main thread, instead of the handler before.  It must be given where that one belongs to an event loop
              (loop.add_signal_handler, as aiohttp does), because nobody can call it.
    """

    def __init__(
        self, health: Health, grace_s: float, *, signals: Iterable[int] = (signal.SIGTERM,),
        then: Callable[[], object] | None = None, sleep: Callable[[float], object] = time.sleep,
    ):
        self._health = health
        self._grace_s = checks.number("grace_s", grace_s, low=0.0, high=3600.0)
        self._signals = tuple(signals)
        self._then = None if then is None else checks.function("then", then)
        self._sleep = checks.function("sleep", sleep)
        self._before: dict[int, Any] = {}
        self._asked = False

    def install(self) -> Self:
        """ValueError outside of the main thread, and when `then` is missing; installing twice does nothing more."""
        if self._before:
            return self
        before = {number: signal.getsignal(number) for number in self._signals}
        for number, handler in before.items():
            of_a_loop = getattr(handler, "__name__", "") == "_sighandler_noop"  # what asyncio leaves in the place of its own
            if of_a_loop and self._then is None:
                raise ValueError(
                    f"then is None; it must be a function, because the handler of {signal.Signals(number).name} belongs to an "
                    "event loop and cannot be called from here")
            if of_a_loop:
                import asyncio

                asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, self._handle)
        self._before = before
        return self

    def uninstall(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if callable(handler) or isinstance(handler, int) else signal.SIG_DFL)
        self._before = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            self._end(number, frame)
            return
        self._asked = True
        # Not by the module threading: its locks may be held by what this interrupts.
        start_new_thread(self._drain, (number,))

    def _drain(self, number: int) -> None:
        self._health.drain(f"{signal.Signals(number).name} received, ending in {self._grace_s:g} s")
        self._sleep(self._grace_s)
        os.kill(os.getpid(), number)  # handlers run in the main thread only

    def _end(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number)
        if self._then is not None:
            self._then()
        elif callable(before):
            before(number, frame)
        elif before != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
