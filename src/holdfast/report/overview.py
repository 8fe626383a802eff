"""All drills of a run at a glance, as an inline SVG: how long writes and reads were out, beside what is allowed."""

from html import escape

from holdfast.record.measure import DrillMeasure
from holdfast.report import words
from holdfast.report.findings import Judged, Report

WIDTH = 1000
LEFT = 190
RIGHT = 110
ROW = 38
BAR = 13


def overview(report: Report) -> str:
    """Empty when no drill was struck.  A limit far beyond every outage is told at the edge instead of squeezing the bars."""
    drills = [drill for drill in report.drills if drill.measure.paths]
    if not drills:
        return ""
    longest_s = max((_down_s(drill.measure, writes) or 0.0 for drill in drills for writes in (True, False)), default=0.0)
    limits = [limit for key in ("write_outage_s", "read_outage_s") if (limit := report.objectives.get(key)) is not None]
    full_s = max([longest_s * 1.04, 0.1, *(limit * 1.02 for limit in limits if limit <= 3 * longest_s)])
    per_s = (WIDTH - LEFT - RIGHT) / full_s
    bottom = 24 + ROW * len(drills)
    drawn = [_limit(report, key, name, per_s, full_s, bottom) for key, name in
             (("write_outage_s", "writes"), ("read_outage_s", "reads"))]
    for number, drill in enumerate(drills):
        drawn.append(_row(drill, 26 + ROW * number, per_s, full_s))
    return (f'<svg class="overview" viewBox="0 0 {WIDTH} {bottom + 6}" role="img" '
            f'aria-label="Outage of writes and reads in each drill">{"".join(drawn)}</svg>')


def _down_s(drill: DrillMeasure, writes: bool) -> float | None:
    """None without a probe of this kind, infinite without an end."""
    totals = [path.outage_total_s for path in drill.paths if path.writes is writes]
    if not totals:
        return None
    return max(1e9 if total is None else total for total in totals) if None not in totals else 1e9


def _row(drill: Judged, y: float, per_s: float, full_s: float) -> str:
    name = drill.measure.name
    shown = name if len(name) <= 26 else name[:25] + "…"
    parts = [
        f'<text class="lane name" x="{LEFT - 12}" y="{y + 18}" text-anchor="end">{escape(shown)}'
        f"<title>{escape(name)}</title></text>"
    ]
    broken = {finding.objective for finding in drill.violations}
    for number, (writes, kind, objective) in enumerate(((True, "writes", "write_outage_s"), (False, "reads", "read_outage_s"))):
        down_s = _down_s(drill.measure, writes)
        if down_s is None:
            continue
        top = y + 1 + number * (BAR + 2)
        wide = max(2.0, min(down_s, full_s) * per_s)
        told = f"{kind} {words.worst_outage(drill.measure, writes=writes)}"
        over = " over" if objective in broken else ""
        parts.append(
            f'<g class="bar {kind}{over}"><title>{escape(f"{name}: {told}")}</title>'
            f'<rect x="{LEFT}" y="{top}" width="{wide:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{LEFT + wide + 6:.1f}" y="{top + 10.5}">{escape(told)}{" ✗" if over else ""}</text></g>'
        )
    return "".join(parts)


def _limit(report: Report, key: str, name: str, per_s: float, full_s: float, bottom: float) -> str:
    limit = report.objectives.get(key)
    if limit is None:
        return ""
    label = f"{name} ≤ {words.limit(key, limit)}"
    if limit > full_s:
        y = 14
        return f'<text class="limit" x="{WIDTH}" y="{y}" text-anchor="end">{escape(label)} (off the chart) →</text>'
    x = LEFT + limit * per_s
    return (f'<g class="limit"><line x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{bottom}"/>'
            f'<text x="{x:.1f}" y="13" text-anchor="middle">{escape(label)}</text></g>')
