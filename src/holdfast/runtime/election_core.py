"""The course of one term as a pure function of answers and time: what the holder may believe, and when it must stop.

Rules: a belief starts at the moment *before* the request that the store granted was sent, and ends `ttl_s` less `margin_s` later.
A belief that has ended never comes back, whatever answer arrives: its term is over.  The store counts from when it got the
request, thus later; so as long as its clock runs at most ttl / (ttl - margin) times as fast as ours, the holder stops first.
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.runtime.election_store import Gone, Pause, StoreRefused, Taken, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from holdfast.runtime.election_settings import Terms
    from holdfast.runtime.election_store import Seats, Step

__all__ = ["Desk", "HoldLost", "Term", "contend"]

LONG_S = 3600.0
LAPSED = "it could not be renewed in time"


class HoldLost(Exception):  # noqa: N818 - it names what happened
    """Leadership, a lock or a permit ended while its holder was at work: nothing more may be done in its name."""

    def __init__(self, message: str = "", term: Term | None = None):
        super().__init__(message)
        self.term = term

    def __reduce__(self) -> tuple[Any, ...]:
        return (HoldLost, self.args)


class Term:
    """One hold of one seat.  `token` only grows from term to term of a seat; hand it to whatever must refuse late writes."""

    __slots__ = ("_clock", "_lock", "_ttl_less_margin_s", "ended", "name", "seat", "token", "until_s")

    def __init__(self, name: str, taken: Taken, asked_s: float, believed_s: float, clock: Callable[[], float]):
        self.name, self.seat, self.token = name, taken.seat, taken.token
        self._ttl_less_margin_s, self._clock, self._lock = believed_s, clock, allocate_lock()
        self.until_s = asked_s + believed_s
        self.ended = ""
        """Why it is over, or empty."""

    def may_act(self) -> bool:
        """Whether this is still our term now.  What follows in your code is protected by the token alone."""
        with self._lock:
            if not self.ended and self._clock() >= self.until_s:
                self.ended = LAPSED
            return not self.ended

    def check(self) -> None:
        """Raises HoldLost once the term is over."""
        if not self.may_act():
            raise self.lost()

    def left_s(self) -> float:
        """Seconds for which the term lasts without another renewal; 0 when it is over."""
        return max(0.0, self.until_s - self._clock()) if self.may_act() else 0.0

    def confirm(self, asked_s: float) -> bool:
        """A renewal asked for at `asked_s` was granted.  False when that is known too late."""
        if not self.may_act():
            return False
        with self._lock:
            if not self.ended:
                self.until_s = max(self.until_s, asked_s + self._ttl_less_margin_s)
            return not self.ended

    def end(self, why: str) -> None:
        with self._lock:
            self.ended = self.ended or why

    def lost(self) -> HoldLost:
        return HoldLost(f"{self.name}: the term with token {self.token} is over: {self.ended}", self)

    def __repr__(self) -> str:
        return f"Term({self.name!r}, seat={self.seat}, token={self.token}, ended={self.ended!r})"


class Desk(Protocol):
    """Who wants the seat, as the course of a term sees it."""

    stopping: bool
    """Set by the owner: give up, or resign."""

    def began(self, term: Term) -> None: ...

    def waiting(self) -> None:
        """All seats are taken."""
        ...

    def well(self) -> None:
        """A renewal was granted."""
        ...

    def trouble(self, what: str) -> None:
        """The store could not be asked."""
        ...

    def over(self, term: Term) -> None: ...


def contend(
    seats: Seats, name: str, who: str, terms: Terms, clock: Callable[[], float], desk: Desk,
) -> Generator[Step, Any, None]:
    """From wanting a seat to having left it.  Raises StoreRefused when there is no point in trying."""
    began = yield from _begin(seats, name, who, terms, clock, desk)
    if began is not None:
        term, asked_s = began
        yield from _keep(seats, term, asked_s, terms, clock, desk)
        desk.over(term)
        # What is left of the lease belongs to those who unwind: it is given back only when the owner says that they have.
        while not desk.stopping:
            yield Pause(LONG_S)
    yield from _leave(seats, terms)


def _begin(
    seats: Seats, name: str, who: str, terms: Terms, clock: Callable[[], float], desk: Desk,
) -> Generator[Step, Any, tuple[Term, float] | None]:
    believed_s = terms.ttl_s - terms.margin_s
    while not desk.stopping:
        asked_s = clock()
        try:
            taken = yield from seats.take(who, terms.ttl_s, limit_s=believed_s)
            if taken is None:
                desk.waiting()
                if not desk.stopping:
                    yield from seats.wait(limit_s=terms.look_every_s)
                continue
        except Unreachable as error:
            desk.trouble(str(error))
            yield Pause(terms.retry_s)
            continue
        term = Term(name, taken, asked_s, believed_s, clock)
        if term.may_act() and not desk.stopping:
            desk.began(term)
            return term, asked_s
        yield from _leave(seats, terms)  # known too late to be of use
    return None


def _keep(
    seats: Seats, term: Term, asked_s: float, terms: Terms, clock: Callable[[], float], desk: Desk,
) -> Generator[Step, Any, None]:
    next_s = asked_s + terms.renew_every_s
    while not desk.stopping and term.may_act():
        now_s = clock()
        if now_s < next_s:
            yield Pause(max(0.0, min(next_s, term.until_s) - now_s))
            continue
        try:
            yield from seats.renew(limit_s=max(0.001, term.until_s - now_s))
        except Gone as gone:
            term.end(str(gone))
        except (Unreachable, StoreRefused) as error:
            desk.trouble(str(error))
            next_s = clock() + terms.retry_s
        else:
            next_s = now_s + terms.renew_every_s
            if term.confirm(now_s):
                desk.well()
    if desk.stopping:
        term.end("it was given back")


def _leave(seats: Seats, terms: Terms) -> Generator[Step, Any, None]:
    """A seat that cannot be given back comes free by itself when its time is over."""
    try:
        yield from seats.leave(limit_s=terms.attempt_s)
    except (Unreachable, StoreRefused):
        pass
