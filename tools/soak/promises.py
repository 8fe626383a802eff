"""What was promised before anything ran, held to what clients saw: the drills of the suite, again and again.

Each trial is one run of a few drills with a seed of its own.  All trials together are judged: at least `INSIDE` of the measured
outages must lie within the promised interval, and no upper bound may be further away than `FACTOR` times the longest outage that
was measured, and `SLACK_S` more.  A bound that is missed, or too wide, stands on the page; a drill that showed nothing does too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from tools.soak.proof import EXAMPLES, NotMade, Outcome, Proof, Whole
from tools.soak.running import result

INSIDE = 0.95
FACTOR, SLACK_S = 1.3, 1.0
SEEDS = (1, 2, 3, 4, 5)
_REPEAT = re.compile(r" \(\d+\)$")
"""Behind the name of a drill that is struck again in one run."""
STRIKES = {"killed database": 3}
"""How often each drill of a group is struck in each trial, 1 otherwise.  How far its member's loop is from its next turn decides
what a killed primary costs: of five strikes all are below two thirds of a turn once in eight times, and the bound is then held to
what is not the longest; of fifteen, once in six hundred."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "killed database": ("kill db postgres",),
    "database": ("switchover db", "power_cut db", "reboot db"),
    "silent database": ("freeze db", "isolate db", "power_cut zone c"),
    "web": ("kill web", "freeze web", "hang web", "crash_loop web", "slow_answers web", "alive_but_wrong web"),
    "balancer": ("power_cut entry", "kill entry", "reload entry", "kill etcd", "rolling_restart web"),
    "changes": ("scale_out web", "scale_in web", "password_change db", "dependency_down web"),
}
"""Names of drills of the suite `standard`, a few for each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One promise beside everything that was measured of it.  Seconds; infinite: without end."""

    drill: str
    probe: str
    given: str
    low_s: float
    high_s: float
    measured_s: tuple[float, ...]

    @property
    def kept(self) -> int:
        return sum(self.low_s <= each <= self.high_s for each in self.measured_s)

    @property
    def wideness(self) -> float:
        """The upper bound as a share of what it may be: at most 1 is tight enough.  No bound is, where there was no end."""
        longest_s = max(self.measured_s)
        return 1.0 if self.high_s == longest_s == inf else self.high_s / (FACTOR * longest_s + SLACK_S)


def promised(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a run's JSON: one for each promise that was measured.  `high_s` None: no upper bound; `measured_s` None: without end."""
    for drill in told["drills"]:
        for each in drill["promises"]:
            if each["kept"] is not None:
                yield {"drill": drill["name"], **{key: each[key] for key in ("probe", "given", "low_s", "high_s", "measured_s")}}


def attempt(trial: str, folder: Path) -> Outcome:
    group, _, seed = trial.partition("; seed ")
    only = [word for name in GROUPS[group] for word in ("--only", name)]
    words = ("drill", EXAMPLES / "classic", "--suite", "standard", *only, "--seed", seed, "--runs", folder / "runs",
             "--repeat", STRIKES.get(group, 1))
    _, told, err = result(folder, *words, limit_s=280)
    outcome = outcome_of(told)
    if not outcome.figures["promises"]:
        raise NotMade(f"nothing was measured: {err[-500:]}")
    return outcome


def outcome_of(told: Mapping[str, Any]) -> Outcome:
    """Of one run.  It fails with a promise that was missed; whether that is one too many, all trials decide together."""
    found = list(promised(told))
    missed = [each for each in found if not _inside(each)]
    silent = [drill["name"] for drill in told["drills"] if drill["outcome"] != "done"]
    said = "; ".join(
        f"{each['drill']}, {each['probe']}: {_seconds(each['measured_s'])}, promised {_bounds(each)}" for each in missed
    )
    figures = {"drills": len(told["drills"]), "not measured": ", ".join(silent) or "none", "promises": len(found),
               "missed": len(missed)}
    return Outcome(passed=not missed, figures=figures, said=said, kept=found)


def _inside(each: Mapping[str, Any]) -> bool:
    measured_s, high_s = (inf if each[key] is None else each[key] for key in ("measured_s", "high_s"))
    return bool(each["low_s"] <= measured_s <= high_s)


def held(found: Sequence[Mapping[str, Any]]) -> list[Held]:
    """One for each promise that was made, in the order in which they came; a drill that is repeated in a run is one drill."""
    groups: dict[tuple[Any, ...], list[float]] = {}
    for each in found:
        high_s = inf if each["high_s"] is None else each["high_s"]
        drill = _REPEAT.sub("", each["drill"])
        key = (drill, each["probe"], each["given"], each["low_s"], high_s)
        groups.setdefault(key, []).append(inf if each["measured_s"] is None else each["measured_s"])
    return [
        Held(drill=drill, probe=probe, given=given, low_s=low_s, high_s=high_s, measured_s=tuple(measured_s))
        for (drill, probe, given, low_s, high_s), measured_s in groups.items()
    ]


def judged(rows: Sequence[Mapping[str, Any]]) -> Whole:
    """All trials together."""
    every = held([each for row in rows for each in row["kept"]])
    kept, many = sum(each.kept for each in every), sum(len(each.measured_s) for each in every)
    wide = [each for each in every if each.wideness > 1.0]
    share = kept / many if many else 0.0
    passed = many > 0 and share >= INSIDE and not wide
    said = (f"{kept} of {many} outages lie within what was promised ({share:.1%}; at least {INSIDE:.0%} must). "
            f"{len(every) - len(wide)} of {len(every)} upper bounds are at most {FACTOR:g} times the longest outage and "
            f"{SLACK_S:g} s (all must)")
    said += f"; too wide: {', '.join(_named(each) for each in wide)}." if wide else "."
    return Whole(passed=passed, said=said, table=table(every))


def table(every: Sequence[Held]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| drill | probe | only if | promised | width | measured: least, middle, most | kept | upper bound / allowed |",
             "|---|---|---|---|---|---|---|---|"]
    for each in every:
        measured = ", ".join(_seconds(value) for value in (min(each.measured_s), median(each.measured_s), max(each.measured_s)))
        low, high = _seconds(each.low_s), _seconds(each.high_s)
        kept = f"{each.kept} of {len(each.measured_s)}"
        kept = kept if each.kept == len(each.measured_s) else f"**{kept}**"
        wide = f"{each.wideness:.2f}" if each.wideness <= 1.0 else f"**{each.wideness:.2f}**"
        cells = (each.drill, each.probe, each.given, f"{low} to {high}", _seconds(each.high_s - each.low_s), measured, kept, wide)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _named(each: Held) -> str:
    return f"{each.drill}, {each.probe}" + (f" ({each.given})" if each.given else "")


def _bounds(each: Mapping[str, Any]) -> str:
    return f"{_seconds(each['low_s'])} to {_seconds(each['high_s'])}"


def _seconds(value: float | None) -> str:
    return "no end" if value is None or value == inf else f"{value:.2f} s"


PROMISES = Proof(
    name="promises", title="Outages lie within what was promised",
    claim="Each trial is one run of drills of examples/classic, with a seed of its own: before it, the engines' settings say "
          "how long each probe's outage will be. What counts is the sum of a path's outages or its longest gap between good "
          f"answers, whichever is longer. At least {INSIDE:.0%} must lie within, and an upper bound may be at most {FACTOR:g} "
          f"times the longest that was measured and {SLACK_S:g} s: a bound that is never missed because it is wide says nothing.",
    trials=lambda: [f"{group}; seed {seed}" for seed in SEEDS for group in GROUPS],
    attempt=attempt, whole=judged,
)  # fmt: skip
