"""The cables of the hosts: where they end, and the detour that shapes what goes through them.

A host's cable ends here as `hf-N` on its segment's bridge.  While a rule concerns the host, or a port of it is diverted:

    eth0 in the host === hf-N   <- link_relay ->   hs-N === hb-N on the bridge

`hf-N` and `hs-N` lie on a bridge that is down, as does the end of a cable that is unplugged: packet sockets hear them, this
kernel's own network does not, or it would answer for holdfast's addresses on every cable.  eth0 keeps its link, addresses and
connections all the while.

Everything here blocks, for the kernel waits for all its processors when a cable moves: call it from a thread.  One lock; a caller
who gives up leaves nothing half done, because the thread goes on.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from holdfast.lab import linux, netlink
from holdfast.lab.namespaces import relay_process
from holdfast.lab.namespaces.link_relay import packet_socket
from holdfast.lab.namespaces.link_shaping import Shape
from holdfast.lab.verbs import ANYONE, Rule

_DEAD_END = "hfdead"
_NO_LIMIT = 65535
_SETTLE_S = 0.05
"""What was held back and is delivered at once gets its answers before the cable moves: those would be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaped:
    """The rules of one link: for frames from the host, and for those to it."""

    out: tuple[Shape, ...] = ()
    into: tuple[Shape, ...] = ()

    @property
    def counts_packets(self) -> bool:
        return any(shape.counts_packets for shape in (*self.out, *self.into))


def mac_of(address: str) -> bytes:
    """Derived from the address: a host that boots again must be known to its neighbours."""
    return bytes((2, 0, *socket.inet_aton(address)))


def placed(rules: Sequence[Rule], addresses: Mapping[str, str]) -> dict[str, Shaped]:
    """Every rule at the link where it holds: its target's, or its source's if it has no target.

    Raises LookupError for a host that is not among `addresses` (host to IPv4 address).
    """
    out: dict[str, list[Shape]] = {}
    into: dict[str, list[Shape]] = {}
    for rule in rules:
        for host in {rule.source, rule.target} - {ANYONE}:
            if host not in addresses:
                raise LookupError(f"there is no host {host}")
        if rule.target != ANYONE:
            source = b"" if rule.source == ANYONE else mac_of(addresses[rule.source])
            into.setdefault(rule.target, []).append(_shape(rule, source))
            continue
        for host in addresses if rule.source == ANYONE else (rule.source,):
            out.setdefault(host, []).append(_shape(rule, b""))
    concerned = [host for host in addresses if host in out or host in into]
    return {host: Shaped(out=tuple(out.get(host, ())), into=tuple(into.get(host, ()))) for host in concerned}


def _shape(rule: Rule, source: bytes) -> Shape:
    return Shape(
        source=source, drop=rule.drop, delay_s=rule.delay_s, jitter_s=rule.jitter_s, rate_bytes_per_s=rule.rate_bytes_per_s,
        ports=rule.ports, spares_arp=rule.spares_arp, seed=rule.seed,
    )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Cable:
    """How one host is connected now.  pid: of the host's first process, 0 without power."""

    number: int
    address: str
    bridge: str
    pid: int = 0
    plugged: bool = True
    detour: bool = False

    @property
    def near(self) -> str:
        return f"hf-{self.number}"

    @property
    def far(self) -> str:
        return f"hs-{self.number}"

    @property
    def door(self) -> str:
        """What is on the bridge."""
        return f"hb-{self.number}" if self.detour else self.near


class Links:
    """Owned by a lab.  `source`: the folder from which the relay imports us."""

    def __init__(self, cables: Mapping[str, Cable], source: str):
        self._cables = cables
        self._source = source
        self._lock = threading.Lock()
        self._shaped: dict[str, Shaped] = {}
        self._diverted: dict[str, Mapping[int, int]] = {}
        self._died: list[str] = []
        self._relay: socket.socket | None = None

    def open(self) -> None:
        """Before the first cable."""
        netlink.add_bridge(_DEAD_END, up=False)

    def lay(self, host: str, pid: int) -> None:
        """A new cable for a host that boots, under the rules that hold now."""
        cable = self._cables[host]
        with self._lock:
            netlink.add_cable(cable.near, cable.bridge, "eth0", pid, mac_of(cable.address))
            cable.pid, cable.plugged, cable.detour = pid, True, False
            self._arrange()

    def take(self, host: str) -> None:
        """The host is gone, and its cable with it."""
        cable = self._cables[host]
        with self._lock:
            with suppress(OSError):  # the kernel may have been faster
                netlink.remove(cable.near)
            if cable.detour:
                netlink.remove(cable.door)
            cable.pid, cable.detour = 0, False
            self._tell()

    def plug(self, host: str, *, into: bool) -> None:
        cable = self._cables[host]
        with self._lock:
            netlink.attach(cable.door, cable.bridge if into else _DEAD_END)
            cable.plugged = into

    def shape(self, rules: Sequence[Rule]) -> None:
        """Raises LookupError for an unknown host, OSError with what the kernel or the relay refused."""
        shaped = placed(rules, {host: cable.address for host, cable in self._cables.items()})
        with self._lock:
            self._shaped = shaped
            self._arrange()

    def divert(self, host: str, ports: Mapping[int, int]) -> None:
        """Frames to these TCP ports of the host go to other ports of it, and what comes back seems to come from these."""
        with self._lock:
            self._diverted[host] = dict(ports)
            self._arrange()

    def died(self) -> tuple[str, ...]:
        """What was heard of relays that ended by themselves, and so cut their hosts off; the list only grows."""
        if self._lock.acquire(blocking=False):  # a cable is being laid: whoever does it notices as well
            try:
                if self._relay and relay_process.is_gone(self._relay):
                    self._note_death()
            finally:
                self._lock.release()
        return tuple(self._died)

    def _note_death(self) -> None:
        hosts = ", ".join(host for host, cable in self._cables.items() if cable.detour)
        self._died.append(f"the relay of shaped links ended, and cut off {hosts}")
        self._dismiss()

    def _detours(self, host: str) -> bool:
        return host in self._shaped or bool(self._diverted.get(host))

    def close(self) -> None:
        """The relay ends; the cables go with the namespaces."""
        with self._lock:
            self._dismiss()

    def _dismiss(self) -> None:
        if self._relay:
            self._relay.close()
            self._relay = None

    def _arrange(self) -> None:
        """Make the cables as the rules want them.  What fails leaves a state from which the next call goes on."""
        powered = {host: cable for host, cable in self._cables.items() if cable.pid}
        joining = [cable for host, cable in powered.items() if self._detours(host) and not cable.detour]
        leaving = [cable for host, cable in powered.items() if not self._detours(host) and cable.detour]
        for cable in joining:
            netlink.add_pair(f"hb-{cable.number}", cable.far)
            cable.detour = True
            netlink.attach(cable.far, _DEAD_END)
        try:
            self._limit_segments()
            self._tell()
        except OSError:
            for cable in joining:
                netlink.remove(cable.door)
                cable.detour = False
            raise
        if leaving:
            time.sleep(_SETTLE_S)
        # Never both ends on the bridge: with the relay between them frames would go round for ever.
        for cable in joining:
            netlink.attach(cable.near, _DEAD_END)
            netlink.attach(cable.door, cable.bridge if cable.plugged else _DEAD_END)
        for cable in leaving:
            netlink.attach(cable.door, _DEAD_END)
            netlink.attach(cable.near, cable.bridge if cable.plugged else _DEAD_END)
        for cable in leaving:
            netlink.remove(cable.door)
            cable.detour = False
        if leaving:
            self._tell()

    def _limit_segments(self) -> None:
        """Where packets are counted none may come glued to others: both ends that send into the relay take them one by one."""
        for host, cable in self._cables.items():
            if cable.pid and cable.detour:
                counts = host in self._shaped and self._shaped[host].counts_packets
                segments = 1 if counts else _NO_LIMIT
                netlink.limit_segments(cable.door, segments)
                _inside(cable.pid, partial(netlink.limit_segments, "eth0", segments))

    def _tell(self) -> None:
        """The relay hears the whole of what is wanted.  One that died is replaced: it knew nothing that we do not.

        A detour without rules carries all there is at once; without detours there is no relay.
        """
        message = [
            {
                "near": cable.near, "far": cable.far,
                "out": [shape.as_message() for shape in self._shaped.get(host, Shaped()).out],
                "into": [shape.as_message() for shape in self._shaped.get(host, Shaped()).into],
                "ports": dict(self._diverted.get(host, {})),
            }
            for host, cable in self._cables.items() if cable.detour
        ]  # fmt: skip
        if not message:
            self._dismiss()
            return
        line = json.dumps(message).encode() + b"\n"
        for relay in (self._relay, None):
            self._relay = relay or relay_process.start(self._source)
            if answer := relay_process.asked(self._relay, line):
                break
            self._note_death()
        else:
            raise OSError("the relay of shaped links ended")
        if "error" in (said := json.loads(answer)):
            raise OSError(f"the relay of shaped links: {said['error']}")


def _inside(pid: int, act: Callable[[], None]) -> None:
    """Act in the network of a process, in a thread: it moves there for good, and so must end."""

    def acted() -> None:
        with suppress(OSError):  # a host that dies meanwhile needs nothing any more
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                linux.setns(descriptor, linux.CLONE_NEWNET)
            finally:
                os.close(descriptor)
            act()

    thread = threading.Thread(target=acted, name="network of a host")
    thread.start()
    thread.join()


def refusal() -> str:
    """Why links cannot be shaped here; "" if they can."""
    try:
        packet_socket().close()
    except OSError as error:
        return f"this kernel refused a packet socket: {error.strerror}"
    return ""
