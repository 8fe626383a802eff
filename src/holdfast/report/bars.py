"""Promises as bars on one scale, with the measurements on them, and each chain written out so that a person can check it."""

from collections.abc import Mapping, Sequence
from html import escape
from math import inf, log10
from types import MappingProxyType
from typing import Any

from holdfast.predict.promise import Promise
from holdfast.quantities import shown_seconds
from holdfast.report.explained import bounds
from holdfast.report.promised import Promised, Seen

WIDTH, HEIGHT = 320, 18
LEAST_S, MOST_S = 0.01, 100.0
"""Ends of the scale, which is logarithmic: milliseconds and leases stand on one line."""
TICKS_S = (0.1, 1.0, 10.0)


def x_of(seconds: float) -> float:
    """Pixels from the left; what lies beyond the scale stands at its end."""
    held = min(MOST_S, max(LEAST_S, seconds))
    return WIDTH * log10(held / LEAST_S) / log10(MOST_S / LEAST_S)


def bar(low_s: float, high_s: float, measured_s: Sequence[float], *, kept: bool | None) -> str:
    """An SVG: the promised interval, and a mark for each measurement."""
    left, right = x_of(low_s), x_of(high_s)
    ticks = "".join(f'<path class="tick" d="M{x_of(at):.1f} 0V{HEIGHT}"/>' for at in TICKS_S)
    marks = "".join(
        f'<path class="mark" d="M{x_of(at):.1f} 2V{HEIGHT - 2}"><title>measured {escape(_told(at))}</title></path>'
        for at in measured_s
    )
    state = {True: "kept", False: "missed", None: "open"}[kept]
    label = f"promised {_told(low_s)} to {_told(high_s)}" + "".join(f", measured {_told(at)}" for at in measured_s)
    return (
        f'<svg class="promise {state}" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'aria-label="{escape(label)}">{ticks}<rect class="span" x="{left:.1f}" y="5" width="{max(2.0, right - left):.1f}" '
        f'height="{HEIGHT - 10}" rx="3"/>{marks}</svg>'
    )


def _told(seconds: float) -> str:
    return "without end" if seconds == inf else shown_seconds(seconds)


def promises(kept: Sequence[Promised]) -> str:
    """The promises of one drill; "" where there are none."""
    rows = "".join(_row(promise) for promise in kept)
    heads = ("probe", "0.1 s, 1 s and 10 s on a logarithmic scale", "promised", "measured")
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    chains = "".join(_chain(promise) for promise in kept if promise.chain)
    made = f'<div class="wide"><table class="promises"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<details open><summary>Promised and measured</summary>{made}{chains}</details>" if kept else ""


def foretold(found: Sequence[tuple[str, Promise]], seen: Seen = MappingProxyType({})) -> str:
    """A section of the page of a prediction: what each fault may cost, before anything ran; "" where nobody asks.

    seen: what runs measured, to be marked on the bars.
    """
    rows = "".join(_foretold(name, promise, seen) for name, promise in found)
    heads = ("drill", "probe", "0.1 s, 1 s and 10 s on a logarithmic scale", "outage", "measured", "setting that costs most")
    heads = heads if seen else tuple(each for each in heads if each != "measured")
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    made = f'<div class="wide"><table class="promises"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f'<section class="panel"><h2>What each fault may cost clients</h2>{made}</section>' if found else ""


def _foretold(name: str, promise: Promise, seen: Seen) -> str:
    marks = [*seen.get((name, promise.probe, promise.given), ())]
    marks += seen.get((name, promise.probe, ""), ()) if promise.given else ()
    held = [each.kept for each in marks if (each.low_s, each.high_s) == (promise.low_s, promise.high_s)]
    kept = all(held) if held and len(held) == len(marks) else None  # of other settings than now: marked, and not judged
    measured_s = [each.measured_s for each in marks if each.measured_s is not None]
    told = ", ".join(map(_told, measured_s)) + (" <b class=missed>missed</b>" if kept is False else "")
    then = dict.fromkeys(each.bounds for each in marks if (each.low_s, each.high_s) != (promise.low_s, promise.high_s))
    settings = f"{' or '.join(then)} by the settings of what was measured" if then else ""
    case = "; ".join(filter(None, (promise.given, promise.reason, settings)))
    note = f'<br><span class="quiet">{escape(case)}</span>' if case else ""
    drawn = "" if promise.low_s is None or promise.high_s is None else bar(promise.low_s, promise.high_s, measured_s, kept=kept)
    costs = promise.costliest.setting if promise.costliest else ""
    measured = f"<td class=number>{told}</td>" if seen else ""
    return (f"<tr><th scope=row>{escape(name)}</th><td>{escape(promise.probe)}</td><td>{drawn}</td>"
            f"<td>{escape(bounds(promise))}{note}</td>{measured}<td>{escape(costs)}</td></tr>")


def _row(promise: Promised) -> str:
    name = f"<th scope=row>{escape(promise.probe)}</th>"
    if promise.low_s is None or promise.high_s is None:
        return f'<tr>{name}<td colspan=3 class="quiet">no promise, since {escape(promise.reason)}</td></tr>'
    seen = () if promise.measured_s is None else (promise.measured_s,)
    drawn = bar(promise.low_s, promise.high_s, seen, kept=promise.kept)
    told = "in doubt" if promise.measured_s is None else _told(promise.measured_s)
    verdict = ' <b class="missed">missed</b>' if promise.kept is False else ""
    case = "; ".join(filter(None, (promise.given, promise.reason)))
    note = f'<br><span class="quiet">{escape(case)}</span>' if case else ""
    promised = f"{escape(promise.bounds)}{note}"
    return f'<tr>{name}<td>{drawn}</td><td>{promised}</td><td class="number">{escape(told)}{verdict}</td></tr>'


def _chain(promise: Promised) -> str:
    steps = "".join(_step(step) for step in promise.chain)
    heads = "".join(f"<th scope=col>{name}</th>" for name in ("step", "at least", "at most", "kind", "setting", "source"))
    return (
        f"<details><summary>Why: the chain of {escape(promise.probe)}</summary><div class=wide>"
        f"<table class=chain><thead><tr>{heads}</tr></thead><tbody>{steps}</tbody></table></div></details>"
    )


def _step(step: Mapping[str, Any]) -> str:
    high_s = step.get("high_s")
    cells = (
        shown_seconds(step["low_s"]) if step.get("low_s") is not None and step["low_s"] != inf else "as long as the fault",
        "as long as the fault" if high_s is None else shown_seconds(high_s), step["kind"], step["setting"], step["source"],
    )
    row = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
    return f"<tr><th scope=row>{escape(step['name'])}</th>{row}</tr>"
