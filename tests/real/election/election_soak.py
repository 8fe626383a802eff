"""Strikes an election until so many strikes of one seed are done; goes on where it was stopped, and writes down what came of it.

    python tests/real/election/election_soak.py --seed 1 --strikes 200 --limit 180 --page docs/results/election.md

Rules: a strike counts only when all writes of its lab were judged; the state is one line of JSON per lab, appended when it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
ENTER = """
import sys
from holdfast.lab.namespaces import outer
sys.exit(outer.enter(sys.argv[1:], module="rehearsal"))
"""
Lab = dict[str, Any]


def one_lab(seed: int, numbers: Sequence[int], limit_s: float) -> Lab:
    """As many of these strikes as there is time for, in one lab; RuntimeError with what it said when it came to no end."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(Path(folder) / "run"), str(seed), ",".join(map(str, numbers)), str(limit_s)]
        paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
        done = subprocess.run(
            [sys.executable, "-c", ENTER, *words], capture_output=True, text=True, timeout=limit_s + 120, cwd=folder,
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
    sys.stderr.write(done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or not lines or "judged" not in lines[-1]:
        raise RuntimeError(f"the lab ended with {done.returncode}: {done.stderr[-2000:]}")
    return {"seed": seed, "strikes": lines[:-1], **lines[-1]}


def known(state: Path, seed: int) -> list[Lab]:
    labs = [json.loads(line) for line in state.read_text().splitlines()] if state.exists() else []
    return [lab for lab in labs if lab["seed"] == seed]


def strikes_of(labs: list[Lab]) -> list[dict[str, Any]]:
    return [strike for lab in labs for strike in lab["strikes"]]


def objections(labs: list[Lab]) -> list[str]:
    said = [f"strike {strike['number']}, {strike['kind']}: {what}" for strike in strikes_of(labs) for what in strike["wrong"]]
    return said + [what for lab in labs for what in lab["wrong"]]


def soak(state: Path, seed: int, strikes: int, limit_s: float, side_by_side: int = 1) -> list[Lab]:
    """Labs of at most 40 strikes, so that little is lost when it is stopped."""
    labs = known(state, seed)
    state.parent.mkdir(parents=True, exist_ok=True)
    until_s = time.monotonic() + limit_s
    while (left_s := until_s - time.monotonic()) > 0:
        done = {strike["number"] for strike in strikes_of(labs)}
        missing = [number for number in range(strikes) if number not in done][: 40 * side_by_side]
        shares = [share for start in range(side_by_side) if (share := missing[start::side_by_side])]
        if not shares:
            break
        failed = []
        with ThreadPoolExecutor(side_by_side) as pool, state.open("a") as lines:
            for running in as_completed([pool.submit(one_lab, seed, share, left_s) for share in shares]):
                if (error := running.exception()) is not None:
                    failed.append(error)
                    continue
                lines.write(json.dumps(running.result()) + "\n")
                lines.flush()
                labs.append(running.result())
        if failed:
            raise failed[0]
    return labs


def page(labs: list[Lab], seed: int, today: str) -> str:
    strikes, wrong = strikes_of(labs), objections(labs)
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for strike in strikes:
        kinds[strike["kind"]].append(strike)
    etcd = subprocess.run([shutil.which("etcd") or "etcd", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    rows = [
        f"| {kind.replace('_', ' ')} | {len(each)} | {sum(one.get('led', False) for one in each)} "
        f"| {median(one.get('gap_s', 0.0) for one in each):.2f} | {max(one.get('gap_s', 0.0) for one in each):.2f} "
        f"| {sum(one.get('terms', 0) for one in each)} | {sum(one.get('refused', 0) for one in each)} |"
        for kind, each in sorted(kinds.items())
    ]
    clocks = (
        "included. libfaketime, which makes them, also makes sleeps and timeouts of the contenders inexact (some end at once,"
        " some late), so that hand-overs take longer here than they are; `make bench-election` measures those"
        if "step_clock" in kinds else "not included, libfaketime was not installed"
    )
    return "\n".join([
        f"# An election under {len(strikes)} strikes, {today}",
        "",
        f"Five contenders with a lease of 2 s, three members of etcd, a fence that remembers the greatest token; seed {seed},"
        f" {len(labs)} labs of namespaces on one machine, up to six at a time. {etcd}, Python {platform.python_version()}."
        f" Leaps of the wall clock: {clocks}.",
        "",
        f"- Writes that reached the fence: {sum(lab['judged'] for lab in labs)}, all of them judged.",
        f"- Older tokens that passed, tokens with two owners, moments with two believers, elections without end: {len(wrong)}.",
        f"- Late writes of former holders that the fence refused: {sum(one.get('refused', 0) for one in strikes)}.",
        "",
        "| strike | times | at the leader | longest gap without a write, median (s) | greatest (s) | new terms | refused |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "The gap counts the strike itself: a frozen or cut-off leader is replaced when its lease has run out; without a quorum of"
        " etcd nobody may lead at all. One machine has one clock and one disk: drift between machines does not show here, and is"
        " the matter of the tests in virtual time.",
        "",
        *(f"- {what}" for what in wrong),
    ]).rstrip() + "\n"  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strikes", type=int, default=200)
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds, after which no strike begins")
    parser.add_argument("--state", type=Path, default=Path(".soak/election.jsonl"))
    parser.add_argument("--side-by-side", type=int, default=1, help="labs at the same time")
    parser.add_argument("--page", type=Path, help="where to write the result, once all strikes are done")
    asked = parser.parse_args()
    labs = soak(asked.state, asked.seed, asked.strikes, asked.limit, asked.side_by_side)
    done, wrong = len(strikes_of(labs)), objections(labs)
    print(f"{done} of {asked.strikes} strikes of seed {asked.seed}; {len(wrong)} objections")
    print("\n".join(wrong))
    if done >= asked.strikes and asked.page:
        asked.page.parent.mkdir(parents=True, exist_ok=True)
        asked.page.write_text(page(labs, asked.seed, f"{datetime.now(UTC):%Y-%m-%d}"))
    return 1 if wrong else 0 if done >= asked.strikes else 3


if __name__ == "__main__":
    sys.exit(main())
