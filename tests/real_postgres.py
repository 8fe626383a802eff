"""A fresh PostgreSQL for tests, gone with whoever runs them, be it by a kill."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if sys.platform == "linux":
    from holdfast.lab.linux import die_with_parent
else:
    die_with_parent = None


def programs() -> Path | None:
    """The folder of the newest version, where Debian has it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def fresh_postgres(folder_of_programs: Path, port: int) -> Iterator[str]:
    """libpq's words for it.  Its folder, which is nobody else's, is the only way in."""
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be root
    with tempfile.TemporaryDirectory() as folder:
        if user:
            shutil.chown(folder, user)
        as_user: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user, "cwd": folder}
        initdb = [folder_of_programs / "initdb", "-D", "data", "-U", "shop", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, **as_user, check=True)
        server = subprocess.Popen(
            [folder_of_programs / "postgres", "-D", "data", "-p", str(port), "-c", "listen_addresses=", "-c",
             f"unix_socket_directories={folder}", "-c", "fsync=off"],
            **as_user, preexec_fn=die_with_parent,
        )  # fmt: skip
        try:
            _wait_until_ready(server, [folder_of_programs / "pg_isready", "-q", "-h", folder, "-p", str(port)])
            yield f"host={folder} port={port} user=shop dbname=postgres"
        finally:
            server.send_signal(signal.SIGQUIT)  # an immediate shutdown
            server.wait(20)


def _wait_until_ready(server: "subprocess.Popen[bytes]", ready: list[Any]) -> None:
    until_s = time.monotonic() + 30
    while subprocess.run(ready, check=False).returncode:
        assert server.poll() is None, f"PostgreSQL ended with {server.returncode}"
        assert time.monotonic() < until_s, "PostgreSQL did not answer within 30 s"
        time.sleep(0.05)
