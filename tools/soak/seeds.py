"""The same seed twice: no drill may get another verdict."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.soak.proof import EXAMPLES, Outcome, Proof
from tools.soak.running import result, web

SHOP, WEB = "shop, rehearsal", "web, nine drills"
NINE = (
    "{fault: kill, tier: web, target: one, for: 4s}", "{fault: freeze, tier: web, target: one, for: 4s}",
    "{fault: hang, tier: web, target: one, for: 4s}", "{fault: power_cut, tier: web, target: one, for: 4s}",
    "{fault: isolate, tier: web, target: one, for: 4s}", "{fault: reboot, tier: web, target: one, for: 4s}",
    "{fault: kill, tier: web, target: minority, for: 4s}", "{fault: rolling_restart, tier: web, target: all, for: 4s}",
    "{fault: power_cut, tier: web, target: all, for: 12s}",  # more than the objective allows: violated, both times
)


def told(folder: Path, topology: Path, seed: str) -> dict[str, tuple[str, str]]:
    """Drill to its verdict and whom it struck."""
    _, found, _ = result(folder, "drill", topology, "--seed", seed, "--runs", folder / "runs")
    return {drill["name"]: (drill["verdict"], drill.get("struck") or "") for drill in found["drills"]}


def compared(first: Mapping[str, tuple[str, str]], again: Mapping[str, tuple[str, str]]) -> Outcome:
    differ = {name: (first.get(name), again.get(name)) for name in {*first, *again}
              if (first.get(name) or ("",))[0] != (again.get(name) or ("",))[0]}
    verdicts = sorted({verdict for verdict, _ in first.values()})
    same = sum(first[name][1] == again[name][1] for name in first if name in again)
    figures = {"drills": len(first), "verdicts": ", ".join(verdicts), "verdicts that differ": len(differ),
               "struck the same": f"{same} of {len(first)}"}
    return Outcome(passed=not differ and len(first) > 0, figures=figures, said=f"{differ}")


def attempt(trial: str, folder: Path) -> Outcome:
    service, _, seed = trial.partition("; seed ")
    topology = EXAMPLES / "shop" if service == SHOP else web(folder / "topology", *NINE)
    return twice(folder, topology, seed)


def twice(folder: Path, topology: Path, seed: str) -> Outcome:
    """Side by side, each in a lab of its own."""
    with ThreadPoolExecutor(2) as both:
        first, again = both.map(lambda name: told(folder / name, topology, seed), ("first", "again"))
    return compared(first, again)


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    drills, differ = (sum(row[name] for row in rows) for name in ("drills", "verdicts that differ"))
    return (f"{drills} drills twice: {differ} verdicts differ. Who is struck may differ only where a role decides (whoever "
            "leads then), never where a seed does.")


SEEDS = Proof(
    name="seeds", title="The same seed gives the same verdicts",
    claim="Each trial is two runs with the same seed: of the example shop's rehearsal, or of nine drills of a small web service, "
          "one of which must violate its objective.",
    trials=lambda: [f"{WEB}; seed {seed}" for seed in (1, 2, 3)] + [f"{SHOP}; seed 4"],
    attempt=attempt, summary=_summary, at_once=3,
)  # fmt: skip
