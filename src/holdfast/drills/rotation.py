"""Is an instance sent to?  It may serve while a balancer or a sidecar that saw it away has not looked again."""

import asyncio
from collections.abc import Sequence

from holdfast.drills.asking import Asker
from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Instance, Topology

_LOOK_S = 0.1


async def all_in_rotation(instances: Sequence[Instance], topology: Topology, asker: Asker, limit_s: float) -> None:
    """Waits until every balancer sends to every instance: one that it has not taken back yet could not stand in for another.

    Raises TimeoutError, which names one that is left out.
    """
    until_s = asker.lab.now_s() + limit_s
    for instance in instances:
        while not await in_rotation(instance, topology, asker):
            if asker.lab.now_s() > until_s:
                raise TimeoutError(f"not every balancer sends to {instance.name}")
            await asyncio.sleep(_LOOK_S)


async def in_rotation(instance: Instance, topology: Topology, asker: Asker) -> bool:
    """Every one that sends to it and can be asked says so; one with a config of the user's own cannot be asked.

    Of a database only the primary is sent to, so that no instance in particular is waited for.
    """
    if "http" not in ENGINES[instance.engine].SERVES:
        return True
    wanted = f"{instance.tier}/{instance.host}"
    for tier in mesh.senders(instance.tier, topology):
        for sender in topology.instances_of(tier):
            question = ENGINES[sender.engine].questions(sender, topology).rotation
            if question and wanted not in (await asker.word(question)).split():
                return False
    return True
