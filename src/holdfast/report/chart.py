"""One drill as an inline SVG: what each probe was answered, how slowly, who led when, and the marks of what happened.

Meaning is never carried by colour alone: bad answers also differ in height and hatching, marks have labels, and every
shape has a title.  Colours are classes of the page's style sheet, so that light, dark and print each have their own.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, log10
from typing import Any

from holdfast.quantities import shown_seconds
from holdfast.record.event import Asked, Event
from holdfast.record.measure import DrillMeasure, PathMeasure
from holdfast.report.cells import QUARTERS, Scale, cells, slowest, stands_at_s

WIDTH = 1000
LEFT = 128
RIGHT = 50
LANE = 22
LATENCY = 58
LETTER = 6.3
"""Width of a letter at the size of labels, roughly; for keeping labels apart."""

BOLD = 7.4
"""Likewise, of bold letters."""

LEADING = ("primary", "leader", "active", "master")
FLOOR_S = 0.001
"""The bottom of the latency scale."""


def timeline(
    drill: DrillMeasure, asked: Sequence[Asked], events: Sequence[Event], probes: Mapping[str, Mapping[str, Any]]
) -> str:
    """`asked` and `events` may be those of the whole run; the drill must have struck."""
    assert drill.struck_at_s is not None, "only a strike has a timeline"
    mine = {path.probe: [one for one in asked if one.drill == drill.name and one.probe == path.probe] for path in drill.paths}
    scale = _scale(drill, [one for answers in mine.values() for one in answers])
    marks, top = _marks(drill, scale)
    parts: list[str] = []
    y = float(top)
    parts.append(_latency(drill, mine, scale, y))
    y += LATENCY + 14
    for path in drill.paths:
        drawn, y = _path(path, mine[path.probe], scale, y, drill.struck_at_s, str(probes.get(path.probe, {}).get("what", "")))
        parts.append(drawn)
    roles, y = _roles(drill, events, scale, y)
    parts.append(roles)
    parts.append(_axis(scale, y, drill.struck_at_s, top))
    parts.append(_lines(marks, top - 4, y))
    label = f"Timeline of {drill.name}: answers of {', '.join(mine)} around the strike"
    height = y + 34
    return (f'<svg class="timeline" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
            + "".join(parts) + "</svg>")


def _scale(drill: DrillMeasure, asked: Sequence[Asked]) -> Scale:
    """From a little before the strike until a little after the last mark; without end of an outage, to the last answer."""
    struck_s = drill.struck_at_s or 0.0
    last_s = max((stands_at_s(one) for one in asked), default=struck_s + 1.0)
    moments = [struck_s + 1.0, *(at_s for _, _, at_s in _moments(drill))]
    for path in drill.paths:
        moments += [last_s if outage.ended_s is None else outage.ended_s for outage in path.outages]
    span_s = max(moments) - struck_s
    first_s = min((one.asked_s for one in asked), default=struck_s)
    from_s = max(min(first_s, struck_s - 0.1), struck_s - max(0.4, 0.07 * span_s))
    to_s = max(moments) + max(0.3, 0.09 * span_s)
    if drill.ended_at_s is not None and drill.ended_at_s > struck_s:
        to_s = min(to_s, drill.ended_at_s)  # what comes after is another drill's
    return Scale(from_s=from_s, to_s=to_s, left=LEFT, width=WIDTH - LEFT - RIGHT)


def _moments(drill: DrillMeasure) -> list[tuple[str, str, float]]:
    """(class, name, when) of the marks, `when` on the run's clock."""
    struck_s = drill.struck_at_s
    assert struck_s is not None
    ends = [path.outages[-1].ended_s for path in drill.paths if path.outages]
    back_s = None if not ends or None in ends else max(end for end in ends if end is not None)
    found = [
        ("struck", "struck", struck_s),
        ("noticed", "noticed", None if drill.noticed_after_s is None else struck_s + drill.noticed_after_s),
        ("back", "service back", back_s),
        ("mended", "mended", drill.mended_at_s),
        ("redundant", "redundancy back",
         None if drill.redundancy_back_after_s is None else struck_s + drill.redundancy_back_after_s),
    ]
    end_s = float("inf") if drill.ended_at_s is None else max(drill.ended_at_s, struck_s)
    return [(kind, name, at_s) for kind, name, at_s in found if at_s is not None and at_s <= end_s]


Mark = tuple[str, str, float, float, str]
"""class, label, x, y of the label, text-anchor"""


def _marks(drill: DrillMeasure, scale: Scale) -> tuple[list[Mark], int]:
    """Labels in as few rows as keep them apart, and where the drawing below them may begin."""
    rows: list[list[tuple[float, float]]] = []
    marks: list[Mark] = []
    for kind, name, at_s in sorted(_moments(drill), key=lambda moment: moment[2]):
        x = scale.x(at_s)
        label = name if kind == "struck" else f"{name} +{shown_seconds(max(0.0, at_s - (drill.struck_at_s or 0.0)))}"
        long = len(label) * LETTER + 12
        left, anchor = (x - long, "end") if x + long > WIDTH else (x, "start")
        row = next((n for n, taken in enumerate(rows) if all(left + long < a or left > b for a, b in taken)), len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append((left, left + long))
        marks.append((kind, label, x, 13.0 + 16 * row, anchor))
    return marks, 16 * len(rows) + 12


def _lines(marks: Sequence[Mark], top: float, bottom: float) -> str:
    drawn = []
    for kind, label, x, y, anchor in marks:
        shift = 5 if anchor == "start" else -5
        drawn.append(
            f'<g class="mark {kind}"><title>{escape(label)}</title><line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 9:.0f}" '
            f'y2="{bottom:.0f}"/><text x="{x + shift:.1f}" y="{y:.0f}" text-anchor="{anchor}">{escape(label)}</text></g>'
        )
    return "".join(drawn)


def _label(text: str, y: float, title: str = "", kind: str = "lane") -> str:
    longest = int((LEFT - 10) / LETTER)
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return (f'<text class="{kind}" x="{LEFT - 10}" y="{y:.0f}" text-anchor="end">{escape(shown)}'
            f"<title>{escape(title or text)}</title></text>")


def _latency(drill: DrillMeasure, mine: Mapping[str, Sequence[Asked]], scale: Scale, y: float) -> str:
    """The slowest good answer in every two pixels, on a logarithmic scale from a millisecond up."""
    points = {probe: slowest(answers, scale) for probe, answers in mine.items()}
    top_s = max((value for series in points.values() for _, value in series), default=0.01)
    decades = max(1, -floor(-log10(max(top_s, 0.01) / FLOOR_S)))

    def height(value_s: float) -> float:
        return y + LATENCY * (1 - min(1.0, max(0.0, log10(max(value_s, FLOOR_S) / FLOOR_S) / decades)))

    drawn = [_label("answer time", y + 10, "how long good answers took: the slowest in every two pixels, logarithmic")]
    for decade in range(decades + 1):
        at = height(FLOOR_S * 10**decade)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        value = shown_seconds(FLOOR_S * 10**decade).replace(".00", "").replace(".0", "")
        drawn.append(f'<text class="tick" x="{WIDTH - RIGHT + 6}" y="{at + 4:.1f}">{value}</text>')
    for number, path in enumerate(drill.paths):
        series = points[path.probe]
        if series:
            drawn.append(_curve(path, series, height, y + LATENCY, number))
    return "".join(drawn)


def _curve(path: PathMeasure, series: Sequence[tuple[float, float]], height: Any, bottom: float, number: int) -> str:
    """A line that breaks where no answer came, over an area for the first series."""
    apart = max(6.0, 3 * (series[-1][0] - series[0][0]) / max(1, len(series)))
    runs: list[list[tuple[float, float]]] = [[series[0]]]
    for point in series[1:]:
        if point[0] - runs[-1][-1][0] > apart:
            runs.append([])
        runs[-1].append(point)
    line = " ".join("M" + " ".join(f"{x:.0f} {height(value_s):.1f}" for x, value_s in run) for run in runs)
    area = "".join(
        f'<path class="area s{number % 4}" d="M{run[0][0]:.0f} {bottom:.0f} '
        + " ".join(f"{x:.0f} {height(value_s):.1f}" for x, value_s in run) + f' {run[-1][0]:.0f} {bottom:.0f}z"/>'
        for run in runs if number == 0
    )
    title = f"{path.probe}: slowest good answer {shown_seconds(path.slowest_s)}" if path.slowest_s is not None else path.probe
    return f'{area}<path class="curve s{number % 4}" d="{line}"><title>{escape(title)}</title></path>'


def _path(
    path: PathMeasure, asked: Sequence[Asked], scale: Scale, y: float, struck_s: float, what: str
) -> tuple[str, float]:
    """The outage bars of one probe above its lane of answers."""
    drawn = []
    lane_y = y + 20
    for outage in path.outages:
        x1 = scale.x(outage.began_s)
        x2 = max(x1 + 3, scale.x(outage.ended_s if outage.ended_s is not None else scale.to_s))
        length = "no end" if outage.length_s is None else shown_seconds(outage.length_s)
        mended = ", ended by mending" if outage.by_mending else ""
        label = f"{'write' if path.writes else 'read'} outage {length}{mended}"
        end = "" if outage.ended_s is None else f"V{y + 17:.1f}"
        long = len(label) * BOLD
        inside = x2 + 8 + long < WIDTH
        text = f'x="{x2 + 6:.1f}" y="{y + 14:.1f}"' if inside else f'x="{x1 - 6:.1f}" y="{y + 14:.1f}" text-anchor="end"'
        if not inside and x1 - 6 - long < LEFT:
            text = f'x="{(x1 + x2) / 2:.1f}" y="{y + 7:.1f}" text-anchor="middle"'
        drawn.append(
            f'<g class="outage"><title>{escape(f"{path.probe}: {label}")}</title>'
            f'<path d="M{x1:.1f} {y + 17:.1f}V{y + 10:.1f}H{x2:.1f}{end}"/><text {text}>{escape(label)}</text></g>'
        )
    drawn.append(_label(path.probe, lane_y + 15, what or path.probe, "lane name"))
    drawn.append(f'<rect class="bed" x="{LEFT}" y="{lane_y}" width="{WIDTH - LEFT - RIGHT}" height="{LANE}"/>')
    for cell in cells(asked, scale, path.every_s):
        quarter = LANE / QUARTERS
        unknown, no = cell.unknown_quarters * quarter, cell.no_quarters * quarter
        title = (f"{cell.from_s - struck_s:+.2f} s to {cell.to_s - struck_s:+.2f} s: "
                 f"{cell.yes} yes, {cell.no} no, {cell.unknown} unknown")
        shapes = [("unknown", lane_y, unknown), ("no", lane_y + unknown, no), ("yes", lane_y + unknown + no, LANE - unknown - no)]
        rects = "".join(
            f'<rect class="{kind}" x="{cell.x:.1f}" y="{at:.4g}" width="{cell.width:.1f}" height="{high:.4g}"/>'
            for kind, at, high in shapes if high > 0
        )
        drawn.append(f"<g><title>{title}</title>{rects}</g>")
    return "".join(drawn), lane_y + LANE + 6


def _roles(drill: DrillMeasure, events: Sequence[Event], scale: Scale, y: float) -> tuple[str, float]:
    """A lane for each instance that led at some time within view, filled while it did."""
    spans: dict[str, list[tuple[str, float]]] = {}
    for event in events:
        if event.kind == "role" and event.at_s <= scale.to_s:
            spans.setdefault(event.subject, []).append((str(event.detail.get("role", "")), event.at_s))
    drawn = []
    first = True
    for instance, changes in sorted(spans.items()):
        ends = [at_s for _, at_s in changes[1:]] + [scale.to_s]
        shown = [(role, max(at_s, scale.from_s), end_s) for (role, at_s), end_s in zip(changes, ends, strict=True)
                 if end_s > scale.from_s]
        if not any(role in LEADING for role, _, _ in shown):
            continue
        y += 10 if first else 0
        first = False
        drawn.append(_label(instance, y + 11))
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y + 7:.0f}" y2="{y + 7:.0f}"/>')
        for role, from_s, to_s in shown:
            if role in LEADING:
                x, wide = scale.x(from_s), max(2.0, scale.x(to_s) - scale.x(from_s))
                text = f'<text x="{x + 6:.1f}" y="{y + 11:.0f}">{escape(role)}</text>' if wide > len(role) * LETTER + 8 else ""
                title = f"{instance}: {role} as last heard from {from_s - (drill.struck_at_s or 0.0):+.1f} s"
                drawn.append(f'<g class="role"><title>{escape(title)}</title><rect x="{x:.1f}" y="{y:.0f}" width="{wide:.1f}" '
                             f'height="14" rx="3"/>{text}</g>')
        y += 19
    return "".join(drawn), y


def _axis(scale: Scale, y: float, struck_s: float, top: float) -> str:
    """Seconds from the strike, at a step that leaves room for its numbers."""
    span_s = scale.to_s - scale.from_s
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
    step_s = next((step for step in steps if span_s / step <= 14), span_s / 10)
    drawn = [f'<line class="base" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y + 6:.0f}" y2="{y + 6:.0f}"/>']
    number = -int((struck_s - scale.from_s) / step_s)
    while struck_s + number * step_s <= scale.to_s:
        x = scale.x(struck_s + number * step_s)
        value = f"{number * step_s:.10g}"
        drawn.append(f'<line class="base" x1="{x:.1f}" x2="{x:.1f}" y1="{y + 6:.0f}" y2="{y + 11:.0f}"/>')
        drawn.append(f'<text class="tick" x="{x:.1f}" y="{y + 24:.0f}" text-anchor="middle">{value} s</text>')
        number += 1
    return "".join(drawn)
