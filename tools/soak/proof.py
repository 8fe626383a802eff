"""What a long proof is, and how far it got: trials that each pass or fail, kept in a folder, one line of JSON per trial.

What is kept counts only for the source that it was made with: another source begins anew.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one trial gave.  `said`: why it failed, or what is worth telling; `figures`: columns of its row on the page; `kept`:
    what all trials together are judged by."""

    passed: bool
    figures: Mapping[str, Any]
    said: str = ""
    kept: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What all trials of a proof together gave, where they are not judged one by one.  `table`: lines of Markdown."""

    passed: bool
    said: str
    table: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`trials` names them in order; `attempt` gets such a name and an empty folder of its own.  It raises where the trial
    itself could not be made: that is neither passed nor failed, and is tried again."""

    name: str
    title: str
    claim: str
    trials: Callable[[], Sequence[str]]
    attempt: Callable[[str, Path], Outcome]
    at_once: int = 1
    """Trials side by side, each in a lab of its own: where nothing depends on how busy the machine is."""
    stop: Event = field(default_factory=Event, compare=False)
    """Set when nothing more shall be begun."""
    summary: Callable[[Sequence[Mapping[str, Any]]], str] = lambda rows: ""
    """A sentence about all rows, each the figures of one trial."""
    whole: Callable[[Sequence[Mapping[str, Any]]], Whole] | None = None
    """Judges all rows together, as they are kept.  Without it a proof passed when each of its trials did."""

    def passed(self, rows: Mapping[str, Mapping[str, Any]]) -> bool:
        """`rows`: trial to its row."""
        return self.whole([*rows.values()]).passed if self.whole else all(row["passed"] for row in rows.values())


class NotMade(Exception):
    """A trial that shows nothing: the machine or the service was not as the trial needs it."""


def fingerprint(source: Path = ROOT / "src" / "holdfast", *, tools: Path = Path(__file__).parent) -> str:
    """Of the program and of the proofs themselves."""
    digest = sha256()
    for path in sorted((*source.rglob("*.py"), *tools.rglob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class Kept:
    """The trials of one proof that were made with the source at hand."""

    def __init__(self, folder: Path, proof: Proof, source: str):
        self._path = folder / source / f"{proof.name}.jsonl"
        self._proof = proof

    def rows(self) -> dict[str, dict[str, Any]]:
        """Trial to its last row.  A line that was cut short by a kill does not count."""
        found: dict[str, dict[str, Any]] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            found[row["trial"]] = row
        return {trial: found[trial] for trial in self._proof.trials() if trial in found}

    def missing(self) -> list[str]:
        """Those that were not made yet.  One that failed counts as made: trying until it passes would prove nothing."""
        made = self.rows()
        return [trial for trial in self._proof.trials() if trial not in made]

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def add(self, trial: str, outcome: Outcome, day: str) -> None:
        """`day`: on which it was made, as 2026-01-31."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        row = {"trial": trial, "day": day, "passed": outcome.passed, "said": outcome.said, "figures": dict(outcome.figures)}
        row |= {} if outcome.kept is None else {"kept": outcome.kept}
        cut_short = self._path.exists() and not self._path.read_text().endswith("\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut_short else "") + json.dumps(row) + "\n")
