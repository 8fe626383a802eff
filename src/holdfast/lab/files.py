"""What a blueprint's processes look like to a supervisor, and their files with the secrets put in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from holdfast.blueprint import SECRET, Process

_REFERENCE = re.compile(re.escape(SECRET) + r"([A-Za-z0-9_-]+)")


def with_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Every `secret://NAME` becomes its value.  A name without a value is a mistake of ours: KeyError."""
    return _REFERENCE.sub(lambda found: secrets[found[1]], text)


def secrets_in(processes: Iterable[Process]) -> tuple[str, ...]:
    """The names of all secrets that files or environments refer to."""
    texts = [file.text for process in processes for file in process.files.values()]
    texts += [value for process in processes for value in process.env.values()]
    return tuple(sorted({name for text in texts for name in _REFERENCE.findall(text)}))


def as_message(process: Process) -> dict[str, Any]:
    """For the supervisor: what it needs to run the process; files travel apart."""
    return {
        "name": process.name, "argv": list(process.argv), "env": dict(process.env), "cwd": process.cwd, "user": process.user,
        "environment_file": process.environment_file, "restart": asdict(process.restart),
        "needs": [asdict(need) for need in process.needs], "inner": dict(process.inner), "stop_signal": process.stop_signal,
    }  # fmt: skip


def claimed_directories(processes: Iterable[Process]) -> list[str]:
    """Directories that these programs own on their host: they begin empty there, whatever the machine has in them."""
    processes = list(processes)
    claimed = {path for process in processes for path in process.directories}
    claimed |= {str(PurePosixPath(path).parent) for process in processes for path in process.files}
    return sorted(claimed)
