"""Strike and mend by hand, in a lab that is kept: one drill at a time, under the rules of every drill.

Nothing is struck before the steady state holds; without proof a strike is void; a mend is over when the service stands again
and every node was audited.  Whoever asks gets an answer that another program can read; what happened stands in the record.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import LONGEST_S, Drill, declared, objections
from holdfast.errors import BAD_INPUT, INCONCLUSIVE, NOT_CLEANED, NOT_STRUCK, UNSTEADY, Problem, Refused
from holdfast.lab.verbs import Lab
from holdfast.probes.probe import Probe
from holdfast.record.event import Asked, Event
from holdfast.record.measure import PathMeasure, measure_path
from holdfast.topology.check import check
from holdfast.topology.load import Kinds
from holdfast.topology.model import Drilled, Topology
from holdfast.topology.one_drill import one_drill

STEADY = "steady state"
"""What stands in the record for a steady state that was asked for and did not hold."""
WHERE = "strike"
_LOOK_S = 0.1
CODES: Mapping[str, int] = {"void": NOT_STRUCK, "unsteady": UNSTEADY, "not_mended": NOT_CLEANED}

Begin = Callable[[Drill | None], str]
"""Told of each drill before it begins, and with None before anything else is asked: opens the record.  Returns why the lab
cannot do it, or ""."""


class ByHand:
    """`saw` and `heard` must be told of everything that the conductor writes and hears."""

    def __init__(
        self, *, conductor: Conductor, topology: Topology, kinds: Kinds, lab: Lab, probes: Mapping[str, Probe],
        begin: Begin, write: Callable[[Event], None],
    ):  # fmt: skip
        self._conductor, self._topology, self._kinds, self._lab = conductor, topology, kinds, lab
        self._probes, self._begin, self._write = probes, begin, write
        self._stands = asyncio.Event()
        self._ask: Callable[[], None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: asyncio.Task[bool] | None = None
        self._release = asyncio.Event()
        self._proven = asyncio.Event()
        self._names: dict[str, int] = {}
        self._now: dict[str, Any] = {}
        """Of the drill that goes on, or of the last one: drill, struck, proof, outcome, reason, lost_writes."""
        self._struck_s: float | None = None
        self._asked: list[Asked] = []

    def stands(self, tasks: asyncio.TaskGroup, ask: Callable[[], None]) -> None:
        """The service is whole: from now on it can be struck."""
        self._tasks, self._ask = tasks, ask
        self._stands.set()

    # ---- what the conductor tells

    def saw(self, event: Event) -> None:
        if event.kind == "drill.struck":
            self._struck_s = event.at_s
            self._now["struck"] = event.subject
        elif event.kind == "drill.verified":
            self._now["proof"] = event.detail["proof"]
            self._proven.set()
        elif event.kind == "audit" and event.drill:
            lost = event.detail["lost"]
            self._now["lost_writes"] = None if lost is None else lost + (self._now.get("lost_writes") or 0)
        elif event.kind == "drill.ended" and event.drill == self._now.get("drill"):
            self._now |= {"outcome": event.detail["outcome"], "reason": event.detail["reason"]}

    def heard(self, asked: Asked) -> None:
        if asked.drill and asked.drill == self._now.get("drill"):
            self._asked.append(asked)

    # ---- what others may ask

    async def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """`{"do": VERB, ...}`: `{"ok": ...}`, or `{"exit_code": ..., "problems": [{what, where, remedy}]}`."""
        verbs = {each.__name__: each for each in (self.strike, self.mend, self.steady, self.looked, self.measured)}
        words = dict(question)
        try:
            verb = verbs.get(words.pop("do", ""))
            if verb is None:
                raise Refused(Problem("this lab does not know that", str(question.get("do")), "use the same holdfast for both"))
            return {"ok": await verb(**words)}
        except Refused as refused:
            problems = [{"what": each.what, "where": each.where, "remedy": each.remedy} for each in refused.problems]
            return {"exit_code": refused.exit_code, "problems": problems}
        except TypeError as error:
            problem = {"what": f"a question that cannot be understood: {error}", "where": "control", "remedy": "see the words"}
            return {"exit_code": BAD_INPUT, "problems": [problem]}

    async def strike(self, drill: str, patience_s: float = 60.0) -> dict[str, Any]:
        """Returns when it is proven; with `for:` when it is mended and the service stands again.

        drill: as under `drills:`.  patience_s: for the steady state before it.  Raises Refused with the exit code of a drill.
        """
        chosen = self._chosen(one_drill(drill, self._kinds))
        await self._standing(patience_s)
        if self._running and not self._running.done():
            raise Refused(Problem(f"{self._now['drill']} goes on", WHERE, "mend it first: one drill at a time"))
        chosen = self._numbered(chosen)
        if reason := self._begin(chosen):
            raise Refused(Problem(f"skipped: {reason}", WHERE, "use a lab that can: `holdfast doctor`"), INCONCLUSIVE)
        self._asking()
        self._release, self._proven = asyncio.Event(), asyncio.Event()
        self._now, self._struck_s, self._asked = {"drill": chosen.name, "lost_writes": None}, None, []
        assert self._tasks
        work = self._conductor.conduct(chosen, release=self._release, steady_limit_s=patience_s)
        self._running = self._tasks.create_task(work, name=chosen.name)
        if chosen.longest_s < LONGEST_S:
            await asyncio.wait({self._running}, timeout=chosen.longest_s)
            return await self._over()
        proven = asyncio.create_task(self._proven.wait())
        await asyncio.wait({self._running, proven}, return_when=asyncio.FIRST_COMPLETED)
        proven.cancel()
        return dict(self._now) if self._proven.is_set() else await self._over()

    async def mend(self) -> dict[str, Any]:
        """Returns when the service stands again and was audited.  Nothing to mend is no mistake: a rollback may come twice."""
        return await self._over() if self._running else {"outcome": "nothing was struck"}

    async def end(self) -> None:
        """Whoever keeps the lab ends it: what is struck is mended."""
        if self._running and not self._running.done():
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _over(self) -> dict[str, Any]:
        assert self._running
        self._release.set()
        await asyncio.wait({self._running})
        outcome = str(self._now.get("outcome", "unfinished"))
        if outcome != "done":
            what = f"{self._now['drill']}: {outcome.replace('_', ' ')}: {self._now.get('reason', 'it was interrupted')}"
            remedy = "the record has the rest: `holdfast report`"
            raise Refused(Problem(what, WHERE, remedy), CODES.get(outcome, INCONCLUSIVE))
        return dict(self._now)

    async def steady(self, patience_s: float = 30.0) -> dict[str, Any]:
        """Does the steady state hold, within so many seconds?  One that did not stands in the record."""
        await self._standing(patience_s)
        self._begin(None)
        self._asking()
        missing = await self._conductor.unsteady(patience_s)
        self._not_whole(missing)
        return {"steady": not missing, "missing": list(missing)}

    async def looked(self) -> dict[str, Any]:
        """What keeps the service from being whole at the moment; where nothing is struck, that stands in the record too."""
        self._begin(None)
        missing = self._conductor.observer.standing.missing()
        self._not_whole(missing)
        return {"missing": list(missing)}

    def _not_whole(self, missing: Sequence[str]) -> None:
        if missing and (self._running is None or self._running.done()):
            now_s = self._lab.now_s()
            self._write(Event(at_s=now_s, kind="drill.began", subject=STEADY, drill=STEADY))
            detail = {"outcome": "unsteady", "reason": "; ".join(missing)}
            self._write(Event(at_s=now_s, kind="drill.ended", subject=STEADY, drill=STEADY, detail=detail))

    async def measured(self, probe: str, patience_s: float = 0.0) -> dict[str, Any]:
        """What this probe saw since the last strike, once it is calm and no outage is open, or so many seconds are over.

        Right after a strike nobody knows whether one begins: it is calm one calm period later at the earliest.
        """
        if probe not in self._probes:
            raise Refused(Problem(f"there is no probe {probe}", "measured", f"name one of {', '.join(self._probes)}"))
        if self._struck_s is None:
            raise Refused(Problem("nothing was struck yet", "measured", "strike first: outages are counted from a strike"))
        until_s = self._lab.now_s() + patience_s
        while True:
            about = self._probes[probe]
            settings = {"every_s": about.every_s, "patience_s": about.patience_s, "kind": about.kind, "writes": about.writes}
            asked = [each for each in self._asked if each.probe == probe]
            path, now_s = measure_path(probe, settings, asked, self._struck_s), self._lab.now_s()
            told = _told(path, now_s)
            calm = now_s - self._struck_s >= path.calm_s and probe not in self._conductor.uneasy()
            if (calm and told["over"]) or now_s >= until_s:
                return told
            await asyncio.sleep(_LOOK_S)

    # ---- what they need

    async def _standing(self, patience_s: float) -> None:
        try:
            async with asyncio.timeout(max(patience_s, 0.001)):
                await self._stands.wait()
        except TimeoutError:
            what = "the service has not been whole yet"
            raise Refused(Problem(what, self._topology.service, "wait until `holdfast up` says so"), UNSTEADY) from None

    def _asking(self) -> None:
        if self._ask:
            self._ask()
            self._ask = None

    def _chosen(self, drilled: Drilled) -> Drill:
        """Raises Refused with every objection to it."""
        alone = replace(self._topology, drills=(drilled,))
        without = set(check(replace(self._topology, drills=())))
        if problems := [*(each for each in check(alone) if each not in without), *objections(alone)]:
            raise Refused([Problem(each.what, WHERE, each.remedy) for each in problems])
        (drill,) = declared(alone)
        held_s = LONGEST_S if drilled.duration is None else drilled.duration
        return replace(drill, hold_s=held_s, longest_s=held_s)

    def _numbered(self, drill: Drill) -> Drill:
        """`kill web`, and when it comes again `kill web 2`."""
        count = self._names[drill.name] = self._names.get(drill.name, 0) + 1
        return drill if count == 1 else replace(drill, name=f"{drill.name} {count}", base=f"{drill.name} {count}")


def _told(path: PathMeasure, now_s: float) -> dict[str, Any]:
    """An outage that is not over counts up to now."""
    lengths = [(now_s if each.ended_s is None else each.ended_s) - each.began_s for each in path.outages]
    return {
        "probe": path.probe, "asked": path.asked, "yes": path.yes, "no": path.no, "unknown": path.unknown,
        "outage_s": sum(lengths), "over": all(each.ended_s is not None for each in path.outages),
        "longest_gap_s": path.longest_gap_s, "slowest_s": path.slowest_s, "error_share": path.error_share,
    }  # fmt: skip
