"""A real Envoy and a real HAProxy take over new servers and times while a visitor asks without a pause."""

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import classic, shop

from holdfast.blueprint import Process, Site
from holdfast.change.version import scaled
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Question
from holdfast.lab.doctor import find_programs
from holdfast.probes.exchange import Unanswered, exchange
from holdfast.topology.model import Topology

pytestmark = pytest.mark.real
FIRST = f"127.{os.getpid() % 250 + 1}.1"
"""A network of our own on loopback, so that several runs do not meet."""


def only_pages(engine: str, replicas: int, interval_s: float = 0.25) -> Topology:
    whole = shop() if engine == "envoy" else classic()
    entry = whole.tiers["entry"].model_copy(update={"routes": {"http": "web"}, "vip": None})
    entry = entry.model_copy(update={"settings": entry.settings.model_copy(update={"check_interval": interval_s})})
    return scaled(replace(whole, tiers={"entry": entry, "web": whole.tiers["web"]}), "web", replicas)


def site_in(folder: Path, engine: str) -> Site:
    programs, missing = find_programs((engine,), {})
    if missing:
        pytest.skip("; ".join(problem.what for problem in missing.values()))
    addresses = {place.name: place.address.replace("10.0.1", FIRST) for place in only_pages(engine, 5).places}
    return Site(
        lab="loopback", programs=programs, prefix=str(folder), addresses=addresses, shares_network=True, low_ports=False,
    )  # fmt: skip


def move_into_place(process: Process, site: Site) -> None:
    for path, file in process.files.items():
        target = Path(site.path(process.host, path))
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(".new")
        beside.write_text(file.text)
        beside.rename(target)


class Pages:
    """The servers behind the balancer, in this process, each of which can end and come back."""

    def __init__(self, site: Site):
        self._site = site
        self._servers: dict[str, asyncio.Server] = {}

    async def start(self, host: str) -> None:
        self._servers[host] = await asyncio.start_server(self._serve, self._site.addresses[host], 8080)

    def stop(self, host: str) -> None:
        self._servers.pop(host).close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"\r\n", b""):
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()


async def word(question: Question | None, site: Site) -> str:
    assert question
    try:
        found = await exchange((site.addresses["entry1"],), site.port(question.port), question.path, patience_s=1.0)
    except Unanswered:
        return ""
    return question.read(found.status, found.body)


async def until(question: Question | None, site: Site, wanted: str, *, there: bool = True) -> None:
    async with asyncio.timeout(15):
        while (wanted in (await word(question, site)).split()) is not there:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.02)


async def visit(site: Site, seen: list[bool]) -> None:
    """As one visitor after the other, until cancelled."""
    while True:
        try:
            answer = await exchange((site.addresses["entry1"],), site.port(80), "/", patience_s=2.0)
            seen.append(answer.status == 200)
        except Unanswered:
            seen.append(False)
        await asyncio.sleep(0.005)


async def learns(folder: Path, engine: str) -> list[bool]:
    site = site_in(folder, engine)
    known = ENGINES[engine]
    instance = only_pages(engine, 2).instances_of("entry")[0]
    behind, seen = Pages(site), []
    for host in ("web1", "web2", "web3"):
        await behind.start(host)
    topology = only_pages(engine, 2)
    process = known.process(instance, topology, site)
    move_into_place(process, site)
    quiet = asyncio.subprocess.DEVNULL
    program = await asyncio.create_subprocess_exec(*process.argv, stdout=quiet, stderr=quiet)

    async def takes(after: Topology) -> None:
        files = known.process(instance, after, site)
        move_into_place(files, site)
        agrees = known.actions(instance, after).agrees(files.files)
        while await word(agrees, site) != "yes":
            # A HAProxy whose new worker answers may not listen to signals again yet, and then one is lost.
            if known.actions(instance, after).reloads:
                program.send_signal(getattr(signal, f"SIG{known.actions(instance, after).reloads}"))
            await asyncio.sleep(1.0)

    async def restart(host: str) -> None:
        """Long enough to be missed, and back only when the balancer says so."""
        rotation = known.questions(instance, topology).rotation
        behind.stop(host)
        await until(rotation, site, f"web/{host}", there=False)
        await behind.start(host)
        await until(rotation, site, f"web/{host}")

    try:
        for host in ("web1", "web2"):
            await until(known.questions(instance, topology).rotation, site, f"web/{host}")
        async with asyncio.TaskGroup() as tasks:
            visitor = tasks.create_task(visit(site, seen))
            await takes(only_pages(engine, 3))
            await until(known.questions(instance, topology).reached, site, "web/web3")
            await takes(only_pages(engine, 3, interval_s=0.5))
            await takes(topology)
            await restart("web1")
            await restart("web2")
            visitor.cancel()
    finally:
        program.terminate() if engine == "haproxy" else program.kill()  # the master takes its worker along
        await program.wait()
        for host in ("web1", "web2", "web3"):
            behind.stop(host)
    return seen


@pytest.mark.parametrize("engine", ["envoy", "haproxy"])
def test_servers_come_and_go_and_restart_and_times_change_without_a_failed_request(tmp_path: Path, engine: str):
    with socket.socket() as attempt:
        attempt.bind((f"{FIRST}.11", 0))  # not every kernel lets one bind all of 127.0.0.0/8
    seen = asyncio.run(asyncio.wait_for(learns(tmp_path, engine), 50))
    assert len(seen) > 10
    assert all(seen), f"{seen.count(False)} of {len(seen)} failed"
