"""The result of a run as a table for a terminal, with what the table cannot say beneath it.

Text that came from outside (names, reasons) is never taken for markup.  `rich` is imported only when a table is made.
"""

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING

from holdfast.report import repeated, words
from holdfast.report.compare import Comparison
from holdfast.report.findings import Judged, Report
from holdfast.report.promised import Promised, counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 140
"""Columns from which every column of the table fits on one line."""
NARROW = 72
"""Columns below which a table is hard to read: one block for each drill instead."""

COLOURS = {"met": "green", "violated": "bold red", "incomplete": "yellow", "skipped": "yellow"}
OTHERWISE = "magenta"
MISSED = "bold magenta"


def wants_colour(stream: object) -> bool:
    """A terminal, and no NO_COLOR (https://no-color.org) in the environment."""
    return bool(getattr(stream, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")


def table(
    report: Report, *, width: int | None = None, colour: bool | None = None, page_path: str = "", record_path: str = ""
) -> str:
    """The whole result as text.  `width` in columns, by default the terminal's; `colour` by default as standard output wants.

    record_path: how the record is named where that is not how the report names it.
    """
    from rich.console import Console
    from rich.text import Text

    width = width or shutil.get_terminal_size((100, 24)).columns
    colour = wants_colour(sys.stdout) if colour is None else colour
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False, legacy_windows=False,
        color_system="standard" if colour else None,
    )
    style = COLOURS.get(report.verdict, OTHERWISE)
    console.print(Text.assemble((report.service, "bold"), "  ", (words.VERDICTS[report.verdict], style)))
    console.print(Text(report.summary))
    if report.drills and width < NARROW:
        _blocks(console, report)
    elif report.drills:
        console.print(_table(report, width >= WIDE))
    for line in words.explained(_shown(report)):
        console.print(Text(line, "dim"))
    if report.is_repeated:
        console.print(Text(f"each number: {repeated.HEADING}", "dim"))
    if kept := counted([promise for drill in report.drills for promise in drill.promises]):
        beneath = "" if report.is_repeated or width < NARROW else "beneath each outage what was promised for it; "
        console.print(Text(f"{beneath}{kept}", "dim"))
    if width < WIDE and words.objectives(report.objectives):
        console.print(Text(f"objective: {words.objectives(report.objectives)}", "dim"))
    for sentence in violated(report):
        console.print(Text(sentence, "red"))
    for sentence in missed(report):
        console.print(Text(sentence, OTHERWISE))
    for sentence in _unmeasured(report):
        console.print(Text(sentence, OTHERWISE))
    for heading, lines in _below(report, page_path, record_path or report.record_path):
        console.print(Text(f"\n{heading}", "bold"))
        for line in lines:
            _item(console, line)
    file = console.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def violated(report: Report) -> tuple[str, ...]:
    """One sentence for each objective that was not kept."""
    return tuple(
        f"{drill.measure.name}: {finding.sentence}" for drill in report.drills for finding in drill.violations
    )


def missed(report: Report) -> tuple[str, ...]:
    """One sentence for each promise that the measurement lies outside of."""
    return tuple(f"{drill.measure.name}: promise missed: {each.sentence}" for drill in report.drills for each in drill.missed)


def beside(comparison: Comparison) -> list[str]:
    """What a person should know of a comparison, besides what is violated."""
    better = [f"{row.drill}: {row.sentence}" for row in comparison.changed("better")]
    told = [*(f"warning: {text}" for text in comparison.warnings), *comparison.missing, *better]
    alike = len(comparison.changed("same"))
    return [*told, f"{words.plural(alike, 'number')} within the tolerance"] if alike else told


def _unmeasured(report: Report) -> tuple[str, ...]:
    """Why drills have no judgement, and what could not be measured."""
    unjudged = tuple(
        f"{drill.measure.name}: {drill.reason}"
        for drill in report.drills if drill.verdict in ("void", "unsteady", "not_mended", "inconclusive")
        and (drill.measure.reason or not _open(drill))
    )
    return unjudged + tuple(
        f"{drill.measure.name}: {finding.sentence}" for drill in report.drills for finding in _open(drill)
    )


def _open(drill: Judged) -> tuple[object, ...]:
    return tuple(finding for finding in drill.findings if finding.met is None)


def _table(report: Report, wide: bool) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1 if wide else 0, 0, 1), header_style="bold")
    if wide:
        made.add_column("fault", no_wrap=True)
        made.add_column("target", overflow="fold")
    else:
        made.add_column("fault, target", overflow="fold", ratio=1)
    for heading in ("write\noutage", "read\noutage", "errors", "ambi-\nguous", "lost\nwrites", "redundancy\nback after"):
        made.add_column(heading, justify="right", overflow="fold")
    if wide:
        made.add_column("objective", overflow="fold")
    made.add_column("verdict", overflow="fold")
    if report.is_repeated:
        _repeated_rows(made, report, wide)
        return made
    for drill in report.drills:
        measured = drill.measure
        names = (measured.fault, words.target(measured))
        verdict = Text(words.VERDICTS[drill.verdict], COLOURS.get(drill.verdict, OTHERWISE))
        made.add_row(
            *(map(Text, names) if wide else (Text.assemble(names[0], ("\n" + names[1].replace(":", ": "), "dim")),)),
            *_cells(drill),
            *((Text(words.objectives(drill.objectives, short=True), "dim"),) if wide else ()),
            verdict,
        )
    return made


def _repeated_rows(made: "Table", report: Report, wide: bool) -> None:
    """One row for each drill of the plan, over all its repeats."""
    from rich.text import Text

    for each in report.repeats:
        drills = report.of(each)
        bad = {objective for drill in drills for objective in drill.violated}
        times = "" if len(drills) == 1 else f" × {len(drills)}"
        names = (each.fault + times, each.target)
        limits = words.objectives(drills[0].objectives, short=True)
        made.add_row(
            *(map(Text, names) if wide else (Text.assemble(names[0], ("\n" + names[1], "dim")),)),
            *(Text(text, "red" if objective in bad else "") for objective, text in repeated.cells(each)),
            *((Text(limits, "dim"),) if wide else ()),
            Text(repeated.verdict(drills), COLOURS.get(repeated.gravest(drills), OTHERWISE)),
        )


def _cells(drill: Judged) -> tuple["str | object", ...]:
    """The numbers of a drill, red where they violate an objective, and beneath an outage what was promised."""
    from rich.text import Text

    if not drill.measure.paths:
        return ("–",) * 6
    cells = []
    for objective, value in numbers(drill):
        text = Text(value, "red" if objective in drill.violated else "")
        if promise := shown_promise(drill, objective):
            text.append(f"\n{promise.short}", MISSED if promise.kept is False else "dim")
        cells.append(text)
    return tuple(cells)


def shown_promise(drill: Judged, objective: str) -> Promised | None:
    """The promise beneath an outage: of the path whose outage is shown."""
    if objective not in ("write_outage_s", "read_outage_s"):
        return None
    worst = words.worst(drill.measure, writes=objective == "write_outage_s")
    return next((each for each in drill.promises if worst and each.probe == worst.probe and each.short), None)


def numbers(drill: Judged) -> tuple[tuple[str, str], ...]:
    """(objective that would redden it, text) in the order of the columns."""
    measured, bad = drill.measure, drill.violated
    return (
        ("write_outage_s", words.worst_outage(measured, writes=True, over="write_outage_s" in bad)),
        ("read_outage_s", words.worst_outage(measured, writes=False, over="read_outage_s" in bad)),
        ("errors", str(measured.errors)),
        ("", str(measured.ambiguous) if any(path.writes for path in measured.paths) else "–"),
        ("lost_writes", words.lost(measured)),
        ("", words.redundancy(measured)),
    )


def _shown(report: Report) -> tuple[str, ...]:
    """The cells of the table, for those who explain them."""
    if report.is_repeated:
        return tuple(text for each in report.repeats for _, text in repeated.cells(each))
    return tuple(text for drill in report.drills if drill.measure.paths for _, text in numbers(drill))


def _blocks(console: "Console", report: Report) -> None:
    """One block for each drill of the plan: name and verdict, and under it a line for each number."""
    from rich.text import Text

    for each in report.repeats:
        drills = report.of(each)
        first = drills[0]
        times = "" if len(drills) == 1 else f" × {len(drills)}"
        target = words.target(first.measure) if len(drills) == 1 else each.target
        style = COLOURS.get(repeated.gravest(drills), OTHERWISE)
        console.print(Text.assemble(f"\n{each.fault}{times} ", (target, "dim"), "  ", (repeated.verdict(drills), style)))
        bad = {objective for drill in drills for objective in drill.violated}
        cells = numbers(first) if len(drills) == 1 else repeated.cells(each)
        for name, (objective, text) in zip(words.COLUMNS, cells, strict=True):
            if text != "–" and any(drill.measure.paths for drill in drills):
                _item(console, f"{name}: {text}", "red" if objective in bad else "")
    console.print()


def _below(report: Report, page_path: str, record_path: str) -> list[tuple[str, list[str]]]:
    """What stands beneath the table: headings with their lines."""
    run = report.run
    parts: list[tuple[str, list[str]]] = []
    if report.skipped:
        parts.append(("Skipped", [f"{name}: {reason}" for name, reason in report.skips]))
    if report.problems:
        parts.append(("Problems", [
            ": ".join(filter(None, (event.subject, str(event.detail.get("what", ""))))) for event in report.problems
        ]))
    if run.get("lab_notes"):
        parts.append(("What this lab cannot show", [str(note) for note in run["lab_notes"]]))
    if report.baseline:
        parts.append((f"Beside the baseline ({report.baseline.old})", beside(report.baseline)))
    if report.not_judged:
        parts.append(("Not judged", list(report.not_judged)))
    told = []
    if run.get("lab"):
        fidelity = run.get("fidelity", run["lab"])
        told.append(f"lab {run['lab']}" + ("" if fidelity == "namespaces" else f", lower fidelity ({fidelity})"))
    if run.get("seed") is not None:
        told.append(f"seed {run['seed']} (give it to --seed to strike at the same moments)")
    told += [f"{name} {path}" for name, path in (("record", record_path), ("page", page_path)) if path]
    if told:
        parts.append(("This run", told))
    return parts


def _item(console: "Console", line: str, style: str = "") -> None:
    """A line with a hanging indent."""
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text(line, style), (0, 0, 0, 2)))
