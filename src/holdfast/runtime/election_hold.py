"""One hold of a seat as a block: `with` for plain code, `async with` for tasks; the block is told, or cancelled, when it is lost.

Rules: nothing is held before the store has said so; a block that ends gives the seat back, and only a block that ended in time
ends without HoldLost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.runtime.election_race import TaskRace, ThreadRace
from holdfast.runtime.rejections import NotAcquired

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.runtime.election_core import Term
    from holdfast.runtime.election_race import Race

__all__ = ["Hold"]


class Hold:
    """Entered, it waits for a seat and gives its Term.

    In plain code the block asks `term.check()`; in a task the block is cancelled when the term is over, and HoldLost takes the
    place of the cancellation.  One object serves one block.
    """

    __slots__ = ("_before", "_cancelled", "_made", "_max_wait_s", "_open", "_race", "_task")

    def __init__(self, made: Callable[[type[Race]], Any], max_wait_s: float | None):
        self._made, self._max_wait_s = made, max_wait_s
        self._race: Any = None
        self._task: Any = None
        self._before = 0
        self._open = self._cancelled = False

    @property
    def race(self) -> Race | None:
        race: Race | None = self._race
        return race

    def __enter__(self) -> Term:
        race = self._begin(ThreadRace)
        race.start()
        try:
            return self._got(race.wait(self._max_wait_s))
        except BaseException:
            race.stop()
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        term: Term = self._race.term
        in_time = term.may_act()
        self._race.stop()
        if kind is None and not in_time:
            raise term.lost()

    async def __aenter__(self) -> Term:
        import asyncio

        race = self._begin(TaskRace)
        self._task = asyncio.current_task()
        assert self._task is not None
        self._before = self._task.cancelling()
        race.start(self._cancel)
        try:
            term = self._got(await race.wait(self._max_wait_s))
        except BaseException:
            await race.stop()
            raise
        if term.may_act():
            self._open = True
            return term
        await race.stop()  # it was over before the block could begin
        raise term.lost()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        import asyncio

        self._open = False
        term: Term = self._race.term
        in_time = term.may_act()
        await self._race.stop()
        if self._cancelled and self._task.uncancel() > self._before:
            return  # somebody else wants this task to end, too
        if kind is None and not in_time or self._cancelled and kind is asyncio.CancelledError:
            raise term.lost() from error

    def _begin(self, kind: type[Any]) -> Any:
        if self._race is not None:
            raise RuntimeError("one hold serves one block; ask for another one with hold()")
        self._race = self._made(kind)
        return self._race

    def _got(self, term: Term | None) -> Term:
        if term is not None:
            return term
        race = self._race
        if race.stopping:
            raise NotAcquired(f"{race.name}: asked to stop before it held a seat", policy=race.name, state="stopped")
        why = f"{race.state}: {race.why}" if race.why else race.state
        raise NotAcquired(f"{race.name}: no seat within {self._max_wait_s:g} s ({why})", policy=race.name, state=race.state)

    def _cancel(self) -> None:
        """Called by the loop, never by the task itself."""
        if self._open:
            self._open, self._cancelled = False, True
            self._task.cancel()
