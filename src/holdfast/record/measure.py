"""What clients saw, computed from a record: pure functions, the same numbers whenever and wherever they are run.

The rules, in the order they matter:

- A good answer counts when it arrives; a bad one (`no`, `unknown`) counts when it was asked.  An unknown arrives only when
  patience ends; counted there, every outage would be as much longer as the client was patient.
- Trouble is a bad answer, or a silence: no good answer arriving for longer than the calm.  A shorter silence without a
  bad answer is slowness: the longest gap and the slowest answer tell of it, and objectives are judged with the gap too.
  Nobody is silent who was not asked: where the beat itself paused, a gap counts from the first question after the pause.
- An outage begins with the arrival of the last good answer before the trouble, and ends with the arrival of the first good
  answer that calm follows: no trouble for `calm_s` after it.  Good and bad answers in turn are therefore one outage.
- Calm must have been watched: without answers up to its end (less one beat) the outage has no end.  It is never truncated.
- Only answers of the drill that came after the strike are counted; good ones before it serve as the beginning.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.record.event import Asked, Event
from holdfast.record.store import Record

CALM_LEAST_S = 1.0
CALM_BEATS = 20

Outcome = Literal["done", "void", "unsteady", "not_mended", "skipped", "unfinished"]
"""`unfinished`: the run ended before the drill did."""

Redundancy = Literal["not lost", "back", "never back", "unknown"]


def calm_s(every_s: float) -> float:
    """How long answers must be good before trouble is over, for a probe that asks every so many seconds."""
    return max(CALM_LEAST_S, CALM_BEATS * every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From arrival to arrival of good answers, seconds on the run's clock.  `ended_s` is None if no calm followed."""

    began_s: float
    ended_s: float | None

    @property
    def length_s(self) -> float | None:
        return None if self.ended_s is None else self.ended_s - self.began_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMeasure:
    """What one probe saw of one drill, from the strike on.  Moments are seconds on the run's clock."""

    probe: str
    kind: str
    writes: bool
    every_s: float
    calm_s: float
    asked: int
    yes: int
    no: int
    unknown: int
    outages: tuple[Outage, ...]
    longest_gap_s: float | None
    """Between arrivals of good answers; None when no good answer came any more."""
    slowest_s: float | None
    """The slowest good answer, from question to answer."""
    error_share: float
    """Bad answers among all that were asked from the strike to the end of the calm."""
    first_bad_s: float | None
    """When the first bad answer arrived."""

    @property
    def outage(self) -> Outage | None:
        """The worst one: without end before any other, else the longest."""
        return max(self.outages, key=lambda outage: (outage.length_s is None, outage.length_s or 0.0), default=None)

    @property
    def outage_total_s(self) -> float | None:
        """The sum over all outages, 0 without any, None when one has no end."""
        lengths = [outage.length_s for outage in self.outages]
        return None if None in lengths else sum(length for length in lengths if length is not None)

    @property
    def down_s(self) -> float | None:
        """What objectives are judged with: the sum of the outages or the longest gap, whichever is longer."""
        if self.outage_total_s is None or self.longest_gap_s is None:
            return None
        return max(self.outage_total_s, self.longest_gap_s)

    @property
    def ambiguous(self) -> int:
        return self.unknown

    @property
    def bad(self) -> int:
        return self.no + self.unknown


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
    lost: int | None = None
    """Acknowledged writes that the audit did not find; None when there was no audit."""
    resurrected: int | None = None
    """Refused writes that the audit found."""
    acknowledged: int | None = None
    ambiguous: int = 0
    """Writes whose answer never came, over all probes that write."""
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """By the fault (`struck`) and by the conductor's other route (`verified`)."""

    @property
    def errors(self) -> int:
        """Bad answers over all probes that only read."""
        return sum(path.bad for path in self.paths if not path.writes)


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
        else _drill(entry, events.get(name, []), record.meta.get("probes") or {}, asked)
        for name, entry in planned.items()
    )


def _skipped(entry: Mapping[str, Any], why: Mapping[str, Any]) -> DrillMeasure:
    return DrillMeasure(
        name=entry["name"], fault=entry.get("fault", ""), target=entry.get("target", ""), outcome="skipped",
        reason=why.get("reason", ""),
    )


def _drill(
    entry: Mapping[str, Any], events: Sequence[Event], probes: Mapping[str, Mapping[str, Any]],
    asked: Mapping[tuple[str, str], Sequence[Asked]],
) -> DrillMeasure:
    name = entry["name"]
    struck_at_s = _at(events, "drill.struck")
    ended = _first(events, "drill.ended")
    paths: tuple[PathMeasure, ...] = ()
    after: dict[str, Any] = {}
    if struck_at_s is not None:
        paths = tuple(
            measure_path(probe, settings, asked.get((name, probe), ()), struck_at_s) for probe, settings in probes.items()
        )
        noticed = [event.at_s for event in events if event.kind == "noticed" and event.at_s >= struck_at_s]
        redundancy, back_at_s = _redundancy(events)
        after = {
            "struck": _first(events, "drill.struck").subject,
            "noticed_after_s": min(noticed) - struck_at_s if noticed else None,
            "redundancy": redundancy,
            "redundancy_back_after_s": None if back_at_s is None else back_at_s - struck_at_s,
        }
    audited = _audited(events)
    verified = _first(events, "drill.verified").detail
    return DrillMeasure(
        name=name, fault=entry.get("fault", ""), target=entry.get("target", ""),
        outcome=ended.detail.get("outcome", "done") if ended.kind else "unfinished",
        began_at_s=_at(events, "drill.began"), struck_at_s=struck_at_s, mended_at_s=_at(events, "drill.mended"),
        ended_at_s=_at(events, "drill.ended"), paths=paths,
        ambiguous=sum(path.unknown for path in paths if path.writes),
        reason=str(ended.detail.get("reason") or "") if ended.kind else "the run ended before this drill did",
        evidence={"struck": dict(_first(events, "drill.struck").detail), "verified": dict(verified)} if paths else {},
        **after, **audited,
    )


def measure_path(probe: str, settings: Mapping[str, Any], asked: Sequence[Asked], struck_at_s: float) -> PathMeasure:
    """What one probe saw of one drill.  `asked` are the drill's questions of this probe, in any order."""
    every_s = float(settings.get("every_s", 0.05))
    calm = calm_s(every_s)
    since = [one for one in asked if one.answered_s > struck_at_s]
    arrivals = sorted(one.answered_s for one in asked if one.answer == "yes")
    bad = [one for one in since if one.answer != "yes"]
    troubled = [max(one.asked_s, struck_at_s) for one in bad]  # what was in flight at the strike was hit by it, not before
    watched_s = max((one.answered_s for one in since), default=struck_at_s)
    gaps = find_gaps(arrivals, sorted(one.asked_s for one in asked), struck_at_s=struck_at_s, every_s=every_s)
    silences = [from_s for from_s, to_s in gaps if to_s - from_s > calm]
    outages = find_outages(
        arrivals, [*troubled, *silences], struck_at_s=struck_at_s, watched_s=watched_s, calm=calm, every_s=every_s
    )
    back = bool(arrivals) and max(troubled, default=arrivals[-1]) <= arrivals[-1]
    settled_s = (outages[-1].ended_s if outages else struck_at_s)
    window = [one for one in since if settled_s is None or one.asked_s <= settled_s + calm]
    good = [one.answered_s - one.asked_s for one in since if one.answer == "yes"]
    return PathMeasure(
        probe=probe, kind=str(settings.get("kind", "")), writes=bool(settings.get("writes", False)), every_s=every_s, calm_s=calm,
        asked=len(since), yes=len(good), no=sum(one.answer == "no" for one in bad),
        unknown=sum(one.answer == "unknown" for one in bad),
        outages=outages, longest_gap_s=max((to_s - from_s for from_s, to_s in gaps), default=0.0) if back else None,
        slowest_s=max(good, default=None),
        error_share=sum(one.answer != "yes" for one in window) / len(window) if window else 0.0,
        first_bad_s=min((one.answered_s for one in bad), default=None),
    )


def find_outages(
    arrivals: Sequence[float], troubled: Sequence[float], *, struck_at_s: float, watched_s: float, calm: float, every_s: float
) -> tuple[Outage, ...]:
    """The outages in order.

    arrivals: of good answers, sorted, those before the strike too; troubled: when bad answers were asked for and when
    silences began, in any order; watched_s: when the last answer of any kind arrived.
    """
    troubles = sorted(troubled)
    outages: list[Outage] = []
    at = 0
    while at < len(troubles):
        before = bisect_right(arrivals, troubles[at])
        began_s = arrivals[before - 1] if before else min(struck_at_s, troubles[at])
        ended_s: float | None = None
        while at < len(troubles):
            next_good = bisect_right(arrivals, troubles[at])
            if next_good == len(arrivals):
                at = len(troubles)
                break
            candidate = arrivals[next_good]
            at = bisect_left(troubles, candidate)
            if at == len(troubles) or troubles[at] >= candidate + calm:
                ended_s = candidate if watched_s >= candidate + calm - every_s else None
                break
        outages.append(Outage(began_s=began_s, ended_s=ended_s))
    return tuple(outages)


def find_gaps(
    arrivals: Sequence[float], asked: Sequence[float], *, struck_at_s: float, every_s: float
) -> list[tuple[float, float]]:
    """(from, to) between arrivals of good answers in which something was asked.  Both sequences are sorted."""
    gaps = []
    for a, b in zip(arrivals, arrivals[1:], strict=False):
        first = bisect_right(asked, a)
        if b > struck_at_s and first < len(asked) and asked[first] < b:
            gaps.append((max(a, asked[first] - every_s), b))
    return gaps


def _redundancy(events: Sequence[Event]) -> tuple[Redundancy, float | None]:
    """How it stood at the end of the drill, and when it was back."""
    changes = [event for event in events if event.kind in ("redundancy.lost", "redundancy.back")]
    if not any(event.kind == "redundancy.lost" for event in changes):
        return "not lost", None
    return ("back", changes[-1].at_s) if changes[-1].kind == "redundancy.back" else ("never back", None)


def _audited(events: Sequence[Event]) -> dict[str, Any]:
    """Sums over the audits of all ledgers; a count may be written as the list of its numbers."""
    sums: dict[str, Any] = {}
    for event in events:
        if event.kind == "audit":
            for key in ("acknowledged", "lost", "resurrected"):
                value = event.detail.get(key)
                if value is not None:
                    sums[key] = sums.get(key, 0) + (value if isinstance(value, int) else len(value))
    return sums


_NONE = Event(at_s=0.0, kind="")


def _first(events: Sequence[Event], kind: str) -> Event:
    return next((event for event in events if event.kind == kind), _NONE)


def _at(events: Sequence[Event], kind: str) -> float | None:
    return next((event.at_s for event in events if event.kind == kind), None)
