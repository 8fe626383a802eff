"""Is an instance sent to?  It may serve while a balancer or a sidecar that saw it away has not looked again."""

from holdfast.drills.asking import Asker
from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Instance, Topology


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
