"""A store of seats within one process: for the tests of programs that elect, and for trying things out.

Rules: it keeps the contract of the real ones (tokens that only grow, seats that come free when nobody renews); `away` and
`depose` make what is rare in the world happen at will.
"""

from __future__ import annotations

from threading import Condition
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.runtime import checks
from holdfast.runtime.election_settings import boottime
from holdfast.runtime.election_store import Call, Gone, Holder, Taken, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from holdfast.runtime.election_store import Step

__all__ = ["MemorySeats", "MemoryStore"]


class _Held(NamedTuple):
    who: str
    token: int
    until_s: float
    owner: object


class MemoryStore:
    """`away = True`: it cannot be reached.  Give it the clock that the Leader has."""

    def __init__(self, clock: Callable[[], float] = boottime):
        self._clock = checks.function("clock", clock)
        self.away = False
        self._held: dict[tuple[str, int], _Held] = {}
        self._changes = 0
        self._news = Condition()

    def seats(self, name: str, count: int, attempt_s: float) -> MemorySeats:
        return MemorySeats(self, name, count)

    def depose(self, name: str, seat: int = 0) -> None:
        """Whoever holds the seat loses it, and learns of it when it renews."""
        with self._news:
            self._held.pop((name, seat), None)
            self._changed()

    def _changed(self) -> int:
        self._changes += 1
        self._news.notify_all()
        return self._changes

    def _live(self, key: tuple[str, int]) -> _Held | None:
        held = self._held.get(key)
        return held if held is not None and self._clock() < held.until_s else None


class MemorySeats:
    """One contender's session."""

    def __init__(self, store: MemoryStore, name: str, count: int):
        self._store, self._name, self._count = store, name, count
        self._ttl_s = 0.0
        self._seat: int | None = None
        self._seen = 0
        self._interrupted = False

    def take(self, who: str, ttl_s: float, *, limit_s: float) -> Generator[Step, Any, Taken | None]:
        taken: Taken | None = yield Call(self._take, who, ttl_s, limit_s=limit_s)
        return taken

    def renew(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._renew, limit_s=limit_s)

    def leave(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._leave, limit_s=limit_s)

    def wait(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._wait, limit_s=limit_s)

    def holders(self, *, limit_s: float) -> Generator[Step, Any, tuple[Holder, ...]]:
        found: tuple[Holder, ...] = yield Call(self._holders, limit_s=limit_s)
        return found

    def interrupt(self) -> None:
        with self._store._news:
            self._interrupted = True
            self._store._news.notify_all()

    def close(self) -> None:
        pass

    def _reach(self) -> None:
        if self._store.away:
            raise Unreachable("the store is away")
        self._seen = self._store._changes

    def _take(self, who: str, ttl_s: float, *, limit_s: float) -> Taken | None:
        store = self._store
        with store._news:
            self._reach()
            self._ttl_s = ttl_s
            for seat in range(self._count):
                if store._live((self._name, seat)) is None:
                    token = store._changed()
                    store._held[self._name, seat] = _Held(who, token, store._clock() + ttl_s, self)
                    self._seat = seat
                    return Taken(seat, token)
            return None

    def _renew(self, *, limit_s: float) -> None:
        store = self._store
        with store._news:
            self._reach()
            key = (self._name, -1 if self._seat is None else self._seat)
            held = store._live(key)
            if held is None or held.owner is not self:
                raise Gone("its seat was taken away")
            store._held[key] = held._replace(until_s=store._clock() + self._ttl_s)

    def _leave(self, *, limit_s: float) -> None:
        store = self._store
        with store._news:
            self._reach()
            key = (self._name, -1 if self._seat is None else self._seat)
            held = store._held.get(key)
            if held is not None and held.owner is self:
                del store._held[key]
                store._changed()

    def _wait(self, *, limit_s: float) -> None:
        store = self._store
        with store._news:
            store._news.wait_for(lambda: self._interrupted or store._changes > self._seen, limit_s)

    def _holders(self, *, limit_s: float) -> tuple[Holder, ...]:
        with self._store._news:
            self._reach()
            found = [(seat, self._store._live((self._name, seat))) for seat in range(self._count)]
            return tuple(Holder(seat, held.who, held.token) for seat, held in found if held is not None)
