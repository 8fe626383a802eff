"""Exactly one of many copies acts, several share a number of permits: Leader, Lock and Semaphore over etcd and other stores.

Rules: every term has a token that only grows; a holder stops before its lease ends, by a clock that never steps; what it does
between two looks at the term is protected by the token alone, so the resource must refuse a token older than one it has seen.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from holdfast.runtime import checks
from holdfast.runtime.election_core import HoldLost, Term
from holdfast.runtime.election_hold import Hold
from holdfast.runtime.election_settings import Terms, boottime, checked_name
from holdfast.runtime.election_watch import aholders, awatch, holders, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from typing import TypeVar

    from holdfast.runtime.election_race import ElectionEvent, Race
    from holdfast.runtime.election_store import Holder, Seats, Store

    R = TypeVar("R")

__all__ = ["Leader", "Lock", "Semaphore"]


class _Contest:
    """What the three have in common: a name, a number of seats, a store."""

    _KIND = ""

    def __init__(self, name: str, count: int, etcd: Any, store: Any, terms: Terms, who: str, clock: Callable[[], float]):
        self.name = checked_name("name", name)
        self.count, self.terms = count, terms
        self.store: Store = _store(etcd, store)
        self.who = _who(who)
        self._clock = checks.function("clock", clock)
        self._listeners: tuple[Callable[[ElectionEvent], None], ...] = ()
        self._entered: Hold | None = None
        self._last: Race | None = None
        self._stopped = False

    def hold(self, max_wait_s: float | None = None) -> Hold:
        """A block of its own, `with` or `async with`, that gives the Term.  NotAcquired when nothing came free in time.

        StoreRefused when the store is none, or does not let us in; an unreachable one is waited for.
        """
        return Hold(self._race, checks.optional(checks.number, "max_wait_s", max_wait_s, low=0.0))

    def listen(self, listener: Callable[[ElectionEvent], None]) -> Callable[[], None]:
        """The listener gets an ElectionEvent for each change of state, in a thread of ours or in the loop; what it raises is
        logged.  It must be quick: nothing is renewed meanwhile.  Gives the function that ends it.
        """
        checks.function("listener", listener)
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return end

    # --- the block that is open now

    @property
    def state(self) -> str:
        """idle, contending, unreachable, holding, lost or released, of the hold begun last."""
        race = self._last
        return "idle" if race is None else race.state

    @property
    def why(self) -> str:
        """What went wrong last, for a person; empty when all is well."""
        race = self._last
        return "" if race is None else race.why

    @property
    def term(self) -> Term | None:
        """The term that may act now."""
        race = self._last
        term = None if race is None else race.term
        return term if term is not None and term.may_act() else None

    @property
    def token(self) -> int | None:
        term = self.term
        return None if term is None else term.token

    def check(self) -> None:
        """Raises HoldLost unless there is a term that may act now."""
        if self.term is None:
            race = self._last
            raise race.term.lost() if race is not None and race.term is not None else HoldLost(f"{self.name}: nothing is held")

    def stop(self) -> None:
        """From any thread: whoever waits in plain code gets NotAcquired, and no hold begins any more.  Tasks are cancelled."""
        self._stopped = True
        race = self._last
        if race is not None and race.term is None:
            race.ask_to_stop()

    def __enter__(self) -> Term:
        hold = self._own()
        try:
            return hold.__enter__()
        except BaseException:
            self._own_ended()
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        assert self._entered is not None
        try:
            self._entered.__exit__(kind, error, trace)
        finally:
            self._own_ended()

    async def __aenter__(self) -> Term:
        hold = self._own()
        try:
            return await hold.__aenter__()
        except BaseException:
            self._own_ended()
            raise

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        assert self._entered is not None
        try:
            await self._entered.__aexit__(kind, error, trace)
        finally:
            self._own_ended()

    def _own(self) -> Hold:
        if self._entered is not None:
            raise RuntimeError(f"{self._KIND} {self.name} is in a block already; use hold() for one more")
        self._entered = self.hold()
        return self._entered

    def _own_ended(self) -> None:
        self._entered = None

    # --- who holds it

    def holders(self) -> tuple[Holder, ...]:
        """Who holds the seats now.  Raises Unreachable or StoreRefused."""
        return holders(self._seats(), self.terms)

    async def aholders(self) -> tuple[Holder, ...]:
        return await aholders(self._seats(), self.terms)

    def watch(self) -> Iterator[tuple[Holder, ...]]:
        """Who holds the seats, now and after every change; blocks in between.  An unreachable store is waited for."""
        return watch(self._seats(), self.terms)

    def awatch(self) -> AsyncIterator[tuple[Holder, ...]]:
        return awatch(self._seats(), self.terms)

    def _seats(self) -> Seats:
        return self.store.seats(self.name, self.count, self.terms.attempt_s)

    def _race(self, kind: type[Race]) -> Race:
        race = kind(self._seats(), self.name, self.who, self.terms, self._clock, self._told)
        race.stopping = self._stopped
        self._last = race
        return race

    def _told(self, event: ElectionEvent) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                import logging

                logging.getLogger("holdfast.runtime").exception("a listener of %r failed", self.name)


class Leader(_Contest):
    """`with leader as term:` or `async with leader as term:` waits until this copy leads; `run` and `arun` lead again and again.

    etcd       client URLs of the members, or an `Etcd`; or
    store      another store: see holdfast.runtime.extras.election_postgres and election_kubernetes
    who        how others see this copy; host name and process number when empty
    Settings   as in Terms; the clock is CLOCK_BOOTTIME where there is one
    """

    _KIND = "Leader"

    def __init__(
        self, name: str, *, etcd: Sequence[str] | Any = None, store: Store | None = None, ttl_s: float = 10.0,
        margin_s: float | None = None, renew_every_s: float | None = None, attempt_s: float | None = None,
        look_every_s: float | None = None, who: str = "", clock: Callable[[], float] = boottime,
    ):
        terms = Terms(
            ttl_s=ttl_s, margin_s=margin_s, renew_every_s=renew_every_s, attempt_s=attempt_s, look_every_s=look_every_s,
        )
        super().__init__(name, 1, etcd, store, terms, who, clock)

    def run(self, work: Callable[[Term], R]) -> R:
        """Calls `work` with each term until it returns; when the term is lost it is called with the next one."""
        while True:
            term = None
            try:
                with self.hold() as term:
                    return work(term)
            except HoldLost as lost:
                if lost.term is not term:
                    raise

    async def arun(self, work: Callable[[Term], Awaitable[R]]) -> R:
        """The same for a coroutine function, which is cancelled when its term is over."""
        while True:
            term = None
            try:
                async with self.hold() as term:
                    return await work(term)
            except HoldLost as lost:
                if lost.term is not term:
                    raise
            except BaseExceptionGroup as group:  # of a task group, one of whose tasks looked at its term
                if term is None or not _only_of(group, term):
                    raise


class Lock(Leader):
    """A lock that outlives no holder: `with lock as term:`, `async with lock as term:`, or `lock.hold(max_wait_s=5)`.

    Whoever waits has no place in a queue: when the lock comes free, the quickest gets it.
    """

    _KIND = "Lock"


class Semaphore(_Contest):
    """At most `permits` holders at once; `term.seat` is the number of the permit, and tokens grow per seat.

    A resource behind it remembers the greatest token of each seat.
    """

    _KIND = "Semaphore"

    def __init__(
        self, name: str, permits: int, *, etcd: Sequence[str] | Any = None, store: Store | None = None, ttl_s: float = 10.0,
        margin_s: float | None = None, renew_every_s: float | None = None, attempt_s: float | None = None,
        look_every_s: float | None = None, who: str = "", clock: Callable[[], float] = boottime,
    ):
        terms = Terms(
            ttl_s=ttl_s, margin_s=margin_s, renew_every_s=renew_every_s, attempt_s=attempt_s, look_every_s=look_every_s,
        )
        super().__init__(name, checks.whole("permits", permits, low=1, high=1000), etcd, store, terms, who, clock)


def _only_of(error: BaseException, term: Term) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_of(inner, term) for inner in error.exceptions)
    return isinstance(error, HoldLost) and error.term is term


def _store(etcd: Any, store: Any) -> Any:
    if (etcd is None) == (store is None):
        raise ValueError("exactly one of etcd and store must be given")
    if store is not None:
        if not callable(getattr(store, "seats", None)):
            raise ValueError(f"store is {store!r}; it must be a store of seats, like Etcd([...])")
        return store
    from holdfast.runtime.election_etcd import Etcd

    return etcd if isinstance(etcd, Etcd) else Etcd(etcd)


def _who(who: Any) -> str:
    if not isinstance(who, str) or len(who) > 200 or not who.isprintable():
        raise ValueError(f"who is {who!r}; it must be at most 200 printable characters")
    return who or f"{socket.gethostname()}/{os.getpid()}"
