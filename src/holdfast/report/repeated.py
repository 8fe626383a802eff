"""The repeats of a drill in one row: `min / median / max` of each number, and how often which verdict."""

from collections.abc import Callable, Sequence
from math import isinf

from holdfast.quantities import shown_seconds
from holdfast.record.measure import DrillMeasure
from holdfast.record.repeats import MEASURED, Repeated, Spread
from holdfast.report import words
from holdfast.report.findings import Judged

HEADING = "min / median / max"


def verdicts(drills: tuple[Judged, ...]) -> dict[str, int]:
    """How many drills stand how, in the order of `words.VERDICTS`."""
    counts = {name: sum(drill.verdict == name for drill in drills) for name in words.VERDICTS}
    return {name: number for name, number in counts.items() if number}


def verdict(drills: tuple[Judged, ...]) -> str:
    """`met` where all are alike and one, `3 met`, `2 met, 1 VIOLATED`."""
    counts = verdicts(drills)
    if len(drills) == 1:
        return words.VERDICTS[drills[0].verdict]
    return ", ".join(f"{number} {words.VERDICTS[name]}" for name, number in counts.items())


def gravest(drills: tuple[Judged, ...]) -> str:
    """The verdict by which a row is coloured."""
    order = ("not_mended", "violated", "void", "unsteady", "inconclusive", "skipped", "met")
    return next(name for name in order if name in verdicts(drills))


def durations(spread: Spread | None, *, none: str = "none", endless: str = "no end") -> str:
    """`none / 21.9 s / no end`; one unit where it is the same, `21.9 / 24.1 / 26.3 s`; one number where all three read alike."""
    def one(value: float) -> str:
        return endless if isinf(value) else none if value == 0 else shown_seconds(value)

    return _three(spread, one)


def counts(spread: Spread | None) -> str:
    return _three(spread, lambda value: f"{value:g}")


def cells(repeated: Repeated) -> tuple[tuple[str, str], ...]:
    """(objective that would redden it, text) in the order of the table's columns."""
    measured = [drill for drill in repeated.drills if drill.outcome in MEASURED]
    unknown = any(words.lost(drill) == words.NOT_KNOWN for drill in measured)
    return (
        ("write_outage_s", _with(durations(repeated.write_outage_s), _mark(measured, writes=True))),
        ("read_outage_s", _with(durations(repeated.read_outage_s), _mark(measured, writes=False))),
        ("errors", counts(repeated.errors)), ("", counts(repeated.ambiguous)),
        ("lost_writes", _with(counts(repeated.lost), words.NOT_KNOWN if unknown else "")),
        ("", durations(repeated.redundancy_s, none=words.NOT_SEEN, endless="never")),
    )


def _mark(drills: Sequence[DrillMeasure], *, writes: bool) -> str:
    paths = [path for drill in drills for path in drill.paths if path.writes is writes]
    if any(path.asked and path.doubtful for path in paths):
        return words.IN_DOUBT
    return f"({words.BY_MENDING})" if any(path.by_mending and path.outage_total_s is not None for path in paths) else ""


def _with(text: str, mark: str) -> str:
    """What some of the repeats are without a number for stands behind the numbers of the others."""
    if not mark or text == "–":
        return mark or text
    return f"{text} {mark}" if mark.startswith("(") else f"{text}, {mark}"


def _three(spread: Spread | None, one: Callable[[float], str]) -> str:
    if spread is None:
        return "–"
    return joined([one(value) for value in (spread.least, spread.middle, spread.most)])


def joined(told: Sequence[str]) -> str:
    """See `durations`."""
    if len(set(told)) == 1:
        return told[0]
    units = {text.partition(" ")[2] for text in told}
    if len(units) == 1 and units <= {"ms", "s"}:
        told = [*(text.partition(" ")[0] for text in told[:-1]), told[-1]]
    return " / ".join(told)
