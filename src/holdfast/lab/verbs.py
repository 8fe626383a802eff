"""The things one may do to a lab.  Hosts and processes have names here, never pids or local paths.

What a lab cannot do is missing from `can`; drills that need it are skipped by name and with `why_not`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from holdfast.blueprint import Blueprint

T = TypeVar("T")

Ability = Literal["signal", "pause", "power", "wire", "shape", "disk", "shell", "publish", "check"]
"""signal: kill or stop one process; pause: a whole host; power: cut and boot a host; wire: take a host off the network;
shape: lose, delay or slow down what hosts send to each other; disk: fill a host's disk."""

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

    async def pause(self, host: str) -> None:
        """Nothing on the host runs any more, but its connections stay open."""
        ...

    async def resume(self, host: str) -> None: ...

    async def power_off(self, host: str) -> None:
        """As if the plug were pulled: nobody is told.  Disks stay."""
        ...

    async def power_on(self, host: str) -> None: ...

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

    async def fill_disk(self, host: str, *, full: bool) -> None:
        """Not a byte is free on the host's disk any more, or all of it is as before."""
        ...

    async def free_disk(self, host: str) -> int:
        """Bytes."""
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
