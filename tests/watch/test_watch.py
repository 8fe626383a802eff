"""Thousands of changes in one moment cost few verdicts, and many visitors cost few answers."""

import asyncio
import json
import socket
import time

from small_targets import nobody
from test_poll import until

from holdfast.watch.aggregate import Rule
from holdfast.watch.serve import MOST_LISTENERS
from holdfast.watch.target import Answer, Target, Word
from holdfast.watch.watch import Watch

MANY = tuple(
    Target(name=f"t{n}", group="urls", member=f"t{n}", level="service", kind="tcp", host="127.0.0.1", port=nobody(), every_s=60.0)
    for n in range(500)
)


def watched(*targets: Target, **more: object) -> Watch:
    return Watch("urls", targets, {"urls": Rule(need=len(targets))}, wall_s=lambda: 0.0, fall=1, **more)  # type: ignore[arg-type]


def all_say(watch: Watch, word: Word) -> None:
    for each in watch.targets:
        watch.hear(Answer(target=each.name, asked_s=1.0, took_s=0.1, late_s=0.0, word=word))


async def test_all_of_many_changing_at_once_are_judged_once_and_told_once():
    told = []
    watch = watched(*MANY, told=lambda found: told.append(found.status))
    for word in ("yes", "no"):
        all_say(watch, word)
        await until(lambda: not watch._waiting)
    assert told == ["pass", "fail"]
    assert watch.judged == 2


async def events(port: int, count: int) -> list[dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    found: list[dict[str, object]] = [{"code": head.split()[1].decode()}]
    while len(found) < count + 1 and (line := await reader.readline()):
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    writer.close()
    return found


async def serving(watch: Watch) -> tuple[int, asyncio.Task[None]]:
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(watch.serve(listening))
    await asyncio.sleep(0)
    return listening.getsockname()[1], task


async def test_many_visitors_share_what_is_written():
    watch = watched(*MANY[:3])
    port, task = await serving(watch)
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(events(port, 2) for _ in range(20)))
    assert all(len(each) == 3 for each in found)
    assert watch.server.written < 20  # forty events were read
    task.cancel()
    await asyncio.wait({task})


async def test_however_many_listen_health_is_answered_and_the_end_is_at_once():
    watch = watched(*MANY[:1])
    port, task = await serving(watch)
    wires = []
    async with asyncio.timeout(20):
        for _ in range(MOST_LISTENERS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"data: ")
            wires.append(writer)
        assert (await events(port, 0))[0]["code"] == "503"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read(1 << 16)).startswith(b"HTTP/1.1 200")
        task.cancel()
        await asyncio.wait({task})  # and not when the last visitor has gone
    assert len(asyncio.all_tasks()) == 1
    for each in wires:
        each.close()


async def test_what_takes_long_to_write_is_written_rarely_however_often_it_changes():
    watch = watched(*MANY[:1])
    server, found = watch.server, []

    def slowly() -> object:
        until_s = time.thread_time() + 0.05
        while time.thread_time() < until_s:
            pass
        return watch.verdict()

    server._verdict = slowly
    began_s = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began_s + 1.0:
        server.changed()
        found.append(server._body("/status"))
        await asyncio.sleep(0.01)
    assert all(found)
    assert 1 <= server.written <= 3
