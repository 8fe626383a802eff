"""Reads go to replicas, and to the primary while there is none: real balancers, and databases that only tell their role."""

import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from helpers import classic, shop
from test_real_checkers import placed, site, verdict

from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Topology

pytestmark = pytest.mark.real


def reading(engine: str, routes: dict[str, str]) -> Topology:
    whole = shop() if engine == "envoy" else classic()
    return replace(whole, tiers={**whole.tiers, "entry": whole.tiers["entry"].model_copy(update={"routes": routes})})


class Database:
    """Says its name to whoever connects, and its role as Patroni's REST API does: 200 at `/primary` or at `/replica`."""

    def __init__(self, name: str, address: str, role: str):
        self.name, self.role = name, role
        member = self

        class Rest(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == f"/{member.role}" else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Checks are nothing to tell of."""

        class Sql(BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(member.name.encode())
                with suppress(OSError):
                    self.request.recv(1)

        ThreadingTCPServer.allow_reuse_address = ThreadingTCPServer.daemon_threads = True
        self.servers = (ThreadingHTTPServer((address, 8008), Rest), ThreadingTCPServer((address, 5432), Sql))
        for server in self.servers:
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


class Service:
    def __init__(self, address: str, databases: dict[str, Database]):
        self._address, self.databases = address, databases

    def met(self, port: int, times: int = 12) -> Counter[str]:
        """Who was reached, how often; `nobody` where the connection was closed or refused."""
        found: Counter[str] = Counter()
        for _ in range(times):
            try:
                with socket.create_connection((self._address, port), 3) as wire:
                    found[wire.recv(64).decode() or "nobody"] += 1
            except OSError:
                found["nobody"] += 1
        return found

    def becomes(self, port: int, wanted: set[str]) -> None:
        """Within what a check takes."""
        until_s = time.monotonic() + 6
        while (seen := set(self.met(port))) != wanted:
            assert time.monotonic() < until_s, (seen, wanted)
            time.sleep(0.1)


@contextmanager
def running(engine: str, folder: Path, routes: dict[str, str]) -> Iterator[Service]:
    whole = reading(engine, routes)
    net = f"127.{60 + os.getpid() % 40}.{1 + os.getpid() // 40 % 250}."
    addresses = {place.name: net + place.address.rpartition(".")[2] for place in whole.places}
    place = replace(site(folder, whole, engine), addresses=addresses)
    instance = whole.instances_of("entry")[0]
    process = placed(ENGINES[engine].process(instance, whole, place), place)
    checked = verdict(process)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    roles = {"db1": "primary", "db2": "replica", "db3": "replica"}
    databases = {name: Database(name, addresses[name], role) for name, role in roles.items()}
    with open(folder / "log", "wb") as log:
        balancer = subprocess.Popen(process.argv, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        yield Service(addresses["entry1"], databases)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(balancer.pid, 9)
        balancer.wait(5)
        for database in databases.values():
            database.stop()


@pytest.mark.parametrize("engine", ["haproxy", "envoy"])
@pytest.mark.parametrize("routes", [{"postgres": "db", "postgres_read": "db"}, {"postgres_read": "db"}], ids=["both", "reads"])
def test_reads_go_to_replicas_and_to_the_primary_while_no_replica_serves(tmp_path: Path, engine: str, routes: dict[str, str]):
    with running(engine, tmp_path, routes) as service:
        service.becomes(5433, {"db2", "db3"})
        if "postgres" in routes:
            service.becomes(5432, {"db1"})

        service.databases["db2"].role = "gone"
        service.becomes(5433, {"db3"})

        service.databases["db3"].role = "gone"
        service.becomes(5433, {"db1"})

        service.databases["db2"].role = "replica"
        service.becomes(5433, {"db2"})


@pytest.mark.parametrize("engine", ["haproxy", "envoy"])
def test_after_a_switchover_the_old_primary_answers_reads_and_the_new_one_does_not(tmp_path: Path, engine: str):
    with running(engine, tmp_path, {"postgres": "db", "postgres_read": "db"}) as service:
        service.becomes(5433, {"db2", "db3"})

        service.databases["db1"].role, service.databases["db2"].role = "replica", "primary"

        service.becomes(5432, {"db2"})
        service.becomes(5433, {"db1", "db3"})
