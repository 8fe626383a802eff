"""What is watched: one question to one instance, at one of two levels.

`process`: is the program there at all (a connection is accepted).  `service`: is what it says right.  Nothing here runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["process", "service"]
Kind = Literal["http", "tcp", "tls", "dns"]
Word = Literal["yes", "no", "unknown"]
"""unknown: no answer in time, or none that can be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One question, asked every `every_s` seconds, and given up after `timeout_s`.

    name: unique.  group: what it counts for: a tier, or `urls`.  member: the instance that it says something of.
    read: status and body to a word; a role (`primary`, `leader` ...) counts as yes and is shown.
    role: it tells a role and says nothing about being in service.
    days_left: of a certificate, fewer are `no`.
    """

    name: str
    group: str
    member: str
    level: Level
    kind: Kind
    host: str
    port: int = 0
    method: str = "GET"
    path: str = "/"
    header_host: str = ""
    authorization: str = field(default="", repr=False)
    """Sent, and never shown."""
    encrypted: bool = False
    body: bytes = b""
    every_s: float = 1.0
    timeout_s: float = 1.0
    read: Callable[[int, bytes], str] | None = None
    role: bool = False
    days_left: float = 14.0

    @property
    def secure(self) -> bool:
        return self.encrypted or self.kind == "tls"

    @property
    def said(self) -> str:
        """As a person would ask it again, without what may be a secret: who asks, and the query."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind == "http":
            path, mark, _ = self.path.partition("?")
            return f"{self.method} http{'s' if self.encrypted else ''}://{host}:{self.port}{path}{mark and '?...'}"
        return {"tcp": f"connect {host}:{self.port}", "tls": f"certificate of {host}:{self.port}",
                "dns": f"look up {self.host}"}[self.kind]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one question brought.  Seconds on the event loop's clock; `late_s`: how long after its beat it was asked."""

    target: str
    asked_s: float
    took_s: float
    late_s: float
    word: Word
    role: str = ""
    detail: str = ""
