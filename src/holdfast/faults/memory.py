"""Memory runs out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from pydantic import Field

from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.lab.verbs import Lab
from holdfast.quantities import Size

_AGAIN_S = 0.05


class Oom(Settings):
    more: Size = Field(default=16 << 10, ge=4096)
    """How much the program and all that it runs may still get; what they have already does not count."""


@fault(needs="memory", of_process=True, settings=Oom)
async def oom(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """A memory limit that bites: the kernel kills whatever of the program asks for more, also when it was started again.

    The kernel chooses whom: of a database it may be one backend, after which all others must go as well.

    {fault: oom, tier: db, target: replica, more: 16KiB, for: 10s}
    """

    enough = asyncio.Event()

    async def hold() -> None:
        """Is asked to end and not cut short: a limit that is being set must not come after it was lifted."""
        while not enough.is_set():
            for process in target.processes:
                with suppress(OSError):  # it is just not there at the moment
                    await lab.limit_memory(process, target.settings.more)
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_S):
                    await enough.wait()

    before = await states(lab, target)
    holding = None
    try:
        for process in target.processes:
            await lab.limit_memory(process, target.settings.more)
        holding = asyncio.create_task(hold(), name="oom")
        yield Struck(before=before, after=await states(lab, target), said=f"{target} may get {target.settings.more} bytes more")
    finally:
        enough.set()
        try:
            if holding:
                await holding
        finally:
            for process in target.processes:
                await lab.limit_memory(process, None)
