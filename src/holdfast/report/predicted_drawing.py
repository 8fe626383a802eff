"""The drawings of a prediction, as SVG: tiers across zones, and the swings of the figures.  Pure functions to text.

Nothing that is a single point of failure is invisible: what has no room is named in a title, and red as well.
"""

from collections.abc import Sequence
from html import escape
from textwrap import wrap

from holdfast.report.predicted import minutes

Tier = tuple[str, str, Sequence[tuple[str, str, str]]]
"""(name, engine, [(instance, host, zone)])"""

WIDTH, LEFT, RIGHT = 1040, 130, 250
ROW, BOX, GAP = 78, 40, 6
LINE, LETTERS = 16, 36
"""Between two lines of text; letters that the column at the right has room for."""
LETTER = 6.6


def topology(tiers: Sequence[Tier], alone: frozenset[str]) -> str:
    """Tiers as rows, zones as columns; red: what is enough to take the service down by itself."""
    zones = list(dict.fromkeys(zone for _, _, instances in tiers for _, _, zone in instances))
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(zones))
    shared = [line for each in sorted(alone) if each.startswith("shared ") for line in wrap(each, LETTERS)]
    top = max(44, 44 + LINE * (len(shared) - 1))
    height = top + ROW * len(tiers) + 20
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="tiers across zones">']
    parts.append(
        f'<rect class="region{_red("region" in alone)}" x="4" y="4" width="{WIDTH - 8}" height="{height - 8}" rx="10"/>'
    )
    parts.append(f'<text class="tick{_red("region" in alone)}" x="16" y="24">region</text>')
    for index, zone in enumerate(zones):
        x, red = LEFT + index * wide, _red(f"zone {zone}" in alone)
        parts.append(f'<rect class="zone{red}" x="{x + 4:.1f}" y="14" width="{wide - 8:.1f}" height="{height - 28}" rx="8"/>')
        parts.append(f'<text class="tick{red}" x="{x + 14:.1f}" y="32">zone {escape(zone)}</text>')
    for row, (name, engine, instances) in enumerate(tiers):
        y = top + row * ROW
        parts.append(
            f'<text class="lane name" x="16" y="{y + 24}">{escape(name)}</text>'
            f'<text class="tick" x="16" y="{y + 40}">{escape(engine)}</text>'
        )
        for index, zone in enumerate(zones):
            parts.append(_boxes([each for each in instances if each[2] == zone], LEFT + index * wide + 12, y, wide - 24, alone))
        parts.append(_together(name, alone, y))
    parts += [
        f'<text class="alone" x="{WIDTH - RIGHT + 12}" y="{32 + LINE * index}">{escape(line)}</text>'
        for index, line in enumerate(shared)
    ]
    return "".join([*parts, "</svg>"])


def _red(is_alone: bool) -> str:
    return " alone" if is_alone else ""


def _boxes(instances: Sequence[tuple[str, str, str]], x: float, y: float, wide: float, alone: frozenset[str]) -> str:
    """Side by side as far as they can be read, those that are enough alone first, the rest counted."""
    most = max(1, int(wide // 74))
    instances = sorted(instances, key=lambda each: not _reasons(each, alone))
    shown = list(instances) if len(instances) <= most else list(instances[: most - 1])
    size = (wide + GAP) / max(1, min(len(instances), most)) - GAP
    parts = []
    for index, (name, host, _) in enumerate(shown):
        reasons = _reasons(shown[index], alone)
        left = x + index * (size + GAP)
        parts.append(
            f'<g class="box{_red(bool(reasons))}"><title>{escape(", ".join(reasons) or name)}</title>'
            f'<rect x="{left:.1f}" y="{y + 6}" width="{size:.1f}" '
            f'height="{BOX}" rx="5"/><text x="{left + size / 2:.1f}" y="{y + 31}" text-anchor="middle">{escape(host)}</text></g>'
        )
    if hidden := instances[len(shown) :]:
        left = x + len(shown) * (size + GAP)
        reasons = [reason for each in hidden for reason in _reasons(each, alone)]
        title = f"<title>{escape(', '.join(dict.fromkeys(reasons)))}</title>" if reasons else ""
        parts.append(
            f'<text class="tick{_red(bool(reasons))}" x="{left + size / 2:.1f}" y="{y + 31}" '
            f'text-anchor="middle">{title}+{len(hidden)}</text>'
        )
    return "".join(parts)


def _reasons(instance: tuple[str, str, str], alone: frozenset[str]) -> list[str]:
    """By what name this box is enough alone: its program, its host."""
    return [each for each in (instance[0], f"host {instance[1]}") if each in alone]


def _together(name: str, alone: frozenset[str], y: float) -> str:
    """What takes all of the tier at once, beside its row."""
    said = sorted(each for each in alone if each.endswith(f" of {name} at once"))
    return "".join(
        f'<text class="alone" x="{WIDTH - RIGHT + 12}" y="{y + 22 + 16 * index}">{escape(each.replace(f" of {name}", ""))}</text>'
        for index, each in enumerate(said)
    )


def sensitivity(bars: Sequence[tuple[str, str, str, float, float]], middle: float) -> str:
    """(figure, range, tag, minutes at its low end, at its high end): a bar from one to the other, the middle as a line."""
    left, right, step = 330, 250, 30
    least = min(min(low, high) for *_, low, high in bars)
    most = max(max(low, high) for *_, low, high in bars)
    scale = (WIDTH - left - right) / max(most - least, 1e-12)
    height = step * len(bars) + 34
    x = left + (middle - least) * scale
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="minutes a year over the range of each figure">']
    parts.append(
        f'<line class="base" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{height - 6}"/>'
        f'<text class="tick" x="{x:.1f}" y="12" text-anchor="middle">{escape(minutes(middle))}</text>'
    )
    for index, (name, known, tag, low, high) in enumerate(bars):
        y = 24 + index * step
        start, end = sorted((low, high))
        a, b = left + (start - least) * scale, left + (end - least) * scale
        parts.append(
            f'<text class="lane name" x="{left - 12}" y="{y + 15}" '
            f'text-anchor="end">{escape(name.removeprefix("reliability."))}</text>'
            f'<g class="swing '
            f'{escape(tag)}"><title>{escape(f"{minutes(low)} at the low end, {minutes(high)} at the high end")}</title>'
            f'<rect x="{a:.1f}" y="{y + 2}" width="{max(2.0, b - a):.1f}" height="16" rx="3"/></g>'
            f'<text class="tick" x="{b + 8:.1f}" y="{y + 15}">{escape(f"{minutes(start)} to {minutes(end)}, {known}")}</text>'
        )
    return "".join([*parts, "</svg>"])
