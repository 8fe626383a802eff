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
from holdfast.record.measure import DrillMeasure, PathMeasure


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
    case = _leader_struck(drill, events)
    return tuple(
        _beside(path, _chosen(made[path.probe], case), drill)
        for path in drill.paths if path.probe in made and drill.outcome in ("done", "not_mended")
    )


def _leader_struck(drill: DrillMeasure, events: Sequence[Event]) -> bool | None:
    """Was the leader of a store on a struck host at the strike?  None where nobody was seen to lead."""
    if drill.struck_at_s is None:
        return None
    roles: dict[str, str] = {}
    for event in events:
        if event.kind == "role" and event.at_s <= drill.struck_at_s:
            roles[event.subject] = str(event.detail.get("role", ""))
    leaders = {name.partition("/")[0] for name, role in roles.items() if role == "leader"}
    struck = {part.strip().partition("/")[0] for part in drill.struck.split(",")}
    return bool(leaders & struck) if leaders else None


def _chosen(variants: Sequence[Mapping[str, Any]], case: bool | None) -> Mapping[str, Any]:
    fitting = [each for each in variants if each.get("leader_struck") in (None, case)]
    if fitting:
        return fitting[0]
    lows = [each["low_s"] for each in variants]
    highs = [inf if each.get("unbounded") else each["high_s"] for each in variants]
    if None in lows or None in highs:
        return variants[0]
    widest = variants[highs.index(max(highs))]
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


def counted(kept: Sequence[Promised]) -> str:
    """`all 12 promises were kept`, `11 of 12 promises were kept`; "" where nothing was promised."""
    judged = [each for each in kept if each.kept is not None]
    if not judged:
        return ""
    good = sum(bool(each.kept) for each in judged)
    many = f"{len(judged)} promise{'' if len(judged) == 1 else 's'}"
    return f"all {many} were kept" if good == len(judged) > 1 else f"{good} of {many} kept"
