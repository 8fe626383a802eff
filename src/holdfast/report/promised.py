"""What was promised before the run, beside what was measured: pure functions of one drill.

A promise is kept when what objectives are judged with (`PathMeasure.down_s`) lies within its bounds.  One that was missed is a
finding of its own kind: it is always told, and judges prediction rather than the service, so it changes no verdict.  Where the
moment of the strike decided which promise holds, the record says which; where it does not say, the widest bounds count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from holdfast.quantities import shown_seconds
from holdfast.record.event import Event
from holdfast.record.measure import DrillMeasure, PathMeasure, measure
from holdfast.record.store import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """Seconds; `high_s` and `measured_s` infinite: without end.  `low_s` None: there is no promise, for `reason`.

    kept: None where it could not be measured, or nothing was promised.
    """

    probe: str
    writes: bool
    low_s: float | None
    high_s: float | None
    measured_s: float | None
    kept: bool | None
    given: str
    reason: str
    chain: tuple[Mapping[str, Any], ...]

    @property
    def bounds(self) -> str:
        """`19.1 s to 24.7 s`, `at most 860 ms`, `19.1 s or more`, `at most as long as the fault`, `no promise`."""
        if self.low_s is None or self.high_s is None:
            return "no promise"
        if self.high_s == inf:
            return f"{shown_seconds(self.low_s)} or more" if self.low_s else "at most as long as the fault"
        most = shown_seconds(self.high_s)
        return f"{shown_seconds(self.low_s)} to {most}" if self.low_s else f"at most {most}"

    @property
    def short(self) -> str:
        """For a cell: `19.1–24.7 s`, `≤ 860 ms`, `≥ 19.1 s`, `no upper bound`; "" without a promise."""
        if self.low_s is None or self.high_s is None:
            return ""
        if self.high_s == inf:
            return f"≥ {shown_seconds(self.low_s)}" if self.low_s else "no upper bound"
        if not self.low_s:
            return f"≤ {shown_seconds(self.high_s)}"
        low, high = shown_seconds(self.low_s), shown_seconds(self.high_s)
        same = low.partition(" ")[2] == high.partition(" ")[2]
        return f"{low.partition(' ')[0] if same else low}–{high}"

    @property
    def sentence(self) -> str:
        if self.low_s is None:
            return f"{self.probe}: no promise, since {self.reason}"
        case = f" ({self.given})" if self.given else ""
        if self.kept is None:
            return f"{self.probe}: promised {self.bounds}{case}, and not measured"
        seen = "without end" if self.measured_s == inf or self.measured_s is None else shown_seconds(self.measured_s)
        return f"{self.probe}: {seen}, promised {self.bounds}{case}"


def promised(drill: DrillMeasure, entry: Mapping[str, Any], events: Sequence[Event]) -> tuple[Promised, ...]:
    """One for each probe with a promise in the drill's entry of the record; nothing for a drill that was not struck."""
    made: Mapping[str, list[Mapping[str, Any]]] = {}
    for each in entry.get("promises") or ():
        made = {**made, each["probe"]: [*made.get(each["probe"], []), each]}
    case = _facts(drill, events)
    return tuple(
        _beside(path, _chosen(made[path.probe], case), drill)
        for path in drill.paths if path.probe in made and drill.outcome in ("done", "not_mended")
    )


def _facts(drill: DrillMeasure, events: Sequence[Event]) -> Mapping[str, bool]:
    """What is known of the moment of the strike: was a primary, a store's leader, a standby that confirms commits on a struck
    host?  What nobody was seen to be is missing."""
    if drill.struck_at_s is None:
        return {}
    words: dict[tuple[str, str], str] = {}
    for event in events:
        if event.kind in ("role", "confirms") and event.at_s <= drill.struck_at_s:
            words[event.subject, event.kind] = str(event.detail.get(event.kind, ""))
    struck = _struck(drill)
    found: dict[str, bool] = {}
    for fact, kind, word in (("primary", "role", "primary"), ("leader", "role", "leader"), ("confirms", "confirms", "yes")):
        hosts = {name.partition("/")[0] for (name, of), said in words.items() if (of, said) == (kind, word)}
        if hosts:
            found[fact] = bool(hosts & struck)
    return found


def _struck(drill: DrillMeasure) -> set[str]:
    """The hosts.  Of those that do not hear each other any more: who hears no majority, itself among them."""
    hosts = {part.strip().partition("/")[0] for part in drill.struck.split(",")}
    cut = {tuple(pair) for pair in drill.evidence.get("verified", {}).get("cut") or ()}
    involved = {host for pair in cut for host in pair}
    alone = {host for host in involved if 2 * sum((host, other) not in cut for other in involved) <= len(involved)}
    return alone if cut else hosts


def _when(made: Mapping[str, Any]) -> Mapping[str, bool]:
    """Records of 0.1 know of one fact only."""
    older = made.get("leader_struck")
    return made.get("when") or ({} if older is None else {"leader": older})


def _chosen(variants: Sequence[Mapping[str, Any]], known: Mapping[str, bool]) -> Mapping[str, Any]:
    """The case that it turned out to be; the widest bounds of those that it may have been."""
    fitting = [each for each in variants if all(known.get(fact, value) == value for fact, value in _when(each).items())]
    fitting = fitting or [*variants]
    lows = [each["low_s"] for each in fitting]
    highs = [inf if each.get("unbounded") else each["high_s"] for each in fitting]
    if len(fitting) == 1 or None in lows or None in highs:
        return next((each for each in fitting if each["low_s"] is None), fitting[0])
    widest = fitting[highs.index(max(highs))]
    return {**widest, "low_s": min(lows), "high_s": max(highs), "given": ""}


def _beside(path: PathMeasure, made: Mapping[str, Any], drill: DrillMeasure) -> Promised:
    low_s = made.get("low_s")
    high_s = inf if made.get("unbounded") else made.get("high_s")
    measured_s = None if path.doubtful or not path.asked else inf if path.down_s is None else path.down_s
    kept = None if None in (low_s, high_s, measured_s) else low_s <= measured_s <= high_s  # type: ignore[operator]
    return Promised(
        probe=path.probe, writes=path.writes, low_s=low_s, high_s=high_s, measured_s=measured_s, kept=kept,
        given=str(made.get("given") or ""), reason=str(made.get("reason") or ""), chain=tuple(made.get("chain") or ()),
    )


Seen = Mapping[tuple[str, str, str], Sequence[Promised]]
"""(drill, probe, case) to what runs measured there; the case is "" where it is not known which it was, or makes no difference."""


def seen(records: Sequence[Record]) -> Seen:
    """Of every drill of these runs that was struck and whose clients could be heard, by the name that its repeats share."""
    found: dict[tuple[str, str, str], list[Promised]] = {}
    for record in records:
        planned = {entry["name"]: entry for entry in record.meta.get("drills") or ()}
        for drill in measure(record):
            entry = planned.get(drill.name, {})
            for each in promised(drill, entry, record.events):
                if each.measured_s is not None:
                    found.setdefault((str(entry.get("base") or drill.name), each.probe, each.given), []).append(each)
    return found


def counted(kept: Sequence[Promised]) -> str:
    """`all 12 promises were kept`, `11 of 12 promises were kept`; "" where nothing was promised."""
    judged = [each for each in kept if each.kept is not None]
    if not judged:
        return ""
    good = sum(bool(each.kept) for each in judged)
    many = f"{len(judged)} promise{'' if len(judged) == 1 else 's'}"
    return f"all {many} were kept" if good == len(judged) > 1 else f"{good} of {many} kept"
