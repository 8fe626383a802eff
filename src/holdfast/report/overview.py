"""All drills of a run at a glance, as an inline SVG: how long writes and reads were out, beside what is allowed."""

from html import escape

from holdfast.report import words
from holdfast.report.findings import Judged, Report

WIDTH = 1000
LEFT = 190
RIGHT = 150
ROW = 38
BAR = 13
LETTER = 6.5
"""Width of a letter, roughly; for keeping labels apart."""

OBJECTIVES = (("write_outage_s", "writes", True), ("read_outage_s", "reads", False))


def overview(report: Report) -> str:
    """Empty when no drill was struck.  A limit far beyond every outage is told at the edge instead of squeezing the bars."""
    drills = [drill for drill in report.drills if drill.measure.paths]
    if not drills:
        return ""
    longest_s = max((_down_s(drill, writes) or 0.0 for drill in drills for writes in (True, False)), default=0.0)
    limits = {key: limit for key, _, _ in OBJECTIVES if (limit := report.objectives.get(key)) is not None}
    full_s = max([longest_s * 1.04, 0.1, *(limit * 1.02 for limit in limits.values() if limit <= 3 * longest_s)])
    per_s = (WIDTH - LEFT - RIGHT) / full_s
    shown = [(LEFT + limits[key] * per_s, f"{name} ≤ {words.limit(key, limits[key])}") for key, name, _ in OBJECTIVES
             if key in limits and limits[key] <= full_s]
    beyond = [f"{name} ≤ {words.limit(key, limits[key])}" for key, name, _ in OBJECTIVES
              if key in limits and limits[key] > full_s]
    top = 8 + 16 * (len(shown) + bool(beyond))
    bottom = top + ROW * len(report.drills)
    drawn = [_limit(x, label, 13 + 16 * row, bottom) for row, (x, label) in enumerate(shown)]
    if beyond:
        drawn.append(f'<text class="limit" x="{WIDTH}" y="{13 + 16 * len(shown)}" text-anchor="end">'
                     f'{escape(", ".join(beyond))} (off the chart) →</text>')
    lines = sorted(x for x, _ in shown)
    for number, drill in enumerate(report.drills):
        drawn.append(_row(drill, top + 2 + ROW * number, per_s, full_s, lines))
    return (f'<svg class="overview" viewBox="0 0 {WIDTH} {bottom + 6}" role="img" '
            f'aria-label="Outage of writes and reads in each drill">{"".join(drawn)}</svg>')


def _down_s(drill: Judged, writes: bool) -> float | None:
    """None without a probe of this kind, or in doubt; infinite without an end.  A gap counts where it is too long."""
    path = words.worst(drill.measure, writes=writes)
    if path is None or path.doubtful:
        return None
    if path.outage_total_s is None:
        return 1e9 if not path.outages[-1].ended_s else sum((each.ended_s or 0.0) - each.began_s for each in path.outages)
    over = ("write_outage_s" if writes else "read_outage_s") in drill.violated
    return max(path.outage_total_s, path.longest_gap_s or 0.0) if over or words.is_gap(path) else path.outage_total_s


def _row(drill: Judged, y: float, per_s: float, full_s: float, lines: list[float]) -> str:
    name = drill.measure.name
    shown = name if len(name) <= 26 else name[:25] + "…"
    parts = [
        f'<text class="lane name" x="{LEFT - 12}" y="{y + 18}" text-anchor="end">{escape(shown)}'
        f"<title>{escape(name)}</title></text>"
    ]
    if not drill.measure.paths:
        why = words.VERDICTS[drill.verdict] + (f": {drill.reason}" if drill.reason else "")
        why = why if len(why) <= 90 else why[:89] + "…"
        x, anchor = _place(LEFT + 2, len(why) * LETTER, lines)
        parts.append(f'<g class="bar"><text class="tick" x="{x:.1f}" y="{y + 18}" text-anchor="{anchor}">{escape(why)}'
                     "</text></g>")
    for number, (objective, kind, writes) in enumerate(OBJECTIVES):
        over = objective in drill.violated
        text = words.worst_outage(drill.measure, writes=writes, over=over)
        if text == "–":
            continue
        told = f"{kind} {text}" + (" ✗" if over else "")
        top = y + 1 + number * (BAR + 2)
        wide = max(2.0, min(_down_s(drill, writes) or 0.0, full_s) * per_s)
        x, anchor = _place(LEFT + wide + 6, len(told) * LETTER, lines)
        parts.append(
            f'<g class="bar {kind}{" over" if over else ""}"><title>{escape(f"{name}: {told}")}</title>'
            f'<rect x="{LEFT}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{x:.1f}" y="{top + 10.5}" text-anchor="{anchor}">{escape(told)}</text></g>'
        )
    return "".join(parts)


def _place(x: float, wide: float, lines: list[float]) -> tuple[float, str]:
    """Behind the bar, or behind the limit that would cross the text; at the right border where neither has room."""
    for line in lines:
        if x - 4 < line < x + wide + 4:
            x = line + 6
    return (WIDTH, "end") if x + wide > WIDTH else (x, "start")


def _limit(x: float, label: str, y: float, bottom: float) -> str:
    half = len(label) * LETTER / 2
    at = min(max(x, half), WIDTH - half)
    return (f'<g class="limit"><line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 5}" y2="{bottom}"/>'
            f'<text x="{at:.1f}" y="{y}" text-anchor="middle">{escape(label)}</text></g>')
