"""`kill -9` at a random moment of a suite, and nothing of the lab is left on the machine.

The census is taken right before the kill: every process below the command, and every namespace that one of them is in.
"""

import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.soak.proof import EXAMPLES, NotMade, Outcome, Proof
from tools.soak.running import finished, start

TIMES = 20
LATEST_S = 45.0
GONE_WITHIN_S = 3.0
_NAMESPACES = ("mnt", "net", "pid", "ipc", "uts")


@dataclass(frozen=True)
class Census:
    """processes: (pid, start time); namespaces: their identities."""

    processes: frozenset[tuple[int, str]]
    namespaces: frozenset[str]


def _stat(pid: int) -> tuple[str, int, str]:
    """State, parent and start time.  Raises OSError where it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1]), fields[19]


def _all() -> Iterator[tuple[int, str, int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, began = _stat(int(entry.name))
            except (OSError, ValueError, IndexError):
                continue
            yield int(entry.name), state, parent, began


def _namespaces(pid: int) -> set[str]:
    found = set()
    for kind in _NAMESPACES:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        except OSError:
            pass
    return found


def census(pid: int) -> Census:
    """Of everything below this process, itself among it."""
    every = list(_all())
    below = {pid}
    while more := {each for each, _, parent, _ in every if parent in below} - below:
        below |= more
    namespaces = {name for each in below for name in _namespaces(each)} - _namespaces(os.getpid())
    return Census(frozenset((each, began) for each, _, _, began in every if each in below), frozenset(namespaces))


@dataclass(frozen=True)
class Machine:
    """What a lab could leave behind besides processes."""

    mounts: frozenset[str]
    links: frozenset[str]
    segments: frozenset[str]
    shared: frozenset[str]
    cgroups: frozenset[str]


def machine(folder: Path) -> Machine:
    mounts = (line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line)
    links = (line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:])
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return Machine(
        mounts=frozenset(mounts), links=frozenset(links),
        segments=frozenset(row[1] for row in rows if not Path(f"/proc/{row[4]}").exists()),  # its creator is dead
        # libfaketime, where the whole machine runs under it, leaves these of every process that is killed
        shared=frozenset(path.name for path in Path("/dev/shm").iterdir() if "faketime_s" not in path.name),
        cgroups=frozenset(_empty_cgroups()),
    )  # fmt: skip


def _empty_cgroups() -> Iterator[str]:
    """A group with somebody in it belongs to whoever that is; processes of ours are counted as processes."""
    for path in Path("/sys/fs/cgroup").rglob("cgroup.procs"):
        try:
            if not path.read_text().strip():
                yield str(path.parent.relative_to("/sys/fs/cgroup"))
        except OSError:
            continue


def left(folder: Path, before: Machine, seen: Census) -> dict[str, list[str]]:
    """Kind to what is there and was not before, or belongs to those who were counted."""
    alive = [(pid, began) for pid, state, _, began in _all() if state not in "ZX"]
    processes = [str(pid) for pid, began in alive if (pid, began) in seen.processes or _namespaces(pid) & seen.namespaces]
    after = machine(folder)
    found = {name: sorted(getattr(after, name) - getattr(before, name)) for name in Machine.__dataclass_fields__}
    return {name: what for name, what in {"processes": processes, **found}.items() if what}


def kill_at(moment_s: float, folder: Path, *words: object) -> Outcome:
    """Start the command with these words, kill it at that moment, and look for up to GONE_WITHIN_S.

    Raises NotMade where it had ended before.
    """
    before = machine(folder)
    running = start(folder, *words)
    time.sleep(moment_s)
    if running.poll() is not None:
        raise NotMade(f"it was over before {moment_s:.1f} s: {finished(running, 5)[2][-400:]}")
    seen = census(running.pid)
    running.kill()
    killed_s = time.monotonic()
    running.communicate(timeout=30)
    while (there := left(folder, before, seen)) and time.monotonic() - killed_s < GONE_WITHIN_S:
        time.sleep(0.02)
    took_s = time.monotonic() - killed_s
    figures = {"killed after s": round(moment_s, 1), "processes then": len(seen.processes),
               "namespaces then": len(seen.namespaces), "all gone after s": round(took_s, 2),
               "left": sum(map(len, there.values()))}
    said = "; ".join(f"{name}: {', '.join(what[:5])}" for name, what in there.items())
    return Outcome(passed=not there, figures=figures, said=said)


def _moment_s(trial: str) -> float:
    return random.Random(trial).uniform(0.3, LATEST_S)


def _attempt(trial: str, folder: Path) -> Outcome:
    words = ("drill", EXAMPLES / "shop", "--suite", "pr", "--seed", 1, "--runs", folder / "runs")
    return kill_at(_moment_s(trial), folder, *words)


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    most = max(row["processes then"] for row in rows)
    slowest = max(row["all gone after s"] for row in rows)
    return (f"Up to {most} processes ran at the moment of the kill; the last of them was gone after {slowest:.2f} s at most. "
            f"Left behind in all trials together: {sum(row['left'] for row in rows)}.")


RESIDUE = Proof(
    name="residue", title="Nothing is left after kill -9",
    claim=f"`holdfast drill examples/shop --suite pr` was killed with SIGKILL at {TIMES} random moments of its first "
          f"{LATEST_S:g} s. Within {GONE_WITHIN_S:g} s there must be no process of it, no process in one of its namespaces, and "
          "no mount, link, System V segment, file in /dev/shm or empty cgroup that was not there before.",
    trials=lambda: [f"kill {number}" for number in range(1, TIMES + 1)], attempt=_attempt, summary=_summary,
)  # fmt: skip
