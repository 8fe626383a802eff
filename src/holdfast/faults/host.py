"""Faults of a whole host."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault
from holdfast.lab.verbs import Lab


@fault(needs="pause")
async def freeze(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Nothing runs, but connections stay open: the failure that timeouts exist for.

    {fault: freeze, target: primary, tier: db}
    """
    before = await lab.states(target.host)
    await lab.pause(target.host)
    yield Struck(before=before, after=await lab.states(target.host))
    await lab.resume(target.host)


@fault(needs="power")
async def power_cut(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The plug is pulled: the host is gone and nobody is told; later it boots with the disk it had.

    {fault: power_cut, target: active, tier: entry}
    """
    before = await lab.states(target.host)
    await lab.power_off(target.host)
    yield Struck(before=before, after=await lab.states(target.host))
    await lab.power_on(target.host)


@fault(needs="wire")
async def isolate(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The network forgets the host: its programs run on and hear nothing, the classic split brain.

    {fault: isolate, target: primary, tier: db}
    """
    before = await lab.states(target.host)
    await lab.unplug(target.host)
    yield Struck(before=before, after=await lab.states(target.host))
    await lab.plug(target.host)
