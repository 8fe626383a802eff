"""Planned changes: what an operator does on purpose, measured like any other fault."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault, states
from holdfast.lab.verbs import Lab


@fault(needs="signal", planned=True, of_process=True)
async def switchover(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The primary hands over to a standby in good order: a bounded pause of writes, and nothing lost.

    {fault: switchover, tier: db, target: primary}
    """
    assert target.change, "the conductor gives a switchover its request"
    before = await states(lab, target)
    said = await target.change()
    yield Struck(before=before, after=await states(lab, target), said=said)


@fault(needs="signal", planned=True, of_process=True)
async def reload(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The program reads its files again, under load.

    {fault: reload, tier: entry, target: all}
    """
    before = await states(lab, target)
    if target.reloads:
        for process in target.processes:
            await lab.signal(process, target.reloads)
        yield Struck(before=before, after=await states(lab, target), said=f"sent {target.reloads}")
        return
    assert target.change, "who is told by no signal is given its files anew"
    assert target.back, "and its own ones afterwards"
    try:
        said = await target.change()
        yield Struck(before=before, after=await states(lab, target), said=said)
    finally:
        await target.back()


@fault(needs="signal", planned=True, of_process=True)
async def certificate_change(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """A new certificate takes the place of the old one on each host, under load, and the program is told.

    {fault: certificate_change, tier: entry, target: all}
    """
    assert target.change, "the conductor gives the new certificate"
    before = await states(lab, target)
    said = await target.change()
    for process in target.processes if target.reloads else ():
        await lab.signal(process, target.reloads)
    yield Struck(before=before, after=await states(lab, target), said=said)


@fault(needs="signal", planned=True, of_process=True)
async def rolling_restart(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """One instance after the other is stopped in good order and started again; the next waits until it serves.

    {fault: rolling_restart, tier: web}
    """
    assert target.in_service, "the conductor tells when an instance serves again"
    before = await states(lab, target)
    for process in target.processes:
        await lab.stop(process)
        await lab.start(process)
        await target.in_service(process)
    yield Struck(before=before, after=await states(lab, target))
