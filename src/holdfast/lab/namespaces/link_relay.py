"""Carry frames between the two cables of every shaped host.  A process of its own; standard library and `link_shaping` only.

It hears each cable by a packet socket that passes the kernel's own header along (PACKET_VNET_HDR): unfinished checksums and
packets glued together for speed arrive as they were sent.  It is told by lines of JSON, each the whole of what is wanted, and
ends when that socket closes.  Messages: packet(7), linux/virtio_net.h.
"""

import gc
import heapq
import json
import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from holdfast.lab.namespaces.link_shaping import Passage, leaves_s, shape_of, swap_port

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_SO_RCVBUFFORCE = 33
_ETH_P_ALL = 0x0003
_HEADER_BYTES = 10
_NEEDS_CHECKSUM = 1
"""Of the header's first byte: the kernel has left the checksum to whoever puts the packet on a real wire."""
_LARGEST_FRAME = 1 << 17
_BUFFER_BYTES = 8 << 20
_HELD_BYTES = 64 << 20
"""Held back at most, for all links together; what comes on top is lost."""
_AT_ONCE = 64
"""Frames taken from one cable before the others have their turn."""


def packet_socket() -> socket.socket:
    """Bound to nothing yet.  Raises OSError where the kernel has no packet sockets, or none for us."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    except OSError:
        made.close()
        raise
    return made


def _listen(interface: str) -> socket.socket:
    made = packet_socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:  # without root: as much as the machine allows everyone
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    made.bind((interface, _ETH_P_ALL))
    made.setblocking(False)
    return made


class _Way:
    """One direction of one link.  `inward`: towards the host.

    ports: which TCP ports become which others: destinations on the way in, and back again sources on the way out.  Rules know
    the ports that the rest of the network sees.
    """

    __slots__ = ("source", "sink", "inward", "shapes", "passages", "ports")

    def __init__(self, source: socket.socket, sink: socket.socket, *, inward: bool):
        self.source, self.sink, self.inward = source, sink, inward
        self.ports: Mapping[int, int] = {}
        self.shapes: Sequence[Mapping[str, Any]] = ()
        self.passages: tuple[Passage, ...] = ()

    def swap(self, data: memoryview) -> None:
        swap_port(data[_HEADER_BYTES:], int(self.inward), self.ports, unfinished=bool(data[0] & _NEEDS_CHECKSUM))

    def hand_on(self, frame: bytes | memoryview) -> None:
        try:
            self.sink.send(frame)
        except OSError:
            pass  # a full or vanished cable loses frames, as cables do


class Relay:
    """Owned by its process."""

    def __init__(self, channel: socket.socket):
        self._channel = channel
        self._ways: dict[int, _Way] = {}
        self._links: dict[tuple[str, str], tuple[_Way, _Way]] = {}
        self._held: list[tuple[float, int, _Way, bytes]] = []
        self._held_bytes = 0
        self._count = 0
        self._buffer = memoryview(bytearray(_LARGEST_FRAME))

    def serve(self) -> None:
        """Until the channel closes."""
        line = b""
        while True:
            wait_s = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
            ready, _, _ = select.select([self._channel, *self._ways], [], [], wait_s)
            self._deliver(time.monotonic())
            if self._channel in ready:
                part = self._channel.recv(1 << 16)
                if not part:
                    return
                *lines, line = (line + part).split(b"\n")
                for each in lines:
                    self._channel.sendall(self._answer(json.loads(each)))
                continue  # what was ready may be closed now
            for descriptor in ready:
                self._carry(self._ways[descriptor])

    def _answer(self, links: Sequence[Mapping[str, Any]]) -> bytes:
        try:
            self._change(links)
        except OSError as error:
            return json.dumps({"error": str(error)}).encode() + b"\n"
        return b'{"ok": true}\n'

    def _change(self, links: Sequence[Mapping[str, Any]]) -> None:
        """The links from now on.  Where the shapes stay, dice and queues go on; where not, what is held back goes first, or new
        frames would overtake it."""
        wanted = {(link["near"], link["far"]): link for link in links}
        for ends in self._links.keys() - wanted.keys():
            self._close(ends)
        for ends, link in wanted.items():
            if ends not in self._links:
                self._open(*ends)
            ports = {int(port): to for port, to in link["ports"].items()}
            for way, shapes in zip(self._links[ends], (link["out"], link["into"]), strict=True):
                way.ports = ports if way.inward else {to: port for port, to in ports.items()}
                if way.shapes != shapes:
                    self._release(way)
                    way.shapes, way.passages = shapes, tuple(Passage(shape_of(shape)) for shape in shapes)

    def _open(self, near: str, far: str) -> None:
        with ExitStack() as undo:
            here = undo.enter_context(_listen(near))
            there = undo.enter_context(_listen(far))
            undo.pop_all()
        self._links[near, far] = ways = (_Way(here, there, inward=False), _Way(there, here, inward=True))
        self._ways.update({way.source.fileno(): way for way in ways})

    def _close(self, ends: tuple[str, str]) -> None:
        ways = self._links.pop(ends)
        for way in ways:
            self._release(way)
        for way in ways:
            del self._ways[way.source.fileno()]
            way.source.close()

    def _release(self, way: _Way) -> None:
        mine = sorted((entry for entry in self._held if entry[2] is way), key=lambda entry: entry[:2])
        self._held = [entry for entry in self._held if entry[2] is not way]
        heapq.heapify(self._held)
        for _, _, _, data in mine:
            self._held_bytes -= len(data)
            way.hand_on(data)

    def _deliver(self, until_s: float) -> None:
        while self._held and self._held[0][0] <= until_s:
            _, _, way, data = heapq.heappop(self._held)
            self._held_bytes -= len(data)
            way.hand_on(data)

    def _carry(self, way: _Way) -> None:
        for _ in range(_AT_ONCE):
            try:
                size = way.source.recv_into(self._buffer)
            except OSError:
                return  # nothing more, or the cable was taken
            data = self._buffer[:size]
            if way.ports and not way.inward:
                way.swap(data)
            if not way.passages:
                if way.ports and way.inward:
                    way.swap(data)
                way.hand_on(data)
                continue
            now_s = time.monotonic()
            leaving_s = leaves_s(way.passages, data[_HEADER_BYTES:], now_s)
            if leaving_s is None:
                continue
            if way.ports and way.inward:
                way.swap(data)
            if leaving_s <= now_s:
                way.hand_on(data)
            elif self._held_bytes + size <= _HELD_BYTES:
                self._count += 1  # frames of the same moment leave in the order in which they came
                self._held_bytes += size
                heapq.heappush(self._held, (leaving_s, self._count, way, bytes(data)))


def main(descriptor: int) -> None:
    """Started by the lab with one socket."""
    gc.disable()  # nothing here makes cycles, and a pause would be a delay that nobody asked for
    Relay(socket.socket(fileno=descriptor)).serve()
