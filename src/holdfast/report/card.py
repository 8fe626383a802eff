"""One drill on the page: its numbers, its timeline, what was found, and the details for those who want them."""

from html import escape

from holdfast.quantities import shown_seconds
from holdfast.record.event import Event
from holdfast.record.measure import Audited, PathMeasure
from holdfast.record.store import Record
from holdfast.report import bars, happened, words
from holdfast.report.chart import timeline
from holdfast.report.findings import Finding, Judged

ICONS = {"met": "✓", "violated": "✗", "skipped": "–", "incomplete": "…"}

LEGEND = (
    '<p class="legend"><span><i class="yes"></i>yes</span><span><i class="no"></i>no</span>'
    '<span><i class="unknown"></i>unknown (no answer in time)</span><span><i class="outage"></i>outage</span>'
    '<span><i class="role"></i>leads</span></p>'
)


def card(record: Record, drill: Judged, number: int) -> str:
    measured = drill.measure
    reads = any(not path.writes for path in measured.paths)
    writes = any(path.writes for path in measured.paths)
    noticed = "–" if measured.noticed_after_s is None else shown_seconds(measured.noticed_after_s)
    bad = drill.violated
    facts = [
        *((("write_outage_s", "write outage", words.worst_outage(measured, writes=True, over="write_outage_s" in bad)),)
          if writes else ()),
        *((("read_outage_s", "read outage", words.worst_outage(measured, writes=False, over="read_outage_s" in bad)),
           ("errors", "failed reads", str(measured.failed_reads))) if reads else ()),
        *((("", "refused writes", str(measured.refused_writes)), ("", "ambiguous writes", str(measured.ambiguous)),
           ("lost_writes", "lost writes", words.lost(measured))) if writes else ()),
        *((("lost_writes", "resurrected writes", str(measured.resurrected)),) if measured.resurrected else ()),
        ("", "slowest answer", _slowest(measured.paths)),
        ("", "noticed after", noticed),
        ("", "redundancy back after", words.redundancy(measured)),
    ]
    numbers = "".join(
        f'<div class="{"bad" if key in bad else ""}"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for key, name, value in facts
    )
    why = measured.reason or drill.note
    reason = f'<p class="reason">{escape(why)}</p>' if why else ""
    told = "".join(f"<li>{escape(line)}</li>" for line in words.explained(value for _, _, value in facts))
    explained = f'<ul class="explained">{told}</ul>' if told and measured.paths else ""
    what = " – ".join(filter(None, (measured.fault, words.target(measured))))
    drawing = ""
    if measured.struck_at_s is not None:
        lines = timeline(measured, record.asked, record.events, record.meta.get("probes") or {})
        drawing = f'<div class="wide">{lines}</div>{LEGEND}'
    return (
        f'<article class="panel drill" id="drill{number}">'
        f'<div class="title"><h2><span>{number}</span>{escape(measured.name)}</h2>'
        f'{pill(drill.verdict)}</div><p class="quiet">{escape(what)}</p>{reason}'
        f'{f"<dl class=numbers>{numbers}</dl>" if measured.paths else ""}{explained}{drawing}{_findings(drill.findings)}'
        f'{bars.promises(drill.promises)}'
        f"{_audits(measured.audits)}{_paths(measured.paths)}{_events(record, drill)}</article>"
    )


def pill(verdict: str) -> str:
    return (f'<span class="pill {escape(verdict)}"><i aria-hidden="true">{ICONS.get(verdict, "!")}</i>'
            f"{escape(words.VERDICTS[verdict].lower())}</span>")


def _slowest(paths: tuple[PathMeasure, ...]) -> str:
    """The slowest good answer of all probes."""
    slowest_s = max((path.slowest_s for path in paths if path.slowest_s is not None), default=None)
    return "–" if slowest_s is None else shown_seconds(slowest_s)


def _audits(audits: tuple[Audited, ...]) -> str:
    """What each node did not hold."""
    lines = []
    for audit in audits:
        if audit.missing:
            nodes = ", ".join(f"{node} {count}" for node, count in audit.missing.items())
            of = "" if audit.acknowledged is None else f" of {audit.acknowledged}"
            lines.append(f"audit of {audit.probe}: acknowledged writes{of} that a node did not hold: {nodes} "
                         "(on a replica that is lag, not loss)")
        if audit.problem:
            lines.append(f"audit of {audit.probe}: not made, since {audit.problem}")
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="explained">{items}</ul>' if items else ""


def _findings(findings: tuple[Finding, ...]) -> str:
    icons = {True: ("met", "✓"), False: ("violated", "✗"), None: ("inconclusive", "?")}
    items = "".join(
        f'<li class="{icons[finding.met][0]}"><i aria-label="{icons[finding.met][0]}">{icons[finding.met][1]}</i>'
        f"{escape(finding.sentence)}</li>"
        for finding in findings
    )
    return f'<ul class="findings">{items}</ul>' if items else ""


def _paths(paths: tuple[PathMeasure, ...]) -> str:
    if not paths:
        return ""
    heads = ("probe", "asked", "yes", "no", "unknown", "outage", "longest gap", "slowest answer", "error share",
             "99 % asked within", "calm")
    rows = "".join(
        f"<tr><th scope=row>{escape(path.probe)}</th>" + "".join(f"<td class=number>{escape(cell)}</td>" for cell in (
            str(path.asked), str(path.yes), str(path.no), str(path.unknown), words.outage(path),
            "no end" if path.longest_gap_s is None else shown_seconds(path.longest_gap_s),
            "–" if path.slowest_s is None else shown_seconds(path.slowest_s),
            f"{100 * path.error_share:.1f} % in {shown_seconds(path.window_s)}", shown_seconds(path.beat.p99_s),
            words.limit("_s", path.calm_s),
        )) + "</tr>"
        for path in paths
    )
    head = "".join(f"<th scope=col>{name}</th>" for name in heads)
    return ('<details><summary>Every probe in numbers</summary><div class="wide"><table class="paths"><thead><tr>'
            f"{head}</tr></thead><tbody>{rows}</tbody></table></div></details>")


def _events(record: Record, drill: Judged) -> str:
    zero_s = drill.measure.struck_at_s if drill.measure.struck_at_s is not None else drill.measure.began_at_s or 0.0
    began_s, ended_s = drill.measure.began_at_s, drill.measure.ended_at_s
    if began_s is None:
        return ""
    mine = [event for event in record.events if event.kind != "waiting" and (
        event.drill == drill.measure.name
        or (not event.drill and began_s <= event.at_s <= (ended_s if ended_s is not None else float("inf")))
    )]
    rows = "".join(_event(event, zero_s) for event in mine)
    return (f'<details><summary>What happened, in order ({words.plural(len(mine), "event")})</summary><div class="wide">'
            f'<table class="events"><tbody>{rows}</tbody></table></div></details>')


def _event(event: Event, zero_s: float) -> str:
    return (f'<tr><td class="number">{event.at_s - zero_s:+.2f} s</td><th scope=row>{escape(happened.kind(event))}</th>'
            f"<td>{escape(event.subject)}</td><td>{escape(happened.told(event))}</td></tr>")
