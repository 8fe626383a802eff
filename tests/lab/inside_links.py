"""Run by test_links inside fresh namespaces, `python -m inside_links FOLDER STORY ...`; a line of JSON says what each one saw.

All stories happen in the same lab, and none may leave a trace in the next.
"""

import asyncio
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from holdfast.blueprint import Blueprint, Host, Segment
from holdfast.faults import network
from holdfast.faults.fault import Target
from holdfast.faults.network_check import CHECKS
from holdfast.faults.network_proof import connects, heard, measured_path, measured_rate
from holdfast.lab.namespaces.lab import lab_up
from holdfast.lab.verbs import Lab, Rule

NAMES = ("a", "b", "c")
HOSTS = tuple(Host(name=name, address=f"10.9.0.{number}") for number, name in enumerate(NAMES, 11))
SERVICE = Blueprint(
    service="links", hosts=HOSTS, segments=(Segment(name="lan", network="10.9.0.0/24"),), processes=(), names={}
)
PORT = 7000


def links() -> list[str]:
    """The interfaces beside the hosts, those of an unshaped lab left out."""
    usual = {"lo", "hf0", "hfdead", *(f"hf-{number}" for number in range(len(HOSTS)))}
    return sorted(name for _, name in socket.if_nameindex() if name not in usual)


@asynccontextmanager
async def swallow(lab: Lab, host: str, port: int) -> AsyncIterator[list[int]]:
    """A TCP server that reads and forgets; the only entry of the list grows with what it got."""
    got = [0]

    def read(listening: socket.socket) -> None:
        while True:
            try:
                far, _ = listening.accept()
            except OSError:
                return
            with far:
                while data := far.recv(1 << 18):
                    got[0] += len(data)
                far.send(b"!")

    async def listen() -> socket.socket:
        return socket.create_server((lab.blueprint.host(host).address, port))

    listening = await lab.at(host, listen)
    thread = threading.Thread(target=read, args=(listening,), daemon=True)
    thread.start()
    try:
        yield got
    finally:
        listening.shutdown(socket.SHUT_RDWR)  # or whoever waits in accept would keep it open
        listening.close()
        thread.join(5)


async def pour(lab: Lab, source: str, target: str, port: int, size: int) -> float:
    """Bytes per second of one TCP connection, until the far end has read the last."""
    address = lab.blueprint.host(target).address
    now_s = asyncio.get_running_loop().time

    async def dial() -> socket.socket:
        wire = socket.socket()
        wire.settimeout(20)
        wire.connect((address, port))
        return wire

    def send(wire: socket.socket) -> float:
        with wire:
            began_s = now_s()
            block = os.urandom(1 << 18)
            left = size
            while left > 0:
                left -= wire.send(block[: min(left, len(block))])
            wire.shutdown(socket.SHUT_WR)
            assert wire.recv(1) == b"!"
            return size / (now_s() - began_s)

    return await asyncio.to_thread(send, await lab.at(source, dial))


async def delay(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(source="a", target="b", delay_s=0.05, jitter_s=0.01, seed=4)])
    slow = await measured_path(lab, "a", "b", 60)
    other = await measured_path(lab, "a", "c", 30)
    return {"slow": slow, "other": other}


async def loss(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(source="a", drop=0.3, seed=9)])
    lossy = await measured_path(lab, "a", "b", 600, spacing_s=0.002, patience_s=0.3)
    return {"lossy": lossy, "other": await measured_path(lab, "c", "b", 50)}


async def rate(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(target="b", rate_bytes_per_s=1e6)])
    train = await measured_rate(lab, "a", "b")
    async with swallow(lab, "b", PORT):
        return {"train": train, "bulk": await pour(lab, "a", "b", PORT, 2_000_000)}


async def one_way(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(source="a", target="b", drop=1.0, spares_arp=True)])
    return {
        "a to b": await heard(lab, "a", "b"), "b to a": await heard(lab, "b", "a"), "a to c": await heard(lab, "a", "c"),
        "echo": await measured_path(lab, "b", "a", 10, patience_s=0.3),
    }  # fmt: skip


async def pairs(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(source="a", target="b", drop=1.0), Rule(source="b", target="a", drop=1.0)])
    ways = [(one, two) for one in NAMES for two in NAMES if one != two]
    shares = await asyncio.gather(*(heard(lab, one, two, 5) for one, two in ways))
    return {f"{one} to {two}": share for (one, two), share in zip(ways, shares, strict=True)}


async def ports(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(source="a", target="b", drop=1.0, ports=frozenset({PORT}))])
    async with swallow(lab, "b", PORT), swallow(lab, "b", PORT + 1):
        return {
            "cut": await connects(lab, "a", "b", PORT, patience_s=0.5), "other port": await connects(lab, "a", "b", PORT + 1),
            "other host": await connects(lab, "c", "b", PORT), "echo": await measured_path(lab, "a", "b", 5),
        }  # fmt: skip


async def bulk(lab: Lab) -> dict[str, Any]:
    """Through links whose rules concern other frames, and then with a delay, for which packets need not be counted."""
    others = Rule(source="c", target="a", drop=1.0)
    await lab.shape([others, replace(others, target="b")])
    async with swallow(lab, "b", PORT) as got:
        through = await pour(lab, "a", "b", PORT, 100_000_000)
        intact = got[0]
        await lab.shape([Rule(source="a", target="b", delay_s=0.001)])
        return {"through": through, "intact": intact, "delayed": await pour(lab, "a", "b", PORT, 50_000_000)}


async def replaced(lab: Lab) -> dict[str, Any]:
    """Rules come and go under a connection that never stops."""
    before = links()
    async with swallow(lab, "b", PORT) as got:
        pouring = asyncio.create_task(pour(lab, "a", "b", PORT, 120_000_000))
        for number in range(6):
            await lab.shape([Rule(source="a", target="b", delay_s=0.002 * number), Rule(source="*", drop=0.001, seed=number)])
            await asyncio.sleep(0.1)
            await lab.shape([Rule(source="a", target="b", rate_bytes_per_s=5e7)] if number % 2 else [])
            await asyncio.sleep(0.1)
        during = links()
        await lab.shape([])
        await pouring
    normal = await measured_path(lab, "a", "b", 30)
    return {"before": before, "during": during, "after": links(), "intact": got[0], "normal": normal}


async def waiting(lab: Lab) -> dict[str, Any]:
    """What was held back comes at once when the rule goes."""
    await lab.shape([Rule(source="a", target="b", delay_s=30.0)])
    asked = asyncio.create_task(heard(lab, "a", "b", 10, patience_s=1.0))
    await asyncio.sleep(0.5)
    await lab.shape([])
    return {"heard": await asked}


async def power(lab: Lab) -> dict[str, Any]:
    """A host that boots comes up under the rules in force; one that is unplugged stays so whatever the rules are."""
    await lab.shape([Rule(source="b", delay_s=0.05)])
    await lab.power_off("b")
    dead = await heard(lab, "a", "c", 5)
    off = links()
    await lab.power_on("b")
    booted = await measured_path(lab, "a", "b", 20)
    await lab.unplug("b")
    unplugged = await measured_path(lab, "a", "b", 5, patience_s=0.3)
    await lab.shape([])
    still = await measured_path(lab, "a", "b", 5, patience_s=0.3)
    await lab.shape([Rule(source="b", delay_s=0.05)])
    still_too = await measured_path(lab, "a", "b", 5, patience_s=0.3)
    await lab.plug("b")
    plugged = await measured_path(lab, "a", "b", 20)
    return {
        "a to c": dead, "off": off, "booted": booted, "unplugged": unplugged, "still": still, "still too": still_too,
        "plugged": plugged, "seen by us": await _reaches_us(lab),
    }  # fmt: skip


async def _reaches_us(lab: Lab) -> bool:
    """Holdfast's own address answers on a shaped cable, and only once: by its own way, not by the cable's end."""
    server = socket.create_server(("10.9.0.254", PORT))
    address = "10.9.0.254"

    async def knock() -> bool:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, PORT), 2)
        writer.close()
        return True

    with server:
        return await lab.at("b", knock)


async def unknown(lab: Lab) -> dict[str, Any]:
    try:
        await lab.shape([Rule(source="nobody", drop=1.0)])
    except LookupError as error:
        return {"said": str(error), "links": links()}
    return {}


async def bereft(lab: Lab) -> dict[str, Any]:
    """The relay dies: its hosts are cut off until the rules are told anew."""
    await lab.shape([Rule(source="a", target="b", delay_s=0.01)])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{pid}/cmdline", "rb") as line:
            if b"link_relay" in line.read():
                os.kill(int(pid), 9)
    await asyncio.sleep(0.1)
    cut = await measured_path(lab, "a", "b", 5, patience_s=0.3)
    await lab.shape([Rule(source="a", target="b", delay_s=0.02)])
    return {"cut off": cut, "again": await measured_path(lab, "a", "b", 20), "troubles": lab.troubles()}


SECONDLY: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "partition": (("a", "b", "c"), {"shape": "bridge"}),
    "one_way": (("b",), {"lost": "received"}),
    "loss": (("a", "b"), {"share": "10%"}),
    "delay": (("a",), {"delay": "200ms", "jitter": "50ms"}),
    "slow_link": (("b",), {"rate": "200kB"}),
    "cut_from": (("a",), {"from": "db"}),
}
"""Each fault once more: whom and with which settings, besides host a and what the fault does by itself."""


async def faults(lab: Lab) -> dict[str, Any]:
    """Every network fault: what its own check says before, while it strikes, and after it was mended."""
    seen: dict[str, Any] = {"links": []}
    firstly = {name: (("a",), {"from": "db", "ports": [PORT]} if name == "cut_from" else {}) for name in CHECKS}
    for cases in (firstly, SECONDLY):
        for name, (hosts, settings) in cases.items():
            fault = getattr(network, name)
            target = Target(
                hosts=hosts, tiers={"db": NAMES}, rest=tuple(host for host in NAMES if host not in hosts),
                settings=fault.settings(**settings), seed=1,
            )  # fmt: skip
            before = await CHECKS[name](lab, target) if cases is firstly else ""
            async with fault.strike(lab, target) as struck:
                during = await CHECKS[name](lab, target)
            after = await CHECKS[name](lab, target) if cases is firstly else ""
            seen[f"{name} at {target} {settings}"] = {"before": before, "said": struck.said, "during": during, "after": after}
            seen["links"] += links()
    return seen


async def forever(lab: Lab) -> dict[str, Any]:
    await lab.shape([Rule(delay_s=0.01)])
    print("shaped", flush=True)
    await asyncio.Event().wait()
    return {}


STORIES: dict[str, Callable[[Lab], Awaitable[dict[str, Any]]]] = {
    story.__name__: story
    for story in (delay, loss, rate, one_way, pairs, ports, bulk, replaced, waiting, power, unknown, bereft, faults, forever)
}


async def session(stories: list[str], folder: Path) -> None:
    async with lab_up(SERVICE, {}, folder) as lab:
        for story in stories:
            try:
                async with asyncio.timeout(60):
                    seen = await STORIES[story](lab)
            except Exception:
                seen = {"failed": traceback.format_exc()}
            await lab.shape([])
            print(json.dumps({story: {**seen, "left": links()}}), flush=True)


if __name__ == "__main__":
    asyncio.run(session(sys.argv[2:], Path(sys.argv[1])))
