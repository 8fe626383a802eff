"""Who is still connected to a program: counted in the kernel's own table, which the program cannot embellish."""

from ipaddress import IPv4Address

from holdfast.lab.verbs import Lab

ESTABLISHED = "01"
"""proc(5), /proc/net/tcp: `st` in hexadecimal; include/net/tcp_states.h."""


async def connected(lab: Lab, host: str, address: str, ports: set[int], *, by: str = "") -> int:
    """Established connections to these ports of the host, but those that it made to itself.  by: of this address only."""
    table = await lab.run(host, ["cat", "/proc/net/tcp"])
    return count(table.text, address, ports, by)


def count(table: str, address: str, ports: set[int], by: str = "") -> int:
    """`table` is the text of /proc/net/tcp: addresses and ports in hexadecimal, addresses in the machine's byte order."""
    found = 0
    for row in table.splitlines()[1:]:
        words = row.split()
        if len(words) < 4 or words[3] != ESTABLISHED:
            continue
        (local, port), (remote, _) = (_end(word) for word in words[1:3])
        found += local == address and port in ports and (remote == by if by else remote != address)
    return found


def _end(word: str) -> tuple[str, int]:
    address, port = word.split(":")
    return str(IPv4Address(int.from_bytes(bytes.fromhex(address)[::-1], "big"))), int(port, 16)
