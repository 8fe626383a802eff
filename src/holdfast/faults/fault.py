"""What makes a generator a fault: break, yield the evidence, mend.

    @fault(needs="pause")
    async def freeze(lab, target):
        before = await states(lab, target)
        try:
            ...
            yield Struck(before=before, after=await states(lab, target))
        finally:
            ...

Mending stands in `finally`: it runs after the hold, after an error (which is raised at the `yield`), and where the breaking
itself failed half-way.  So whatever mends stands around the `yield` itself: in a `with`, never in a generator that is only
looped over, whose own `finally` nobody would run in time.

The conductor resolves the target before, checks the strike by another route after, and mends within a deadline, shielded
from Ctrl-C.  What a lab cannot do (`needs`, and `also` where it depends on the settings) is skipped by name.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from holdfast.lab.verbs import Lab, State


class Settings(BaseModel):
    """What a user may write about a fault, besides target and duration.  This one takes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Where a tier speaks HTTP: its port on each host, and the path that says whether an instance may serve."""

    port: int
    health: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to strike, resolved at the moment of striking.

    processes: the instances on `hosts`, in the same order.  rest: every other host of the service, clients among them.
    tiers: the hosts of every tier.  change: for planned changes, does it and returns what the program answered.
    back: undoes such a change, where there is a way back.  proof: looks whether it counts now; "" while it does not.
    in_service: waits until this process takes part in the service again.
    """

    hosts: tuple[str, ...]
    processes: tuple[str, ...] = ()
    inner: str = ""
    settings: Any = field(default_factory=Settings)
    rest: tuple[str, ...] = ()
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reloads: str = ""
    """The signal upon which the program reads its files again."""
    seed: int = 0
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The TCP ports of every tier."""
    front: Front | None = None
    """Of the struck tier, if it speaks HTTP."""
    program: str = ""
    """Where the program is that the fault itself works with."""
    change: Callable[[], Awaitable[str]] | None = None
    back: Callable[[], Awaitable[None]] | None = None
    proof: Callable[[], Awaitable[str]] | None = None
    in_service: Callable[[str], Awaitable[None]] | None = None
    offer: Callable[[], Awaitable[Mapping[str, float]]] | None = None
    """Offers load for as long as the drill is held, and tells what became of it."""
    names_process: bool = False

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def process(self) -> str:
        return self.processes[0]

    def __str__(self) -> str:
        named = self.processes if self.names_process else self.hosts
        return ", ".join(f"{name}:{self.inner}" if self.inner and self.names_process else name for name in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """The fault's own evidence: how the hosts' processes stood before and after, and what a program said."""

    before: tuple[State, ...] = ()
    after: tuple[State, ...] = ()
    said: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What was counted meanwhile, if anything was."""
    cut: tuple[tuple[str, str], ...] = ()
    """Pairs of hosts (from, to) whose packets vanish, where hosts of a tier do not hear each other."""

    def as_detail(self) -> dict[str, Any]:
        return {
            **({"figures": dict(self.figures)} if self.figures else {}),
            "before": [f"{state.name} {state.life}" for state in self.before],
            "after": [f"{state.name} {state.life}" for state in self.after],
            "said": self.said,
            **({"cut": [list(pair) for pair in self.cut]} if self.cut else {}),
        }


async def states(lab: Lab, target: Target) -> tuple[State, ...]:
    """Of every process on the target's hosts."""
    return tuple([state for host in dict.fromkeys(target.hosts) for state in await lab.states(host)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the catalogue.

    needs: the lab's ability without which it is skipped.
    also: more abilities that some settings need.
    program: a program of the machine (by its name in `lab.doctor`) that the fault itself works with.
    planned: the operator wants it; nobody is broken, and stateless tiers promise no error.
    of_process: it strikes programs; else it strikes hosts.
    settings: what the user may write besides.
    mend_limit_s: how long mending may take.
    outlasts: what it does may begin once it is mended, as late as all timers of the struck tier are over.
    """

    name: str
    needs: str
    planned: bool
    of_process: bool
    summary: str
    settings: type[Settings]
    mend_limit_s: float = 30.0
    outlasts: bool = False
    strike: Callable[[Lab, Target], AbstractAsyncContextManager[Struck]] = field(repr=False)
    also: Callable[[Any], tuple[str, ...]] = field(repr=False, default=lambda settings: ())
    program: str = ""

    def abilities(self, settings: Any = None) -> tuple[str, ...]:
        """All that a lab must be able to do for it, with these settings."""
        return (self.needs, *(self.also(settings) if settings is not None else ()))


Steps = Callable[[Lab, Target], AsyncIterator[Struck]]


def fault(
    *, needs: str, planned: bool = False, of_process: bool = False, settings: type[Settings] = Settings,
    also: Callable[[Any], tuple[str, ...]] = lambda settings: (), program: str = "", mend_limit_s: float = 30.0,
    outlasts: bool = False,
) -> Callable[[Steps], Fault]:
    def made(function: Steps) -> Fault:
        assert function.__doc__, "a fault shows in its docstring the YAML that a user would write"
        return Fault(
            name=function.__name__, needs=needs, planned=planned, of_process=of_process, settings=settings,
            summary=function.__doc__.strip().splitlines()[0], strike=asynccontextmanager(function), also=also, program=program,
            mend_limit_s=mend_limit_s, outlasts=outlasts,
        )  # fmt: skip

    return made
