"""How measurements are worded, the same in the table, on the page and in sentences."""

from collections.abc import Mapping
from typing import Any

from holdfast.quantities import shown_seconds
from holdfast.record.measure import DrillMeasure, PathMeasure

NOTABLE_GAP_S = 0.2
"""A gap without a bad answer is shown from here on; below, it is what two busy cores do to any process."""

VERDICTS = {
    "met": "met",
    "violated": "VIOLATED",
    "void": "void",
    "unsteady": "unsteady",
    "not_mended": "not mended",
    "skipped": "skipped",
    "inconclusive": "inconclusive",
    "incomplete": "incomplete",
}

MEANINGS = {
    "met": "every objective was met",
    "violated": "an objective was violated",
    "void": "the fault did not strike, so the drill shows nothing",
    "unsteady": "the service was not steady before the fault, so the drill shows nothing",
    "not_mended": "what was broken could not be mended",
    "skipped": "this lab cannot do it",
    "inconclusive": "it was not measured to the end",
    "incomplete": "every objective was met, but not every drill could be done",
}


def outage(path: PathMeasure) -> str:
    """`none`, `1.24 s`, `1.24 s in 3`, `no end`; `520 ms gap` where answers only came late."""
    if not path.asked:
        return "not asked"
    if path.outage_total_s is None:
        return "no end"
    if not path.outages:
        gap_s = path.longest_gap_s or 0.0
        return f"{shown_seconds(gap_s)} gap" if gap_s > max(NOTABLE_GAP_S, 5 * path.every_s) else "none"
    parts = f" in {len(path.outages)}" if len(path.outages) > 1 else ""
    return shown_seconds(path.outage_total_s) + parts


def worst_outage(drill: DrillMeasure, *, writes: bool) -> str:
    """Over the probes of one kind; a dash where there is none."""
    paths = [path for path in drill.paths if path.writes is writes]
    if not paths:
        return "–"
    return outage(max(paths, key=lambda path: (path.down_s is None, path.down_s or 0.0)))


def redundancy(drill: DrillMeasure) -> str:
    if drill.redundancy_back_after_s is not None:
        return shown_seconds(drill.redundancy_back_after_s)
    return {"not lost": "not lost", "never back": "never"}.get(drill.redundancy, "–")


def target(drill: DrillMeasure) -> str:
    """`primary (db1)`: what was asked for, and what it was then."""
    if drill.struck and drill.struck != drill.target:
        return f"{drill.target} ({drill.struck})" if drill.target else drill.struck
    return drill.target


def count(value: int | None) -> str:
    return "–" if value is None else str(value)


def objectives(limits: Mapping[str, Any], *, short: bool = False) -> str:
    """`write outage ≤ 30.0 s, read outage ≤ 5.00 s, lost writes ≤ 0`."""
    names = {"write_outage_s": "write", "read_outage_s": "read", "lost_writes": "lost", "errors": "errors"}
    if not short:
        names |= {"write_outage_s": "write outage", "read_outage_s": "read outage", "lost_writes": "lost writes"}
    return ", ".join(
        f"{name} ≤ {limit(key, limits[key])}" for key, name in names.items() if limits.get(key) is not None
    )


def limit(objective: str, value: float) -> str:
    """A limit as a person would write it: `30 s`, `500 ms`, `0`."""
    if not objective.endswith("_s"):
        return str(value)
    return f"{value:g} s" if value >= 1 or value == 0 else f"{value * 1000:g} ms"


def plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
