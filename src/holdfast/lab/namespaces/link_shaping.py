"""What becomes of one frame under the rules of a link, as arithmetic on times.  Pure, standard library only.

Where a rule holds: one with a target on the target's link, for frames towards the target, so that it takes broadcasts too; one
without on the source's link, for frames from the source.  Order: first every rule throws its dice, then the slow links are
queued for, then the delays are added.

A slow link sends one frame after the other, each for its size / rate, as a wire does.  What would wait for longer than
`QUEUE_S`, and does not fit into `QUEUE_LEAST_BYTES` either, is lost at the tail.

Jitter wanders in straight lines between values drawn evenly from [-jitter, +jitter] every 2 * jitter seconds.  The delay so
never shrinks faster than time passes: frames do not overtake each other, as they do not in a real queue, and the mean stays.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Frame = bytes | memoryview

QUEUE_S = 0.2
QUEUE_LEAST_BYTES = 64 << 10
_ARP, _IPV4 = b"\x08\x06", b"\x08\x00"
_TCP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A rule at its place.  `source`: a MAC address, or empty for everyone; the rest as in `lab.verbs.Rule`."""

    source: bytes = b""
    drop: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate_bytes_per_s: float | None = None
    ports: frozenset[int] = frozenset()
    spares_arp: bool = False
    seed: int = 0

    @property
    def counts_packets(self) -> bool:
        """Whether it matters that the kernel glues many packets together as one."""
        return 0 < self.drop < 1 or self.rate_bytes_per_s is not None

    def as_message(self) -> dict[str, Any]:
        return {
            "source": self.source.hex(), "drop": self.drop, "delay_s": self.delay_s, "jitter_s": self.jitter_s,
            "rate_bytes_per_s": self.rate_bytes_per_s, "ports": sorted(self.ports), "spares_arp": self.spares_arp,
            "seed": self.seed,
        }  # fmt: skip


def shape_of(message: dict[str, Any]) -> Shape:
    return Shape(**{**message, "source": bytes.fromhex(message["source"]), "ports": frozenset(message["ports"])})


def tcp_ports(frame: Frame) -> tuple[int, int] | None:
    """Source and destination, or None for what is not the beginning of a TCP segment in IPv4."""
    if len(frame) < 38 or frame[12:14] != _IPV4 or frame[23] != _TCP:
        return None
    if (frame[20] & 0x1F) or frame[21]:  # a later fragment has no ports
        return None
    at = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < at + 4:
        return None
    return frame[at] << 8 | frame[at + 1], frame[at + 2] << 8 | frame[at + 3]


def swap_port(frame: memoryview, index: int, ports: Mapping[int, int], *, unfinished: bool) -> None:
    """In place: the source (index 0) or destination (1) port of a TCP segment becomes another, where `ports` has it.

    `unfinished`: the checksum is still to be computed over the segment, and what stands in its place knows no ports.  Else it is
    updated as in RFC 1624, equation 3.
    """
    found = tcp_ports(frame)
    if found is None or (new := ports.get(found[index])) is None:
        return
    at = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < at + 18:
        return
    frame[at + 2 * index : at + 2 * index + 2] = new.to_bytes(2, "big")
    if unfinished:
        return
    total = (~int.from_bytes(frame[at + 16 : at + 18], "big") & 0xFFFF) + (~found[index] & 0xFFFF) + new
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    frame[at + 16 : at + 18] = (~total & 0xFFFF).to_bytes(2, "big")


class _Wander:
    """The jitter at a time; asked with times that do not go back."""

    def __init__(self, jitter_s: float, dice: random.Random):
        self._jitter_s, self._dice = jitter_s, dice
        self._span_s = 2 * jitter_s
        self._since_s = self._until_s = float("-inf")
        self._from_s = self._to_s = 0.0

    def _draw(self) -> float:
        return self._dice.uniform(-self._jitter_s, self._jitter_s)

    def at(self, now_s: float) -> float:
        if now_s >= self._until_s:
            if now_s - self._until_s > self._span_s:  # so long ago that nobody can be overtaken
                self._since_s, self._from_s = now_s, self._draw()
            else:
                self._since_s, self._from_s = self._until_s, self._to_s
            self._until_s, self._to_s = self._since_s + self._span_s, self._draw()
        passed = max(0.0, now_s - self._since_s) / self._span_s
        return self._from_s + (self._to_s - self._from_s) * passed


class Passage:
    """A shape at work: its dice and its queue."""

    __slots__ = ("shape", "_dice", "_wander", "_free_s")

    def __init__(self, shape: Shape):
        self.shape = shape
        self._dice = random.Random(shape.seed)
        self._wander = _Wander(shape.jitter_s, random.Random(shape.seed + 1)) if shape.jitter_s else None
        self._free_s = float("-inf")

    def concerns(self, frame: Frame) -> bool:
        shape = self.shape
        if shape.source and frame[6:12] != shape.source:
            return False
        if shape.ports:
            ports = tcp_ports(frame)
            return ports is not None and not shape.ports.isdisjoint(ports)
        return not (shape.spares_arp and frame[12:14] == _ARP)

    def loses(self) -> bool:
        return self.shape.drop > 0 and self._dice.random() < self.shape.drop

    def sent_s(self, size: int, now_s: float) -> float | None:
        """When the slow link has sent the whole frame; None if its queue is full."""
        rate = self.shape.rate_bytes_per_s
        if rate is None:
            return now_s
        begin_s = max(now_s, self._free_s)
        waiting_s = begin_s - now_s
        if waiting_s > QUEUE_S and waiting_s * rate + size > QUEUE_LEAST_BYTES:
            return None
        self._free_s = begin_s + size / rate
        return self._free_s

    def delay_s(self, now_s: float) -> float:
        return max(0.0, self.shape.delay_s + (self._wander.at(now_s) if self._wander else 0.0))


def leaves_s(passages: Sequence[Passage], frame: Frame, now_s: float) -> float | None:
    """When a frame that came at `now_s` is to be handed on; None if it is lost."""
    mine = [passage for passage in passages if passage.concerns(frame)]
    if any(passage.loses() for passage in mine):
        return None
    sent_s: float | None = now_s
    for passage in mine:
        sent_s = passage.sent_s(len(frame), sent_s)
        if sent_s is None:
            return None
    assert sent_s is not None
    return sent_s + sum(passage.delay_s(sent_s) for passage in mine)
