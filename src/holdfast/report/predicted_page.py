"""A prediction as one HTML page that needs nothing else: the topology drawn, what takes it down in red, and what drives the
figure.

Everything that came from outside goes through `escape`.  The style is that of `page.css`, and what only this page has is in
`predicted.css`.
"""

from collections.abc import Sequence
from html import escape
from importlib import resources

from holdfast.report.predicted import Predicted, available, counted, in_parts, minutes, percent, ranged, share, together
from holdfast.report.predicted_drawing import Tier, sensitivity, topology

CAUSES, SETS = 30, 30
"""The longest lists."""


def page(found: Predicted, tiers: Sequence[Tier], promises: str = "") -> str:
    """promises: a section of HTML about outages per fault, if they were computed; nothing is shown in its place otherwise."""
    style = "".join(
        resources.files("holdfast.report").joinpath(name).read_text("utf-8") for name in ("page.css", "predicted.css")
    )
    body = "".join(
        [
            _head(found),
            _paths(found),
            _drawing(found, tiers),
            promises,
            _sensitivity(found),
            _causes(found),
            _together(found),
            _gains(found),
            _findings(found),
            _figures(found),
            _method(found),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(found.service)}: what to expect – holdfast</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _head(found: Predicted) -> str:
    whole = found.outlooks[0]
    changed = "".join(f"<li>as if {escape(each)}</li>" for each in found.changed)
    worse = "".join(
        f"<li>{escape(tier)} would be better off without spare instances: the service is down for {minutes(several)} a year with "
        f"them, for {minutes(one)} with only those that it needs.</li>"
        for tier, several, one in found.worse_than_one
    )
    often, long, _ = (part.partition(", middle ")[0].replace("middle", "about") for part in in_parts(found)[0])
    kept = ""
    if found.objective is not None and found.met_share is not None:
        kept = f"The objective of {found.objective * 100:g} % is kept by {found.met_share:.0%} of {found.sampled:,} samples."
    return (
        '<header class="top"><p class="brand">holdfast <span>prediction</span></p>'
        f'<div class="title"><h1>{escape(found.service)}</h1></div>'
        f'<p class="summary">Down for {minutes(whole.low_min)} to {minutes(whole.high_min)} a year, in {often} outages '
        f'of {long} on average.</p><p class="facts">5 % to 95 % of what is known; the middle is '
        f"{minutes(whole.middle_min)}, {available(whole.middle_min)}. A year has 365.25 days. {kept}</p>"
        f"{f'<ul class=prose>{changed}</ul>' if changed else ''}{f'<ul class=violations>{worse}</ul>' if worse else ''}</header>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int] = frozenset()) -> str:
    """Cells are escaped here."""
    kinds = [' class="number"' if index in numbers else "" for index in range(len(heads))]
    head = "".join(f"<th scope=col{kind}>{escape(each)}</th>" for each, kind in zip(heads, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _panel(title: str, inner: str) -> str:
    return f'<section class="panel"><h2>{escape(title)}</h2>{inner}</section>' if inner else ""


def _paths(found: Predicted) -> str:
    rows = [
        (
            each.path,
            minutes(each.low_min),
            minutes(each.middle_min),
            minutes(each.high_min),
            *parts,
        )
        for each, parts in zip(found.outlooks, in_parts(found), strict=True)
    ]
    heads = ("path", "5 %", "middle", "95 %", "outages a year", "mean outage", "of it failing over")
    return _panel("Down in a year", _table(heads, rows, frozenset(range(1, 7))))


def _drawing(found: Predicted, tiers: Sequence[Tier]) -> str:
    alone = frozenset(found.single_points)
    legend = (
        '<p class="legend"><span><i class="alone"></i>enough to take the service down by itself</span>'
        '<span><i class="spare"></i>another one can take over</span></p>'
    )
    return _panel("What fails with what", f'<div class="wide">{topology(tiers, alone)}</div>{legend}')


def _sensitivity(found: Predicted) -> str:
    known = {each.name: each for each in found.known}
    bars = [(name, ranged(known[name]), known[name].tag, low, high) for name, low, high in found.swings[:12]]
    said = '<p class="quiet">Minutes a year as one figure goes through its range, the others in the middle.</p>'
    return _panel(
        "What drives it", said + f'<div class="wide">{sensitivity(bars, found.outlooks[0].middle_min)}</div>' if bars else ""
    )


def _causes(found: Predicted) -> str:
    rows = [
        (
            name,
            "yes" if name in found.single_points else "",
            percent(each.criticality),
            f"{each.birnbaum:.3g}",
            f"{each.achievement:.3g}",
        )
        for name, each in found.importance[:CAUSES]
    ]
    heads = ("cause", "alone", "share of the risk", "decides with probability", "risk if it were down, times")
    said = f"Minimal cut sets: {counted(found.cut_sets)}."
    if len(found.importance) > CAUSES:
        said = f"{len(found.importance) - CAUSES} more causes have less of the risk. {said}"
    return _panel("Why", _table(heads, rows, frozenset({2, 3, 4})) + f'<p class="quiet">{said}</p>')


def _together(found: Predicted) -> str:
    """Cut sets of more than one."""
    several = together(found.cut_sets)
    rows = [(" + ".join(events), str(len(events)), share(often)) for events, often in several[:SETS]]
    many = sum(number for order, number in found.cut_sets.counts.items() if order > 1) - len(rows)
    said = f'<p class="quiet">And {many:,} more up to order {found.cut_sets.order}.</p>' if many else ""
    heads = ("all of these at once", "order", "of the year")
    return _panel("What takes it down together", _table(heads, rows, frozenset({1, 2})) + said if rows else "")


def _gains(found: Predicted) -> str:
    if found.gains is None:
        return ""
    rows = [(minutes(gain.gain_min), gain.change, gain.setting) for gain in found.gains]
    return _panel("What one change would gain", _table(("a year", "change", "as --set"), rows, frozenset({0})))


def _findings(found: Predicted) -> str:
    rows = [(each.level, each.what, each.remedy, each.where) for each in found.findings]
    return _panel("Capacity and settings", _table(("", "what", "remedy", "where"), rows)) if rows else ""


def _figures(found: Predicted) -> str:
    rows = [(each.name, ranged(each), each.tag, each.source) for each in found.known]
    return _panel("Figures it rests on", _table(("figure", "5 % to 95 %", "", "source"), rows))


def _method(found: Predicted) -> str:
    return _panel(
        "How it was calculated",
        (
            '<ul class="prose"><li>An exact fault tree, solved by a binary decision diagram; failing over is added as '
            'downtime: how often an '
            "instance in use fails, times how long clients then wait, covered by the automatic way or not.</li>"
            f"<li>{found.sampled:,} samples; each range is read as the 5 % and 95 % points of a lognormal "
            f"distribution, and things of one kind "
            "share their draw.</li><li>An SLA is a threshold for credits, not an availability.</li>"
            "<li>Failures are taken to be independent but for zones, the region, what is declared as shared, and the "
            "beta factor.</li></ul>"
        ),
    )
