"""What goes on while drills run: a line for each thing that happened, and on a terminal the present phase beneath them.

Everything is told by events; nothing is asked, measured or judged here.
"""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from holdfast.quantities import shown_seconds
from holdfast.record.event import Event
from holdfast.report.letters import fitting
from holdfast.report.terminal import wants_colour

WAITS = ("starting hosts", "waiting for steady state")
LONG_S = 2.0
"""A wait that is longer is told also where nobody watches."""

OUTCOMES = {
    "done": "done",
    "void": "void: the fault did not strike",
    "unsteady": "the service was not steady, so nothing was broken",
    "not_mended": "could not be mended",
    "skipped": "skipped",
}

Told = tuple[str, str]
"""A line that stays (empty: none), and the phase that now goes on (empty: as before)."""


class Progress:
    """A context manager; `saw` is the conductor's callback for every event.

    On a terminal `rich` draws the present phase beneath the lines.  Elsewhere only waiting is told, once, when it took long.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._waiting: tuple[float, str] | None = None
        self._waiting_told = False
        self._live: Any = None
        self._order: list[str] = []
        self._struck_s: dict[str, float] = {}

    def __enter__(self) -> "Progress":
        if getattr(self._stream, "isatty", lambda: False)():
            from rich.console import Console

            console = Console(file=self._stream, no_color=not wants_colour(self._stream), highlight=False, soft_wrap=True)
            self._live = console.status("starting", spinner="dots" if fitting("⠋", self._stream) == "⠋" else "line")
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def saw(self, event: Event) -> None:
        if event.kind == "run.began":
            self._order = [str(drill.get("name", "")) if isinstance(drill, Mapping) else str(drill)
                           for drill in event.detail.get("drills") or ()]
        if event.kind == "drill.began" and event.subject not in self._order:
            self._order.append(event.subject)
        if event.kind == "drill.struck":
            self._struck_s[event.drill] = event.at_s
        line, phase = told(event, self._order, self._struck_s.get(event.drill))
        self._long(event.at_s)
        if line:
            self._print(f"{event.at_s:7.1f} s  {line}")
        if phase:
            self._phase(phase, event.at_s)

    def _long(self, now_s: float) -> None:
        """Tell of a wait that is long by now, with the moment at which it began."""
        if self._waiting and not self._waiting_told and now_s - self._waiting[0] > LONG_S:
            self._print(f"{self._waiting[0]:7.1f} s  {self._waiting[1]}")
            self._waiting_told = True

    def _print(self, line: str) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(fitting(line, self._stream)))
        else:
            self._stream.write(fitting(f"{line}\n", self._stream))
            self._stream.flush()

    def _phase(self, phase: str, at_s: float) -> None:
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(fitting(phase, self._stream)))
            return
        kind = next((kind for kind in WAITS if phase.startswith(kind)), "")
        if self._waiting and kind and self._waiting[1].startswith(kind):
            self._waiting = (self._waiting[0], phase)
        else:
            self._waiting, self._waiting_told = (at_s, phase) if kind else None, False


def progress(stream: TextIO = sys.stderr) -> Progress:
    return Progress(stream)


def told(event: Event, order: list[str], struck_s: float | None) -> Told:
    """What to say of an event.  `order`: names of the drills; `struck_s`: when the event's drill struck, if it did."""
    detail, subject = event.detail, event.subject
    after = "" if struck_s is None else f" after {shown_seconds(max(0.0, event.at_s - struck_s))}"
    match event.kind:
        case "run.began":
            seed = f", seed {detail['seed']}" if detail.get("seed") is not None else ""
            return f"{subject}{seed}", "starting hosts"
        case "waiting":
            missing = detail.get("missing") or ()
            missing = [missing] if isinstance(missing, str) else [str(one) for one in missing]
            return "", f"waiting for {subject}" + (f": {', '.join(missing)}" if missing else "")
        case "drill.began":
            number = order.index(subject) + 1 if subject in order else 0
            return f"drill {number} of {len(order)}: {subject}", "waiting for steady state"
        case "drill.steady":
            return "", "steady; about to strike"
        case "drill.struck":
            return f"  struck {subject}", "struck; watching what clients see"
        case "drill.verified":
            return "", "the strike is verified; watching what clients see"
        case "noticed":
            what = detail.get("what") or subject
            return f"  noticed{after}: {what}", ""
        case "service.back":
            after_s = detail.get("after_s")
            return f"  {subject} back{after if after_s is None else f' after {shown_seconds(after_s)}'}", "service is back"
        case "drill.mended":
            return f"  mended{after}", "mended; waiting for redundancy"
        case "redundancy.back" if struck_s is not None:
            return f"  redundancy back{after}", "redundancy is back"
        case "audit":
            return f"  audit of {subject}: {_lost(detail)}", "auditing"
        case "drill.ended":
            outcome = str(detail.get("outcome", "done"))
            reason = f": {detail['reason']}" if detail.get("reason") else ""
            return f"  {OUTCOMES.get(outcome, outcome)}{reason}", "cleaning up"
        case "problem":
            return ": ".join(filter(None, ("problem", subject, str(detail.get("what", ""))))), ""
        case "run.ended":
            return "", "stopping hosts"
    return "", ""


def _lost(detail: Mapping[str, Any]) -> str:
    lost = detail.get("lost")
    if detail.get("problem") or lost is None:
        why = f": {detail['problem']}" if detail.get("problem") else ""
        return f"nobody knows whether writes were lost{why}"
    number = lost if isinstance(lost, int) else len(lost)
    back = detail.get("resurrected") or 0
    number_back = back if isinstance(back, int) else len(back)
    also = f", {number_back} refused and present all the same" if number_back else ""
    return f"{number} of {detail.get('acknowledged', '?')} acknowledged writes lost{also}"
