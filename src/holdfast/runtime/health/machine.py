"""Ready-made checks of the machine: disk space and memory, from what Linux tells.

Rules: they run in a thread, because a file system on a network may hang; a number that cannot be had is a failure, never a pass.
"""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.runtime import checks
from holdfast.runtime.health.in_process import limits, measured
from holdfast.runtime.health.results import FAIL, Result, worst

__all__ = ["DiskSpace", "Memory"]


class DiskSpace:
    """How full a file system is, for those who are not root, in blocks and in inodes (many small files use up the latter).

    warn_percent, fail_percent   of the space in use, 0 to 100
    least_free_bytes             fails below it, whatever the percentage
    """

    def __init__(
        self, path: str | os.PathLike[str], *, warn_percent: float | None = 85.0, fail_percent: float | None = 95.0,
        least_free_bytes: int = 0,
    ):
        self._path = os.fspath(path)
        self._warn, self._fail = limits(warn_percent, fail_percent, ("warn_percent", "fail_percent"), high=100.0)
        self._least_free = checks.whole("least_free_bytes", least_free_bytes, low=0, high=1 << 60)

    def __call__(self) -> Result:
        seen = os.statvfs(self._path)
        total = seen.f_blocks - seen.f_bfree + seen.f_bavail  # as df: without what is kept for root
        free = seen.f_bavail * seen.f_frsize
        blocks = self._of(total - seen.f_bavail, total, f"{self._path} is used, which")
        inodes = self._of(seen.f_files - seen.f_favail, seen.f_files, f"the inodes of {self._path} are used, which")
        if free < self._least_free:
            return Result(FAIL, f"{free} bytes are free on {self._path}, fewer than {self._least_free}", blocks.value, "%")
        worse = inodes if worst((blocks.status, inodes.status)) is not blocks.status else blocks
        return Result(worse.status, worse.message, worse.value, "%")

    def _of(self, used: int, total: int, what: str) -> Result:
        return measured(round(100.0 * used / total, 2) if total > 0 else 0.0, self._warn, self._fail, "%", f"how much of {what}")


class Memory:
    """How much of the memory is in use that this program may have: of its control group where that has a limit, else of the
    machine (1 - MemAvailable / MemTotal of /proc/meminfo).

    Pages of the group's file cache that the kernel can take back at once (inactive_file) do not count, as kubelet counts.
    """

    def __init__(self, *, warn_percent: float | None = 85.0, fail_percent: float | None = 95.0, root: str = "/"):
        self._warn, self._fail = limits(warn_percent, fail_percent, ("warn_percent", "fail_percent"), high=100.0)
        self._root = Path(root)
        """Where /proc and /sys are."""

    def __call__(self) -> Result:
        machine = _fields(self._root / "proc/meminfo")
        total = machine["MemTotal"] * 1024
        used, limit, whose = (machine["MemTotal"] - machine["MemAvailable"]) * 1024, total, "of the machine"
        group = self._group()
        if group is not None and group[1] < total:
            (used, limit), whose = group, "of the control group"
        return measured(round(100.0 * used / limit, 2), self._warn, self._fail, "%", f"memory {whose} in use")

    def _group(self) -> tuple[int, int] | None:
        """Bytes in use and the limit, of version 2 or 1; None without a limit."""
        for place, limit, used, cache in (
            ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            folder = self._root / place
            try:
                at_most = (folder / limit).read_text().strip()
                if at_most != "max" and int(at_most) > 0:
                    taken = int((folder / used).read_text())
                    return max(0, taken - _fields(folder / "memory.stat").get(cache, 0)), int(at_most)
            except OSError:
                continue
        return None


def _fields(path: Path) -> dict[str, int]:
    lines = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) >= 2 and words[1].isdigit()}
