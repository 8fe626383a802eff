"""Health: the checks of one program, and its answers to "is it alive", "is it ready", "has it started".

Rules: nothing runs by itself: checks are run when somebody asks and what is known is older than their time to live.  While the
program drains it is not ready, at once and whatever the checks say; it stays alive.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.runtime import checks
from holdfast.runtime.health import judge
from holdfast.runtime.health.check import KINDS, Check, Group, registration
from holdfast.runtime.health.engine import Engine
from holdfast.runtime.health.redact import Redactor
from holdfast.runtime.health.results import FAIL, CheckReport, HealthEvent, Observation, Report, Status
from holdfast.runtime.health.track import Track

if TYPE_CHECKING:
    import asyncio

    from holdfast.runtime.health.flight import Round
    from holdfast.runtime.health.results import Kind

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["Health"]

log = logging.getLogger("holdfast.runtime")
_NOBODY: frozenset[str] = frozenset()


class Health:
    """`@health.check("database", needs="network")` registers a function, `health.add(Check(...), ...)` several at once, and
    `health.ask("readiness")` or `await health.aask("readiness")` gives the Report.

    service                the name in the answers
    no_readiness_checks    True says that this program is ready whenever it runs; without it, asking for readiness when nothing
                           is registered is a ValueError
    secrets                texts that must not appear in any message
    max_threads            for checks that block; fewer than there are such checks means that hung ones can hold up others
    """

    def __init__(
        self, service: str = "", *, no_readiness_checks: bool = False, secrets: Iterable[str] = (), max_threads: int = 32,
        clock: Callable[[], float] = monotonic,
    ):
        if not isinstance(service, str):
            raise ValueError(f"service is {service!r}; it must be a text")
        if not isinstance(no_readiness_checks, bool):
            raise ValueError(f"no_readiness_checks is {no_readiness_checks!r}; it must be True or False")
        self.service = service
        self.no_readiness_checks = no_readiness_checks
        self.draining = ""
        """Why, or "" when it does not."""
        self.started = False
        """The startup checks have passed; that stays so."""
        self._clock: Callable[[], float] = checks.function("clock", clock)
        self._redact = Redactor(secrets)
        checks.whole("max_threads", max_threads, low=1, high=1000)
        self._engine = Engine(self._clock, max_threads, self._redact, self._changed)
        self._checks: dict[str, Check] = {}
        self._groups: dict[str, Group] = {}
        self._tracks: dict[str, Track] = {}
        self._listeners: tuple[Callable[[HealthEvent], object], ...] = ()
        self._era = 0
        """Grows with everything but the checks' results that a verdict depends on."""
        self._known: dict[tuple[str, str], tuple[Report, float, int]] = {}

    # --- registration

    def add(self, *new: Check) -> None:
        """All of them or, with a ValueError, none.  They may need each other in any order."""
        found = registration(self._checks, self._groups, new)
        for name, check in found.items():
            if name not in self._tracks:
                self._tracks[name] = Track(check)
        self._checks = found
        if any("startup" in check.kind for check in new):
            self.started = False
        self._era += 1

    def check(self, name: str, **settings: Any) -> Callable[[F], F]:
        """As a decorator; the settings are those of Check.  The function stays what it was."""
        def register(function: F) -> F:
            self.add(Check(name, function, **settings))
            return function

        return register

    def group(self, name: str, *, critical: bool | None = None, at_least: int | None = None) -> Group:
        """Declares a group, before the checks that name it; see Group."""
        made = Group(name, critical, at_least)
        if name in self._groups or name in self._checks:
            raise ValueError(f"group {name!r} is registered twice; every name must be unique")
        self._groups[name] = made
        return made

    def validate(self) -> None:
        """ValueError when readiness was forgotten.  Asking for it and the servers do this; do it where your program starts."""
        if not self.no_readiness_checks and not any("readiness" in check.kind for check in self._checks.values()):
            raise ValueError("no readiness checks are registered; if that is meant, say Health(no_readiness_checks=True)")

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(self._checks.values())

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(self._groups.values())

    # --- asking

    def ask(self, kind: Kind = "readiness", *, exclude: Iterable[str] = (), only: str = "") -> Report:
        """The verdict, with the checks that are due run first; for code outside of event loops.

        exclude: names of checks that are neither asked nor counted; unknown ones are ignored.  only: the name of one check or
        group, which is judged as if the whole depended on it (what its checks need is asked as well).
        ValueError for an unknown kind or `only`; RuntimeError inside of an event loop, which it would block.
        """
        aio = sys.modules.get("asyncio")
        if aio is not None and aio._get_running_loop() is not None:  # also when the answer is known: else it would work at times
            raise RuntimeError("ask() would block the event loop that it is called in; use: await health.aask(...)")
        known = self._fresh(kind, only) if not exclude else None
        if known is not None:
            return known
        waited = self._engine.under_way((kind, only, _NOBODY)) if not exclude else None
        if waited is None:
            names, excluded = self._chosen(kind, exclude, only)
            waited = self._engine.begin((kind, only, excluded), self._of(names, excluded), None)
        self._engine.wait(waited)
        return self._shared(waited, kind, exclude, only)

    async def aask(
        self, kind: Kind = "readiness", *, exclude: Iterable[str] = (), only: str = "", own_loop: bool = True,
    ) -> Report:
        """The same in an event loop.  `own_loop=False`: this loop is not the program's, and its checks do not belong in it."""
        known = self._fresh(kind, only) if not exclude else None
        if known is not None:
            return known
        import asyncio

        loop = asyncio.get_running_loop()
        waited = self._engine.under_way((kind, only, _NOBODY)) if not exclude else None
        if waited is None:
            names, excluded = self._chosen(kind, exclude, only)
            waited = self._engine.begin((kind, only, excluded), self._of(names, excluded), loop if own_loop else None)
        await self._engine.await_(waited, loop)
        return self._shared(waited, kind, exclude, only)

    def last(self, kind: Kind = "readiness") -> Report:
        """The verdict over what is known, without running anything.  What was never asked fails."""
        names, excluded = self._chosen(kind, (), "")
        return self._judged(kind, names, excluded, "", keep=False)

    def history(self, name: str) -> tuple[Observation, ...]:
        """The latest runs of a check, oldest first.  KeyError for an unknown one."""
        with self._engine.lock:
            return tuple(self._tracks[name].history)

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """Of each check: runs, failures, and how often it was due while its last run had not returned."""
        with self._engine.lock:
            return {name: (track.runs, track.failures, track.hangs) for name, track in self._tracks.items()}

    def bind_loop(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Coroutine checks run in this loop, by default the running one, also when a thread asks.  Without it, in that of the
        first `aask`."""
        if loop is None:
            import asyncio

            loop = asyncio.get_running_loop()
        self._engine.bind(loop)

    # --- draining

    def drain(self, why: str = "shutting down") -> None:
        """Not ready from now on.  May be called anywhere, in a signal handler too."""
        if not self.draining:
            self.draining = self._redact(why) or "draining"
            self._era += 1
            self._tell(HealthEvent(service=self.service, kind="draining", at_s=self._clock(), message=self.draining))

    def serve_again(self) -> None:
        """Ends the draining."""
        if self.draining:
            self.draining = ""
            self._era += 1
            self._tell(HealthEvent(service=self.service, kind="serving", at_s=self._clock()))

    def listen(self, listener: Callable[[HealthEvent], object]) -> Callable[[], None]:
        """It gets a HealthEvent for each change of a check's status and for draining, in whatever thread that happens; what it
        raises is logged.  Gives the function that ends it."""
        checks.function("listener", listener)
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return end

    # --- how it works

    def now_s(self) -> float:
        """On the clock of the times in a Report."""
        return self._clock()

    def _fresh(self, kind: str, only: str) -> Report | None:
        known = self._known.get((kind, only))
        if known is not None and known[2] == self._era and known[0].at_s <= self._clock() < known[1]:
            return known[0]
        return None

    def _chosen(self, kind: str, exclude: Iterable[str], only: str) -> tuple[list[str], frozenset[str]]:
        """The checks that belong to the question, and those of them that are excluded."""
        if kind == "readiness":
            self.validate()
        kinds = {checks.one_of("kind", kind, KINDS)}
        if kind == "readiness" and not self.started:
            kinds.add("startup")  # what has not started is not ready
        if kind == "startup" and self.started:
            return [], _NOBODY
        names = [name for name, check in self._checks.items() if not kinds.isdisjoint(check.kind)]
        if only:
            names = self._only(only, names)
        return names, frozenset(exclude) & frozenset(names) if exclude else _NOBODY

    def _only(self, only: str, names: list[str]) -> list[str]:
        wanted = [name for name in names if name == only or self._checks[name].group == only]
        if not wanted:
            raise ValueError(f"only is {only!r}; it must be the name of a check or group of that kind")
        for name in wanted:
            wanted += [need for need in self._checks[name].needs if need not in wanted]
        return [name for name in names if name in wanted]

    def _of(self, names: Iterable[str], excluded: frozenset[str]) -> list[Track]:
        return [self._tracks[name] for name in names if name not in excluded]

    def _shared(self, waited: Round, kind: Kind, exclude: Iterable[str], only: str) -> Report:
        """One verdict for all who waited together."""
        if waited.report is None or waited.report[1] != self._era:
            era = self._era
            waited.report = (self._judged(kind, *self._chosen(kind, exclude, only), only), era)
        return waited.report[0]

    def _judged(self, kind: Kind, names: list[str], excluded: frozenset[str], only: str, keep: bool = True) -> Report:
        with self._engine.lock:
            era, now_s = self._era, self._clock()
            tracks = [self._tracks[name] for name in names]
            found = [track.report(track.check.name in excluded) for track in tracks]
            stale_s = min((track.at_s + track.check.ttl_s for track in tracks), default=now_s + 1.0)
        reports = judge.attributed(found, {name: self._checks[name].needs for name in names})
        groups = judge.grouped(reports, self._groups.values())
        status = judge.alone(reports, groups, only) if only else judge.verdict(reports, groups)
        if "startup" in (kind, "startup" if kind == "readiness" else "") and not only and not excluded and not self.started:
            self._start(reports, known=keep)
        notes: tuple[str, ...] = ()
        if kind == "readiness" and self.draining:
            status, notes = FAIL, (f"draining: {self.draining}",)
        report = Report(
            service=self.service, kind=kind, status=status, checks=reports, groups=groups, causes=judge.causes(reports),
            draining=bool(self.draining), notes=notes, at_s=now_s)
        if keep and not excluded:
            self._known[kind, only] = (report, stale_s, era)
        return report

    def _start(self, reports: tuple[CheckReport, ...], known: bool) -> None:
        """The latch: once all startup checks have been well together, startup is over for good."""
        own = [report for report in reports if "startup" in self._checks[report.name].kind]
        if known and judge.verdict(own, judge.grouped(own, self._groups.values())) is not FAIL:
            self.started = True
            self._era += bool(own)

    def _changed(self, track: Track, before: Status | None) -> None:
        if self._listeners and track.status is not before:
            self._tell(HealthEvent(
                service=self.service, kind="status", at_s=track.at_s, check=track.check.name, status=track.status,
                previous=before, message=track.message))

    def _tell(self, event: HealthEvent) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener of the health of %r raised", self.service)
