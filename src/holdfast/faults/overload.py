"""More than the service can do: a crowd that does not wait until the last answers have come."""

from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from holdfast.errors import Problem, Refused
from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.lab.verbs import Lab

PUNCTUAL = 0.95
"""Of the requests; where fewer could be sent on time, something else was offered than was meant."""


class Overload(Settings):
    probe: str
    """The http probe whose question the crowd asks, from that probe's client, each giving up after its `patience`."""
    times: Annotated[float, Field(gt=0, le=20)] = 2.0
    """How much is offered, in the declared `capacity` of all the tier's instances."""


@fault(needs="signal", settings=Overload)
async def overload(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """More requests than the tier's declared capacity come, at a fixed rate whatever becomes of them, for as long as `for` says.

    {fault: overload, tier: web, probe: pages, times: 2, for: 8s}
    """
    if target.offer is None:
        raise Refused(Problem(f"{target} has no load to be offered", where="drills", remedy="run it as a drill of a topology"))
    before = await states(lab, target)
    figures = await target.offer()
    if figures["punctual"] < PUNCTUAL * figures["due"]:
        late = figures["due"] - figures["punctual"]
        raise OSError(f"{late:.0f} of {figures['due']:.0f} requests left too late: this machine cannot offer so many")
    yield Struck(before=before, after=await states(lab, target), figures=figures)
