"""Where hosts are: an address is known as it stands, a name is looked up at the start and again and again, in threads.

A name whose lookup fails keeps the addresses it had: `dns://` asks whether names resolve, others ask whether somebody answers.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence

from holdfast.watch.threads import Threads

FIRST_S = 2.0
"""Seconds that the first lookups of all names may take together before questions begin without those that are missing."""

Address = tuple[int, str]
"""Family and numeric host, as `socket.socket` and `connect` take them."""
LookUp = Callable[[str], Sequence[Address]]


def look_up(host: str) -> tuple[Address, ...]:
    """In the order of preference of this machine (RFC 6724).  Raises OSError; blocks."""
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except ValueError as error:  # a label of more than 63 letters, a zero byte
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} cannot be a name: {error}") from None
    return tuple(dict.fromkeys((int(entry[0]), str(entry[4][0])) for entry in entries))


def literal(host: str) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return int(family), host
    return None


class Names:
    """`of` never waits; `first` and `keep` are run by whoever asks."""

    def __init__(self, hosts: Iterable[str], threads: Threads, look_up: LookUp, renew_s: float):
        self._known: dict[str, tuple[Address, ...]] = {}
        self._names: list[str] = []
        self._busy: set[str] = set()
        self._threads, self._look_up, self._renew_s = threads, look_up, renew_s
        for host in dict.fromkeys(hosts):
            found = literal(host)
            if found:
                self._known[host] = (found,)
            else:
                self._names.append(host)

    def of(self, host: str) -> tuple[Address, ...]:
        """In the order in which they should be tried; nothing where no lookup has told any yet."""
        return self._known.get(host, ())

    def silent(self, host: str, address: Address) -> None:
        """The address was tried first and no connection came about in time: it is tried last from now on."""
        known = self._known.get(host, ())
        if len(known) > 1 and known[0] == address:
            self._known[host] = (*known[1:], address)

    async def first(self) -> None:
        asked = [self._renew(name) for name in self._names]
        if asked:
            await asyncio.wait(asked, timeout=FIRST_S)

    async def keep(self) -> None:
        """Until cancelled."""
        while self._names:
            await asyncio.sleep(self._renew_s)
            for name in self._names:
                if name not in self._busy:  # one that hangs must not pile up
                    self._renew(name)

    def _renew(self, name: str) -> "asyncio.Future[Sequence[Address]]":
        self._busy.add(name)
        asked = self._threads.run(lambda: self._look_up(name))
        asked.add_done_callback(lambda future: self._heard(name, future))
        return asked

    def _heard(self, name: str, future: "asyncio.Future[Sequence[Address]]") -> None:
        self._busy.discard(name)
        if future.cancelled() or future.exception() is not None:
            return
        found = tuple(future.result())
        if found and set(found) != set(self._known.get(name, ())):
            self._known[name] = found
