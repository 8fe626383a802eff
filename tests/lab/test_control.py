"""The socket of a kept lab: status at once, orders in their own time, and nobody is kept waiting by anybody else."""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.lab import control

Told = dict[str, Any]


def served(folder: Path, story: Callable[[], Awaitable[None]], act: control.Act | None = None) -> None:
    async def session() -> None:
        serving = asyncio.create_task(control.serve(folder, lambda: {"service": "shop"}, None, "", act))
        while not (folder / control.NAME).exists():  # noqa: ASYNC110 - a file tells no event
            await asyncio.sleep(0.01)
        await story()
        serving.cancel()
        await asyncio.wait({serving}, timeout=5)
        assert serving.done()

    asyncio.run(session())
    assert not (folder / control.NAME).exists()


async def ask(folder: Path, question: Mapping[str, Any], limit_s: float = 5.0) -> Told:
    told, _ = await asyncio.to_thread(control.ask, folder, question, limit_s)
    return told


def test_an_order_takes_its_time_while_others_are_answered(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def act(question: Mapping[str, Any]) -> Told:
        await done.wait()
        return {"ok": question["drill"]}

    async def story() -> None:
        order = asyncio.create_task(ask(tmp_path, {"do": "strike", "drill": "kill"}))
        await asyncio.sleep(0.1)
        assert await ask(tmp_path, {}) == {"service": "shop"}
        assert not order.done()
        done.set()
        assert await order == {"ok": "kill"}

    served(tmp_path, story, act)


def test_whoever_asked_and_left_has_still_given_the_order(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async def act(question: Mapping[str, Any]) -> Told:
        await asyncio.sleep(0.1)
        heard.set()
        return {"ok": {}}

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await ask(tmp_path, {"do": "mend"}, limit_s=0.02)
        await heard.wait()
        assert await ask(tmp_path, {"do": "strike"}) == {"ok": {}}

    served(tmp_path, story, act)


def test_a_lab_that_takes_no_orders_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        assert await ask(tmp_path, {"do": "strike"}) == {"error": "this lab takes no orders"}

    served(tmp_path, story)


@pytest.mark.parametrize("bytes_", [b"no json\n", b"7\n", b'"do"\n', b"\xff\xfe\n", b""])
def test_nonsense_ends_its_own_connection_only(tmp_path: Path, bytes_: bytes) -> None:
    async def act(question: Mapping[str, Any]) -> Told:
        raise AssertionError("nobody ordered anything")

    def send() -> None:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(f"/proc/self/fd/{descriptor}/{control.NAME}")
            os.close(descriptor)
            connection.sendall(bytes_)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    async def story() -> None:
        await asyncio.to_thread(send)
        assert await ask(tmp_path, {}) == {"service": "shop"}

    served(tmp_path, story, act)


def test_the_newest_lab_that_still_answers_is_asked(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "new" / control.NAME))  # nobody listens

        async def story() -> None:
            told, _ = await asyncio.to_thread(control.ask_newest, tmp_path, {"do": "mend"})
            assert told == {"error": "this lab takes no orders"}

        served(tmp_path / "old", story)
    with pytest.raises(LookupError, match="no lab is running"):
        control.ask_newest(tmp_path, {})


def test_an_answer_is_one_line_of_json_however_long(tmp_path: Path) -> None:
    async def act(question: Mapping[str, Any]) -> Told:
        return {"ok": ["x" * 1000] * 500}

    async def story() -> None:
        assert len(json.dumps(await ask(tmp_path, {"do": "measured"}))) > 500_000

    served(tmp_path, story, act)
