"""Planned changes of what a service consists of.  The conductor plans the steps; here is what surrounds them.

Each is rolled out, held, and rolled back by the same steps in the other direction: the next drill finds what was declared,
and clients are watched on both ways.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.lab.verbs import Lab

BACK_LIMIT_S = 180.0
"""A database that grew takes a copy with it when it shrinks again, and one whose settings change restarts member by member."""


class Scale(Settings):
    to: Annotated[int, Field(ge=1)]
    """How many instances the tier shall have."""


class Towards(Settings):
    to: str
    """The topology file as it shall be; a relative path starts at this file's folder."""


async def _there_and_back(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    assert target.change, "the conductor plans a change"
    assert target.back, "the conductor plans the way back"
    before = await states(lab, target)
    try:
        said = await target.change()
        yield Struck(before=before, after=await states(lab, target), said=said)
    finally:
        await target.back()


@fault(needs="signal", planned=True, of_process=True, settings=Scale, mend_limit_s=BACK_LIMIT_S)
async def scale_out(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """More instances come, are in service, and then get their share; afterwards they go again.

    {fault: scale_out, tier: web, to: 5}
    """
    async for evidence in _there_and_back(lab, target):
        yield evidence


@fault(needs="signal", planned=True, of_process=True, settings=Scale, mend_limit_s=BACK_LIMIT_S)
async def scale_in(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The last instances get nothing new, finish what they have, and end; afterwards they come back.

    {fault: scale_in, tier: web, to: 2}
    """
    async for evidence in _there_and_back(lab, target):
        yield evidence


@fault(needs="signal", planned=True, of_process=True, settings=Towards, mend_limit_s=BACK_LIMIT_S)
async def config_change(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The service becomes what another topology file declares, while clients are on it; afterwards it becomes this one again.

    {fault: config_change, to: ./topology-next.yaml}
    """
    async for evidence in _there_and_back(lab, target):
        yield evidence


@fault(needs="signal", planned=True, of_process=True, mend_limit_s=BACK_LIMIT_S)
async def password_change(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The application's user of the database gets another password, and every program that uses it; afterwards the old one.

    {fault: password_change, tier: db}
    """
    async for evidence in _there_and_back(lab, target):
        yield evidence
