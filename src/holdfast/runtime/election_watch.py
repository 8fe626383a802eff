"""Who holds the seats of a store: asked once, or told after every change.

Rules: a watcher holds nothing and wants nothing; what happened between two looks is not told.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from holdfast.runtime.election_race import adrive, drive
from holdfast.runtime.election_store import Pause, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from holdfast.runtime.election_settings import Terms
    from holdfast.runtime.election_store import Holder, Seats, Step

__all__ = ["aholders", "awatch", "holders", "watch"]


def _next(seats: Seats, terms: Terms, known: Any) -> Generator[Step, Any, tuple[Holder, ...]]:
    """The holders, once they are others than those who are known."""
    while True:
        try:
            now = yield from seats.holders(limit_s=terms.ttl_s)
            if now != known:
                return now
            yield from seats.wait(limit_s=terms.look_every_s)
        except Unreachable:
            yield Pause(terms.retry_s)


def holders(seats: Seats, terms: Terms) -> tuple[Holder, ...]:
    try:
        found: tuple[Holder, ...] = drive(seats.holders(limit_s=terms.ttl_s), time.sleep)
        return found
    finally:
        seats.close()


def watch(seats: Seats, terms: Terms) -> Iterator[tuple[Holder, ...]]:
    known = None
    try:
        while True:
            known = drive(_next(seats, terms, known), time.sleep)
            yield known
    finally:
        seats.close()


async def aholders(seats: Seats, terms: Terms) -> tuple[Holder, ...]:
    import asyncio

    try:
        found: tuple[Holder, ...] = await adrive(seats.holders(limit_s=terms.ttl_s), asyncio.sleep, asyncio.to_thread)
        return found
    finally:
        seats.close()


async def awatch(seats: Seats, terms: Terms) -> AsyncIterator[tuple[Holder, ...]]:
    import asyncio

    known = None
    try:
        while True:
            known = await adrive(_next(seats, terms, known), asyncio.sleep, asyncio.to_thread)
            yield known
    finally:
        seats.interrupt()
        seats.close()
