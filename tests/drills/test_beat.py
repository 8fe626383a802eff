"""The beat: on time, never more than a turn of the loop behind, whatever the answers cost."""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from virtual_time import VirtualLoop, run

from holdfast.drills.beat import beat, punctual
from holdfast.probes.probe import Ask, Probe, Reply

EVERY_S = 0.01


def probe(ask: Ask) -> Probe:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        yield ask

    return Probe(
        name="pages", kind="http", what="a page", client="client", every_s=EVERY_S, patience_s=1.0, writes=False, open=opened,
    )  # fmt: skip


def beaten(ask: Ask, lasting_s: float, *alongside: Any) -> list[tuple[int, float, float]]:
    """(number, due, asked) of every question, in virtual time."""
    asked: list[tuple[int, float, float]] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        beating = asyncio.create_task(
            beat(probe(ask), loop.time, lambda number, due_s, asked_s, *_: asked.append((number, due_s, asked_s)), lambda: None)
        )
        others = [asyncio.create_task(each()) for each in alongside]
        await asyncio.sleep(lasting_s)
        beating.cancel()
        await asyncio.wait([beating, *others])

    run(story())
    return asked


async def at_once(number: int) -> Reply:
    return Reply(answer="yes")


def test_every_question_is_asked_on_its_beat() -> None:
    asked = beaten(at_once, 10.0)
    assert [number for number, _, _ in asked] == list(range(1, len(asked) + 1))
    assert len(asked) in (1000, 1001)
    assert max(abs(asked_s - due_s) for _, due_s, asked_s in asked) < 1e-5


def test_slow_answers_delay_no_question() -> None:
    async def slow(number: int) -> Reply:
        await asyncio.sleep(0.7)
        return Reply(answer="yes")

    assert max(abs(asked_s - due_s) for _, due_s, asked_s in beaten(slow, 5.0)) < 1e-5


def test_after_a_standstill_all_that_were_due_are_asked_in_one_turn() -> None:
    """While others make each turn of the loop as long as a beat, one question for each turn would stay behind for ever."""

    def work(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.clock_s += seconds

    async def others() -> None:
        await asyncio.sleep(1.0)
        work(0.5)
        for _ in range(300):
            work(EVERY_S)
            await asyncio.sleep(0)

    asked = beaten(at_once, 6.0, others)
    late_s = {due_s: asked_s - due_s for _, due_s, asked_s in asked}
    standstill = [late for due_s, late in late_s.items() if 1.0 <= due_s <= 1.5]
    busy = [late for due_s, late in late_s.items() if 1.55 < due_s < 4.4]
    assert max(standstill) > 0.4, "nobody can ask while everything stands still"
    assert max(busy) < 5 * EVERY_S, "and then a few turns behind at most"


def test_threads_take_turns_sooner_only_while_probes_ask() -> None:
    before_s = sys.getswitchinterval()
    with punctual():
        assert sys.getswitchinterval() < 0.001
        assert gc.get_freeze_count() > 0
    assert sys.getswitchinterval() == before_s
    assert gc.get_freeze_count() == 0


def test_a_real_clock_is_kept_up_with() -> None:
    asked: list[int] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        beating = asyncio.create_task(beat(probe(at_once), loop.time, lambda number, *_: asked.append(number), lambda: None))
        await asyncio.sleep(0.1)
        time.sleep(0.2)  # noqa: ASYNC251 - the whole loop stands still
        await asyncio.sleep(0.05)
        beating.cancel()
        await asyncio.wait([beating])

    asyncio.run(story())
    assert len(asked) >= 30
