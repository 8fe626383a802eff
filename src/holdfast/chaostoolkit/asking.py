"""One question to the lab that `holdfast up` keeps; whatever it refuses fails the activity, with the remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed

from holdfast.lab import control
from holdfast.quantities import seconds

RUNS = "holdfast-runs"
LONGEST_S = 4000.0
"""More than the longest drill may take."""


def answer(question: Mapping[str, Any], configuration: Mapping[str, Any] | None) -> dict[str, Any]:
    """`configuration`: the experiment's own; its `holdfast_runs` names the folder of runs.  Raises ActivityFailed."""
    runs = str((configuration or {}).get("holdfast_runs") or RUNS)
    try:
        told, _ = control.ask_newest(Path(runs), question, LONGEST_S)
    except LookupError as error:
        raise ActivityFailed(f"{error}; start one with `holdfast up`, or set holdfast_runs in the configuration") from None
    except OSError as error:
        raise ActivityFailed(f"the lab gave no answer: {error}") from None
    if "do" not in question:
        return told
    if "ok" in told:
        ok: dict[str, Any] = told["ok"]
        return ok
    problems = [f"{each['what']} ({each['remedy']})" for each in told.get("problems", ())]
    raise ActivityFailed("; ".join(problems) or str(told.get("error")))


def duration_s(text: str | float) -> float:
    """`"30s"`; a bare number is seconds, as everywhere in Chaos Toolkit.  Raises ActivityFailed."""
    try:
        return float(text) if isinstance(text, int | float) else seconds(text)
    except ValueError as error:
        raise ActivityFailed(str(error)) from None
