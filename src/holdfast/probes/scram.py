"""What a client of PostgreSQL may work out once and use for every connection: its keys for SCRAM-SHA-256.

The password goes through thousands of rounds of HMAC (RFC 5802, section 3: SaltedPassword := Hi(password, salt, i)), 3 to 5 ms of
one core each time.  When a database is back, a hundred waiting questions connect at once: half a second in which a client that
works it out anew asks nothing on time.  libpq 18 takes the keys instead (`scram_client_key`, `scram_server_key`).
"""

import asyncio
import base64
import hashlib
import hmac
import os
import struct
from collections.abc import Mapping

from psycopg import pq

_PROTOCOL = 3 << 16
_SASL, _SASL_CONTINUE = 10, 11
_MECHANISM = b"SCRAM-SHA-256"
_LARGEST_BYTES = 1 << 16
LIBPQ = 180_000
"""The first libpq that takes keys."""


async def scram_keys(
    address: str, port: int, *, database: str, user: str, password: str, patience_s: float
) -> Mapping[str, str]:
    """As options of a connection; empty where this libpq takes none, the server asks for something else, or gives no answer.

    They hold as long as the server keeps the salt, so as long as nobody sets the password again.
    """
    if pq.version() < LIBPQ:
        return {}
    try:
        async with asyncio.timeout(patience_s):
            salt, rounds = await _terms(address, port, database, user)
    except (OSError, ValueError, EOFError):
        return {}
    salted = await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", password.encode(), salt, rounds)
    made = {name: hmac.digest(salted, text, "sha256") for name, text in (("client", b"Client Key"), ("server", b"Server Key"))}
    return {f"scram_{name}_key": base64.b64encode(key).decode() for name, key in made.items()}


async def _terms(address: str, port: int, database: str, user: str) -> tuple[bytes, int]:
    """Salt and rounds, by beginning to log in (PostgreSQL's documentation, Message Formats).  Raises ValueError otherwise."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(_sized(struct.pack("!i", _PROTOCOL) + f"user\0{user}\0database\0{database}\0\0".encode()))
        kind, offered = await _asked(reader)
        if kind != _SASL or _MECHANISM not in offered.split(b"\0"):
            raise ValueError("the server does not ask for SCRAM")
        first = b"n,,n=,r=" + base64.b64encode(os.urandom(18))
        writer.write(b"p" + _sized(_MECHANISM + b"\0" + struct.pack("!i", len(first)) + first))
        kind, said = await _asked(reader)
        if kind != _SASL_CONTINUE:
            raise ValueError("the server does not go on")
        parts = dict(part.split("=", 1) for part in said.decode("ascii").split(",") if "=" in part)
        if not {"s", "i"} <= parts.keys():
            raise ValueError("the server names no salt")
        return base64.b64decode(parts["s"], validate=True), int(parts["i"])
    finally:
        writer.close()


def _sized(body: bytes) -> bytes:
    return struct.pack("!i", len(body) + 4) + body


async def _asked(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """An authentication request and what comes with it."""
    kind, length = struct.unpack("!ci", await reader.readexactly(5))
    if kind != b"R" or not 8 <= length <= _LARGEST_BYTES:
        raise ValueError("no request for authentication")
    body = await reader.readexactly(length - 4)
    return struct.unpack("!i", body[:4])[0], body[4:]
