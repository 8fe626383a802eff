"""Bridges, virtual cables and addresses over AF_NETLINK, because a fresh machine has no `ip`.

Only what a lab needs: add a bridge, add a cable into another namespace, attach, bring up, add an address, list addresses.
Message layouts: rtnetlink(7), linux/if_link.h, linux/veth.h.
"""

import os
import socket
import struct

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 17, 19, 20, 22
_REQUEST, _ACK, _EXCL, _CREATE, _DUMP = 0x1, 0x4, 0x200, 0x400, 0x300
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_PID = 1, 3, 10, 18, 19
_IFLA_GSO_MAX_SEGS = 40
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFF_UP = 1


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("HH", length, kind) + value + bytes(-length % 4)


def _link_header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 16:
        length, kind = struct.unpack_from("IH", data)
        found.append((kind, data[16:length]))
        data = data[length + (-length % 4) :]
    return found


def _ask(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """One request in the network namespace of the calling thread.  Raises OSError with the kernel's reason."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
        channel.bind((0, 0))
        channel.send(struct.pack("IHHII", 16 + len(body), kind, _REQUEST | flags, 1, 0) + body)
        answers: list[tuple[int, bytes]] = []
        while True:
            for answer, payload in _messages(channel.recv(1 << 18)):
                if answer == _NLMSG_DONE:
                    return answers
                if answer == _NLMSG_ERROR:
                    code = -struct.unpack_from("i", payload)[0]
                    if code:
                        raise OSError(code, f"netlink request {kind}: {os.strerror(code)}")
                    return answers
                answers.append((answer, payload))


def index_of(name: str) -> int:
    return socket.if_nametoindex(name)


def add_bridge(name: str, mac: bytes = b"", *, up: bool = True) -> None:
    """Without a `mac` of its own a bridge takes that of a port, and changes it when that port leaves.

    A bridge that is not up forwards nothing, and whoever is attached to it is heard by packet sockets only.
    """
    info = _attribute(_IFLA_INFO_KIND, b"bridge")
    body = _link_header(flags=_IFF_UP if up else 0, change=_IFF_UP)
    body += _attribute(_IFLA_ADDRESS, mac) if mac else b""
    body += _attribute(_IFLA_IFNAME, name.encode() + b"\0") + _attribute(_IFLA_LINKINFO, info)
    _ask(_RTM_NEWLINK, _ACK | _CREATE | _EXCL, body)


def add_cable(name: str, bridge: str, peer: str, peer_pid: int, peer_mac: bytes) -> None:
    """A pair of interfaces: `name` here and attached to `bridge`, `peer` in the namespace of process `peer_pid`."""
    far = _link_header() + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
    far += _attribute(_IFLA_ADDRESS, peer_mac) + _attribute(_IFLA_NET_NS_PID, struct.pack("I", peer_pid))
    info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, far))
    body = _link_header(flags=_IFF_UP, change=_IFF_UP) + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
    body += _attribute(_IFLA_MASTER, struct.pack("I", index_of(bridge))) + _attribute(_IFLA_LINKINFO, info)
    _ask(_RTM_NEWLINK, _ACK | _CREATE | _EXCL, body)


def add_pair(name: str, peer: str) -> None:
    """Two ends of a cable, both here and up, attached to nothing."""
    far = _link_header() + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
    info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, far))
    body = _link_header(flags=_IFF_UP, change=_IFF_UP) + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
    _ask(_RTM_NEWLINK, _ACK | _CREATE | _EXCL, body + _attribute(_IFLA_LINKINFO, info))
    bring_up(peer)  # only now: an end without another cannot be up


def limit_segments(name: str, segments: int) -> None:
    """How many packets the kernel may hand to this interface glued together as one; 65535 is its own value."""
    _ask(_RTM_SETLINK, _ACK, _link_header(index_of(name)) + _attribute(_IFLA_GSO_MAX_SEGS, struct.pack("I", segments)))


def attach(name: str, bridge: str | None) -> None:
    """Put an interface on a bridge, or take it off: its own link stays up, packets just end there."""
    master = index_of(bridge) if bridge else 0
    _ask(_RTM_SETLINK, _ACK, _link_header(index_of(name)) + _attribute(_IFLA_MASTER, struct.pack("I", master)))


def remove(name: str) -> None:
    """With an end of a cable goes the other one, wherever it is."""
    _ask(_RTM_DELLINK, _ACK, _link_header(index_of(name)))


def bring_up(name: str) -> None:
    _ask(_RTM_NEWLINK, _ACK, _link_header(index_of(name), _IFF_UP, _IFF_UP))


def add_address(name: str, address: str, prefix_length: int) -> None:
    packed = socket.inet_aton(address)
    body = struct.pack("BBBBi", socket.AF_INET, prefix_length, 0, 0, index_of(name))
    _ask(_RTM_NEWADDR, _ACK | _CREATE | _EXCL, body + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed))


def addresses() -> frozenset[str]:
    """Every IPv4 address of this network namespace."""
    found = set()
    for _, payload in _ask(_RTM_GETADDR, _DUMP, struct.pack("BBBBi", socket.AF_INET, 0, 0, 0, 0)):
        rest = payload[8:]
        while len(rest) >= 4:
            length, kind = struct.unpack_from("HH", rest)
            if kind == _IFA_LOCAL:
                found.add(socket.inet_ntoa(rest[4:8]))
            rest = rest[length + (-length % 4) :]
    return frozenset(found)
