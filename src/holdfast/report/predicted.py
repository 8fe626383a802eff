"""A prediction for a terminal: an interval first, then why, then every figure that it rests on and where that is from.

Rules: no headline number without its interval; nothing that was not computed is shown as if it were; what is left out is said.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from holdfast.predict.finding import Finding
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.known import Known
from holdfast.predict.likeliest import KEPT, CutSets
from holdfast.predict.spread import Spread
from holdfast.predict.tree import Importance
from holdfast.predict.whatif import Gain
from holdfast.predict.yearly import Outlook
from holdfast.predict.years import RARE, Years
from holdfast.quantities import shown_seconds, written_share

LONGEST_LIST = 12
SEVERAL = 8
"""Of the cut sets of more than one, so many of the likeliest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """All that a prediction says.  outlooks: the whole service first.  importance: of the whole service, the most critical first.
    changed: what `--set` said, and `before` the outlook without it.  met_share: of the samples that keep the objective."""

    service: str
    file: str
    outlooks: tuple[Outlook, ...]
    known: tuple[Known, ...]
    single_points: tuple[str, ...]
    cut_sets: CutSets
    importance: tuple[tuple[str, Importance], ...]
    findings: tuple[Finding, ...]
    worse_than_one: tuple[tuple[str, float, float], ...] = ()
    gains: tuple[Gain, ...] | None = None
    changed: tuple[str, ...] = ()
    before: Outlook | None = None
    objective: float | None = None
    met_share: float | None = None
    sampled: int = 0
    years: Years | None = None
    spreads: tuple[Spread | None, ...] = ()
    """Beside `outlooks`, where they are known."""
    swings: tuple[tuple[str, float, float], ...] = ()
    """Of the whole service: figure, minutes a year at its low end, at its high end; the widest first."""


def text(found: Predicted, *, every_figure: bool = False) -> str:
    parts = [_head(found), _outlooks(found), _against(found), _drivers(found), _why(found), _warnings(found), _findings(found)]
    if found.gains is not None:
        parts.append(_gains(found.gains))
    parts.append(_figures(found, every_figure))
    return "\n\n".join(part for part in parts if part) + "\n"


def minutes(value: float) -> str:
    """`4 s`, `3.2 min`, `133 min`, `17.2 h`."""
    if value < 0:
        return f"-{minutes(-value)}"
    if value < 1:
        return shown_seconds(value * 60) if value >= 1 / 60 else f"{value * 60:.2g} s" if value else "0 s"
    if value < 600:
        return f"{value:.{1 if value < 100 else 0}f} min"
    return f"{value / 60:.1f} h"


def percent(share: float) -> str:
    """`16.6 %`, `< 0.1 %`."""
    return f"{share:.1%}".replace("%", " %") if not 0 < share < 0.0005 else "< 0.1 %"


def available(down_min: float) -> str:
    """A share with as many digits as mean something: `99.9747 %`."""
    down = down_min / (YEAR_H * 60)
    digits = 2
    while digits < 9 and down < 10 ** -(digits + 1):
        digits += 1
    return f"{(1 - down) * 100:.{digits}f} %"


def ranged(known: Known) -> str:
    ends = (known.low, known.high) if known.low != known.high else (known.low,)
    return " to ".join(_hours(each) if known.unit == "h" else _percent(each) for each in ends)


def _percent(value: float) -> str:
    return f"{written_share(float(f'{value:.3g}'))}"


def _hours(value: float) -> str:
    if value < 1:
        return minutes(value * 60)
    if value < 72:
        return f"{value:.3g} h"
    return f"{value / 24:.3g} d" if value < YEAR_H * 0.99 else f"{value / YEAR_H:.3g} y"


def _head(found: Predicted) -> str:
    head = f"{found.service}: what to expect in a year of 365.25 days, before anything runs"
    return head + ("".join(f"\n  as if {each}" for each in found.changed))


def _table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _outlooks(found: Predicted) -> str:
    rows = [("path", "down a year, 5 % to 95 %", "middle", "available")]
    rows += [
        (each.path, f"{minutes(each.low_min)} to {minutes(each.high_min)}", minutes(each.middle_min), available(each.middle_min))
        for each in found.outlooks
    ]
    parts = [("path", "outages a year", "mean outage", "of the time down, failing over")]
    parts += [(each.path, *told) for each, told in zip(found.outlooks, in_parts(found), strict=True)]
    note = f"  {found.sampled:,} samples of every figure that is a range; the middle takes each figure at its geometric mean."
    return f"{_table(rows, frozenset({2, 3}))}\n{note}\n\n{_table(parts)}"


def in_parts(found: Predicted) -> list[tuple[str, str, str]]:
    """Of each outlook: outages a year, how long one is, and what failing over takes; `6.40 to 24.3, middle 9.95`."""
    spreads = found.spreads or (None,) * len(found.outlooks)
    return [
        (
            _spread(each.outages, known and known.outages, lambda value: f"{value:.3g}"),
            _spread(each.mean_outage_s, known and known.mean_outage_s, lambda value: minutes(value / 60)),
            _spread(each.failover_min, known and known.failover_min, minutes),
        )
        for each, known in zip(found.outlooks, spreads, strict=True)
    ]


def _spread(middle: float, known: tuple[float, float] | None, told: Callable[[float], str]) -> str:
    return f"middle {told(middle)}" if known is None else f"{told(known[0])} to {told(known[1])}, middle {told(middle)}"


def _against(found: Predicted) -> str:
    lines = []
    if found.objective is not None and found.met_share is not None:
        allowed = (1 - found.objective) * YEAR_H * 60
        lines.append(
            f"The objective of {written_share(found.objective)} allows {minutes(allowed)} a year: "
            f"kept by {found.met_share:.0%} of the samples."
        )
    if found.before is not None:
        now, before = found.outlooks[0].middle_min, found.before.middle_min
        word = "less" if now <= before else "more"
        lines.append(f"Without the change it would be {minutes(before)}: {minutes(abs(now - before))} {word} now.")
    if found.years is not None:
        years, missed = found.years, found.years.missed
        lines.append(f"Of {years.played:,} years played by chance, all figures at their middle, half have less than "
                     f"{minutes(years.median_min)}, one in ten more than {minutes(years.tenth_min)}, one in a hundred more than "
                     f"{minutes(years.hundredth_min)}" + ("." if missed is None else f"; {missed:.0%} miss the objective."))
        lines += _about_years(found.outlooks[0], years)
    return "\n".join(lines)


def _about_years(whole: Outlook, years: Years) -> Iterator[str]:
    if whole.partial_min:
        yield (f"Left out of them: tiers of equals that fail over, where one in so many requests is lost meanwhile, "
               f"{minutes(whole.partial_min)} of `middle`.")
    if whole.middle_min < RARE * YEAR_H * 60:
        once = f": an outage comes once in {1 / whole.outages:.3g} years" if whole.outages else ""
        yield f"At six nines and more these are chance rather than knowledge{once}."
    if years.rare is not None:
        often, error = (each * YEAR_H * 60 for each in (years.rare.unavailability, years.rare.standard_error))
        yield (f"With failures made likelier and weighed back it is {minutes(often)} a year (standard error {minutes(error)}, "
               f"{years.rare.cycles:,} cycles).")


def _drivers(found: Predicted) -> str:
    by_name = {known.name: known for known in found.known}
    rows = [("what drives it most", "from", "to", "because it is known to be", "")]
    for name, low, high in found.outlooks[0].drivers:
        rows.append((name, minutes(low), minutes(high), ranged(by_name[name]), f"({by_name[name].tag})"))
    return _table(rows, frozenset({1, 2})) if len(rows) > 1 else ""


def _why(found: Predicted) -> str:
    rows = [("what takes it down", "of the time that is no failing over", "risk if it were down")]
    for name, each in found.importance[:LONGEST_LIST]:
        rows.append(
            (("! " if name in found.single_points else "  ") + name, percent(each.criticality), f"x {each.achievement:.3g}")
        )
    lines = [_table(rows, frozenset({1, 2})), f"  ! alone is enough: {len(found.single_points)} single points of failure"]
    if len(found.importance) > LONGEST_LIST:
        lines[0] += f"\n  ... and {len(found.importance) - LONGEST_LIST} more"
    lines.append(f"  minimal cut sets: {counted(found.cut_sets)}")
    if several := together(found.cut_sets):
        rows = [("what takes it down together", "of the year")]
        rows += [(" + ".join(events), share(often)) for events, often in several[:SEVERAL]]
        lines.append(f"\n{_table(rows, frozenset({1}))}")
        many = sum(number for order, number in found.cut_sets.counts.items() if order > 1) - len(rows) + 1
        if many:
            lines.append(f"  and {many:,} more up to order {found.cut_sets.order}; `--json` has the likeliest {KEPT:,} of all")
    return "\n".join(lines)


def counted(sets: CutSets) -> str:
    """`8 of order 1, 48 of order 2`; what lies beyond was not looked for."""
    return ", ".join(f"{number:,} of order {order}" for order, number in sets.counts.items()) or f"none up to order {sets.order}"


def together(sets: CutSets) -> list[tuple[tuple[str, ...], float]]:
    """Those of more than one, the likeliest first."""
    return [each for each in sets.likeliest if len(each[0]) > 1]


def share(of_time: float) -> str:
    """How long that is in a year: `1.24 s`, `12 ms`, `3.2 min`."""
    minutes_a_year = of_time * YEAR_H * 60
    return minutes(minutes_a_year) if minutes_a_year * 60 >= 1e-3 else f"{minutes_a_year * 60:.1e} s"


def _warnings(found: Predicted) -> str:
    return "\n".join(
        f"warning: {tier} would be better off without spare instances: the service is down for {minutes(several)} a year with "
        f"them, by failing over and by common causes, and for {minutes(one)} with only those that {tier} needs"
        for tier, several, one in found.worse_than_one
    )


def _findings(found: Predicted) -> str:
    return "\n".join(f"{each.where}  {each.level}: {each.what}\n  remedy: {each.remedy}" for each in found.findings)


def _gains(gains: Sequence[Gain]) -> str:
    rows = [("gain a year", "one change", "as")]
    rows += [(minutes(gain.gain_min), gain.change, f"--set '{gain.setting}'" if gain.setting else "") for gain in gains]
    return _table(rows, frozenset({0}))


def _figures(found: Predicted, every: bool) -> str:
    tags = [known.tag for known in found.known]
    count = ", ".join(f"{tags.count(tag)} {tag}" for tag in ("declared", "measured", "default"))
    beta = next((known for known in found.known if known.name == "reliability.beta"), None)
    lines = [f"It rests on {len(tags)} figures: {count}."]
    if beta is not None:
        lines.append(f"Common causes are counted with a beta factor of {ranged(beta)} ({beta.tag}).")
    lines += [f"Measured: {known.name}, {ranged(known)}, by {known.source}." for known in found.known if known.tag == "measured"]
    lines += _left_out(found)
    if not every:
        return "\n".join([*lines, "`--figures` lists each with its range and its source."])
    rows = [("figure", "5 % to 95 %", "", "source")]
    rows += [(known.name, ranged(known), known.tag, known.source) for known in found.known]
    return "\n".join([*lines, "", _table(rows)])


def _left_out(found: Predicted) -> Iterator[str]:
    if any("SLA" in known.source for known in found.known):
        yield "An SLA is the threshold below which a provider pays credits; it says little of how available the thing is."
    if not any(name.startswith("shared ") for name, _ in found.importance):
        yield (
            "Not counted, because nothing says how often they fail: DNS, certificates, configuration pushes, vendors. "
            "Declare them under reliability.shared."
        )
