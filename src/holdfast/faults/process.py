"""Faults of programs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Literal

from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.lab.verbs import Lab
from holdfast.quantities import Duration, Share

_AGAIN_S = 0.05


class Kill(Settings):
    signal: Literal["KILL", "TERM", "INT", "QUIT", "HUP", "ABRT", "SEGV"] = "KILL"
    """KILL leaves no time for a goodbye; TERM asks for an orderly end."""


@fault(needs="signal", of_process=True, settings=Kill)
async def kill(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The program ends at once, without a goodbye; the service manager may start it again.

    {fault: kill, tier: web, target: one, signal: TERM}
    """
    before = await states(lab, target)
    for process in target.processes:
        await lab.signal(process, target.settings.signal, target.inner)
    yield Struck(before=before, after=await states(lab, target))


@fault(needs="signal", of_process=True)
async def crash_loop(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The program dies again as soon as it was started, until mended.

    {fault: crash_loop, tier: web, target: one, for: 10s}
    """

    async def again() -> None:
        while True:
            for process in target.processes:
                with suppress(OSError):  # it is just not there at the moment
                    await lab.signal(process, "KILL", target.inner)
            await asyncio.sleep(_AGAIN_S)

    before = await states(lab, target)
    killing = asyncio.create_task(again(), name="crash_loop")  # its parent is this generator: ended below, whatever happens
    try:
        await asyncio.sleep(_AGAIN_S)
        yield Struck(before=before, after=await states(lab, target))
    finally:
        killing.cancel()


@fault(needs="signal", of_process=True)
async def hang(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The program stands still while the rest of its host goes on: its port still accepts, nobody answers.

    {fault: hang, tier: web, target: one, for: 10s}
    """
    before = await states(lab, target)
    try:
        for process in target.processes:
            await lab.signal(process, "STOP", target.inner)
        yield Struck(before=before, after=await states(lab, target))
    finally:
        for process in target.processes:
            with suppress(OSError):  # killed or restarted meanwhile
                await lab.signal(process, "CONT", target.inner)


class Starve(Settings):
    share: Share = 0.95
    """How much of the time the host gets no CPU."""
    period: Duration = 0.2
    """The rhythm in which it gets some and gets none."""


@fault(needs="pause", settings=Starve)
async def cpu_starve(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The host gets only a small share of the CPU: everything on it is slow, nothing is dead.

    {fault: cpu_starve, tier: web, target: one, share: 95%, for: 10s}
    """

    async def starve() -> None:
        while True:
            for host in target.hosts:
                await lab.pause(host)
            await asyncio.sleep(target.settings.period * target.settings.share)
            for host in target.hosts:
                await lab.resume(host)
            await asyncio.sleep(target.settings.period * (1 - target.settings.share))

    before = await states(lab, target)
    starving = asyncio.create_task(starve(), name="cpu_starve")
    try:
        await asyncio.sleep(target.settings.period * target.settings.share / 2)
        yield Struck(before=before, after=await states(lab, target), said=f"stopped {target.settings.share:.0%} of the time")
    finally:
        starving.cancel()
        with suppress(asyncio.CancelledError):
            await starving
        for host in target.hosts:
            await lab.resume(host)
