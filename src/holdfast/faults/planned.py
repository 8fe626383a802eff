"""Planned changes: what an operator does on purpose, measured like any other fault."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault
from holdfast.lab.verbs import Lab


@fault(needs="signal", planned=True, mends=False)
async def switchover(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The primary hands over to a standby in good order: a bounded pause of writes, and nothing lost.

    {fault: switchover, target: primary, tier: db}
    """
    assert target.change, "the conductor gives a switchover its request"
    before = await lab.states(target.host)
    said = await target.change()
    yield Struck(before=before, after=await lab.states(target.host), said=said)
