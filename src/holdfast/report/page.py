"""The report of a run as one HTML page that needs nothing else: no script, no font, no image from elsewhere.

Everything that came from outside goes through `escape`.  The style sheet is `page.css` beside this file.
"""

from collections.abc import Iterator
from html import escape
from importlib import resources
from typing import Any

from holdfast.quantities import shown_seconds
from holdfast.record.store import Record
from holdfast.report import repeated, words
from holdfast.report.card import card, pill
from holdfast.report.findings import Judged, Report
from holdfast.report.overview import overview
from holdfast.report.terminal import beside, numbers, violated

PATTERNS = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="hatch-bed" width="6" height="6"/><rect class="hatch-line" width="2.4" height="6"/></pattern></defs></svg>'
)


PROBE_HEADS = ("probe", "asks", "from", "beat", "patience", "calm", "99 % asked within")


def page(record: Record, report: Report) -> str:
    """`report` must be the judgement of `record`."""
    style = resources.files("holdfast.report").joinpath("page.css").read_text("utf-8")
    verdict = words.VERDICTS[report.verdict].lower()
    body = "".join([
        _head(report, verdict), _at_a_glance(report), _repeats(report), _table(report), _baseline(report),
        *_cards(record, report), _not_judged(report),
        _skipped(report), _problems(report), _method(report), _limits(report), _programs(report),
        f"<footer>holdfast {escape(str(report.run.get('holdfast_version', '')))} · record "
        f"<code>{escape(report.record_path or 'not stored')}</code></footer>",
    ])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(report.service)}: {escape(verdict)} – holdfast</title><style>{style}</style></head>"
        f"<body>{PATTERNS}<main>{body}</main></body></html>\n"
    )


def _head(report: Report, verdict: str) -> str:
    run = report.run
    facts = [
        str(run.get("began_wall", "")).replace("T", " ").replace("Z", " UTC"),
        f"lab {run['lab']}" if run.get("lab") else "",
        "lower fidelity" if run.get("fidelity", "namespaces") != "namespaces" else "",
        f"seed {run['seed']}" if run.get("seed") is not None else "",
    ]
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in violated(report))
    return (
        f'<header class="top {escape(report.verdict)}"><p class="brand">holdfast <span>failover report</span></p>'
        f'<div class="title"><h1>{escape(report.service)}</h1>{pill(report.verdict)}</div>'
        f'<p class="summary">{escape(report.summary)}</p>{f"<ul class=violations>{sentences}</ul>" if sentences else ""}'
        f'<p class="facts">{" · ".join(escape(fact) for fact in facts if fact)}</p></header>'
    )


def _at_a_glance(report: Report) -> str:
    drawing = overview(report)
    return f'<section class="panel"><h2>At a glance</h2><div class="wide">{drawing}</div></section>' if drawing else ""


def _cards(record: Record, report: Report) -> Iterator[str]:
    """One for each drill; of many repeats the first stands open."""
    numbers = {drill.measure.name: number for number, drill in enumerate(report.drills, 1)}
    for each in report.repeats:
        drills = [drill for drill in report.of(each) if drill.verdict != "skipped"]
        made = [card(record, drill, numbers[drill.measure.name]) for drill in drills]
        yield from made[:1]
        if made[1:]:
            told = repeated.verdict(tuple(drills[1:]))
            last = f"{words.plural(len(made) - 1, 'more repeat')} of {each.base}: {told}"
            yield f'<details class="more"><summary>{escape(last)}</summary>{"".join(made[1:])}</details>'


def _table(report: Report) -> str:
    """Of many repeats the numbers stand together above, and each one folded."""
    if not report.drills:
        return ""
    heads = ("fault", "target", *words.COLUMNS, "objective", "verdict")
    rows = "".join(_row(drill, number, heads) for number, drill in enumerate(report.drills, 1))
    made = ('<div class="wide"><table class="drills"><thead><tr>'
            + "".join(f"<th scope=col>{head}</th>" for head in heads) + f"</tr></thead><tbody>{rows}</tbody></table></div>")
    told = "".join(f"<li>{escape(line)}</li>" for line in words.explained(_cells(report)))
    made += f"<ul class=explained>{told}</ul>" if told else ""
    if report.is_repeated:
        made = f"<details><summary>Each of {words.plural(len(report.drills), 'drill')}</summary>{made}</details>"
    return f'<section class="panel"><h2>Drills</h2>{made}</section>'


def _cells(report: Report) -> list[str]:
    return [text for drill in report.drills if drill.measure.paths for _, text in numbers(drill)]


def _row(drill: Judged, number: int, heads: tuple[str, ...]) -> str:
    measured = drill.measure
    cells = numbers(drill) if measured.paths else (("", "–"),) * 6
    name = escape(measured.fault or measured.name)
    first = f'<a href="#drill{number}">{name}</a>' if drill.verdict != "skipped" else name
    shown = "".join(
        f'<td class="number{" bad" if key in drill.violated else ""}" data-head="{head}">{_two_lines(value)}</td>'
        for head, (key, value) in zip(heads[2:], cells, strict=False)
    )
    limits = {} if drill.verdict == "skipped" else drill.objectives
    objectives = words.objectives(limits, short=True).replace(" ", "\u00a0").replace(",\u00a0", ", ")
    return (f"<tr><th scope=row>{first}</th><td>{escape(words.target(measured))}</td>{shown}"
            f'<td class="quiet objective">{escape(objectives)}</td><td class="verdict">{pill(drill.verdict)}</td></tr>')


def _two_lines(cell: str) -> str:
    """A remark in parentheses stands below its number."""
    number, _, remark = cell.partition(" (")
    return escape(number) + (f"<br><small>{escape(remark.removesuffix(')'))}</small>" if remark else "")


def _repeats(report: Report) -> str:
    if not report.is_repeated:
        return ""
    heads = ("fault", "target", *words.COLUMNS, "verdicts")
    rows = ""
    for each in report.repeats:
        drills = report.of(each)
        bad = {objective for drill in drills for objective in drill.violated}
        numbers = "".join(
            f'<td class="number{" bad" if key in bad else ""}">{escape(text)}</td>' for key, text in repeated.cells(each)
        )
        rows += (f"<tr><th scope=row>{escape(each.fault or each.base)}</th><td>{escape(each.target)}</td>{numbers}"
                 f"<td>{escape(repeated.verdict(drills))}</td></tr>")
    told = "".join(f"<li>{escape(line)}</li>" for line in words.explained(
        text for each in report.repeats for _, text in repeated.cells(each)))
    return (f'<section class="panel"><h2>Repeats</h2><p class="quiet">Each number: {repeated.HEADING}.</p>'
            f"{_plain_table(heads, rows)}{f'<ul class=explained>{told}</ul>' if told else ''}</section>")


def _baseline(report: Report) -> str:
    if not report.baseline:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in beside(report.baseline))
    return (f'<section class="panel"><h2>Beside the baseline</h2><p class="quiet">{escape(report.baseline.old)}</p>'
            f'<ul class="prose">{items}</ul></section>')


def _not_judged(report: Report) -> str:
    """Beside the verdict's own details, so that nobody takes silence for a yes."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.not_judged)
    return f'<section class="panel"><h2>Not judged</h2><ul class="prose">{items}</ul></section>' if items else ""


def _skipped(report: Report) -> str:
    return _list("Skipped", list(report.skips))


def _problems(report: Report) -> str:
    return _list("Problems", [
        (event.subject, " – ".join(str(event.detail[key]) for key in ("what", "remedy") if event.detail.get(key)))
        for event in report.problems
    ])


def _list(heading: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return f'<section class="panel"><h2>{heading}</h2><dl>{items}</dl></section>'


def _method(report: Report) -> str:
    run = report.run
    probes = "".join(_probe(name, settings, report) for name, settings in report.probes.items())
    drawn = f"<li>The moments of the strikes were drawn from seed {escape(str(run.get('seed')))}.</li>"
    seed = drawn if run.get("seed") is not None else ""
    command = f"<li>Repeat it with <code>{escape(str(run['command']))}</code>.</li>" if run.get("command") else ""
    return (
        '<section class="panel"><h2>How it was measured</h2><ul class="prose">'
        "<li>Questions are asked on a fixed beat, whether or not earlier ones were answered.</li>"
        "<li>An outage runs from the last good answer before the trouble to the first good answer that is followed by calm; "
        "good and bad answers in turn are one outage. An outage that was not seen to end has no end.</li>"
        "<li>The beat was kept as the table says: 99 % of questions were asked within so long of their beat, in the drill where "
        "that was longest. Where asking stopped for longer than the calm, or answers are missing, the path is in doubt.</li>"
        "<li>A question that was open at the strike counts as asked at the strike, unless its patience was over before.</li>"
        "<li>No answer within the patience is unknown. An unknown write is ambiguous: neither lost nor safe. "
        "A lost write was acknowledged and is absent from the audit after mending.</li>"
        f"<li>In the timelines good answers stand where they arrived, bad ones where they were asked.</li>"
        f"{seed}{command}</ul>{_plain_table(PROBE_HEADS, probes)}</section>"
    )


def _probe(name: str, settings: Any, report: Report) -> str:
    paths = [path for drill in report.drills for path in drill.measure.paths if path.probe == name]
    calm = paths[0].calm_s if paths else None
    shown = [words.limit("_s", float(settings[key])) if key in settings else "–" for key in ("every_s", "patience_s")]
    shown.append("–" if calm is None else words.limit("_s", calm))
    shown.append(shown_seconds(max(path.beat.p99_s for path in paths)) if paths else "–")
    cells = [str(settings.get("what", "")), str(settings.get("client", "")), *shown]
    return f"<tr><th scope=row>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _limits(report: Report) -> str:
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in report.run.get("lab_notes") or ())
    return f'<section class="panel"><h2>What this lab cannot show</h2><ul class="prose">{notes}</ul></section>' if notes else ""


def _programs(report: Report) -> str:
    keys = ("name", "version", "source", "path")
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(program.get(key, '')))}</td>" for key in keys) + "</tr>"
        for program in report.run.get("programs") or ()
    )
    hosts = "".join(
        f"<tr><td>{escape(str(host.get('name', '')))}</td><td>{escape(str(host.get('address', '')))}</td>"
        f"<td>{escape(str(host.get('zone', '')))}</td><td>{escape(', '.join(map(str, host.get('tiers') or ())))}</td></tr>"
        for host in report.hosts
    )
    tables = [("Programs", keys, rows), ("Hosts", ("host", "address", "zone", "tiers"), hosts)]
    parts = [f"<div><h2>{heading}</h2>{_plain_table(heads, rows)}</div>" for heading, heads, rows in tables if rows]
    return f'<section class="panel columns">{"".join(parts)}</section>' if parts else ""


def _plain_table(heads: tuple[str, ...], rows: str) -> str:
    """`rows` are HTML already."""
    head = "".join(f"<th scope=col>{head}</th>" for head in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
