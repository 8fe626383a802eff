"""Faults of one process."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault
from holdfast.lab.verbs import Lab


@fault(needs="signal", mends=False)
async def kill(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The process ends at once, without a goodbye (SIGKILL); the service manager may start it again.

    {fault: kill, target: one, tier: web}
    """
    before = await lab.states(target.host)
    await lab.signal(target.process, "KILL", target.inner)
    yield Struck(before=before, after=await lab.states(target.host))
