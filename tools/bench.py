"""Measure the goals of the rehearsal on this machine: `make bench`, or `make bench ARGS="--repeat 5 --only drills"`.

Every figure is the median of the repeats, with the smallest and the largest beside it.  Nothing here passes or fails.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from holdfast.record.store import Record, read

CLASSIC = Path(__file__).parents[1] / "examples" / "classic"
SHOP_APP = Path(__file__).parents[1] / "examples" / "shop" / "app.py"
FEWEST = 5
PARTS = ("commands", "drills", "load", "beat", "pr")

Figures = dict[str, list[float]]

GOALS = {
    "holdfast --help": "0.3 s",
    "holdfast check (classic)": "0.5 s",
    "classic stack up and in full redundancy": "8 s, aim 5 s",
    "write outage: postgres killed": "1.5 s, aim 1.0 s",
    "write outage: switchover": "2.5 s, aim 1.5 s",
    "write outage: primary's host lost": "23 s, aim 22 s",
    "write outage: primary's host lost, etcd's leader with it": "25 s",
    "write outage: active load balancer's host lost": "0.8 s, aim 0.5 s",
    "acknowledged writes lost, all drills": "0",
    "web process killed: failed requests": "0",
    "web process killed: requests": "about 5,000",
    "web host frozen: slowest answer": "1 s, aim 0.5 s",
    "web host frozen: failed requests": "0",
    "pr suite on the classic stack, with start and end": "5 min",
    "asked within 5 ms of the beat, 100 pages a second": "99 %",
    "asked within 5 ms of the beat, 100 writes a second": "99 %",
    "99 % of pages asked within": "5 ms",
    "99 % of writes asked within": "5 ms",
}
ON_TIME_S = 0.005


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--repeat", type=int, default=FEWEST, help="runs of each part (default %(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wanted = arguments.only or PARTS
    figures: Figures = defaultdict(list)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}", flush=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        if "commands" in wanted:
            _commands(figures, max(FEWEST, arguments.repeat))
        for number in range(arguments.repeat):
            if "drills" in wanted:
                _drills(figures, _run(CLASSIC, Path(folder), arguments.seed + number))
            if "load" in wanted:
                _load(figures, _run(_loaded(Path(folder)), Path(folder), arguments.seed + number))
            if "beat" in wanted:
                _beat(figures, _run(_beaten(Path(folder)), Path(folder), arguments.seed + number))
            if "pr" in wanted:
                began = time.monotonic()
                _run(CLASSIC, Path(folder), arguments.seed + number, "--suite", "pr")
                figures["pr suite on the classic stack, with start and end"].append(time.monotonic() - began)
            _show(figures, f"after {number + 1} of {arguments.repeat}")
    return 0


def _commands(figures: Figures, repeat: int) -> None:
    for name, words in (("holdfast --help", ["--help"]), ("holdfast check (classic)", ["check", str(CLASSIC)])):
        for _ in range(repeat):
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "holdfast", *words], check=True, stdout=subprocess.DEVNULL)
            figures[name].append(time.monotonic() - began)


def _run(topology: Path, folder: Path, seed: int, *more: str) -> tuple[dict, Record]:
    runs = folder / f"runs-{time.monotonic_ns()}"
    words = ["drill", str(topology), "--json", "--seed", str(seed), "--runs", str(runs), *more]
    done = subprocess.run([sys.executable, "-m", "holdfast", *words], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"the run failed with {done.returncode}:\n{done.stderr[-3000:]}")
    (record,) = runs.glob("*/record.sqlite")
    return json.loads(done.stdout), read(record)


def _drills(figures: Figures, ran: tuple[dict, Record]) -> None:
    result, record = ran
    figures["classic stack up and in full redundancy"].append(next(e.at_s for e in record.events if e.kind == "redundancy.back"))
    names = {
        "kill db postgres": "write outage: postgres killed", "switchover db": "write outage: switchover",
        "power_cut entry": "write outage: active load balancer's host lost",
    }  # fmt: skip
    for drill in result["drills"]:
        name = names.get(drill["name"])
        if drill["name"] == "power_cut db":
            name = "write outage: primary's host lost"
            name += ", etcd's leader with it" if drill["struck"] in _leaders(record, drill["struck_at_s"]) else ""
        if name and (gap := _gap(drill)) is not None:
            figures[name].append(gap)
    figures["acknowledged writes lost, all drills"].append(sum(drill["lost_writes"] or 0 for drill in result["drills"]))


def _gap(drill: dict) -> float | None:
    """The longest time without an acknowledged write: what the goals mean by an outage."""
    return next((path["longest_gap_s"] for path in drill["paths"] if path["writes"]), None)


def _leaders(record: Record, at_s: float) -> set[str]:
    """Hosts on which etcd led at that moment."""
    role: dict[str, str] = {}
    for event in record.events:
        if event.kind == "role" and event.at_s <= at_s:
            role[event.subject] = event.detail["role"]
    return {name.split("/")[0] for name, word in role.items() if word == "leader"}


def _loaded(folder: Path) -> Path:
    """The classic stack asked for a page 250 times a second while a web process dies, and while a web host is frozen."""
    text = (CLASSIC / "topology.yaml").read_text().replace("../shop/app.py", str(SHOP_APP))
    text = text.replace("from: client, every: 50ms", "from: client, every: 4ms")
    made = folder / "loaded"
    made.mkdir(exist_ok=True)
    drills = "\ndrills:\n  - {fault: kill, tier: web, for: 20s}\n  - {fault: freeze, tier: web, for: 20s}\n"
    (made / "topology.yaml").write_text(text + drills)
    return made


def _load(figures: Figures, ran: tuple[dict, Record]) -> None:
    for drill in ran[0]["drills"]:
        path = next(path for path in drill["paths"] if not path["writes"])
        if drill["fault"] == "kill":
            figures["web process killed: failed requests"].append(path["no"] + path["unknown"])
            figures["web process killed: requests"].append(path["asked"])
        else:
            figures["web host frozen: failed requests"].append(path["no"] + path["unknown"])
            figures["web host frozen: slowest answer"].append(path["slowest_s"])


def _beaten(folder: Path) -> Path:
    """The classic stack, asked for a page and for a write 100 times a second each, while a web process and PostgreSQL die."""
    text = (CLASSIC / "topology.yaml").read_text().replace("../shop/app.py", str(SHOP_APP))
    text = text.replace("from: client, every: 50ms", "from: client, every: 10ms").replace("every: 20ms", "every: 10ms")
    made = folder / "beaten"
    made.mkdir(exist_ok=True)
    drills = "\ndrills:\n  - {fault: kill, tier: web, for: 20s}\n  - {fault: kill, tier: db, target: primary, for: 20s}\n"
    (made / "topology.yaml").write_text(text + drills)
    return made


def _beat(figures: Figures, ran: tuple[dict, Record]) -> None:
    """Over the whole run, waits between drills included."""
    for probe, what in (("pages", "pages"), ("orders", "writes")):
        late = sorted(max(0.0, one.asked_s - one.due_s) for one in ran[1].asked if one.probe == probe)
        on_time = sum(each <= ON_TIME_S for each in late) / len(late)
        figures[f"asked within 5 ms of the beat, 100 {what} a second"].append(100 * on_time)
        figures[f"99 % of {what} asked within"].append(late[math.ceil(0.99 * len(late)) - 1])


def _rows(figures: Figures) -> Iterator[str]:
    for name in GOALS:
        if values := figures.get(name):
            unit = "" if name.endswith(("requests", "drills")) else " %" if name.startswith("asked") else " s"
            shown = "  ".join(f"{value:8.4g}{unit}" for value in (median(values), min(values), max(values)))
            yield f"{name:58} {shown}  n={len(values)}  goal {GOALS[name]}"


def _show(figures: Figures, when: str) -> None:
    print(f"\n{when}\n{'':58} {'median':>8}    {'min':>8}    {'max':>8}", *_rows(figures), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
