"""Faults of whole hosts."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from holdfast.faults.fault import Settings, Struck, Target, fault, states
from holdfast.faults.network_proof import heard
from holdfast.lab.verbs import Lab, Rule
from holdfast.quantities import Duration


@fault(needs="pause")
async def freeze(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Nothing runs, but connections stay open: the failure that timeouts exist for.

    {fault: freeze, tier: db, target: primary}
    """
    before = await states(lab, target)
    try:
        for host in target.hosts:
            await lab.pause(host)
        yield Struck(before=before, after=await states(lab, target))
    finally:
        for host in target.hosts:
            await lab.resume(host)


class PowerCut(Settings):
    unheard: Duration = 0.0
    """For this long before the cut the others of its tier hear nothing of the host, while everyone else still does: what it
    confirms meanwhile exists on it alone."""


@fault(needs="power", settings=PowerCut, also=lambda settings: ("shape",) if settings.unheard else ())
async def power_cut(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The plug is pulled: the host is gone and nobody is told; later it boots with the disk it had.

    {fault: power_cut, tier: entry, target: active}      {fault: power_cut, target: zone a}
    {fault: power_cut, tier: db, target: primary, unheard: 4s}
    """
    before = await states(lab, target)
    said = ""
    try:
        try:
            if target.settings.unheard:
                said = await _unheard(lab, target.hosts, _others_of_its_tiers(target), target.settings.unheard)
            for host in target.hosts:
                await lab.power_off(host)
        finally:
            if target.settings.unheard:
                await lab.shape(())
        yield Struck(before=before, after=await states(lab, target), said=said)
    finally:
        for host in target.hosts:
            await lab.power_on(host)


def _others_of_its_tiers(target: Target) -> tuple[str, ...]:
    every = [host for hosts in target.tiers.values() if set(hosts) & set(target.hosts) for host in hosts]
    return tuple(host for host in dict.fromkeys(every) if host not in target.hosts)


async def _unheard(lab: Lab, hosts: Sequence[str], others: Sequence[str], duration_s: float) -> str:
    """Raises OSError where somebody hears it all the same, or nobody could: then the power cut would prove nothing."""
    if not others:
        raise OSError(f"nobody else of its tier could hear {', '.join(hosts)}")
    loop = asyncio.get_running_loop()
    until_s = loop.time() + duration_s
    pairs = [(host, other) for host in hosts for other in others]
    rules = [Rule(source=source, target=into, drop=1.0) for pair in pairs for source, into in (pair, pair[::-1])]
    await lab.shape(rules)
    for host, other in pairs:
        if await heard(lab, host, other, 5):
            raise OSError(f"{other} still hears {host}")
    await asyncio.sleep(max(0.0, until_s - loop.time()))
    return f"{', '.join(others)} heard nothing of {', '.join(hosts)} for the last {loop.time() - until_s + duration_s:.1f} s"


@fault(needs="power")
async def reboot(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Power fails and is back at once: the host boots and must find its place again.

    {fault: reboot, tier: db, target: replica}
    """
    before = await states(lab, target)
    try:
        for host in target.hosts:
            await lab.power_off(host)
    finally:
        for host in target.hosts:
            await lab.power_on(host)
    yield Struck(before=before, after=await states(lab, target))


@fault(needs="wire")
async def isolate(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """The network forgets the host: its programs run on and hear nothing, the classic split brain.

    {fault: isolate, tier: db, target: primary}
    """
    before = await states(lab, target)
    try:
        for host in target.hosts:
            await lab.unplug(host)
        yield Struck(before=before, after=await states(lab, target))
    finally:
        for host in target.hosts:
            await lab.plug(host)
