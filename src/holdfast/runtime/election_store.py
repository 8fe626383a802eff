"""What an election asks of a store: numbered seats, each held by at most one for a time, each term with a token that only grows.

Rules: the methods of a store are generators of steps and do nothing by themselves, so that a thread, a task or a test in virtual
time can carry them out; a step that cannot be answered in time raises Unreachable, and nothing is concluded from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Call", "Gone", "Holder", "Pause", "Seats", "Store", "StoreRefused", "Taken", "Unreachable"]


class Call:
    """A step: call this function, which blocks for at most about `limit_s` seconds, and send back what it returns or raises."""

    __slots__ = ("args", "function", "limit_s")

    def __init__(self, function: Callable[..., Any], *args: Any, limit_s: float):
        self.function, self.args, self.limit_s = function, args, limit_s

    def run(self) -> Any:
        return self.function(*self.args, limit_s=self.limit_s)


class Pause(NamedTuple):
    """A step: let so many seconds pass, fewer when something happened that the waiting one must know."""

    seconds: float


Step = Call | Pause


class Taken(NamedTuple):
    """A seat is ours.  `token` is greater than the token of every earlier term of this seat."""

    seat: int
    token: int


class Holder(NamedTuple):
    """Who holds a seat, as the store knows it; `token` is None where the store does not tell."""

    seat: int
    who: str
    token: int | None


class Unreachable(OSError):
    """Nobody answered in time, or the store has no quorum: what was asked may have been done or not."""


class Gone(Exception):  # noqa: N818 - it is a state of the world
    """The store says that the seat is not ours any more."""


class StoreRefused(Exception):  # noqa: N818 - it names what happened
    """The store answered, and asking again will not help: not the right kind of server, a wrong password, no permission."""


class Seats(Protocol):
    """One contender's session at the seats of one name.  Used by one thread or task at a time, but for `interrupt`.

    Each generator returns its answer, and raises Unreachable or StoreRefused; `limit_s` bounds each of its calls.
    """

    def take(self, who: str, ttl_s: float, *, limit_s: float) -> Generator[Step, Any, Taken | None]:
        """A free seat becomes ours for at least `ttl_s` seconds, counted from when this began; None when all are taken.

        A seat that an earlier try took without hearing of it is found again.
        """
        ...

    def renew(self, *, limit_s: float) -> Generator[Step, Any, None]:
        """Ours for `ttl_s` from when this began.  Raises Gone."""
        ...

    def leave(self, *, limit_s: float) -> Generator[Step, Any, None]:
        """Give back whatever may be ours; nothing to do is no error."""
        ...

    def wait(self, *, limit_s: float) -> Generator[Step, Any, None]:
        """Until a seat may have come free since the last look, or the limit has passed."""
        ...

    def holders(self, *, limit_s: float) -> Generator[Step, Any, tuple[Holder, ...]]: ...

    def interrupt(self) -> None:
        """Ends a `wait` that another thread is in, as soon as possible."""
        ...

    def close(self) -> None: ...


class Store(Protocol):
    def seats(self, name: str, count: int, attempt_s: float) -> Seats:
        """A new session.  `attempt_s`: how long one member of the store may take before another is asked."""
        ...
