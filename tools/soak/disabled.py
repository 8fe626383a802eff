"""Runs with a fault that silently does nothing: none of them may be green.

A copy of the source gets a catalogue in which every fault acts on a lab that hears nothing: whatever changes it is not done,
and reported as done.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

from holdfast.cli.service import sensible
from holdfast.errors import NOT_STRUCK, Refused
from holdfast.faults.catalogue import FAULTS
from tools.soak.proof import ROOT, Outcome, Proof
from tools.soak.running import result, web

TIMES = 20

DEAF = '''

class _Deaf:
    """A lab on which nothing is done.  What only looks is answered by the real one."""

    def __init__(self, lab):
        self._lab = lab

    def __getattr__(self, name):
        looks = {"name", "blueprint", "can", "why_not", "now_s", "states", "free_disk", "addresses", "at", "tail", "happenings"}
        return getattr(self._lab, name) if name in looks else _nothing


async def _nothing(*_, **__):
    return None


async def _agreed():
    return "done"


def _disabled(made):
    from dataclasses import replace

    return replace(made, strike=lambda lab, target: made.strike(
        _Deaf(lab), replace(target, change=_agreed if target.change else None)))


FAULTS = {name: _disabled(made) for name, made in FAULTS.items()}
'''


def disabled_source(folder: Path) -> Path:
    """A copy of holdfast whose faults do nothing."""
    copytree(ROOT / "src" / "holdfast", folder / "holdfast", ignore=ignore_patterns("__pycache__"))
    catalogue = folder / "holdfast" / "faults" / "catalogue.py"
    catalogue.write_text(catalogue.read_text() + DEAF)
    return folder


def drill_of(fault: str) -> str:
    """As a user would write it, for the service of `running.web`."""
    tier, target = ("entry", "all") if fault == "reload" else ("web", "one")
    own = {"cut_from": ", from: entry, ports: [8080]"}.get(fault, "")
    return f"{{fault: {fault}, tier: {tier}, target: {target}{own}}}"


@cache
def fitting() -> tuple[str, ...]:
    """The faults that such a service can be drilled with."""
    found = []
    with TemporaryDirectory() as folder:
        for name in FAULTS:
            try:
                sensible(str(web(Path(folder), drill_of(name))))
            except Refused:
                continue
            found.append(name)
    return tuple(found)


def _trials() -> list[str]:
    names = fitting()
    return [f"{names[number % len(names)]}, seed {number + 1}" for number in range(max(TIMES, len(names)))]


def attempt(trial: str, folder: Path) -> Outcome:
    fault, _, seed = trial.partition(", seed ")
    topology = web(folder / "topology", drill_of(fault))
    source = disabled_source(folder / "source")
    code, told, _ = result(folder, "drill", topology, "--seed", seed, "--runs", folder / "runs", source=source)
    (drill,) = told["drills"]
    figures = {"exit code": code, "verdict": told["verdict"], "reason": drill["reason"]}
    return Outcome(passed=code == NOT_STRUCK, figures=figures, said=f"exit code {code} ({told['verdict']}): {drill['reason']}")


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    left_out = sorted(set(FAULTS) - set(fitting()))
    green = sum(row["exit code"] == 0 for row in rows)
    return (f"False greens: {green} of {len(rows)}, over {len(fitting())} faults. Not among them, because this service cannot be "
            f"drilled with them: {', '.join(left_out) or 'none'}.")


DISABLED = Proof(
    name="disabled", title="A fault that does nothing is never green",
    claim="Each run drills a small service (two HAProxy, three web hosts) with a copy of holdfast in which the fault reports "
          f"success and does nothing. Every run must end with exit code {NOT_STRUCK}: the fault did not strike.",
    trials=_trials, attempt=attempt, summary=_summary, at_once=4,
)  # fmt: skip
