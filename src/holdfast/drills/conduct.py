"""Conduct drills on a running lab: wait for the steady state, strike, prove it, hold, mend, wait for redundancy, audit.

The conductor owns the order and the limits; every task has this run as its parent.  It writes what happened and judges
nothing: outages are measured later, from the record alone.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager

from holdfast.blueprint import Site
from holdfast.drills.aim import aim
from holdfast.drills.asking import SOCKETS, Asker, Wire
from holdfast.drills.beat import beat, punctual
from holdfast.drills.changing import Change
from holdfast.drills.drill import CHANGES, Drill
from holdfast.drills.hear import Hearing
from holdfast.drills.observe import Observer
from holdfast.drills.prepare import Known
from holdfast.drills.rotation import all_in_rotation
from holdfast.drills.steady import LOOK_S, first_redundancy
from holdfast.drills.strike import Strike
from holdfast.drills.targets import NoTarget, resolve
from holdfast.drills.timers import aftermath_s, slowest_timer_s
from holdfast.drills.verify import printed, verified
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Refused
from holdfast.faults.catalogue import FAULTS
from holdfast.faults.fault import Struck, Target
from holdfast.lab.verbs import Lab
from holdfast.probes.exchange import Unanswered
from holdfast.probes.probe import Probe, Reply
from holdfast.record.event import Asked, Event
from holdfast.topology.model import Instance, Topology

STEADY_LIMIT_S = 60.0
REDUNDANCY_LIMIT_S = 90.0
DWELL_S = 1.0
"""A service that is whole for one look only is not steady."""


class Conductor:
    """One run over one lab.  `write` and `hear` put events and answers into the record, in the order they come."""

    def __init__(
        self, *, topology: Topology, site: Site, lab: Lab, secrets: Mapping[str, str], seed: int, probes: Sequence[Probe],
        write: Callable[[Event], None], hear: Callable[[Asked], None], wire: Wire = SOCKETS, known: Known | None = None,
    ):  # fmt: skip
        self._topology, self._site, self._lab, self._secrets = topology, site, lab, dict(secrets)
        self._rng = random.Random(seed)
        self._probes, self._write = probes, write
        self._drill = ""
        self._release: asyncio.Event | None = None
        self._struck_s: float | None = None
        self._victim: Target | None = None
        self._noticed = False
        self._ended: set[str] = set()
        self._hearing = Hearing(probes, hear)
        self.observer = Observer(topology, site, lab, self._told, wire)
        self._asker = Asker(lab, site, wire)
        self._known = known or Known(topology, site, secrets)

    # ---- the run

    async def run(self, drills: Sequence[Drill]) -> None:
        """All drills in order.  After one that could not begin or mend, the rest are not tried: nothing would be steady."""
        async with self.attended() as ask:
            ask()
            for index, drill in enumerate(drills):
                if not await self.conduct(drill):
                    for skipped in drills[index + 1 :]:
                        self._event("drill.ended", drill=skipped.name, outcome="skipped", reason=f"after {drill.name}")
                    break

    @asynccontextmanager
    async def attended(self) -> AsyncIterator[Callable[[], None]]:
        """The service is watched, and whole when this is entered.  Gives what lets every probe begin to ask."""
        async with asyncio.TaskGroup() as tasks:
            turns = ExitStack()
            background = [tasks.create_task(self._listen()), tasks.create_task(self.observer.watch())]

            def ask() -> None:
                turns.enter_context(punctual())
                background.extend([tasks.create_task(self._probe(probe)) for probe in self._probes])

            try:
                await first_redundancy(self._lab, self.observer, self._topology.service, STEADY_LIMIT_S)
                yield ask
            finally:
                turns.close()
                for task in background:
                    task.cancel()

    async def _probe(self, probe: Probe) -> None:
        loop = asyncio.get_running_loop()

        def heard(number: int, due_s: float, asked_s: float, answered_s: float, reply: Reply) -> None:
            loop.call_soon_threadsafe(self._hearing.heard, probe.name, number, due_s, asked_s, answered_s, reply)

        await self._lab.at(probe.client, lambda: beat(probe, self._lab.now_s, heard, lambda: None))

    async def _listen(self) -> None:
        async for happening in self._lab.happenings():
            detail = dict(happening.detail)
            self._event(happening.kind, happening.process, at_s=happening.at_s, **detail)
            if happening.kind == "process.ended":
                self._ended.add(happening.process)
            victim = self._victim
            restarted = happening.kind == "process.started" and victim and happening.process in victim.processes
            if restarted and self._struck_s is not None and not victim.inner:
                self._notice("the service manager started it again", happening.at_s)

    def _told(self, kind: str, subject: str, detail: dict[str, object]) -> None:
        self._event(kind, subject, **detail)
        leads = kind == "role" and detail["role"] in ("primary", "active")
        if leads and self._victim and subject.split("/")[0] not in self._victim.hosts:
            self._notice(f"{subject} is {detail['role']}", self._lab.now_s())

    def _notice(self, by: str, at_s: float) -> None:
        if self._victim and not self._noticed:
            self._noticed = True
            self._event("noticed", str(self._victim), at_s=at_s, what=by)

    def _event(
        self, kind: str, subject: str = "", *, at_s: float | None = None, drill: str | None = None, **detail: object
    ) -> None:
        moment_s = self._lab.now_s() if at_s is None else at_s
        named = self._drill if drill is None else drill
        self._write(Event(at_s=moment_s, kind=kind, subject=subject, drill=named, detail=detail))

    # ---- one drill

    async def conduct(
        self, drill: Drill, *, release: asyncio.Event | None = None, steady_limit_s: float = STEADY_LIMIT_S
    ) -> bool:
        """False when the next drill could not trust the service any more.

        release: whoever gives one strikes by hand: as soon as the steady state holds, and mends when it is set.
        """
        self._drill, self._release = drill.name, release
        began_s = self._lab.now_s()
        self._hearing.drill_begins(began_s, drill.name)
        self._event(
            "drill.began", drill.name, fault=drill.fault, tier=drill.tier, target=drill.target, base=drill.base or drill.name,
            repeat=drill.repeat,
        )  # fmt: skip
        try:
            await self._steady(steady_limit_s)
            await all_in_rotation(self.observer.instances, self._topology, self._asker, steady_limit_s)
            self._event("drill.steady", drill.name, after_s=self._lab.now_s() - began_s)
            await asyncio.sleep(0.0 if release else self._rng.uniform(0, slowest_timer_s(self._topology)))
            await self._steady(steady_limit_s)  # what was steady before the wait may not be any more
        except TimeoutError as late:
            return self._over("unsteady", "; ".join(self._unsteady()) or str(late))
        try:
            instances = resolve(drill, self.observer.instances, self.observer.standing.role, self._rng)
        except NoTarget as nobody:
            return self._over("void", str(nobody))
        outcome, reason = await self._strike(drill, instances)
        self._struck_s = None
        if outcome == "done":
            outcome, reason = await self._recover(drill)
        return self._over(outcome, reason)

    def _over(self, outcome: str, reason: str = "") -> bool:
        self._event("drill.ended", self._drill, outcome=outcome, reason=reason)
        self._hearing.drill_begins(self._lab.now_s(), "")
        self._drill, self._victim, self._release = "", None, None
        return outcome in ("done", "void")

    async def _strike(self, drill: Drill, instances: tuple[Instance, ...]) -> tuple[str, str]:
        """Returns the outcome and its reason."""
        seed = self._rng.randrange(2**32)
        target = aim(drill, instances, self._topology, self._asker, self.observer, self._secrets, seed, self._site)
        if drill.fault in CHANGES:
            target = self._change(drill).aimed(target)
        self._victim, self._noticed = target, drill.fault in CHANGES  # whoever changes something need not notice it
        self._ended.clear()
        troubles = len(self._lab.troubles())
        struck_s = self._struck_s = self._lab.now_s()
        reloaded = ENGINES[instances[0].engine].actions(instances[0], self._topology).reloaded
        before = await printed(self._lab, target, reloaded)
        striking = FAULTS[drill.fault].strike(self._lab, target)
        self._event("drill.struck", str(target), at_s=struck_s)
        try:
            evidence = await striking.__aenter__()
        except (OSError, Unanswered, TimeoutError, Refused) as error:
            return "void", f"{drill.fault} of {target} failed: {error or type(error).__name__}"
        try:
            outcome = await self._prove_and_hold(drill, instances, target, evidence, struck_s, reloaded, before)
        finally:
            mended = await self._mend(striking, target, FAULTS[drill.fault].mend_limit_s)
        if mended and (new := "; ".join(self._lab.troubles()[troubles:])):
            self._event("problem", str(target), what=new)
            return "void", f"the lab itself failed: {new}"
        return outcome if mended else ("not_mended", f"{target} could not be mended")

    def _change(self, drill: Drill) -> Change:
        return Change(
            drill=drill, topology=self._topology, site=self._site, lab=self._lab, asker=self._asker, known=self._known,
            secrets=self._secrets, adopt=self.observer.adopt,
        )  # fmt: skip

    async def _prove_and_hold(
        self, drill: Drill, instances: tuple[Instance, ...], target: Target, evidence: Struck, struck_s: float,
        reloaded: str, before: Mapping[str, int],
    ) -> tuple[str, str]:  # fmt: skip
        questions = tuple(ENGINES[each.engine].questions(each, self._topology) for each in instances)

        def look() -> Strike:
            return Strike(
                drill=drill, instances=instances, target=target, evidence=evidence, questions=questions, reloaded=reloaded,
                printed=before, lab=self._lab, asker=self._asker, observer=self.observer, ended=frozenset(self._ended),
            )  # fmt: skip

        proof = await verified(look)
        if not proof:
            return "void", f"no proof that {drill.fault} struck {target}"
        self._event("drill.verified", str(target), proof=proof, **evidence.as_detail())
        least_s, most_s = struck_s + drill.hold_s, struck_s + max(drill.hold_s, drill.longest_s)
        while (now_s := self._lab.now_s()) < most_s:
            if self._release.is_set() if self._release else now_s >= least_s and not self._hearing.uneasy(now_s):
                break
            await asyncio.sleep(LOOK_S)
        return "done", ""

    async def _mend(self, striking: AbstractAsyncContextManager[Struck], target: Target, limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await striking.__aexit__(None, None, None)
        except (OSError, TimeoutError) as error:
            self._event("problem", str(target), what=f"mending failed: {error or type(error).__name__}")
            return False
        self._event("drill.mended", str(target))
        return True

    async def _recover(self, drill: Drill) -> tuple[str, str]:
        """Redundancy first, then calm, then the audit.  A service that does not stand again was not mended."""
        outcome = ("done", "")
        await asyncio.sleep(aftermath_s(drill, self._topology))
        try:
            await self._steady(REDUNDANCY_LIMIT_S)
        except TimeoutError:
            missing = "; ".join(self._unsteady())
            self._event("problem", drill.name, what=f"not steady again after {REDUNDANCY_LIMIT_S:g} s: {missing}")
            outcome = ("not_mended", f"the service did not stand again: {missing}")
        for probe in self._probes:
            if probe.audit:
                await self._audit(probe)
        return outcome

    async def _audit(self, probe: Probe) -> None:
        assert probe.audit
        path = self._hearing.paths[probe.name]
        newest = max(path.unsettled, default=0)
        became = {number: answer for number, answer in path.unsettled.items() if number < newest}
        primary = self._primary_address()
        audit = await self._lab.at(probe.client, lambda: probe.audit(became, primary))
        for number in () if audit.problem else became:
            path.unsettled.pop(number, None)
        self._event(
            "audit", probe.name, acknowledged=audit.acknowledged, refused=audit.refused, ambiguous=audit.ambiguous,
            ambiguous_present=audit.ambiguous_present, lost=None if audit.problem else len(audit.lost),
            resurrected=None if audit.problem else len(audit.resurrected),
            lost_numbers=list(audit.lost[:100]), per_node={node: {"missing": count} for node, count in audit.missing.items()},
            problem=audit.problem,
        )  # fmt: skip

    def _primary_address(self) -> str:
        for instance in self.observer.instances:
            if self.observer.standing.role.get(instance.name) == "primary":
                return self._lab.blueprint.host(instance.host).address
        return ""

    # ---- waiting

    async def _steady(self, limit_s: float) -> None:
        """Every instance in service, every tier redundant, every probe calm, for DWELL_S on end.  Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            since_s = None
            while since_s is None or self._lab.now_s() - since_s < DWELL_S:
                since_s = None if self._unsteady() else since_s or self._lab.now_s()
                await asyncio.sleep(LOOK_S)

    async def unsteady(self, limit_s: float) -> tuple[str, ...]:
        """What keeps the steady state from holding; nothing where it held for DWELL_S within the limit."""
        try:
            await self._steady(limit_s)
        except TimeoutError:
            return self._unsteady() or ("it was not whole for long enough",)
        return ()

    def uneasy(self) -> tuple[str, ...]:
        """Names of the probes that are not calm now."""
        return self._hearing.uneasy(self._lab.now_s())

    def _unsteady(self) -> tuple[str, ...]:
        uneasy = self._hearing.uneasy(self._lab.now_s())
        return (*self.observer.standing.missing(), *(f"the probe {name} is not calm" for name in uneasy))
