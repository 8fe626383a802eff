"""Every drill of a record, measured: pure functions, the same numbers whenever and wherever they are run.

What one probe saw is the matter of `outages`.  Here stands what belongs to the drill as a whole:

- Redundancy is what the observer saw after the strike; lost before it, it counts as lost at the strike.  The observer looks
  four times a second: what was shorter was not seen, which is not the same as not lost.
- Lost writes are known only if every ledger that asked was audited, and no audit had a problem.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.record.event import Asked, Event
from holdfast.record.load import Load, load_of
from holdfast.record.outages import Mending, Outage, PathMeasure, calm_s, measure_path
from holdfast.record.store import Record

__all__ = ["Audited", "DrillMeasure", "Mending", "Outage", "PathMeasure", "calm_s", "measure", "measure_path"]

Outcome = Literal["done", "void", "unsteady", "not_mended", "skipped", "unfinished"]
"""`unfinished`: the run ended before the drill did."""

Redundancy = Literal["not seen", "back", "never back", "unknown"]
"""`not seen`: nobody saw that it was lost.  `unknown`: nobody ever saw it stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What one ledger's audit found.  None: the primary could not be read, and `problem` says why."""

    probe: str
    acknowledged: int | None
    lost: int | None
    resurrected: int | None
    missing: Mapping[str, int]
    """Per node, how many acknowledged writes it did not hold; on a replica that is lag."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillMeasure:
    """One drill, measured.  `_at_s` is on the run's clock, `_after_s` counts from the strike."""

    name: str
    fault: str
    target: str
    """As declared: `primary`."""
    struck: str = ""
    """What was hit: `db1`."""
    outcome: Outcome
    began_at_s: float | None = None
    struck_at_s: float | None = None
    mended_at_s: float | None = None
    ended_at_s: float | None = None
    noticed_after_s: float | None = None
    redundancy: Redundancy = "unknown"
    redundancy_back_after_s: float | None = None
    paths: tuple[PathMeasure, ...] = ()
    audits: tuple[Audited, ...] = ()
    lost: int | None = None
    """Acknowledged writes that the audit did not find; None when that is not known."""
    lost_unknown: str = ""
    """Why it is not known, where a ledger asked."""
    resurrected: int | None = None
    """Refused writes that the audit found."""
    acknowledged: int | None = None
    ambiguous: int = 0
    """Writes whose answer never came, over all probes that write."""
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """By the fault (`struck`) and by the conductor's other route (`verified`)."""
    load: Load | None = None
    """Of an overload."""

    @property
    def failed_reads(self) -> int:
        """Bad answers over all probes that only read."""
        return sum(path.bad for path in self.paths if not path.writes)

    @property
    def refused_writes(self) -> int:
        """Certainly not written.  Those that nobody knows of are ambiguous."""
        return sum(path.no for path in self.paths if path.writes)

    @property
    def errors(self) -> int:
        """All questions that failed; ambiguous writes are counted apart."""
        return self.failed_reads + self.refused_writes

    @property
    def lost_at_least(self) -> int:
        return sum(audit.lost or 0 for audit in self.audits)


def measure(record: Record) -> tuple[DrillMeasure, ...]:
    """Every drill that was planned, skipped or begun, in the order of the plan."""
    planned: dict[str, Mapping[str, Any]] = {}
    skipped = {entry["name"]: entry for entry in record.meta.get("skipped") or ()}
    for entry in (*(record.meta.get("drills") or ()), *skipped.values()):
        planned.setdefault(entry["name"], entry)
    events: dict[str, list[Event]] = {}
    for event in record.events:
        if event.drill:
            events.setdefault(event.drill, []).append(event)
    asked: dict[tuple[str, str], list[Asked]] = {}
    for one in record.asked:
        asked.setdefault((one.drill, one.probe), []).append(one)
    for name, seen in events.items():
        planned.setdefault(name, {**_first(seen, "drill.began").detail, "name": name})
    return tuple(
        _skipped(entry, skipped[name]) if name in skipped and name not in events
        else _drill(entry, events.get(name, []), record, asked)
        for name, entry in planned.items()
    )


def _skipped(entry: Mapping[str, Any], why: Mapping[str, Any]) -> DrillMeasure:
    return DrillMeasure(
        name=entry["name"], fault=entry.get("fault", ""), target=entry.get("target", ""), outcome="skipped",
        reason=why.get("reason", ""),
    )


def _drill(
    entry: Mapping[str, Any], events: Sequence[Event], record: Record, asked: Mapping[tuple[str, str], Sequence[Asked]]
) -> DrillMeasure:
    name = entry["name"]
    probes: Mapping[str, Mapping[str, Any]] = record.meta.get("probes") or {}
    struck_at_s = _at(events, "drill.struck")
    ended = _first(events, "drill.ended")
    paths: tuple[PathMeasure, ...] = ()
    after: dict[str, Any] = {}
    if struck_at_s is not None:
        paths = tuple(
            measure_path(probe, settings, asked.get((name, probe), ()), struck_at_s, ended_s=_at(events, "drill.ended"),
                         mending=_mending(entry, struck_at_s, _at(events, "drill.mended")))
            for probe, settings in probes.items()
        )
        noticed = [event.at_s for event in events if event.kind == "noticed" and event.at_s >= struck_at_s]
        redundancy, back_at_s = _redundancy(record.events, name, struck_at_s)
        after = {
            "struck": _first(events, "drill.struck").subject,
            "noticed_after_s": min(noticed) - struck_at_s if noticed else None,
            "redundancy": redundancy,
            "redundancy_back_after_s": None if back_at_s is None else back_at_s - struck_at_s,
        }
    audited = _audited(events, [path.probe for path in paths if path.writes and path.asked])
    verified = _first(events, "drill.verified").detail
    return DrillMeasure(
        name=name, fault=entry.get("fault", ""), target=entry.get("target", ""),
        outcome=ended.detail.get("outcome", "done") if ended.kind else "unfinished",
        began_at_s=_at(events, "drill.began"), struck_at_s=struck_at_s, mended_at_s=_at(events, "drill.mended"),
        ended_at_s=_at(events, "drill.ended"), paths=paths,
        ambiguous=sum(path.unknown for path in paths if path.writes),
        reason=str(ended.detail.get("reason") or "") if ended.kind else "the run ended before this drill did",
        evidence={"struck": dict(_first(events, "drill.struck").detail), "verified": dict(verified)} if paths else {},
        load=load_of(verified.get("figures")), **after, **audited,
    )


def _mending(entry: Mapping[str, Any], struck_at_s: float, mended_at_s: float | None) -> Mending | None:
    """None where clients were served calmly before: then nothing that they saw was ended by it.

    The fault is held for `hold_s` at the least, then until service is calm, but not beyond `longest_s`; when both are the
    same, the user said how long.  `drill.mended` is written when mending is over, so `longest_s` tells better when it began.
    """
    if mended_at_s is None:
        return None
    longest_s = entry.get("longest_s")
    if longest_s is None:
        return Mending(at_s=mended_at_s, gave_up=False)
    waits = float(entry.get("hold_s") or 0.0) < longest_s
    began_s = struck_at_s + float(longest_s)
    if waits and mended_at_s < began_s:
        return None
    return Mending(at_s=min(mended_at_s, began_s), gave_up=waits)


def _redundancy(events: Sequence[Event], drill: str, struck_at_s: float) -> tuple[Redundancy, float | None]:
    """How it stood at the end of the drill, and when it was back."""
    kinds = ("redundancy.lost", "redundancy.back")
    seen = sorted((event for event in events if event.kind in kinds), key=lambda event: event.at_s)
    before = [event for event in seen if event.at_s < struck_at_s]
    changes = [event for event in seen if event.at_s >= struck_at_s and event.drill == drill]
    was_lost = bool(before) and before[-1].kind == "redundancy.lost"
    if not was_lost and not any(event.kind == "redundancy.lost" for event in changes):
        return "not seen", None
    if changes and changes[-1].kind == "redundancy.back":
        return "back", changes[-1].at_s
    return "never back", None


def _audited(events: Sequence[Event], ledgers: Sequence[str]) -> dict[str, Any]:
    """Sums over the audits of all ledgers.  What one of them does not know, nobody knows of the whole."""
    audits = tuple(_audit(event) for event in events if event.kind == "audit")
    told = {audit.probe for audit in audits}
    unknown = [f"the audit of {audit.probe} could not be made: {audit.problem or 'it does not say why'}"
               for audit in audits if audit.lost is None]
    unknown += [f"the writes of {probe} were not audited" for probe in ledgers if probe not in told]

    def total(values: Sequence[int | None]) -> int | None:
        return None if not values or None in values else sum(value for value in values if value is not None)

    return {
        "audits": audits, "lost_unknown": "; ".join(unknown),
        "lost": None if unknown else total([audit.lost for audit in audits]),
        "acknowledged": total([audit.acknowledged for audit in audits if audit.acknowledged is not None]),
        "resurrected": None if unknown else total([audit.resurrected for audit in audits]),
    }


def _audit(event: Event) -> Audited:
    nodes = event.detail.get("per_node") or {}
    problem = str(event.detail.get("problem") or "")

    def known(key: str) -> int | None:
        """A count may be written as the list of its numbers."""
        value = event.detail.get(key)
        return value if value is None or isinstance(value, int) else len(value)

    return Audited(
        probe=event.subject, acknowledged=known("acknowledged"), lost=None if problem else known("lost"),
        resurrected=None if problem else known("resurrected"), problem=problem,
        missing={str(node): int(each.get("missing") or 0) for node, each in nodes.items() if isinstance(each, Mapping)},
    )


_NONE = Event(at_s=0.0, kind="")


def _first(events: Sequence[Event], kind: str) -> Event:
    return next((event for event in events if event.kind == kind), _NONE)


def _at(events: Sequence[Event], kind: str) -> float | None:
    return next((event.at_s for event in events if event.kind == kind), None)
