"""What makes a generator a fault: the part after `yield` always runs, and what it yields is proof.

    @fault(needs="pause")
    async def freeze(lab, target):
        before = await lab.states(target.host)
        await lab.pause(target.host)
        yield Struck(before=before, after=await lab.states(target.host))
        await lab.resume(target.host)

The conductor resolves the target before, checks the strike by another route after, and mends within a deadline, shielded
from Ctrl-C.  What a lab cannot do (`needs`) is skipped by name.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from holdfast.lab.verbs import Lab, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to strike, resolved at the moment of striking."""

    host: str
    process: str = ""
    inner: str = ""
    change: Callable[[], Awaitable[str]] | None = None
    """For planned changes: does it, and returns what the program answered."""

    def __str__(self) -> str:
        return f"{self.process}:{self.inner}" if self.inner else self.process or self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """The fault's own evidence: how the host's processes stood before and after, and what a program said."""

    before: tuple[State, ...] = ()
    after: tuple[State, ...] = ()
    said: str = ""

    def as_detail(self) -> dict[str, Any]:
        return {
            "before": [f"{state.name} {state.life}" for state in self.before],
            "after": [f"{state.name} {state.life}" for state in self.after],
            "said": self.said,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the catalogue.

    needs: the lab's ability without which it is skipped.
    planned: the operator wants it; nobody is broken, and stateless tiers promise no error.
    mends: whether there is something to mend, so that the conductor waits before it does.
    """

    name: str
    needs: str
    planned: bool
    mends: bool
    summary: str
    strike: Callable[[Lab, Target], AbstractAsyncContextManager[Struck]] = field(repr=False)


def fault(
    *, needs: str, planned: bool = False, mends: bool = True
) -> Callable[[Callable[[Lab, Target], AsyncIterator[Struck]]], Fault]:
    def made(function: Callable[[Lab, Target], AsyncIterator[Struck]]) -> Fault:
        assert function.__doc__, "a fault shows in its docstring the YAML that a user would write"
        summary = function.__doc__.strip().splitlines()[0]
        return Fault(
            name=function.__name__, needs=needs, planned=planned, mends=mends, summary=summary,
            strike=asynccontextmanager(_always_mending(function)),
        )  # fmt: skip

    return made


def _always_mending(function: Callable[[Lab, Target], AsyncIterator[Struck]]) -> Callable[[Lab, Target], AsyncIterator[Struck]]:
    """An error in the `with` body is raised after the mending, not into the generator."""

    async def struck(lab: Lab, target: Target) -> AsyncIterator[Struck]:
        steps = function(lab, target)
        evidence = await anext(steps)
        try:
            yield evidence
        finally:
            async for _ in steps:
                raise AssertionError(f"{function.__name__} yields twice")

    return struck
