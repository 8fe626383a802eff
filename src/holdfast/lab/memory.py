"""Limits of memory, by control groups of the kernel: programs get so much and no more, or its OOM killer strikes.

A group is a folder of the machine, which no namespace takes along.  So every lab has one name for its groups, and whoever waits
outside for the lab's end removes them then (`remove`), also after kill -9; what is left where that one was killed as well
goes when the next lab begins (`sweep`).  Both versions of control groups: Documentation/admin-guide/cgroup-v1/memory.rst and
cgroup-v2.rst of the kernel.  What a process has already stays charged where it was: a limit counts what it gets from then on.
"""

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from holdfast.lab.agent import Agent
from holdfast.lab.processes import everyone_below, number_within, stat_of

NAME = "HOLDFAST_MEMORY"
"""The environment variable that hands the name of a lab's groups to the inside."""
_PREFIX = "holdfast-"
_CGROUPS = Path("/sys/fs/cgroup")
_REMOVAL_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """How one version of control groups calls what we need."""

    limit: str
    no_limit: str
    swap: tuple[str, str]
    kills: str


_FIRST = Files(limit="memory.limit_in_bytes", no_limit="-1", swap=("memory.swappiness", "0"), kills="memory.oom_control")
_SECOND = Files(limit="memory.max", no_limit="max", swap=("memory.swap.max", "0"), kills="memory.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where groups can be made.  `home`: the group that we are in, to which processes return."""

    parent: Path
    home: Path
    files: Files


def ground(root: Path = _CGROUPS, own: str | None = None) -> Ground | str:
    """Where limits can be set here, or why they cannot, for a person.  `own`: the text of /proc/self/cgroup."""
    if own is None:
        try:
            own = Path("/proc/self/cgroup").read_text()
        except OSError:
            return "this system has no control groups"
    rows = [line.split(":", 2) for line in own.splitlines()]
    for _, controllers, path in rows:
        if "memory" in controllers.split(","):
            home = root / "memory" / path.lstrip("/")
            return _if_ours(Ground(parent=home, home=home, files=_FIRST))
    unified = next((path for _, controllers, path in rows if not controllers), None)
    if unified is None:
        return "the kernel has no memory controller"
    home = root / unified.lstrip("/")
    for parent in (home, *home.parents):  # a group that holds processes hands no controllers on, but one above may
        if parent == root.parent:
            break
        if "memory" in _read(parent / "cgroup.subtree_control").split():
            return _if_ours(Ground(parent=parent, home=home, files=_SECOND))
    return "no control group that we are in hands its memory controller on"


def _if_ours(found: Ground) -> Ground | str:
    ours = os.access(found.parent, os.W_OK) and os.access(found.home / "cgroup.procs", os.W_OK)
    return found if ours else f"{found.parent}, where memory limits are set, is not ours to write (not root, or a container?)"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def name_for(pid: int) -> str:
    """Of the groups of the lab that this process waits for; its start time tells it from a later one of the same number."""
    stat = stat_of(pid)
    return f"{_PREFIX}{pid}-{stat[2] if stat else 0}"


class Limits:
    """One lab's groups, one for each limited process."""

    def __init__(self, ground: Ground, name: str):
        self._ground, self._name = ground, name

    def _group(self, process: str) -> Path:
        return self._ground.parent / f"{self._name}.{process.replace('/', '.')}"

    def hold(self, process: str, pids: Iterable[int], limit_bytes: int) -> None:
        """These processes of it come under the limit, also where others already are.  Raises OSError."""
        group, files = self._group(process), self._ground.files
        if not group.is_dir():
            group.mkdir()
            with suppress(OSError):  # without swap there is no such file
                (group / files.swap[0]).write_text(files.swap[1])
            (group / files.limit).write_text(str(limit_bytes))
        for pid in pids:
            with suppress(ProcessLookupError):  # ended meanwhile
                (group / "cgroup.procs").write_text(str(pid))

    async def hold_tree(self, process: str, agent: Agent, limit_bytes: int) -> None:
        """All that belongs to the process now."""
        within = set(await agent.ask("tree", process=process))

        def hold() -> None:
            held = _read(self._group(process) / "cgroup.procs").split()
            pids = [pid for pid in everyone_below(agent.pid) if str(pid) not in held and number_within(pid) in within]
            self.hold(process, pids, limit_bytes)

        await asyncio.to_thread(hold)  # the kernel takes its time to move a process

    def kills(self, process: str) -> int:
        """How often the kernel's OOM killer struck since the limit began; 0 without one."""
        for line in _read(self._group(process) / self._ground.files.kills).splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def lift(self, process: str) -> None:
        """Raises OSError where the group stays."""
        group = self._group(process)
        if not group.is_dir():
            return
        (group / self._ground.files.limit).write_text(self._ground.files.no_limit)
        for pid in _read(group / "cgroup.procs").split():
            with suppress(ProcessLookupError):
                (self._ground.home / "cgroup.procs").write_text(pid)
        _remove(group)


def _remove(group: Path) -> None:
    """A process that is just ending still holds its group for some milliseconds."""
    until_s = time.monotonic() + _REMOVAL_S
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until_s:
                raise
        time.sleep(0.01)


def remove(name: str, found: Ground | str) -> None:
    """All groups of this name, once nothing runs in them any more."""
    if isinstance(found, Ground):
        for group in found.parent.glob(f"{name}.*"):
            with suppress(OSError):
                _remove(group)


def sweep(found: Ground | str) -> None:
    """What labs left of which nobody was left to clean up."""
    if isinstance(found, Ground):
        for group in found.parent.glob(f"{_PREFIX}*.*"):
            owner = group.name.removeprefix(_PREFIX).split(".")[0]
            pid = owner.split("-")[0]
            if pid.isdigit() and name_for(int(pid)) != f"{_PREFIX}{owner}":
                with suppress(OSError):
                    group.rmdir()
