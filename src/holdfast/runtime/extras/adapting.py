"""What the adapters have in common: the policies that they take, the time that is left for a request, and replies nobody keeps.

Rules: free of any client library, and of asyncio until a request of an async client is under way.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from holdfast.runtime.deadlines import remaining_s
from holdfast.runtime.hedge import Hedge
from holdfast.runtime.rejections import DeadlineExceeded
from holdfast.runtime.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Replies", "a_policy", "a_single_policy", "task", "time_left_s"]


def a_policy(setting: str, value: Any, way: str) -> Any:
    """The value, when it makes calls in this way: "call" or "acall"."""
    if isinstance(value, type) or not callable(getattr(value, way, None)):
        raise ValueError(f"{setting} is {value!r}; it must be a policy, with {way}: a Retry(), a Pipeline(...) or the like")
    return value


def a_single_policy(setting: str, value: Any, way: str) -> Any:
    """None, or a policy that makes a call once at most."""
    if value is None:
        return None
    if _repeats(a_policy(setting, value, way)):
        raise ValueError(
            f"{setting} is {value!r}; it must hold no Retry with attempts > 1 and no Hedge: what it covers must not be repeated"
        )
    return value


def _repeats(policy: Any) -> bool:
    if isinstance(policy, Retry):
        return policy.attempts > 1
    return isinstance(policy, Hedge) or any(map(_repeats, getattr(policy, "policies", ())))


def time_left_s(at_most: float | None = None) -> float | None:
    """As remaining_s, for a request that is about to be sent: never 0.  DeadlineExceeded, of which a breaker learns nothing, when
    the time is over."""
    left_s = remaining_s()
    if left_s is None:
        return at_most
    if left_s <= 0.0:
        raise DeadlineExceeded("the deadline had passed before the request was sent", begun=False)
    return left_s if at_most is None else min(left_s, at_most)


def task() -> Any:
    """The asyncio task that runs, None outside of asyncio."""
    import asyncio

    try:
        return asyncio.current_task()
    except RuntimeError:  # another event loop, such as trio's
        return None


class Replies:
    """The replies that one request got, of which its caller keeps one at most; each is handed out once, to be closed.

    Attempts of a hedge run at once, and another's reply may be about to win: an attempt lets go only of those that came to the
    same thread (or task, as `whose` tells) before.  What comes when the caller has gone is closed by whoever got it.
    """

    __slots__ = ("_held", "_lock", "_over", "_whose")

    def __init__(self, whose: Callable[[], Any] = threading.current_thread):
        self._held: list[tuple[Any, Any]] = []
        self._lock, self._over, self._whose = threading.Lock(), False, whose

    def let_go(self) -> list[Any]:
        """Those of this thread: the policy asks again, so they were not good enough."""
        me = self._whose()
        with self._lock:
            mine = [reply for who, reply in self._held if who is me]
            self._held = [(who, reply) for who, reply in self._held if who is not me]
        return mine

    def hold(self, reply: Any) -> bool:
        """Whether it is held; else it came too late."""
        me = self._whose()
        with self._lock:
            if not self._over:
                self._held.append((me, reply))
            return not self._over

    def end(self, kept: Any) -> list[Any]:
        """All others."""
        with self._lock:
            self._over, held, self._held = True, self._held, []
        return [reply for _, reply in held if reply is not kept]
