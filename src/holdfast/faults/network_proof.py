"""What the network between two hosts really does, measured with packets of our own from inside their networks.

Rules work on frames beside the hosts' networks; these questions go through them as everybody's packets do.  An echo goes there
and back and so sees both directions; `heard` sees one.  Every function raises HostGone where there is no power, OSError where
the kernel gives no raw socket.
"""

import asyncio
import os
import socket
import statistics
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from holdfast.lab.verbs import Lab

_ECHO, _ECHO_REPLY = 8, 0
_HEADER_BYTES = 14 + 20 + 8
"""Of an echo on the wire: Ethernet, IPv4, ICMP."""
_SPACING_S = 0.01
_PATIENCE_S = 1.0
_TRAIN, _TRAIN_BYTES = 64, 1400


class Path(NamedTuple):
    """rtt_median_s: of the echoes that came back, None if none did; loss_share: of those that did not, 0 to 1."""

    rtt_median_s: float | None
    loss_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Echo:
    sent_s: float
    back_s: float | None


async def measured_path(
    lab: Lab, from_host: str, to_host: str, count: int = 20, *, spacing_s: float = _SPACING_S, patience_s: float = _PATIENCE_S
) -> Path:
    """`count` echoes, one every `spacing_s`; who is not back `patience_s` after the last one is lost."""
    address = lab.blueprint.host(to_host).address
    # One ahead that does not count: the first may have to wait for an answer to ARP, which the kernel repeats every second only.
    await lab.at(from_host, lambda: _echoes(address, 1, 48, 0.0, patience_s))
    echoes = await lab.at(from_host, lambda: _echoes(address, count, 48, spacing_s, patience_s))
    trips_s = [echo.back_s - echo.sent_s for echo in echoes if echo.back_s is not None]
    return Path(statistics.median(trips_s) if trips_s else None, 1 - len(trips_s) / count)


async def measured_rate(lab: Lab, from_host: str, to_host: str, *, patience_s: float = 5.0) -> float | None:
    """Bytes per second of the narrower direction: how far a train of echoes sent at once is drawn out.  None: too few came back.

    Most that it can tell is what this machine does itself, some 10 to 100 MB/s.
    """
    address = lab.blueprint.host(to_host).address
    echoes = await lab.at(from_host, lambda: _echoes(address, _TRAIN, _TRAIN_BYTES, 0.0, patience_s))
    back_s = sorted(echo.back_s for echo in echoes if echo.back_s is not None)
    if len(back_s) < 8 or back_s[-1] == back_s[0]:
        return None
    return (len(back_s) - 1) * (_TRAIN_BYTES + _HEADER_BYTES) / (back_s[-1] - back_s[0])


async def connects(lab: Lab, from_host: str, to_host: str, port: int, *, patience_s: float = _PATIENCE_S) -> bool:
    """Whether a TCP connection is accepted, or refused: a refusal has been there and back as well."""
    address = lab.blueprint.host(to_host).address

    async def knock() -> bool:
        try:
            async with asyncio.timeout(patience_s):
                _, writer = await asyncio.open_connection(address, port)
        except ConnectionRefusedError:
            return True
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    return await lab.at(from_host, knock)


async def heard(
    lab: Lab, from_host: str, to_host: str, count: int = 20, *, spacing_s: float = _SPACING_S, patience_s: float = 0.3
) -> float:
    """The share of UDP packets that reach the other host, 0 to 1: one direction only, nothing has to come back."""
    address = lab.blueprint.host(to_host).address

    async def open_ear() -> tuple[socket.socket, int]:
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.setblocking(False)
        ear.bind((address, 0))
        return ear, ear.getsockname()[1]

    async def speak(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            mouth.setblocking(False)
            for number in range(count):
                with suppress(OSError):  # nobody there, says ARP; then it is not heard either
                    mouth.sendto(struct.pack("!I", number), (address, port))
                await asyncio.sleep(spacing_s)

    ear, port = await lab.at(to_host, open_ear)
    with ear:
        await lab.at(from_host, lambda: speak(port))
        await asyncio.sleep(patience_s)
        numbers = set()
        with suppress(BlockingIOError):
            while True:
                numbers.add(ear.recv(64))
    return len(numbers) / count


async def _echoes(address: str, count: int, size: int, spacing_s: float, patience_s: float) -> list[_Echo]:
    """In the order in which they were sent."""
    loop = asyncio.get_running_loop()
    identity = os.urandom(8)  # other questions ask from this host at the same time
    back_s: dict[int, float] = {}
    sent_s: list[float] = []
    complete = asyncio.Event()

    def collect() -> None:
        _collect(wire, identity, back_s, loop.time)
        if len(back_s) == count:
            complete.set()

    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as wire:
        wire.setblocking(False)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        loop.add_reader(wire, collect)
        try:
            for number in range(count):
                sent_s.append(loop.time())
                with suppress(OSError):
                    wire.sendto(_echo(number, identity, size), (address, 0))
                if spacing_s:
                    await asyncio.sleep(max(0.0, sent_s[0] + (number + 1) * spacing_s - loop.time()))
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await complete.wait()
        finally:
            loop.remove_reader(wire)
    return [_Echo(sent_s=sent, back_s=back_s.get(number)) for number, sent in enumerate(sent_s)]


def _echo(number: int, identity: bytes, size: int) -> bytes:
    """RFC 792; the checksum is that of RFC 1071."""
    rest = struct.pack("!HH", int.from_bytes(identity[:2], "big"), number) + identity + bytes(size - len(identity))
    body = struct.pack("!BBH", _ECHO, 0, 0) + rest
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBH", _ECHO, 0, ~total & 0xFFFF) + rest


def _collect(wire: socket.socket, identity: bytes, back_s: dict[int, float], now_s: Callable[[], float]) -> None:
    with suppress(BlockingIOError):
        while True:
            packet = wire.recv(2048)
            answer = packet[(packet[0] & 0x0F) * 4 :]
            if answer[0] == _ECHO_REPLY and answer[8:16] == identity:
                back_s.setdefault(struct.unpack_from("!H", answer, 6)[0], now_s())
