"""Faults of disks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from pydantic import Field, model_validator

from holdfast.blueprint import Blueprint
from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.lab.verbs import HostGone, Lab
from holdfast.quantities import Duration, shown_seconds


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


@fault(needs="disk")
async def disk_read_only(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The host comes back with a disk that it may only read: as after an error of its file system and a restart of everything.

    No kernel protects a disk on which files are open for writing, short of the error itself.  So the host's programs are killed,
    the disk is mounted read-only, and the service manager starts them again; when mended it can be written to, under them.

    {fault: disk_read_only, tier: db, target: replica, for: 20s}
    """
    before = await states(lab, target)
    try:
        for host in target.hosts:
            await lab.protect_disk(host, on=True)
        yield Struck(before=before, after=await states(lab, target), said=f"the disk of {target} is read-only")
    finally:
        for host in target.hosts:
            await lab.protect_disk(host, on=False)


class Slow(Settings):
    stall: Duration = Field(default=0.2, ge=0.01, le=2)
    """For so long nobody gets an answer of the disk."""
    work: Duration = Field(default=0.01, ge=0.001, le=2)
    """Then for so long everybody does, and again; no longer than the stall."""

    @model_validator(mode="after")
    def _mostly_stalled(self) -> "Slow":
        if self.work > self.stall:
            what = f"work, {shown_seconds(self.work)}, is longer than stall, {shown_seconds(self.stall)}"
            raise ValueError(f"{what}; write it shorter")
        return self


@fault(needs="stall", program="bindfs", settings=Slow)
async def disk_slow(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The host's disk stalls again and again: a worn SSD, a noisy neighbour, a storage network that fails over.

    Who commits waits, and whoever waits for them.  In a run with such a drill all hosts of the tier reach /var/lib through
    bindfs, which costs a little with each write, and which is stopped and let go in this rhythm.

    {fault: disk_slow, tier: db, target: primary, stall: 200ms, work: 10ms, for: 10s}
    """
    wanted = target.settings

    async def stall() -> None:
        while True:
            for host in target.hosts:
                await lab.stall_disk(host, on=True)
            await asyncio.sleep(wanted.stall)
            for host in target.hosts:
                await lab.stall_disk(host, on=False)
            await asyncio.sleep(wanted.work)

    before = await states(lab, target)
    stalling = asyncio.create_task(stall(), name="disk_slow")
    try:
        await asyncio.sleep(wanted.stall / 2)
        said = f"the disk of {target} answers for {shown_seconds(wanted.work)} every {shown_seconds(wanted.stall + wanted.work)}"
        yield Struck(before=before, after=await states(lab, target), said=said)
    finally:
        stalling.cancel()
        with suppress(asyncio.CancelledError, HostGone):
            await stalling
        for host in target.hosts:
            await lab.stall_disk(host, on=False)


def slowable(blueprint: Blueprint, hosts: frozenset[str], program: str) -> Blueprint:
    """The same, with the disks of these hosts behind this bindfs."""
    changed = tuple(replace(host, disk_through=program) if host.name in hosts else host for host in blueprint.hosts)
    return replace(blueprint, hosts=changed)
