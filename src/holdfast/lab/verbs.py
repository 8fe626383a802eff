"""The things one may do to a lab.  Hosts and processes have names here, never pids or local paths.

What a lab cannot do is missing from `can`; drills that need it are skipped by name and with `why_not`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from holdfast.blueprint import Blueprint, Process

T = TypeVar("T")

Ability = Literal[
    "signal", "pause", "power", "wire", "shape", "disk", "shell", "publish", "check", "memory", "clock", "front", "stall",
]  # fmt: skip
"""signal: kill or stop one process; pause: a whole host; power: cut and boot a host; wire: take a host off the network;
shape: lose, delay or slow down what hosts send to each other; disk: fill or protect a host's disk; memory: limit what a process
may get; clock: shift the time that programs see; front: put a program in front of another one's port;
stall: make a host's disk wait."""

CLOCK_FILE = "/etc/holdfast-clock"
"""Where programs whose clock can be shifted find by how much; each host has its own."""

Life = Literal["running", "stopped", "waiting", "gone"]
"""stopped: SIGSTOP or traced; waiting: the service manager will start it again; gone: not there and not coming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How one process stands, or one inner process of it (`db1/patroni:postgres`)."""

    name: str
    life: Life
    starts: int = 0
    """How often the service manager started it since the lab came up; 0 for inner processes."""
    identity: str = ""
    """Changes whenever the process is another one than before (never a pid of this machine)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a command inside a host printed, and its exit code (negative: the signal that ended it)."""

    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What the service managers of the hosts report as it happens."""

    at_s: float
    kind: Literal["process.started", "process.ended", "process.gave_up"]
    process: str
    detail: Mapping[str, object]


ANYONE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the network does to frames on their way from `source` to `target`; where several rules fit, all of them do.

    With a target the rule holds where frames leave the network towards it, broadcasts too; with `target="*"` where they
    enter it from the source.  A host is known by its MAC address, so a virtual IP belongs to whoever holds it.
    """

    source: str = ANYONE
    """A host, or `*`: everyone, holdfast's own questions included."""
    target: str = ANYONE
    drop: float = 0.0
    """The share that vanishes, 0 to 1, each frame by a throw of its own."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """The delay wanders between `delay_s` - and + this, never so fast that a frame overtakes another."""
    rate_bytes_per_s: float | None = None
    """Of whole frames; what exceeds it waits for at most 0.2 s (or 64 KiB), the rest is lost."""
    ports: frozenset[int] = frozenset()
    """If any: only TCP from or to these ports."""
    spares_arp: bool = False
    """Whether addresses are still resolved.  Without answers to ARP a cut of one direction soon becomes one of both."""
    seed: int = 0


class HostGone(OSError):
    """The host has no power: nobody answers there."""


class Lab(Protocol):
    """A blueprint, running."""

    name: str
    blueprint: Blueprint
    can: frozenset[str]

    def why_not(self, ability: str) -> str:
        """The reason why an ability is missing, for a person."""
        ...

    def now_s(self) -> float:
        """Seconds since the lab began, monotonic."""
        ...

    async def signal(self, process: str, signal: str, inner: str = "") -> None:
        """Send a signal (`KILL`, `STOP` ...) to a process, or to one of its inner processes."""
        ...

    async def start(self, process: str) -> None: ...

    async def stop(self, process: str) -> None:
        """As an operator would: the stop signal, no restart.  Returns when it has ended."""
        ...

    async def states(self, host: str) -> tuple[State, ...]:
        """Of every process of the host and the inner processes that can be found.  A dead host has none."""
        ...

    async def place(self, process: Process, secrets: Mapping[str, str]) -> None:
        """Its files are these from now on, and its next start is as described; what runs is not touched.

        The process must be one of the blueprint's, also of a spare host without power.  Secrets are values by name, beside
        those that the lab has.
        """
        ...

    async def pause(self, host: str) -> None:
        """Nothing on the host runs any more, but its connections stay open."""
        ...

    async def resume(self, host: str) -> None: ...

    async def power_off(self, host: str) -> None:
        """As if the plug were pulled: nobody is told.  Disks stay."""
        ...

    async def power_on(self, host: str) -> None:
        """Boots it with all its programs, or a spare one without starting any.  A host that has power stays as it is.

        Every lab can do it for a spare host; others only lose their power where the lab has the ability `power`.
        """
        ...

    async def unplug(self, host: str) -> None:
        """Packets to and from the host vanish; its link stays up."""
        ...

    async def plug(self, host: str) -> None: ...

    async def shape(self, rules: Sequence[Rule]) -> None:
        """From now on these rules and no others; none: a network without faults.

        What an earlier rule still held back is delivered at once and in order.  Where a host comes under a rule or leaves its
        last one, its cable is laid anew, which loses the frames of some milliseconds; connections stay.
        """
        ...

    async def divert(self, host: str, port: int, argv: Sequence[str], listens: int) -> None:
        """Run this program on the host; what comes over the network for the TCP port now reaches `listens`, where it answers.

        Raises OSError where it does not listen there.  Connections that others had to the port are reset; the host's own
        programs still reach it as before.
        """
        ...

    async def undivert(self, host: str) -> None:
        """All ports of the host are its own programs' again, and the program in front is gone."""
        ...

    async def fill_disk(self, host: str, *, full: bool) -> None:
        """Not a byte is free on the host's disk any more, or all of it is as before."""
        ...

    async def free_disk(self, host: str) -> int:
        """Bytes."""
        ...

    async def stall_disk(self, host: str, *, on: bool) -> None:
        """Whoever asks the disk for anything beneath /var/lib waits until this is called again."""
        ...

    async def protect_disk(self, host: str, *, on: bool) -> None:
        """Nothing can be written to the host's disk any more, or again.

        A kernel protects no disk with files open for writing, so its programs are killed first; their service manager starts
        them again.
        """
        ...

    async def limit_memory(self, process: str, limit_bytes: int | None) -> None:
        """The process and what runs beneath it may get this much memory from now on, or as much as they like again.

        Asked again it takes in those that came since, and leaves the limit.
        """
        ...

    async def oom_kills(self, process: str) -> int:
        """How often the kernel killed for want of memory since the process is limited."""
        ...

    async def shift_clock(self, host: str, by_s: float) -> None:
        """The wall clock of its programs that can be shifted goes wrong by so much; 0: right."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """What of the lab itself broke since it came up, and so falsifies what is measured; the list only grows."""
        ...

    async def addresses(self, host: str) -> frozenset[str]:
        """The IPv4 addresses that the host holds now (a virtual IP among them)."""
        ...

    async def write(self, host: str, path: str, text: str, *, mode: int = 0o644) -> None:
        """A file of the host's, by its production path: written beside it and then moved into its place."""
        ...

    async def run(self, host: str, argv: Sequence[str], *, limit_s: float = 30.0, user: str = "root") -> Output: ...

    async def at(self, host: str, question: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine with the network of `host` (its sockets are that host's sockets)."""
        ...

    async def tail(self, process: str, lines: int = 20) -> str:
        """The last lines that the process printed."""
        ...

    def happenings(self) -> AsyncIterator[Happening]: ...


LabUp = Callable[[Blueprint, Mapping[str, str]], AbstractAsyncContextManager[Lab]]
"""Bring a blueprint up with these secrets; everything is gone when the context ends."""
