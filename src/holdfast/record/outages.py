"""What one probe saw of one drill, computed from its answers: pure functions.

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
- What was in flight at the strike counts as asked at the strike, also if it was asked before the service was declared steady:
  nobody can tell whether it would have been answered.  But a question that failed although its patience was over before the
  strike had failed already, and does not count.
- An outage that the mending ended was not ended by failover.  Where the fault was to be held until clients are served again,
  it counts as without end; where it was to be held for a fixed time, its length counts and the mark stays.
- Whoever stops asking sees nothing.  Questions asked later than the calm after their beat, or missing ones, put the path
  in doubt: its numbers are shown, and not judged.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any

from holdfast.record.event import Asked

CALM_LEAST_S = 1.0
CALM_BEATS = 20


def calm_s(every_s: float) -> float:
    """How long answers must be good before trouble is over, for a probe that asks every so many seconds."""
    return max(CALM_LEAST_S, CALM_BEATS * every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """When what was broken began to be mended, and whether failover had been given all the time that it might take."""

    at_s: float
    gave_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From arrival to arrival of good answers, seconds on the run's clock.  `ended_s` is None if no calm followed."""

    began_s: float
    ended_s: float | None
    by_mending: bool = False
    """It ended only when what was broken had been mended."""
    endless: bool = False
    """Ended by mending in a drill that waits for failover: as for clients without the mending, it had no end."""

    @property
    def length_s(self) -> float | None:
        return None if self.ended_s is None or self.endless else self.ended_s - self.began_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How well the probe itself kept its beat."""

    p50_s: float = 0.0
    """How late questions were asked."""
    p99_s: float = 0.0
    most_s: float = 0.0
    missing: int = 0
    """Questions that were never recorded, besides those that were open when the run ended."""
    stopped_s: float = 0.0
    """How long no question was asked at the end of the drill."""


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
    """Bad answers among all that were asked in `window_s`."""
    window_s: float
    """From the strike to the end of the calm after the last outage, or to the last answer."""
    first_bad_s: float | None
    """When the first bad answer arrived."""
    beat: Beat = Beat()

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
    def by_mending(self) -> bool:
        return any(outage.by_mending for outage in self.outages)

    @property
    def doubtful(self) -> bool:
        """Its numbers may be those of our own asking instead of the service's."""
        return max(self.beat.most_s, self.beat.stopped_s) > self.calm_s or self.beat.missing > 0

    @property
    def ambiguous(self) -> int:
        return self.unknown

    @property
    def bad(self) -> int:
        return self.no + self.unknown


def measure_path(
    probe: str, settings: Mapping[str, Any], asked: Sequence[Asked], struck_at_s: float, *, ended_s: float | None = None,
    mending: Mending | None = None,
) -> PathMeasure:
    """What one probe saw of one drill.  `asked` are the drill's questions of this probe, in any order."""
    every_s = float(settings.get("every_s", 0.05))
    patience_s = float(settings.get("patience_s", inf))
    calm = calm_s(every_s)
    since = [one for one in asked if one.answered_s > struck_at_s
             and (one.answer == "yes" or one.asked_s + patience_s >= struck_at_s)]
    arrivals = sorted(one.answered_s for one in asked if one.answer == "yes")
    bad = [one for one in since if one.answer != "yes"]
    troubled = [max(one.asked_s, struck_at_s) for one in bad]
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
        unknown=sum(one.answer == "unknown" for one in bad), outages=tuple(_beside(outage, mending) for outage in outages),
        longest_gap_s=max((to_s - from_s for from_s, to_s in gaps), default=0.0) if back else None,
        slowest_s=max(good, default=None),
        error_share=sum(one.answer != "yes" for one in window) / len(window) if window else 0.0,
        window_s=max(0.0, (watched_s if settled_s is None else min(watched_s, settled_s + calm)) - struck_at_s),
        first_bad_s=min((one.answered_s for one in bad), default=None),
        beat=find_beat(asked, struck_at_s=struck_at_s, ended_s=ended_s, every_s=every_s, patience_s=patience_s),
    )


def _beside(outage: Outage, mending: Mending | None) -> Outage:
    if mending is None or outage.ended_s is None or not outage.began_s < mending.at_s < outage.ended_s:
        return outage
    return replace(outage, by_mending=True, endless=mending.gave_up)


def find_beat(
    asked: Sequence[Asked], *, struck_at_s: float, ended_s: float | None, every_s: float, patience_s: float
) -> Beat:
    """Of the questions that were due, asked or answered after the strike.

    A question without an answer is missing only if its patience was over before the last answer of any came: a run that
    ends leaves the open ones behind.
    """
    since = sorted((one for one in asked if max(one.due_s, one.asked_s) >= struck_at_s), key=lambda one: one.number)
    if not since:
        return Beat(stopped_s=max(0.0, ended_s - struck_at_s) if asked and ended_s is not None else 0.0)
    late = sorted(max(0.0, one.asked_s - one.due_s) for one in since)
    known_s = max(one.answered_s for one in since)
    missing = 0
    for a, b in zip(since, since[1:], strict=False):
        for step in range(1, b.number - a.number):
            due_s = a.due_s + (b.due_s - a.due_s) * step / (b.number - a.number)
            missing += due_s + late[-1] + patience_s < known_s
    open_s = 0.0 if patience_s == inf else patience_s
    last_s = max(one.asked_s for one in since)
    stopped_s = 0.0 if ended_s is None else max(0.0, ended_s - last_s - open_s - every_s)
    return Beat(
        p50_s=_share(late, 0.5), p99_s=_share(late, 0.99), most_s=late[-1], missing=missing, stopped_s=stopped_s,
    )


def _share(ordered: Sequence[float], share: float) -> float:
    """The smallest value that this share of all does not exceed."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


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
