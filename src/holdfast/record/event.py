"""What happened, as data.  Times are seconds on the lab's monotonic clock, counted from the start of the run.

| event kind | subject | detail |
|---|---|---|
| run.began | service | seed, lab, fidelity notes, programs, objectives, drills |
| process.started / process.ended | process | attempt / code or signal, last lines |
| waiting | what for: `hosts`, `steady state`, `redundancy`, `calm` | missing: what is not there yet; for the progress display |
| drill.began | drill | fault, target asked for, promised duration |
| drill.steady | drill | how long it took |
| drill.struck | target host or process | evidence before and after, by the fault; `at_s` is when the fault began to act |
| drill.verified | target | evidence by the conductor's other route |
| drill.mended | target | |
| noticed | target | when somebody other than the victim reacted (role taken over, taken out of rotation) |
| redundancy.lost / redundancy.back | service | |
| role | instance | role; empty when it no longer answers |
| service.back | probe | after_s: from the strike; for the progress display, the measuring is done later |
| audit | probe | acknowledged, refused, ambiguous, lost, resurrected: of this drill's writes alone; per_node: missing; problem |
| drill.ended | drill | outcome: done, void (fault did not strike), unsteady, not_mended, skipped; reason |
| problem | where | what, remedy |
| run.ended | service | |
| run.refused | | exit_code; the run could not go on, for the reasons that stand as `problem` before it |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Answer = Literal["yes", "no", "unknown"]
"""`unknown`: no answer came in time, so a write may or may not have happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at_s: float
    kind: str
    subject: str = ""
    drill: str = ""
    """Name of the drill, empty outside of drills."""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question of one probe, and what came of it."""

    drill: str
    probe: str
    number: int
    """Counts the probe's questions over the whole run, from 1; the ledger writes this number."""
    due_s: float
    """When the beat wanted it asked."""
    asked_s: float
    answered_s: float
    answer: Answer
    detail: str = ""
    """Why it is a no or an unknown, short; for a yes, who answered where the probe can tell."""
