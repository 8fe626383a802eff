"""What a blueprint's processes look like to a supervisor."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from holdfast.blueprint import Process


def as_message(process: Process) -> dict[str, Any]:
    """For the supervisor: what it needs to run the process; files travel apart."""
    return {
        "name": process.name, "argv": list(process.argv), "env": {**process.env, **process.lab_env},
        "cwd": process.cwd, "user": process.user,
        "environment_file": process.environment_file, "restart": asdict(process.restart),
        "needs": [asdict(need) for need in process.needs], "inner": dict(process.inner), "stop_signal": process.stop_signal,
        "ends_group": process.ends_group,
    }  # fmt: skip


def claimed_directories(processes: Iterable[Process]) -> list[str]:
    """Directories that these programs own on their host: they begin empty there, whatever the machine has in them."""
    processes = list(processes)
    claimed = {path for process in processes for path in process.directories}
    claimed |= {str(PurePosixPath(path).parent) for process in processes for path in process.files}
    return sorted(claimed)
