"""Faults of whole hosts."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault, states
from holdfast.lab.verbs import Lab


@fault(needs="pause")
async def freeze(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Nothing runs, but connections stay open: the failure that timeouts exist for.

    {fault: freeze, tier: db, target: primary}
    """
    before = await states(lab, target)
    for host in target.hosts:
        await lab.pause(host)
    yield Struck(before=before, after=await states(lab, target))
    for host in target.hosts:
        await lab.resume(host)


@fault(needs="power")
async def power_cut(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The plug is pulled: the host is gone and nobody is told; later it boots with the disk it had.

    {fault: power_cut, tier: entry, target: active}      {fault: power_cut, target: zone a}
    """
    before = await states(lab, target)
    for host in target.hosts:
        await lab.power_off(host)
    yield Struck(before=before, after=await states(lab, target))
    for host in target.hosts:
        await lab.power_on(host)


@fault(needs="power")
async def reboot(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Power fails and is back at once: the host boots and must find its place again.

    {fault: reboot, tier: db, target: replica}
    """
    before = await states(lab, target)
    for host in target.hosts:
        await lab.power_off(host)
    for host in target.hosts:
        await lab.power_on(host)
    yield Struck(before=before, after=await states(lab, target))


@fault(needs="wire")
async def isolate(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The network forgets the host: its programs run on and hear nothing, the classic split brain.

    {fault: isolate, tier: db, target: primary}
    """
    before = await states(lab, target)
    for host in target.hosts:
        await lab.unplug(host)
    yield Struck(before=before, after=await states(lab, target))
    for host in target.hosts:
        await lab.plug(host)
