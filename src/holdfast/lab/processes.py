"""What /proc tells of processes: state, parent, and who descends from whom.  Standard library only."""

import os
from collections.abc import Iterable


def stat_of(pid: int) -> tuple[str, int, str] | None:
    """State letter, parent and start time of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return None
    rest = text[text.rindex(")") + 2 :].split()
    return rest[0], int(rest[1]), rest[19]


def everyone_below(root: int) -> list[int]:
    """Every process that descends from `root`, by the parents in /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := stat_of(int(name))):
            children.setdefault(stat[1], []).append(int(name))
    found, queue = [], [root]
    while queue:
        for pid in children.get(queue.pop(), ()):
            found.append(pid)
            queue.append(pid)
    return found


def number_within(pid: int) -> int:
    """The number that a process has in the innermost namespace of processes (its host's); 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as lines:
            return next((int(line.split()[-1]) for line in lines if line.startswith("NSpid:")), pid)
    except OSError:
        return 0


def signal_all(pids: Iterable[int], number: int) -> None:
    """Those that are gone already need none."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
