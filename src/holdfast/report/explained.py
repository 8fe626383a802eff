"""Promises in a terminal before anything runs: a table of all, and the chain of one written out."""

import io
from collections.abc import Sequence
from math import inf

from holdfast.predict.promise import Delay, Promise
from holdfast.quantities import shown_seconds


def bounds(promise: Promise) -> str:
    """`19.1 s to 24.7 s`, `at most 860 ms`, `as long as the fault`, `no promise`."""
    if promise.low_s is None or promise.high_s is None:
        return "no promise"
    if promise.high_s == inf:
        return "as long as the fault" if promise.low_s else "at most as long as the fault"
    most = shown_seconds(promise.high_s)
    return f"{shown_seconds(promise.low_s)} to {most}" if promise.low_s else f"at most {most}"


def table(promises: Sequence[tuple[str, Promise]], *, width: int) -> str:
    """(drill, promise) in the order of the plan, as text of so many columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in ("drill", "probe", "outage", "setting that costs most", "only if"):
        made.add_column(heading, overflow="fold")
    before = ""
    for name, promise in promises:
        costliest = promise.costliest
        cells = (
            name if name != before else "", promise.probe, bounds(promise), costliest.setting if costliest else "",
            "; ".join(filter(None, (promise.given, promise.reason))),
        )
        made.add_row(*map(Text, cells))
        before = name
    file = io.StringIO()
    Console(file=file, width=width, no_color=True, highlight=False, legacy_windows=False).print(made)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def chain(name: str, promise: Promise) -> str:
    """One promise with every step, so that a person can add it up."""
    case = f", if {promise.given}" if promise.given else ""
    lines = [f"{name}, as {promise.probe} sees it{case}: {bounds(promise)}"]
    if promise.reason:
        lines.append(f"  {promise.reason}")
    if not promise.chain:
        return "\n".join(lines) + "\n"
    rows = [("at least", "at most", "", "step")]
    rows += [(_told(step.low_s), _told(step.high_s), step.kind, _step(step)) for step in promise.chain]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    low_wide, high_wide, kind_wide = widths
    lines += [f"  {low:>{low_wide}}  {high:>{high_wide}}  {kind:{kind_wide}}  {step}" for low, high, kind, step in rows]
    total_s = sum(step.low_s for step in promise.chain)
    if promise.low_s is not None and promise.low_s < total_s:
        lines.append(f"  {_told(promise.low_s):>{low_wide}}  at least: the strike may meet one on whom nothing depends")
    for kind, meaning in (("timer", "transfers to production"), ("work", "depends on the machine and the data")):
        steps = [step for step in promise.chain if step.kind == kind]
        low_s, high_s = sum(step.low_s for step in steps), sum(step.high_s for step in steps)
        lines.append(f"  {_told(low_s):>{low_wide}}  {_told(high_s):>{high_wide}}  of it {kind}: {meaning}")
    return "\n".join(lines) + "\n"


def _step(step: Delay) -> str:
    told = "; ".join(filter(None, (step.setting, step.source)))
    return f"{step.name} [{told}]" if told else step.name


def _told(seconds: float) -> str:
    return "no end" if seconds == inf else shown_seconds(seconds)
