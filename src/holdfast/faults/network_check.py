"""Did the network fault strike?  Each check measures with packets of its own and returns what it saw in words, or "" if not that.

They stop no sooner than a network with the fault would differ from one without it: a check that finds nothing costs up to a few
seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from holdfast.faults.fault import Target
from holdfast.faults.network import cut_off, partitioned, peers
from holdfast.faults.network_proof import connects, heard, measured_path, measured_rate
from holdfast.lab.verbs import Lab
from holdfast.quantities import shown_seconds

Check = Callable[[Lab, Target], Awaitable[str]]

_FEW, _MANY = 5, 200
_KNOCK_S = 0.4
_DEVIATIONS = 4.0
"""So wide that a network as it was told to be is doubted once in ten thousand times."""


def _witness(target: Target, host: str) -> str:
    """Whoever is not struck; if all are, another of them."""
    others = [other for other in (*target.rest, *target.hosts) if other != host]
    assert others, "a network has two hosts at least"
    return others[0]


async def _every(target: Target, check: Callable[[str, str], Awaitable[str]]) -> str:
    """Of each struck host and its witness; a fault at several hosts is proven when it is for each of them."""
    said = await asyncio.gather(*(check(host, _witness(target, host)) for host in target.hosts))
    return "; ".join(said) if all(said) else ""


async def partition(lab: Lab, target: Target) -> str:
    """Every pair among the tier's hosts is asked in both directions: those that are cut, and those that are not."""
    cut, hosts = partitioned(target), peers(target)
    pairs = [(a, b) for a in hosts for b in hosts if a != b]
    shares = dict(zip(pairs, await asyncio.gather(*(heard(lab, a, b, _FEW) for a, b in pairs)), strict=True))
    if any((share == 0) != (pair in cut) for pair, share in shares.items()):
        return ""
    return f"of {len(pairs)} ways among {', '.join(hosts)} nothing arrives on {len(cut)}, on the others it does"


async def one_way(lab: Lab, target: Target) -> str:
    async def check(host: str, witness: str) -> str:
        sent, received = await heard(lab, host, witness, _FEW), await heard(lab, witness, host, _FEW)
        if target.settings.lost == "sent":
            return f"{witness} hears nothing of {host}, which hears {witness}" if sent == 0 and received == 1 else ""
        return f"{host} hears nothing of {witness}, which hears {host}" if received == 0 and sent == 1 else ""

    return await _every(target, check)


async def loss(lab: Lab, target: Target) -> str:
    async def check(host: str, witness: str) -> str:
        path = await measured_path(lab, witness, host, _MANY, spacing_s=0.002, patience_s=0.5)
        share = target.settings.share
        if witness in target.hosts:  # both lose what they send
            share = 1 - (1 - share) ** 2
        allowed = _DEVIATIONS * (share * (1 - share) / _MANY) ** 0.5
        seen = path.loss_share
        return f"of {_MANY} echoes of {host} {seen:.1%} are lost" if seen > 0 and abs(seen - share) <= allowed else ""

    return await _every(target, check)


async def delay(lab: Lab, target: Target) -> str:
    async def check(host: str, witness: str) -> str:
        wanted = target.settings
        patience_s = wanted.delay * 3 + 0.5
        path = await measured_path(lab, witness, host, 20, patience_s=patience_s)
        least_s = wanted.delay - min(wanted.jitter, wanted.delay)
        trip_s = path.rtt_median_s
        return f"an echo of {host} takes {shown_seconds(trip_s)}" if trip_s is not None and trip_s >= max(least_s, 0.0005) else ""

    return await _every(target, check)


async def slow_link(lab: Lab, target: Target) -> str:
    async def check(host: str, witness: str) -> str:
        rate = await measured_rate(lab, witness, host, patience_s=4.0)
        return f"{host} is sent {rate / 1e6:.3g} MB/s" if rate is not None and rate <= 1.2 * target.settings.rate else ""

    return await _every(target, check)


async def cut_from(lab: Lab, target: Target) -> str:
    """Each port is knocked at; where only ports are cut, an echo must still come through."""
    there = sorted({(a, b) for a, b in cut_off(target) if a in target.hosts})
    if not target.settings.ports:
        shares = await asyncio.gather(*(heard(lab, a, b, _FEW) for a, b in there))
        return "" if any(shares) else f"nothing of {target} arrives at {', '.join(b for _, b in there)}"
    knocks = [connects(lab, a, b, port, patience_s=_KNOCK_S) for a, b in there for port in target.settings.ports]
    if any(await asyncio.gather(*knocks)):
        return ""
    paths = await asyncio.gather(*(measured_path(lab, a, b, _FEW, patience_s=_KNOCK_S) for a, b in there))
    if any(path.rtt_median_s is None for path in paths):
        return ""
    ports = ", ".join(map(str, target.settings.ports))
    return f"{', '.join(dict.fromkeys(b for _, b in there))} answer {target} echoes and no connection to {ports}"


CHECKS: Mapping[str, Check] = {
    "partition": partition, "one_way": one_way, "loss": loss, "delay": delay, "slow_link": slow_link, "cut_from": cut_from,
}  # fmt: skip
