"""A report for GitHub Actions: annotations as workflow commands, and a job summary in Markdown.

Text from outside can neither begin a command nor leave its cell: commands are escaped as GitHub's toolkit does it
(packages/core/src/command.ts), Markdown by backslash and HTML entity.
"""

import re
from collections.abc import Iterator

from holdfast.report import repeated, words
from holdfast.report.findings import Report
from holdfast.report.terminal import beside

_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~@:^$=])")
"""Whatever Markdown (GitHub's flavour: also tables, strikethrough, mentions, bare links, formulas) could take for its own."""

ICONS = {"met": "✅", "violated": "❌", "skipped": "⏭️", "incomplete": "🟡"}


def annotations(report: Report) -> tuple[str, ...]:
    """One line each, the gravest first, since GitHub shows only the first ten of a kind."""
    return (*_errors(report), *_warnings(report), *_notices(report))


def _errors(report: Report) -> Iterator[str]:
    for drill in report.drills:
        name = drill.measure.name
        for finding in drill.violations:
            yield command("error", f"{name}: {'worse than the baseline' if finding.objective == 'baseline' else 'violated'}",
                          finding.sentence)
    for drill in report.drills:
        if drill.verdict in ("void", "unsteady", "not_mended", "inconclusive"):
            yield command("error", f"{drill.measure.name}: {words.VERDICTS[drill.verdict]}", drill.reason)
    if report.verdict == "inconclusive" and not any(drill.verdict == "inconclusive" for drill in report.drills):
        yield command("error", f"{report.service}: inconclusive", report.summary)


def _warnings(report: Report) -> Iterator[str]:
    for name, reason in report.skips:
        yield command("warning", f"{name}: skipped", reason)
    for text in (*report.baseline.warnings, *report.baseline.missing) if report.baseline else ():
        yield command("warning", "baseline", text)


def _notices(report: Report) -> Iterator[str]:
    for row in report.baseline.changed("better") if report.baseline else ():
        yield command("notice", f"{row.drill}: better than the baseline", row.sentence)


def command(kind: str, title: str, message: str) -> str:
    """`::error title=...::...`"""
    return f"::{kind} title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return _UNSEEN.sub("�", text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary(report: Report) -> str:
    """The job summary: the verdict, a table, what was violated, what was skipped, how to repeat it."""
    icon = ICONS.get(report.verdict, "⚠️")
    parts = [f"## {icon} {plain(report.service)}: {plain(words.VERDICTS[report.verdict])}", plain(report.summary)]
    if report.drills:
        parts.append(_table(report))
    if report.is_repeated:
        parts.append(f"Each number: {repeated.HEADING}.")
    told = words.explained(text for each in report.repeats for _, text in repeated.cells(each))
    parts += [plain(line) for line in told]
    if limits := words.objectives(report.objectives):
        parts.append(f"Objective: {plain(limits)}")
    for heading, lines in _lists(report):
        parts.append(f"### {heading}\n\n" + "\n".join(f"- {plain(line)}" for line in lines))
    facts = [f"{name} {report.run[name]}" for name in ("lab", "seed") if report.run.get(name) is not None]
    if facts:
        parts.append(f"<sub>{plain(', '.join(facts))}</sub>")
    return "\n\n".join(parts) + "\n"


def _lists(report: Report) -> Iterator[tuple[str, list[str]]]:
    violated = [f"{drill.measure.name}: {finding.sentence}" for drill in report.drills for finding in drill.violations]
    nothing = [f"{drill.measure.name}: {drill.reason}" for drill in report.drills
               if drill.verdict in ("void", "unsteady", "not_mended", "inconclusive")]
    skipped = [f"{name}: {reason}" for name, reason in report.skips]
    baseline = beside(report.baseline) if report.baseline else []
    for heading, lines in (("Violated", violated), ("Shows nothing", nothing), ("Skipped", skipped),
                           ("Not judged", list(report.not_judged)), ("Beside the baseline", baseline)):
        if lines:
            yield heading, lines


def _table(report: Report) -> str:
    heads = ("drill", "target", "write outage", "read outage", "errors", "ambiguous", "lost writes", "redundancy back after",
             "verdict")
    lines = [_line(heads), "|" + "---|" * 2 + "---:|" * 6 + "---|"]
    for each in report.repeats:
        drills = report.of(each)
        times = f" × {len(drills)}" if report.is_repeated else ""
        target = each.target if len(drills) > 1 else words.target(drills[0].measure)
        verdict = f"{ICONS.get(repeated.gravest(drills), '⚠️')} {repeated.verdict(drills)}"
        lines.append(_line((each.base + times, target, *(text for _, text in repeated.cells(each)), verdict)))
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(plain, cells)) + " |"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    one_line = " ".join(_UNSEEN.sub("�", text).split())
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        one_line = one_line.replace(letter, entity)
    # An entity's own `;` and `&` are not touched by the backslashes.
    return _MARKUP.sub(r"\\\1", one_line)
