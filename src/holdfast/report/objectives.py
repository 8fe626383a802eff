"""Each objective beside what was measured, as a sentence: pure functions of one drill.

What nothing measured is never met: it is not judged, and said so.  What was measured badly (our own asking stopped, the audit
could not read the primary) is neither met nor violated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.quantities import shown_seconds, written_share
from holdfast.record.load import Load
from holdfast.record.measure import DrillMeasure, PathMeasure
from holdfast.report import words

PLANNED = ("switchover",)
"""Faults that are planned changes: they must lose nothing, whether or not an objective says so."""

NOTHING_DECLARED = "no objectives declared: nothing was judged"
NOTHING_MEASURED = "nothing measured what the objectives ask for: nothing was judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One objective beside one measurement.  `met` is None if it could not be measured; a `measured` None has no end."""

    objective: str
    limit: float
    measured: float | None
    met: bool | None
    sentence: str
    probe: str = ""


def findings(drill: DrillMeasure, limits: Mapping[str, Any]) -> tuple[Finding, ...]:
    found = []
    for path in drill.paths:
        objective = "write_outage_s" if path.writes else "read_outage_s"
        if limits.get(objective) is not None:
            found.append(_outage(path, objective, limits[objective]))
    lost = 0 if drill.fault in PLANNED and limits.get("lost_writes") is None else limits.get("lost_writes")
    if lost is not None and any(path.writes for path in drill.paths):
        found.append(_lost(drill, lost))
    if drill.resurrected:
        sentence = f"{words.plural(drill.resurrected, 'write')} refused and present all the same"
        found.append(Finding(objective="resurrected_writes", limit=0, measured=drill.resurrected, met=False, sentence=sentence))
    if limits.get("errors") is not None and any(not path.writes for path in drill.paths):
        found.append(_failed_reads(drill, limits["errors"]))
    if limits.get("failed_writes") is not None and any(path.writes for path in drill.paths):
        found.append(_failed_writes(drill, limits["failed_writes"]))
    if limits.get("goodput") is not None and drill.load:
        found.append(_goodput(drill.load, limits["goodput"]))
    return tuple(found)


def declared(limits: Mapping[str, Any]) -> bool:
    """Did the user ask for anything that a drill can tell?  No lost writes is what everybody gets unasked."""
    asked = {key: limit for key, limit in limits.items() if limit is not None and key != "availability"}
    return bool(asked) and asked != {"lost_writes": 0}


def measured(limits: Mapping[str, Any], probes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The objectives that some probe measures; without probes nobody knows, and all of them stand."""
    writes = any(probe.get("writes") for probe in probes.values())
    reads = any(not probe.get("writes") for probe in probes.values())
    needs = {"write_outage_s": writes, "lost_writes": writes, "read_outage_s": reads, "errors": reads,
             "failed_writes": writes}
    return {key: limit for key, limit in limits.items() if not probes or needs.get(key, True)}


def not_judged(limits: Mapping[str, Any], probes: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What an objective asks for that this run could not tell, each as a sentence."""
    told = []
    if limits.get("availability") is not None:
        share = written_share(limits["availability"])
        told.append(f"availability {share}: not judged by drills, which do not show how often faults happen")
    kept = measured(limits, probes)
    for key, limit in limits.items():
        if limit is not None and key not in kept:
            lacking = "no ledger writes" if key in ("write_outage_s", "lost_writes", "failed_writes") else "no probe reads"
            shown = words.NAMES[key] if key == "lost_writes" and limit == 0 else words.objectives({key: limit})
            told.append(f"{shown}: not judged, since {lacking}")
    return tuple(told)


def doubt(path: PathMeasure) -> str:
    """Why nobody can tell what the service did, or nothing."""
    if not path.doubtful:
        return ""
    stopped_s = max(path.beat.most_s, path.beat.stopped_s)
    parts = [f"our own asking stopped for {shown_seconds(stopped_s)}"] if stopped_s > path.calm_s else []
    if path.beat.missing:
        parts.append(f"{words.plural(path.beat.missing, 'answer')} missing from the record")
    return " and ".join(parts)


def _outage(path: PathMeasure, objective: str, limit: float) -> Finding:
    kind = "write" if path.writes else "read"
    allowed = f"{words.limit(objective, limit)} {'is' if limit == 1 else 'are'} allowed"
    met: bool | None
    if not path.asked:
        met, down_s, told = None, None, f"nothing was asked after the strike, so the {kind} outage is unknown"
    elif path.doubtful:
        met, down_s, told = None, path.down_s, f"{doubt(path)}, so the {kind} outage is unknown"
    elif path.down_s is None:
        met, down_s = False, None
        told = f"{kind}s did not come back {_until(path)}; {allowed}"
    else:
        down_s = path.down_s
        met = down_s <= limit
        told = f"{_told(path, kind, down_s, met)}; {allowed}"
    sentence = f"{path.probe}: {told}"
    return Finding(objective=objective, limit=limit, measured=down_s, met=met, sentence=sentence, probe=path.probe)


def _until(path: PathMeasure) -> str:
    if path.outages and path.outages[-1].endless and path.longest_gap_s is not None:
        whole = sum((outage.ended_s or 0.0) - outage.began_s for outage in path.outages)
        return f"until what was broken had been mended, after {shown_seconds(whole)}"
    return "while they were watched"


def _told(path: PathMeasure, kind: str, down_s: float, met: bool) -> str:
    mended = ", ended by mending" if path.by_mending else ""
    if not path.outages and met:
        return f"no {kind} outage, the longest gap between good answers was {shown_seconds(down_s)}"
    if path.outages and path.outage_total_s == down_s:
        times = f" in {len(path.outages)} outages" if len(path.outages) > 1 else ""
        return f"{kind} outage of {shown_seconds(down_s)}{times}{mended}"
    return f"no good answer to a {kind} for {shown_seconds(down_s)}{mended}"


def _lost(drill: DrillMeasure, limit: int) -> Finding:
    of = "" if drill.acknowledged is None else f" of {drill.acknowledged}"
    if drill.lost is not None:
        sentence = f"{drill.lost}{of} acknowledged writes were lost; {limit} are allowed"
        return Finding(objective="lost_writes", limit=limit, measured=drill.lost, met=drill.lost <= limit, sentence=sentence)
    unknown = drill.lost_unknown or "the writes were not audited"
    if drill.lost_at_least > limit:
        sentence = f"at least {drill.lost_at_least} acknowledged writes were lost; {limit} are allowed ({unknown})"
        return Finding(objective="lost_writes", limit=limit, measured=drill.lost_at_least, met=False, sentence=sentence)
    sentence = f"{unknown}, so nobody knows whether any was lost"
    return Finding(objective="lost_writes", limit=limit, measured=None, met=None, sentence=sentence)


def _goodput(load: Load, limit: float) -> Finding:
    served = f"{load.goodput:.0f} of {load.capacity:.0f} requests a second, {load.share:.0%} of the capacity, were served in time"
    health = "health checks passed" if not load.health_missed else f"{load.health_missed} of {load.looks} health checks failed"
    sentence = f"{served} while {load.due / load.lasted_s:.0f} were offered; {written_share(limit)} are asked for; {health}"
    return Finding(objective="goodput", limit=limit, measured=load.share, met=load.share >= limit, sentence=sentence)


def _failed_reads(drill: DrillMeasure, limit: int) -> Finding:
    return _failed(drill, limit, "errors", drill.failed_reads, "failed read", writes=False)


def _failed_writes(drill: DrillMeasure, limit: int) -> Finding:
    """Those that were refused, and those of which nobody knows: a client saw either fail."""
    failed = drill.refused_writes + (drill.ambiguous or 0)
    return _failed(drill, limit, "failed_writes", failed, "failed write", writes=True)


def _failed(drill: DrillMeasure, limit: int, objective: str, failed: int, what: str, *, writes: bool) -> Finding:
    """A failure that was seen is a fact; that there were no more is not, where asking stopped."""
    doubts = [f"{path.probe}: {doubt(path)}" for path in drill.paths if path.writes is writes and path.doubtful]
    met = None if doubts else failed <= limit
    sentence = f"{words.plural(failed, what)}; {limit} {'is' if limit == 1 else 'are'} allowed"
    if doubts:
        sentence = f"{words.plural(failed, what)}, but {'; '.join(doubts)}"
    return Finding(objective=objective, limit=limit, measured=failed, met=met, sentence=sentence)
