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
    """On the client's own loop, until cancelled.  `opened` is called once the first question can be asked."""
    async with probe.open() as ask, asyncio.TaskGroup() as questions:
        opened()
        began_s, number = now_s(), 0
        while True:
            due_s = began_s + number * probe.every_s
            await asyncio.sleep(max(0.0, due_s - now_s()))
            number += 1
            questions.create_task(_one(ask, number, due_s, now_s, heard))


async def _one(ask: Ask, number: int, due_s: float, now_s: Callable[[], float], heard: Heard) -> None:
    asked_s = now_s()
    reply = await ask(number)
    heard(number, due_s, asked_s, now_s(), reply)
