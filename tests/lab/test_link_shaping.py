"""What becomes of one frame: arithmetic on times, tried without any network."""

import random
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.lab.namespaces.link_shaping import (
    QUEUE_LEAST_BYTES,
    QUEUE_S,
    Passage,
    Shape,
    leaves_s,
    shape_of,
    swap_port,
    tcp_ports,
)
from holdfast.lab.namespaces.links import Shaped, mac_of, placed
from holdfast.lab.verbs import Rule

ADDRESSES = {"a": "10.0.1.11", "b": "10.0.1.12", "c": "10.0.1.13"}
A, B, C = (mac_of(address) for address in ADDRESSES.values())
EVERYONE = b"\xff" * 6


def frame(
    source: bytes = A, target: bytes = B, *, ports: tuple[int, int] = (4000, 5432), size: int = 100, kind: int = 0x0800
) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size - 14, 1, 0, 64, socket.IPPROTO_TCP, 0, b"\x0a\0\1\x0b", b"\x0a\0\1\x0c")
    made = target + source + struct.pack("!H", kind) + header + struct.pack("!HH", *ports)
    return made + bytes(size - len(made))


def passages(*shapes: Shape) -> tuple[Passage, ...]:
    return tuple(Passage(shape) for shape in shapes)


arrivals = st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=80).map(
    lambda gaps: [sum(gaps[: index + 1]) for index in range(len(gaps))]
)


@given(arrivals, st.floats(0, 0.5), st.floats(0, 1), st.integers(0, 99))
def test_jitter_stays_in_its_bounds_and_lets_nobody_overtake(times, delay_s, share, seed):
    jitter_s = delay_s * share
    mine = passages(Shape(delay_s=delay_s, jitter_s=jitter_s, seed=seed))

    left = [leaves_s(mine, frame(), now_s) for now_s in times]

    for now_s, out_s in zip(times, left, strict=True):
        assert now_s + delay_s - jitter_s - 1e-9 <= out_s <= now_s + delay_s + jitter_s + 1e-9
    assert all(later >= sooner - 1e-9 for sooner, later in zip(left, left[1:], strict=False))


def test_jitter_keeps_the_mean_and_uses_its_room():
    mine = passages(Shape(delay_s=0.1, jitter_s=0.02, seed=3))

    delays = [leaves_s(mine, frame(), number * 0.003) - number * 0.003 for number in range(20_000)]

    assert abs(sum(delays) / len(delays) - 0.1) < 0.001
    assert max(delays) > 0.117
    assert min(delays) < 0.083


@given(st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_loss_is_the_share_that_was_asked_for(share, seed):
    mine = passages(Shape(drop=share, seed=seed))

    lost = sum(leaves_s(mine, frame(), 0.0) is None for _ in range(3000))

    assert abs(lost / 3000 - share) < 6 * (share * (1 - share) / 3000) ** 0.5 + 1e-9


def test_the_same_seed_loses_the_same_frames():
    first, second = passages(Shape(drop=0.5, seed=7)), passages(Shape(drop=0.5, seed=7))

    one, other = ([leaves_s(mine, frame(), 0.0) is None for _ in range(50)] for mine in (first, second))
    assert one == other


@given(st.lists(st.integers(60, 1514), min_size=1, max_size=200), st.floats(1e4, 1e8))
def test_a_slow_link_never_exceeds_its_rate(sizes, rate):
    mine = passages(Shape(rate_bytes_per_s=rate))

    left = [(leaves_s(mine, frame(size=size), 0.0), size) for size in sizes]

    sent = 0
    for out_s, size in left:
        if out_s is not None:
            sent += size
            assert out_s >= sent / rate - 1e-6


def test_a_slow_link_s_queue_is_bounded_and_drops_its_tail():
    mine = passages(Shape(rate_bytes_per_s=1e6))

    left = [leaves_s(mine, frame(size=1000), 0.0) for _ in range(1000)]

    kept = [out_s for out_s in left if out_s is not None]
    assert len(kept) == pytest.approx(201, abs=1), "0.2 s at 1 MB/s, and the one that is being sent"
    assert max(kept) == pytest.approx(QUEUE_S, abs=0.0015)
    assert left[: len(kept)] == kept, "those that came first"
    assert leaves_s(mine, frame(size=1000), 0.1) is not None, "there is room again"


def test_a_very_slow_link_still_has_a_queue_for_a_few_packets():
    mine = passages(Shape(rate_bytes_per_s=1e4))

    kept = [out_s for _ in range(200) if (out_s := leaves_s(mine, frame(size=1000), 0.0)) is not None]

    assert len(kept) == QUEUE_LEAST_BYTES // 1000


def test_rules_that_fit_the_same_frame_add_up():
    mine = passages(Shape(delay_s=0.1), Shape(delay_s=0.2), Shape(rate_bytes_per_s=1000.0), Shape(source=C, drop=1.0))

    assert leaves_s(mine, frame(size=100), 5.0) == pytest.approx(5.4)


def test_a_frame_that_no_rule_concerns_leaves_at_once():
    assert leaves_s(passages(Shape(source=C, drop=1.0)), frame(source=A), 5.0) == 5.0


def test_ports_fit_both_directions_of_tcp_and_nothing_else():
    (mine,) = passages(Shape(drop=1.0, ports=frozenset({5432})))

    assert mine.concerns(frame(ports=(4000, 5432)))
    assert mine.concerns(frame(ports=(5432, 4000)))
    assert not mine.concerns(frame(ports=(4000, 2379)))
    assert not mine.concerns(frame(ports=(4000, 5432), kind=0x0806))


def test_arp_can_be_spared():
    (sparing,), (taking,) = passages(Shape(drop=1.0, spares_arp=True)), passages(Shape(drop=1.0))

    assert not sparing.concerns(frame(kind=0x0806))
    assert taking.concerns(frame(kind=0x0806))
    assert sparing.concerns(frame())


@given(st.binary(max_size=80))
def test_no_frame_is_too_odd_to_be_read(data):
    tcp_ports(data)
    tcp_ports(memoryview(b"\0" * 12 + b"\x08\0" + data))


def test_ports_are_found_behind_options_and_not_in_later_fragments():
    plain = bytearray(frame(ports=(1, 2)))
    later = bytes(plain[:20]) + b"\0\1" + bytes(plain[22:])
    longer = bytes(plain[:14]) + b"\x46" + bytes(plain[15:34]) + b"\0\0\0\0" + bytes(plain[34:])

    assert tcp_ports(plain) == (1, 2)
    assert tcp_ports(longer) == (1, 2)
    assert tcp_ports(later) is None


def test_a_shape_survives_its_message():
    shape = Shape(
        source=A, drop=0.5, delay_s=1.0, jitter_s=0.5, rate_bytes_per_s=9.0, ports=frozenset({1, 2}), spares_arp=True, seed=4
    )  # fmt: skip

    assert shape_of(shape.as_message()) == shape


def test_a_rule_with_a_target_holds_at_the_target_and_one_without_at_the_source():
    assert placed([Rule(source="a", target="b", drop=1.0)], ADDRESSES) == {"b": Shaped(into=(Shape(source=A, drop=1.0),))}
    assert placed([Rule(target="b", drop=1.0)], ADDRESSES) == {"b": Shaped(into=(Shape(drop=1.0),))}
    assert placed([Rule(source="a", drop=1.0)], ADDRESSES) == {"a": Shaped(out=(Shape(drop=1.0),))}
    assert set(placed([Rule(drop=1.0)], ADDRESSES)) == set(ADDRESSES)
    assert placed([], ADDRESSES) == {}


ends = st.sampled_from("abc*")
hosts = st.sampled_from("abc")


@given(st.lists(st.tuples(ends, ends), max_size=6), hosts, hosts)
def test_a_frame_meets_every_rule_that_names_its_way_exactly_once(ways, source, target):
    dice = random.Random(1)
    rules = [Rule(source=one, target=other, delay_s=dice.choice((1.0, 2.0, 4.0))) for one, other in ways]
    links = placed(rules, ADDRESSES)
    sent = frame(mac_of(ADDRESSES[source]), mac_of(ADDRESSES[target]))

    out = leaves_s(passages(*links.get(source, Shaped()).out), sent, 0.0)
    into = leaves_s(passages(*links.get(target, Shaped()).into), sent, out)

    assert into == sum(rule.delay_s for rule in rules if rule.source in (source, "*") and rule.target in (target, "*"))


def segment(ports: tuple[int, int], payload: bytes) -> bytearray:
    """A whole TCP segment in a frame, its checksum as the kernel computes it."""
    made = bytearray(frame(ports=ports, size=14 + 20 + 20 + len(payload)))
    made[54:] = payload
    made[50:52] = checksum(made).to_bytes(2, "big")
    return made


def checksum(made: bytes) -> int:
    """RFC 9293, section 3.1: over the pseudo-header and the segment, whose own field counts as nothing."""
    body = bytes(made[34:50]) + b"\0\0" + bytes(made[52:])
    text = bytes(made[26:34]) + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(body)) + body
    text += bytes(len(text) % 2)
    total = sum(struct.unpack(f"!{len(text) // 2}H", text))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


port_numbers = st.integers(1, 65535)


@given(port_numbers, port_numbers, port_numbers, st.binary(max_size=40), st.sampled_from([0, 1]))
def test_a_swapped_port_leaves_a_segment_that_its_receiver_accepts(source, target, other, payload, index):
    made = segment((source, target), payload)

    swap_port(memoryview(made), index, {(source, target)[index]: other}, unfinished=False)

    assert tcp_ports(made)[index] == other
    assert tcp_ports(made)[1 - index] == (source, target)[1 - index]
    # Nought and its complement are the same number in this arithmetic.
    assert {int.from_bytes(made[50:52], "big"), checksum(made)} in ({checksum(made)}, {0, 0xFFFF})


def test_a_checksum_that_the_kernel_has_yet_to_finish_is_left_to_it():
    made = segment((4000, 8080), b"hello")
    before = made[50:52]

    swap_port(memoryview(made), 1, {8080: 29900}, unfinished=True)

    assert tcp_ports(made) == (4000, 29900)
    assert made[50:52] == before


def test_only_the_ports_that_are_named_are_swapped():
    for index, ports in ((1, {5433: 29900}), (0, {5432: 29900})):
        made = segment((4000, 5432), b"hello")
        before = bytes(made)
        swap_port(memoryview(made), index, ports, unfinished=False)
        assert bytes(made) == before
