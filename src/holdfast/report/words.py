"""How measurements are worded, the same in the table, on the page and in sentences."""

from collections.abc import Iterable, Mapping
from typing import Any

from holdfast.quantities import shown_seconds, written_share
from holdfast.record.measure import DrillMeasure, PathMeasure

NOTABLE_GAP_S = 0.2
"""A gap without a bad answer is shown from here on; below, it is what two busy cores do to any process."""

BY_MENDING = "ended by mending"
NOT_SEEN = "not seen"
"""The observer looks four times a second, so it cannot say that redundancy was not lost."""

IN_DOUBT = "in doubt"
NOT_KNOWN = "not known"

EXPLAINED = {
    " gap": "gap: no question failed, but answers came late; the longest time between two good ones",
    BY_MENDING: "ended by mending: clients were served again only after what was broken had been mended",
    NOT_SEEN: "not seen: redundancy was not seen to be lost, by an observer that looks four times a second",
    IN_DOUBT: "in doubt: we stopped asking, or answers are missing, so nobody knows what the service did",
    NOT_KNOWN: "not known: the audit could not be made, so nobody knows whether writes were lost",
}
"""What words in a cell mean."""

NAMES = {
    "write_outage_s": "write outage", "read_outage_s": "read outage", "lost_writes": "lost writes", "errors": "failed reads",
    "resurrected_writes": "resurrected writes", "failed_writes": "failed writes",
}
"""Objectives that more is worse of.  `goodput` is the other way round."""

COLUMNS = ("write outage", "read outage", "errors", "ambiguous", "lost writes", "redundancy back after")

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


def outage(path: PathMeasure, *, over: bool = False) -> str:
    """`none`, `1.24 s`, `1.24 s in 3`, `no end`; `520 ms gap` where answers only came late; `in doubt` where we stopped asking.

    over: it violates its objective, so it is shown however short it is.
    """
    if not path.asked:
        return "not asked"
    if path.doubtful:
        return IN_DOUBT
    if path.outage_total_s is None:
        return "no end"
    gap_s = path.longest_gap_s or 0.0
    if is_gap(path) or (over and gap_s > path.outage_total_s):
        return f"{shown_seconds(gap_s)} gap"
    if not path.outages:
        return "none"
    parts = f" in {len(path.outages)}" if len(path.outages) > 1 else ""
    return shown_seconds(path.outage_total_s) + parts + (f" ({BY_MENDING})" if path.by_mending else "")


def is_gap(path: PathMeasure) -> bool:
    """No answer was bad, but good ones came notably late."""
    return not path.outages and (path.longest_gap_s or 0.0) > max(NOTABLE_GAP_S, 5 * path.every_s)


def worst(drill: DrillMeasure, *, writes: bool) -> PathMeasure | None:
    """The probe of one kind that saw the longest outage; one in doubt comes before those."""
    paths = [path for path in drill.paths if path.writes is writes]
    return max(paths, key=lambda path: (path.doubtful, path.down_s is None, path.down_s or 0.0), default=None)


def worst_outage(drill: DrillMeasure, *, writes: bool, over: bool = False) -> str:
    """Over the probes of one kind; a dash where there is none."""
    path = worst(drill, writes=writes)
    return "–" if path is None else outage(path, over=over)


def lost(drill: DrillMeasure) -> str:
    """`0`, `3`, `not known` where a ledger asked and the audit does not say; a dash without a ledger."""
    if drill.lost is not None:
        return str(drill.lost)
    if drill.lost_at_least:
        return f"≥ {drill.lost_at_least}"
    return NOT_KNOWN if any(path.writes for path in drill.paths) else "–"


def redundancy(drill: DrillMeasure) -> str:
    if drill.redundancy_back_after_s is not None:
        return shown_seconds(drill.redundancy_back_after_s)
    return {"not seen": NOT_SEEN, "never back": "never"}.get(drill.redundancy, "–")


def target(drill: DrillMeasure) -> str:
    """`primary (db1)`: what was asked for, and what it was then."""
    if drill.struck and drill.struck != drill.target:
        return f"{drill.target} ({drill.struck})" if drill.target else drill.struck
    return drill.target


def count(value: int | None) -> str:
    return "–" if value is None else str(value)


def objectives(limits: Mapping[str, Any], *, short: bool = False) -> str:
    """`write outage ≤ 30.0 s, read outage ≤ 5.00 s, lost writes ≤ 0`."""
    names = NAMES | ({"write_outage_s": "write", "read_outage_s": "read", "lost_writes": "lost"} if short else {})
    told = [f"{name} ≤ {limit(key, limits[key])}" for key, name in names.items() if limits.get(key) is not None]
    if limits.get("goodput") is not None:
        told.append(f"goodput ≥ {written_share(limits['goodput'])}")
    return ", ".join(told)


def explained(cells: Iterable[str]) -> tuple[str, ...]:
    """One line for each word in these cells that needs one."""
    shown = tuple(cells)
    return tuple(line for word, line in EXPLAINED.items() if any(cell.endswith(word) or f"({word})" in cell for cell in shown))


def limit(objective: str, value: float) -> str:
    """A limit as a person would write it: `30 s`, `500 ms`, `0`."""
    if not objective.endswith("_s"):
        return str(value)
    return f"{value:g} s" if value >= 1 or value == 0 else f"{value * 1000:g} ms"


def plural(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
