"""A probe that ends leaves no question behind, also where the database never answered."""

import asyncio
import logging

import pytest

from holdfast.probes.ledger import Database, ledger_probe

WELCOME = b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I"
"""AuthenticationOk and ReadyForQuery of PostgreSQL's protocol, version 3."""


class Frozen:
    """A server that lets everybody in, takes one statement, the table's, as done, and then says nothing any more."""

    def __init__(self) -> None:
        self._made = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(WELCOME)
        await reader.read(1000)
        if not self._made:
            self._made = True
            writer.write(b"C\x00\x00\x00\x11CREATE TABLE\x00" + WELCOME[9:])
        await reader.read()


def test_questions_to_a_server_that_froze_end_with_their_probe(caplog: pytest.LogCaptureFixture) -> None:
    async def asked() -> tuple[list[str], set[asyncio.Task[object]]]:
        server = await asyncio.start_server(Frozen(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        database = Database(
            through=("127.0.0.1",), port=port, nodes={}, node_port=port, database="app", user="app", password="known",
        )
        probe = ledger_probe(
            name="orders", tier="db", through="entry", database=lambda: database, run="r", client="client", every_s=0.02,
            patience_s=0.2,
        )
        before = asyncio.all_tasks()
        async with probe.open() as ask:
            replies = await asyncio.gather(*map(ask, range(5)))
        left = {task for task in asyncio.all_tasks() - before if "write" in repr(task)}
        server.close()
        return [reply.answer for reply in replies], left

    with caplog.at_level(logging.WARNING):
        answers, left = asyncio.run(asked())

    assert answers == ["unknown"] * 5
    assert not left
    assert not caplog.records
