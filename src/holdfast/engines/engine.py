"""What holdfast must know of a program to render, run, ask and drive it.  An engine is a module of pure functions.

`files`, `process`, `delays`, `questions` and `actions` all derive from the same `Settings`, so that the number that is
rendered is the number that is promised.  Nothing here runs anything: questions and actions are data that the conductor uses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from holdfast.blueprint import File, Process, Site
from holdfast.errors import Problem
from holdfast.topology.model import Declared, Instance, Topology

Step = Literal[
    "out_silent", "out_refused", "in", "ask_elsewhere", "connect", "vip_missed", "vip_released", "learned", "lease", "revoke",
    "turn", "poll", "promote", "handover", "shutdown", "recover", "sync_given_up", "retry_store", "election", "elected",
    "restart", "start", "queue", "client", "lasts", "seen",
]
"""What a delay is a step of, so that a promise can be composed of the steps of several engines.

out_silent, out_refused, in: a balancer takes an instance out that answers nothing, or says no, or takes it in.
ask_elsewhere, connect: it asks another instance after this long without an answer, or without a connection.
vip_missed, vip_released, learned: a virtual IP's silent host is missed, a dead balancer's host gives it up, neighbours learn it.
lease, revoke, turn, poll, promote: of a primary's lease, until a standby leads.
handover, shutdown: a primary shuts down in good order, and its lease is given back.
recover: a crashed primary starts again in place.  sync_given_up: commits no longer wait for a lost synchronous standby.
retry_store: how long a primary tries its store again before it steps down.
election, elected: a consensus store misses its leader and has another.
restart, start: the service manager starts a program again, and it is ready.
queue: a request waits at the balancer until a server may take one more.
client, lasts, seen: of no engine: what the client does, how long the fault lasts, what measuring adds.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """One step of a failover, with bounds in seconds.  `timer` transfers to production, `work` does not."""

    step: Step
    name: str
    low_s: float
    high_s: float
    kind: Literal["timer", "work"] = "timer"
    setting: str = ""
    """Which setting decides it."""
    source: str = ""
    """Document and section, or `measured`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One HTTP question to an instance.  `read` turns status and body into a word; no answer at all is `""`."""

    host: str
    port: int
    path: str
    read: Callable[[int, bytes], str]
    method: str = "GET"
    body: bytes = b""
    inside: bool = False
    """Only answered on the host's own loopback address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """How to see how an instance stands.

    service: the word `yes` when it takes part in the service.
    role: `primary`, `replica`, `leader`, `follower` ...; None when all are equal.
    redundant: asked of any instance, `yes` when the whole tier could lose one more; None when service of all is enough.
    holds: an address whose holder is the `active` one (a virtual IP).
    home: an address that belongs here while all is well, where every host is to hold one of its own.
    reached: asked of a balancer, `tier/host` of every server to which it sent something since it took its present config.
    rotation: asked of a balancer, `tier/host` of every server to which it would send something now.
    pending: `yes` when it must be restarted before all of its settings count.
    confirms: read from the answer to `role`: `yes` when commits wait for this standby.
    """

    service: Question | None = None
    role: Question | None = None
    redundant: Question | None = None
    holds: str = ""
    home: str = ""
    reached: Question | None = None
    rotation: Question | None = None
    pending: Question | None = None
    confirms: Callable[[int, bytes], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A planned change, as one authenticated HTTP request.  `credential` is `(user, secret name)` for basic auth."""

    host: str
    port: int
    path: str
    method: str = "POST"
    body: bytes = b""
    credential: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """How to change an instance on purpose.

    switchover: given the host that leads and the host that shall lead (or ""), the request to send to the leader.
    inner: names of the processes inside that faults may strike (`postgres`).
    reloads: the signal upon which it reads its files again, or "".  reloaded: what it prints then.
    watches: it notices by itself when files are moved to these folders or paths.
    again: given its files, the same of them under another version, which it takes when they are moved into place: its reload.
    at_birth: files that only count when there is no data yet, or for programs that are started beside it.
    agrees: given its files, what to ask; the word is `yes` once the running program works by them.
    configure: given the leader's host, how to set what all members share and keep outside of their files.
    notices_s: how long members may take to notice what was configured.
    restart: given a host, how its inner program is restarted in good order.
    set_password: production path of a script on the leader's host that gives the application's user the password of its file.
    certificate: production path of the file with its certificate and key, or "".
    """

    switchover: Callable[[str, str], Request] | None = None
    inner: tuple[str, ...] = ()
    reloads: str = ""
    reloaded: str = ""
    watches: tuple[str, ...] = ()
    again: Callable[[Mapping[str, File]], Mapping[str, File]] | None = None
    at_birth: tuple[str, ...] = ()
    agrees: Callable[[Mapping[str, File]], Question | None] | None = None
    configure: Callable[[str], Request] | None = None
    notices_s: float = 0.0
    restart: Callable[[str], Request] | None = None
    set_password: str = ""
    certificate: str = ""


class Engine(Protocol):
    """A module with these names satisfies it."""

    Settings: type[Declared]
    PROGRAMS: tuple[str, ...]
    """Programs it needs, by the names of `Site.program`."""
    SERVES: tuple[str, ...]
    """Protocols under which other tiers may route to it: `http`, `postgres`, or nothing."""
    ROUTES: tuple[str, ...]
    """Protocols that it can balance, or nothing."""

    FILE: str
    """Production path of the file that a tier's own `config:` replaces; "" where there is none."""
    BESIDE_CONFIG: tuple[str, ...]
    """Settings that count even beside a config of the user's own."""

    def files(self, instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
        """Its config files by production path; byte-identical from run to run."""
        ...

    def process(self, instance: Instance, topology: Topology, site: Site) -> Process: ...

    def delays(self, tier: str, topology: Topology) -> tuple[Delay, ...]:
        """Nothing for a tier with a config of its own: what we did not write, we do not promise."""
        ...

    def questions(self, instance: Instance, topology: Topology) -> Questions: ...

    def actions(self, instance: Instance, topology: Topology) -> Actions: ...

    def ports(self, tier: str, topology: Topology) -> tuple[int, ...]:
        """Every TCP port that an instance binds on its host's address, so that two on one host are noticed."""
        ...

    def objections(self, tier: str, topology: Topology) -> tuple[Problem, ...]:
        """What is senseless in this tier though each value alone is fine; `topology.located("tiers", tier, key)` says where."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How to reach a tier under one protocol, and how a balancer tells which instance may serve.

    `check_port`/`check_path` answer 200 on an instance that may serve (for a database: only the primary).
    """

    protocol: str
    port: int
    check_port: int
    check_path: str
    patience_s: float = 1.0
    """How long a check may take before it counts as failed."""


class Serving(Protocol):
    """What engines with non-empty SERVES have besides."""

    def served(self, tier: str, topology: Topology) -> Mapping[str, Served]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A listener of a balancer: clients of `protocol` use this port and reach `tier`."""

    protocol: str
    port: int
    tier: str
