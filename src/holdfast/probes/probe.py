"""What every probe is: something that can be opened on a client's network and then asked, question by question."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from holdfast.record.event import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one question.  `detail` says why it is a no or an unknown; for a yes, who answered."""

    answer: Answer
    detail: str = ""


Ask = Callable[[int], Awaitable[Reply]]
"""Asks question number n.  It ends within the probe's patience, and it never raises: a dead server is an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the nodes of a database hold after mending, beside what clients were told.

    lost: acknowledged and absent on the primary.  resurrected: refused and present all the same.
    missing: per node, how many acknowledged writes it does not hold (on a replica that is lag, not loss).
    """

    lost: tuple[int, ...] = ()
    resurrected: tuple[int, ...] = ()
    acknowledged: int = 0
    refused: int = 0
    ambiguous: int = 0
    ambiguous_present: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    """Why the audit could not be made, if so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe ready to be opened.  `open` is entered on the client's own loop, where all its sockets are then made."""

    name: str
    kind: str
    what: str
    """For people: what is asked, of whom."""
    client: str
    every_s: float
    patience_s: float
    writes: bool
    open: Callable[[], AbstractAsyncContextManager[Ask]]
    audit: Callable[[Mapping[int, Answer], str], Awaitable[Audit]] | None = None
    """Given what became of each number since the last audit, and the address of the primary."""
