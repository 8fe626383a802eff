"""A rolling restart of the shop behind a real HAProxy that never retries: nobody notices, and without the grace somebody does."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_the_shop import SHOP, free_port, missing

pytestmark = pytest.mark.real

# The interval and the count of the examples' balancers, but no retry and no second server for a request: every mistake shows.
CONFIG = """
global
  stats socket {folder}/stats level operator
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
  retries 0
frontend entry
  bind 127.0.0.1:{port}
  default_backend web
backend web
  option httpchk GET /ready/pages
  timeout check 1s
  default-server check inter 250ms fall 2 rise 1
{servers}
"""


def until(holds: Callable[[], bool], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.02)


@dataclass
class Service:
    """HAProxy and the shops behind it; the database is away, which pages do not need."""

    folder: Path
    grace_s: str
    port: int = field(default_factory=free_port)
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    shops: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    balancer: subprocess.Popen[bytes] | None = None

    def start(self, port: int) -> None:
        nowhere = {"PGHOST": "127.0.0.1", "PGPORT": "1", "PGCONNECT_TIMEOUT": "2"}
        own = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port), "GRACE_S": self.grace_s}
        self.shops[port] = subprocess.Popen([sys.executable, SHOP], env={**own, **nowhere}, cwd="/", stderr=subprocess.DEVNULL)

    def balance(self, program: str) -> None:
        servers = "\n".join(f"  server web{port} 127.0.0.1:{port}" for port in self.ports)
        file = self.folder / "haproxy.cfg"
        file.write_text(CONFIG.format(folder=self.folder, port=self.port, servers=servers))
        self.balancer = subprocess.Popen([program, "-f", file, "-db"], stderr=subprocess.DEVNULL)

    def serving(self) -> set[str]:
        """Ports that the balancer sends requests to."""
        try:
            with socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(5)
                wire.connect(str(self.folder / "stats"))
                wire.sendall(b"show stat\n")
                said = b""
                while piece := wire.recv(65_536):
                    said += piece
        except OSError:
            return set()
        rows = [line.split(",") for line in said.decode().splitlines()]
        return {row[1].removeprefix("web") for row in rows if len(row) > 17 and row[1].startswith("web") and row[17] == "UP"}

    def restart(self, port: int) -> None:
        self.shops[port].terminate()
        self.shops[port].wait(20)
        self.start(port)
        until(lambda: str(port) in self.serving())

    def end(self) -> None:
        for process in (self.balancer, *self.shops.values()):
            if process is not None:
                process.kill()
                process.wait()


@contextmanager
def service(folder: Path, grace_s: str) -> Iterator[Service]:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        missing("haproxy is not installed")
    for module in ("uvicorn", "psycopg", "psycopg_pool"):
        if find_spec(module) is None:
            missing(f"the Python package {module} is not installed (pip install -e '.[shop]')")
    made = Service(folder, grace_s)
    try:
        for port in made.ports:
            made.start(port)
        made.balance(str(program))
        until(lambda: len(made.serving()) == 3)
        yield made
    finally:
        made.end()


@contextmanager
def visitors(port: int) -> Iterator[list[str]]:
    """Four who ask for the page over and over, each time on a new connection; what they got, as it comes."""
    seen: list[str] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", "/")
                reply = connection.getresponse()
                reply.read()
                seen.append(str(reply.status))
            except (OSError, http.client.HTTPException) as error:
                seen.append(type(error).__name__)
            finally:
                connection.close()
            time.sleep(0.005)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_a_rolling_restart_costs_no_request_though_the_balancer_never_retries(tmp_path: Path) -> None:
    with service(tmp_path, "1.5") as shops:
        with visitors(shops.port) as seen:
            for port in shops.ports:
                shops.restart(port)
        assert set(seen) == {"200"}
        assert len(seen) > 100


def test_without_the_grace_the_same_restart_costs_requests(tmp_path: Path) -> None:
    with service(tmp_path, "0") as shops:
        with visitors(shops.port) as seen:
            shops.restart(shops.ports[0])
        assert set(seen) > {"200"}, "else the other test could not fail"
