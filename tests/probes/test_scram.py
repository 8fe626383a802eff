"""Keys for SCRAM: the example of RFC 7677, a server that speaks the protocol's first half, and those that do not."""

import asyncio
import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from holdfast.probes.ledger import Database, _Writer
from holdfast.probes.scram import scram_keys

# RFC 7677, section 3: user `user`, password `pencil`, and what the two say to each other.
SALT, ROUNDS = "W22ZaJ0SNY7soEsUEjb6gQ==", 4096
TALK = (
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
PROOF, SIGNATURE = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def request(kind: int, body: bytes) -> bytes:
    return b"R" + struct.pack("!ii", len(body) + 8, kind) + body


async def message(reader: asyncio.StreamReader, tagged: bool) -> bytes:
    head = await reader.readexactly(5 if tagged else 4)
    return await reader.readexactly(struct.unpack("!i", head[-4:])[0] - 4)


async def scram(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert b"user\0user\0database\0shop\0" in await message(reader, tagged=False)
    writer.write(request(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
    first = await message(reader, tagged=True)
    nonce = first.rpartition(b"r=")[2].decode()
    writer.write(request(11, f"r={nonce}more,s={SALT},i={ROUNDS}".encode()))


async def md5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(request(5, b"salt"))


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def no_salt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(request(10, b"SCRAM-SHA-256\0\0"))
    writer.write(request(11, b"r=abc,i=x"))


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def asked(serve: Serve, patience_s: float = 5.0) -> dict[str, str]:
    async def story() -> dict[str, str]:
        async with await asyncio.start_server(serve, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            keys = await scram_keys("127.0.0.1", port, database="shop", user="user", password="pencil", patience_s=patience_s)
            return dict(keys)

    return asyncio.run(story())


def test_the_keys_are_those_of_the_rfc() -> None:
    keys = {name: base64.b64decode(value) for name, value in asked(scram).items()}
    client, server = keys["scram_client_key"], keys["scram_server_key"]
    stored = hashlib.sha256(client).digest()
    mask = hmac.digest(stored, TALK.encode(), "sha256")
    assert base64.b64encode(bytes(a ^ b for a, b in zip(client, mask, strict=True))).decode() == PROOF
    assert base64.b64encode(hmac.digest(server, TALK.encode(), "sha256")).decode() == SIGNATURE


@pytest.mark.parametrize("serve", [md5, nonsense, no_salt, closes])
def test_whoever_does_not_speak_scram_gives_no_keys(serve: Serve) -> None:
    assert asked(serve) == {}


def test_a_silent_server_costs_the_patience_and_no_more() -> None:
    began_s = time.monotonic()
    assert asked(silent, patience_s=0.2) == {}
    assert time.monotonic() - began_s < 10


def test_a_libpq_without_keys_is_not_asked_to_take_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.probes.scram.LIBPQ", 999_999)
    assert asked(scram) == {}


def test_keys_that_do_not_fit_any_more_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(through=("127.0.0.1",), port=1, nodes={}, node_port=1, database="shop", user="app", password="secret")
    tried: list[bool] = []

    async def connect(ways: tuple[str, ...], patience_s: float) -> str:
        with_keys = "scram_client_key" in ways[0]
        tried.append(with_keys)
        if with_keys:
            raise psycopg.OperationalError('FATAL:  password authentication failed for user "app"')
        return "a connection"

    async def story() -> None:
        writer = _Writer(lambda: database, "run", 1.0)
        writer._look_up()
        writer._ways = writer._with(database, {"scram_client_key": "AAAA", "scram_server_key": "AAAA"})
        assert await writer.connect() == "a connection"
        assert await writer.connect() == "a connection"

    monkeypatch.setattr("holdfast.probes.ledger.connect", connect)
    asyncio.run(story())
    assert tried == [True, False, False]
