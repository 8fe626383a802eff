"""The beat: every question starts on time, whether or not the last one was answered.

A slow service must not slow its own measurement, so questions never wait for each other.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holdfast.probes.probe import Ask, Probe, Reply

Heard = Callable[[int, float, float, float, Reply], None]
"""Gets number, due, asked and answered (seconds of the lab's clock) and the reply."""


_ALMOST_S = 1e-6
"""A timer may fire that much too soon, because seconds are rounded."""
_SWITCH_S = 0.0005
"""How long a client's thread may wait for another one of ours to let it run.  Python's 5 ms are all that a beat may be late."""


@contextmanager
def punctual() -> Iterator[None]:
    """While probes ask: threads take turns sooner, and what is there already is not searched for garbage any more."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)


async def beat(probe: Probe, now_s: Callable[[], float], heard: Heard, opened: Callable[[], None]) -> None:
    """On the client's own loop, until cancelled.  `opened` is called once the first question can be asked.

    All that are due are asked before the loop turns.  One for each turn would never catch up with a delay where a turn takes as
    long as a beat, as when a hundred answers come at once.
    """
    async with probe.open() as ask, asyncio.TaskGroup() as questions:
        opened()
        began_s, number = now_s(), 0
        while True:
            while (due_s := began_s + number * probe.every_s) <= now_s() + _ALMOST_S:
                number += 1
                questions.create_task(_one(ask, number, due_s, now_s, heard))
            await asyncio.sleep(due_s - now_s())


async def _one(ask: Ask, number: int, due_s: float, now_s: Callable[[], float], heard: Heard) -> None:
    asked_s = now_s()
    reply = await ask(number)
    heard(number, due_s, asked_s, now_s(), reply)
