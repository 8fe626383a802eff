"""The same drills over nginx, HAProxy and Envoy, side by side: `python -m tools.balancers --repeat 3`.

Runs the topologies of examples/balancers for each engine in turn and prints what clients saw; over several repeats the worst of
each number.  `--write` puts the table into docs/balancers.md, `--abilities` runs nothing and prints what each engine can do.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.engines.abilities import ABILITIES, NAMES, POLICIES
from holdfast.lab import doctor
from holdfast.record.event import Asked
from holdfast.record.store import read

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "balancers"
DOCUMENT = ROOT / "docs" / "balancers.md"
ENGINE = "engine: nginx "
QUEUES = {
    "haproxy": (
        ("{timeout: 2s}", "{timeout: 2s, max_pending: 6}"),
        ("server_connections: 4 ", "queue_timeout: 100ms\n      server_connections: 4 "),
    ),
    "envoy": (("{timeout: 2s}", "{timeout: 2s, max_pending: 12}"),),
}
"""How long a queue is, for those that have one: HAProxy's for each server, Envoy's for all of them."""
SETTLED_S = 2.0
"""From here on a server that fails should be known to."""


def abilities() -> str:
    rows = ["| asked for | key | " + " | ".join(NAMES.values()) + " |", "|---|---|" + "---|" * len(NAMES)]
    every = [(ability.what, ".".join(ability.key), ability.how) for ability in ABILITIES]
    every += [(what, f"uses.TIER.{key}", how) for key, (what, how) in POLICIES.items()]
    for what, key, how in every:
        cells = [f"`{how[engine]}`" if engine in how else "no" for engine in NAMES]
        rows.append(f"| {what} | `{key}` | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def topology(engine: str, name: str = "topology") -> str:
    """An example, for this engine; `cookie` is the one of sessions, by cookie."""
    text = (EXAMPLE / f"{'session' if name == 'cookie' else name}.yaml").read_text()
    for old, new in (
        (ENGINE, f"engine: {engine} "), ("python3 page.py", f"python3 {EXAMPLE / 'page.py'}"),
        *(QUEUES.get(engine, ()) if name == "crowd" else ()), *((("by: source", "by: cookie"),) if name == "cookie" else ()),
    ):
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


# ---- what each row says


Drills = list[dict]
"""One drill of one engine, of each repeat."""


def answers(drills: Drills, probes: tuple[str, ...] = ()) -> str:
    """Failed of all questions, the longest time without an answer, and the slowest one; the worst of the repeats."""
    paths = [path for drill in drills for path in drill["paths"] if not probes or path["probe"] in probes]
    failed, asked = sum(path["no"] + path["unknown"] for path in paths), sum(path["asked"] for path in paths)
    gap, slowest = (max(path[key] or 0.0 for path in paths) for key in ("longest_gap_s", "slowest_s"))
    return f"{failed} of {asked}; gap {gap * 1000:.0f} ms, slowest {slowest * 1000:.0f} ms"


def wrong(drills: Drills) -> str:
    """And what it was from two seconds after the strike on, until it was mended."""
    later = [each for drill in drills for each in drill["asked"]
             if drill["struck_at_s"] + SETTLED_S <= each.due_s < drill["mended_at_s"]]
    failed = sum(each.answer != "yes" for each in later)
    return f"{answers(drills)}; {failed} of {len(later)} after {SETTLED_S:g} s"


def slow(drills: Drills) -> str:
    """The page that needs nothing, and the one that needs what is slow: how many were refused, and how soon the last of them."""
    asked = [each for drill in drills for each in drill["asked"]
             if each.probe == "stock" and drill["struck_at_s"] <= each.due_s < drill["mended_at_s"]]
    refused = [each for each in asked if each.detail == "status 503"]
    slowest_s = max(each.answered_s - each.due_s for each in asked)
    other = answers(drills, ("pages",))
    return f"others: {other}; its page: {len(refused)} of {len(asked)} told 503, slowest {slowest_s * 1000:.0f} ms"


def crowd(drills: Drills) -> str:
    loads = [drill["load"] for drill in drills]
    share = min(load["goodput"] / load["capacity"] for load in loads)
    missed, looks = (sum(load[key] for load in loads) for key in ("health_missed", "looks"))
    refused, late = (sum(load[key] for load in loads) for key in ("refused", "late"))
    return (f"{share:.0%} of {loads[0]['capacity']:.0f}/s; {refused} told to go, {late} late; "
            f"{missed} of {looks} health checks failed, {sum(load['not_sent_to'] for load in loads)} taken out")


def session(drills: Drills) -> str:
    lost = sum(each.detail.startswith("the session was with") for drill in drills for each in drill["asked"])
    return f"{lost} sessions lost; {answers(drills)}"


def addresses(drills: Drills) -> str:
    return "; ".join(f"{probe}: {answers(drills, (probe,))}" for probe in ("first", "second"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`of`: the example and the drill's name.  `goal`: what the objectives of the example ask for, in words."""

    of: tuple[str, str]
    what: str
    goal: str
    says: Callable[[Drills], str] = answers


ROWS = (
    Row(of=("topology", "kill web"), what="one of three web processes killed", goal="0 errors, 500 ms"),
    Row(of=("topology", "freeze web"), what="its host frozen", goal="0 errors, 500 ms"),
    Row(of=("topology", "isolate web"), what="its host cut off", goal="0 errors, 500 ms"),
    Row(of=("topology", "alive_but_wrong web"), what="alive but wrong: 500 from one, health says yes",
        goal="ejected; under 1 % after 2 s", says=wrong),
    Row(of=("topology", "reload entry"), what="reload of both balancers", goal="0 errors"),
    Row(of=("topology", "rolling_restart web"), what="rolling restart of the web tier", goal="0 errors"),
    Row(of=("topology", "scale_out web"), what="from 3 web hosts to 5, and back", goal="0 errors"),
    Row(of=("topology", "kill entry"), what="the active balancer killed", goal="300 ms"),
    Row(of=("topology", "power_cut entry"), what="its host power-cut", goal="500 ms"),
    Row(of=("crowd", "slow_answers stock"), what="a slow dependency",
        goal="others 0 errors, 500 ms; 503 within 500 ms", says=slow),
    Row(of=("crowd", "overload web"), what="twice the declared capacity offered", goal="90 %; health checks pass", says=crowd),
    Row(of=("session", "kill entry"), what="sessions by address, the active balancer killed", goal="same server; 300 ms",
        says=session),
    Row(of=("session", "power_cut entry"), what="the same, its host power-cut", goal="same server; 500 ms", says=session),
    Row(of=("cookie", "kill entry"), what="sessions by cookie, the active balancer killed", goal="same server; 300 ms",
        says=session),
    Row(of=("two-addresses", "power_cut entry"), what="two virtual IPs, the host of the first power-cut", goal="500 ms",
        says=addresses),
    Row(of=("two-addresses", "power_cut entry 2"), what="the same, the host of the second", goal="500 ms", says=addresses),
)
EXAMPLES = tuple(dict.fromkeys(row.of[0] for row in ROWS))
Seen = Mapping[tuple[str, str], Mapping[str, Drills]]
"""Example and drill to engine to what each repeat found; an example that an engine refuses is there with its reason."""


def run(engine: str, name: str, seed: int, under: str) -> Drills:
    """What the report says of each drill, and under `asked` what the record has."""
    with tempfile.TemporaryDirectory(prefix="holdfast-balancers-") as folder:
        Path(folder, "topology.yaml").write_text(topology(engine, name))
        words = ["drill", folder, "--json", "--seed", str(seed), "--runs", f"{folder}/runs"]
        command = [*shlex.split(under), sys.executable, "-m", "holdfast", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        found = json.loads(done.stdout) if done.stdout else {}
        if "drills" not in found:
            if done.returncode == 2:  # the engine at hand cannot do it, and says so
                return [{"name": row.of[1], "outcome": "refused"} for row in ROWS if row.of[0] == name]
            sys.exit(f"{engine}, {name}: failed with {done.returncode}:\n{done.stderr[-3000:]}{done.stdout[-3000:]}")
        (path,) = Path(folder, "runs").glob("*/record.sqlite")
        asked: dict[str, list[Asked]] = defaultdict(list)
        for each in read(path).asked:
            asked[each.drill].append(each)
        return [{**drill, "asked": asked[drill["name"]]} for drill in found["drills"]]


def measured(seen: Seen, engines: list[str]) -> Iterator[str]:
    yield "| drill | goal | " + " | ".join(NAMES[engine] for engine in engines) + " |"
    yield "|---|---|" + "---|" * len(engines)
    for row in ROWS:
        if by_engine := seen.get(row.of):
            yield f"| {row.what} | {row.goal} | " + " | ".join(cell(row, by_engine.get(engine, [])) for engine in engines) + " |"


def cell(row: Row, drills: Drills) -> str:
    if not drills:
        return "not measured"
    if all(drill["outcome"] == "refused" for drill in drills):
        return "this version cannot"
    if bad := [drill for drill in drills if drill["outcome"] != "done"]:
        return f"{len(bad)} of {len(drills)} {bad[0]['outcome']}: {bad[0]['reason']}"
    missed = sum(drill["verdict"] != "met" for drill in drills)
    return row.says(drills) + (f" (**missed**{f' in {missed} of {len(drills)}' if len(drills) > 1 else ''})" if missed else "")


def written(document: str, lines: list[str]) -> str:
    """The document with these lines between the mark and the notes below the table."""
    before, mark, rest = document.partition("<!-- measured -->\n")
    _, notes, after = rest.partition("<!-- notes -->\n")
    assert mark, "docs/balancers.md has lost its marks"
    assert notes, "docs/balancers.md has lost its marks"
    return before + mark + "\n".join(lines) + "\n\n" + notes + after


def main() -> int:
    parser = argparse.ArgumentParser(prog="balancers")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each engine (default %(default)s)")
    parser.add_argument("--engine", choices=tuple(NAMES), action="append")
    parser.add_argument("--example", choices=EXAMPLES, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--under", default="", help="words before each command, as in 'flock /tmp/lock'")
    parser.add_argument("--write", action="store_true", help="put the table into docs/balancers.md")
    parser.add_argument("--abilities", action="store_true")
    arguments = parser.parse_args()
    if arguments.abilities:
        print(abilities(), end="")
        return 0
    engines = arguments.engine or list(NAMES)
    programs, _ = doctor.find_programs([*engines, "keepalived"], {})
    versions = ", ".join(f"{program.name} {program.version}" for program in programs.values())
    loads = [os.getloadavg()[0]]
    seen: dict[tuple[str, str], dict[str, Drills]] = defaultdict(lambda: defaultdict(list))
    for number in range(arguments.repeat):
        for name in arguments.example or EXAMPLES:
            for engine in engines:
                for drill in run(engine, name, arguments.seed + number, arguments.under):
                    seen[name, drill["name"]][engine].append(drill)
                loads.append(os.getloadavg()[0])
                print(f"run {number + 1}, {name}, {engine}: load {loads[-1]:.1f}", file=sys.stderr, flush=True)
    times = "One run" if arguments.repeat == 1 else f"{arguments.repeat} runs"
    machine = f"{os.cpu_count()} cores, load {min(loads):.1f} to {max(loads):.1f}"
    how = f"{times} of each, seed {arguments.seed}, on {machine}; {versions}."
    lines = [how, "", *measured(seen, engines)]
    print(*lines, sep="\n")
    if arguments.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
