"""The same drills over nginx, HAProxy and Envoy, side by side: `python -m tools.balancers --repeat 3`.

Runs examples/balancers for each engine in turn and prints what clients saw: failed of all questions, the worst gap between two
good answers, and the slowest one, over all repeats.  `--abilities` runs nothing and prints what each engine can do.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from holdfast.engines.abilities import ABILITIES, NAMES, POLICIES
from holdfast.lab import doctor

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "balancers"
ENGINE = "engine: nginx "
RELOAD = "  - {fault: reload, tier: entry, target: all, for: 4s}\n"

Seen = Mapping[str, Mapping[str, list[dict]]]
"""Drill to engine to what each repeat found."""


def abilities() -> str:
    rows = ["| asked for | key | " + " | ".join(NAMES.values()) + " |", "|---|---|" + "---|" * len(NAMES)]
    every = [(ability.what, ".".join(ability.key), ability.how) for ability in ABILITIES]
    every += [(what, f"uses.TIER.{key}", how) for key, (what, how) in POLICIES.items()]
    for what, key, how in every:
        cells = [f"`{how[engine]}`" if engine in how else "no" for engine in NAMES]
        rows.append(f"| {what} | `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def topology(engine: str) -> str:
    text = (EXAMPLE / "topology.yaml").read_text()
    assert ENGINE in text
    assert RELOAD in text
    text = text.replace(ENGINE, f"engine: {engine} ").replace("python3 page.py", f"python3 {EXAMPLE / 'page.py'}")
    return text if engine != "envoy" else text.replace(RELOAD, "")  # it reads its file once


def run(engine: str, folder: Path, seed: int) -> list[dict]:
    (folder / "topology.yaml").write_text(topology(engine))
    words = ["drill", str(folder), "--json", "--seed", str(seed), "--runs", str(folder / "runs")]
    done = subprocess.run([sys.executable, "-m", "holdfast", *words], capture_output=True, text=True)
    found = json.loads(done.stdout) if done.stdout else {}
    if "drills" not in found:
        sys.exit(f"{engine}: the run failed with {done.returncode}:\n{done.stderr[-3000:]}{done.stdout[-3000:]}")
    return found["drills"]


def measured(seen: Seen, engines: list[str]) -> Iterator[str]:
    yield "| drill | " + " | ".join(NAMES[engine] for engine in engines) + " |"
    yield "|---|" + "---|" * len(engines)
    for drill, by_engine in seen.items():
        yield f"| {drill} | " + " | ".join(cell(by_engine.get(engine, [])) for engine in engines) + " |"


def cell(drills: list[dict]) -> str:
    """Failed of all questions, the longest time without an answer, and the slowest one; the worst of the repeats."""
    if not drills:
        return "not measured"
    if bad := [drill for drill in drills if drill["outcome"] != "done"]:
        return f"{len(bad)} of {len(drills)} {bad[0]['outcome']}"
    paths = [drill["paths"][0] for drill in drills]
    failed, asked = sum(path["no"] + path["unknown"] for path in paths), sum(path["asked"] for path in paths)
    gap, slowest = (max(path[key] or 0.0 for path in paths) for key in ("longest_gap_s", "slowest_s"))
    return f"{failed} of {asked}; gap {gap * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(prog="balancers")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each engine (default %(default)s)")
    parser.add_argument("--engine", choices=tuple(NAMES), action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--abilities", action="store_true")
    arguments = parser.parse_args()
    if arguments.abilities:
        print(abilities(), end="")
        return 0
    engines = arguments.engine or list(NAMES)
    programs, _ = doctor.find_programs(engines, {})
    versions = ", ".join(f"{program.name} {program.version}" for program in programs.values())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {versions}")
    seen: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for number in range(arguments.repeat):
        for engine in engines:
            with tempfile.TemporaryDirectory(prefix="holdfast-balancers-") as folder:
                for drill in run(engine, Path(folder), arguments.seed + number):
                    seen[drill["name"]][engine].append(drill)
        print(f"\nafter {number + 1} of {arguments.repeat}\n", *measured(seen, engines), sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
