"""Two runs side by side, as text and as JSON: the same rule of comparison as for a baseline."""

from typing import TYPE_CHECKING, Any

from holdfast.record.measure import measure
from holdfast.record.repeats import Repeated, Spread, bases, repeats
from holdfast.record.store import Record
from holdfast.report import repeated, words
from holdfast.report.as_json import comparison
from holdfast.report.compare import Comparison, Row, shown

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"worse": "bold red", "better": "green"}

Also = tuple[str, str, str, str]
"""Drill, what, old, new: measured in both and not judged."""


def also(old: Record, new: Record) -> tuple[Also, ...]:
    """What differs besides, as it is shown."""
    before = {each.base: each for each in repeats(measure(old), bases(old))}
    rows = []
    for now in repeats(measure(new), bases(new)):
        if was := before.get(now.base):
            pairs = zip(_numbers(was).items(), _numbers(now).values(), strict=True)
            rows += [(now.base, what, a, b) for (what, a), b in pairs if a != b]
    return tuple(rows)


def _numbers(each: Repeated) -> dict[str, str]:
    return {
        "lost writes": repeated.counts(each.lost),
        "ambiguous writes": repeated.counts(each.ambiguous),
        "noticed after": repeated.durations(each.noticed_s),
        "redundancy back after": repeated.durations(each.redundancy_s, none=words.NOT_SEEN, endless="never"),
    }


def as_text(compared: Comparison, others: tuple[Also, ...], *, width: int, colour: bool) -> str:
    """Never wider than `width`, except where a word is."""
    import io

    from rich.console import Console
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=colour, no_color=not colour, highlight=False, legacy_windows=False,
        color_system="standard" if colour else None,
    )  # fmt: skip
    for warning in compared.warnings:
        console.print(Text(f"warning: {warning}", "yellow"))
    console.print(_table(compared.rows) if compared.rows else Text("nothing was measured in both"))
    for row in (*compared.changed("worse"), *compared.changed("better")):
        console.print(Text(f"{row.drill}: {row.sentence}", COLOURS[row.change]))
    for line in compared.missing:
        console.print(Text(line))
    if others:
        console.print(Text("\nAlso different, and not judged", "bold"))
        for drill, what, was, now in others:
            console.print(Text(f"  {drill}: {what} {was} → {now}"))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _table(rows: tuple[Row, ...]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 1), header_style="bold")
    made.add_column("drill, probe", overflow="fold", ratio=1)
    for heading in ("old", "new", "tolerated"):
        made.add_column(heading, justify="right", overflow="fold")
    made.add_column("", overflow="fold")
    for row in rows:
        if row.old.most == row.new.most == 0:
            continue
        name = Text.assemble(row.drill, (f"\n{row.probe}: {row.what}", "dim"))
        told = row.change if row.change in COLOURS else "" if row.change == "same" else row.change
        allowed = "–" if row.change == "not judged" else shown(row.allowed, row.what)
        cells = (_spread(row, row.old), _spread(row, row.new), allowed)
        made.add_row(name, *map(Text, cells), Text(told, COLOURS.get(row.change, "dim")))
    return made


def _spread(row: Row, spread: Spread) -> str:
    return repeated.joined([shown(value, row.what) for value in (spread.least, spread.middle, spread.most)])


def as_json(compared: Comparison, others: tuple[Also, ...]) -> dict[str, Any]:
    return {
        "different": compared.differs, **comparison(compared),
        "also": [{"drill": drill, "what": what, "old": was, "new": now} for drill, what, was, now in others],
    }
