"""Faults of disks."""

from collections.abc import AsyncIterator

from holdfast.faults.fault import Struck, Target, fault
from holdfast.lab.verbs import Lab


@fault(needs="disk")
async def disk_full(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Not a byte is free on the host's disk.

    {fault: disk_full, tier: db, target: primary, for: 20s}
    """
    try:
        for host in target.hosts:
            await lab.fill_disk(host, full=True)
        yield Struck(said="; ".join([f"{host} has {await lab.free_disk(host)} bytes free" for host in target.hosts]))
    finally:
        for host in target.hosts:
            await lab.fill_disk(host, full=False)
