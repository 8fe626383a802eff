"""The ways in which an election is struck.  Each is a coroutine that breaks, waits and mends; it returns whom it struck.

Rules: the one who leads is struck more often than not; what is mended is mended also after an error.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from holdfast.lab.verbs import Lab, Rule

ETCD = ("etcd1", "etcd2", "etcd3")
CONTENDERS = tuple(f"contender{number}" for number in range(1, 6))
CLOCK = "/etc/contender/clock"
"""How far libfaketime puts a contender's wall clock forward, in its own notation."""

Strike = Callable[[Lab, Random, str], Awaitable[str]]


class Void(Exception):
    """The strike had no effect, so that nothing was learnt."""


def _whom(rng: Random, leader: str) -> str:
    return leader if rng.random() < 0.8 else rng.choice(CONTENDERS)


async def kill(lab: Lab, rng: Random, leader: str) -> str:
    host = _whom(rng, leader)
    await lab.signal(f"{host}/command", "KILL")
    return host


async def freeze(lab: Lab, rng: Random, leader: str) -> str:
    """Longer than a lease, or shorter: whoever wakes up must know which."""
    host = _whom(rng, leader)
    await lab.pause(host)
    try:
        await asyncio.sleep(rng.uniform(0.3, 5.0))
    finally:
        await lab.resume(host)
    return host


async def isolate(lab: Lab, rng: Random, leader: str) -> str:
    host = _whom(rng, leader)
    await lab.unplug(host)
    try:
        await asyncio.sleep(rng.uniform(0.5, 4.5))
    finally:
        await lab.plug(host)
    return host


async def cut_from_etcd(lab: Lab, rng: Random, leader: str) -> str:
    """It still reaches the fence: nothing but its own clock stops it."""
    host = _whom(rng, leader)
    await _shaped(lab, rng, [rule for member in ETCD for rule in _cut(host, member)])
    return host


async def slow_to_etcd(lab: Lab, rng: Random, leader: str) -> str:
    """Renewals are granted, and the answers come late."""
    host = _whom(rng, leader)
    delay_s = rng.uniform(0.1, 1.2)
    await _shaped(lab, rng, [Rule(source=member, target=host, delay_s=delay_s) for member in ETCD])
    return f"{host} by {delay_s:.2f} s"


async def cut_one_member(lab: Lab, rng: Random, leader: str) -> str:
    """Contenders still reach a member that has no majority."""
    member = rng.choice(ETCD)
    await _shaped(lab, rng, [rule for other in ETCD if other != member for rule in _cut(member, other)])
    return member


async def kill_member(lab: Lab, rng: Random, leader: str) -> str:
    member = rng.choice(ETCD)
    await lab.signal(f"{member}/etcd", "KILL")
    return member


async def freeze_member(lab: Lab, rng: Random, leader: str) -> str:
    member = rng.choice(ETCD)
    await lab.pause(member)
    try:
        await asyncio.sleep(rng.uniform(0.5, 4.0))
    finally:
        await lab.resume(member)
    return member


async def lose_quorum(lab: Lab, rng: Random, leader: str) -> str:
    members = rng.sample(ETCD, 2)
    for member in members:
        await lab.stop(f"{member}/etcd")
    try:
        await asyncio.sleep(rng.uniform(0.5, 4.0))
    finally:
        for member in members:
            await lab.start(f"{member}/etcd")
    return " and ".join(members)


async def restart_members(lab: Lab, rng: Random, leader: str) -> str:
    for member in ETCD:
        await lab.stop(f"{member}/etcd")
        await lab.start(f"{member}/etcd")
        await asyncio.sleep(1.5)
    return "all members in turn"


async def restart_contenders(lab: Lab, rng: Random, leader: str) -> str:
    for host in rng.sample(CONTENDERS, len(CONTENDERS)):
        await lab.stop(f"{host}/command")
        await lab.start(f"{host}/command")
        await asyncio.sleep(0.3)
    return "all contenders in turn"


async def resign(lab: Lab, rng: Random, leader: str) -> str:
    await lab.stop(f"{leader}/command")
    await asyncio.sleep(0.5)
    await lab.start(f"{leader}/command")
    return leader


async def power_cut(lab: Lab, rng: Random, leader: str) -> str:
    host = _whom(rng, leader)
    await lab.power_off(host)
    try:
        await asyncio.sleep(rng.uniform(0.5, 3.0))
    finally:
        await lab.power_on(host)
    return host


async def step_clock(lab: Lab, rng: Random, leader: str) -> str:
    """The wall clock leaps, by up to a day and either way; needs libfaketime."""
    host = _whom(rng, leader)
    leap_s = rng.choice((-1, 1)) * rng.choice((3, 60, 3600, 86400))
    await _set_clock(lab, host, leap_s)
    try:
        seen_s = await asyncio.to_thread(_leapt_s, lab.blueprint.host(host).address)
        if abs(seen_s - leap_s) > 2:
            raise Void(f"the wall clock of {host} is {seen_s:.1f} s away from ours, and should be {leap_s} s")
        await asyncio.sleep(rng.uniform(1.0, 4.0))
    finally:
        await _set_clock(lab, host, 0)
    return f"{host} by {leap_s} s"


STRIKES: dict[str, Strike] = {
    strike.__name__: strike
    for strike in (
        kill, freeze, isolate, cut_from_etcd, slow_to_etcd, cut_one_member, kill_member, freeze_member, lose_quorum,
        restart_members, restart_contenders, resign, power_cut, step_clock,
    )
}  # fmt: skip
MUST_CHANGE_HANDS = frozenset({"kill", "resign", "power_cut"})
"""When the one who leads is struck by these, somebody else (or its next life) leads afterwards."""


def _cut(one: str, other: str) -> list[Rule]:
    return [Rule(source=one, target=other, drop=1.0), Rule(source=other, target=one, drop=1.0)]


async def _shaped(lab: Lab, rng: Random, rules: list[Rule]) -> None:
    await lab.shape(rules)
    try:
        await asyncio.sleep(rng.uniform(0.5, 4.5))
    finally:
        await lab.shape([])


def _leapt_s(address: str) -> float:
    """What the contender itself reads on the wall, less what we read."""
    with urllib.request.urlopen(f"http://{address}:8080/", timeout=5) as page:
        return float(page.read()) - time.time()


async def _set_clock(lab: Lab, host: str, leap_s: int) -> Any:
    done = await lab.run(host, ["sh", "-c", f"echo {leap_s:+d} >{CLOCK}.new && mv {CLOCK}.new {CLOCK}"])
    assert done.code == 0, done.text
