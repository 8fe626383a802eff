"""A second opinion that shares no code with our probes: loops in a shell, with psql and with curl, measure the same outage.

They run inside the client's host while `holdfast drill` breaks the service.  Each question is a process of its own, so that one
that hangs delays no other; only the moments of good answers are kept, and the outage is the longest time between two of them.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import EXAMPLES, needs, needs_namespaces, wait_until

AGREE_S = 0.2
Start = Callable[..., "subprocess.Popen[str]"]

WRITES = """\
export PGPASSWORD=known PGHOST=entry PGUSER=app PGDATABASE=app PGCONNECT_TIMEOUT=2
ask() { timeout 2 PSQL -Xqc "$1" 2>/dev/null; }
until ask 'CREATE TABLE IF NOT EXISTS second (at timestamptz)'; do sleep 0.2; done
while :; do (ask 'INSERT INTO second VALUES (now())' && echo $EPOCHREALTIME) & sleep 0.04; done
"""
READS = """\
until curl -sfo /dev/null -m 2 http://entry/; do sleep 0.2; done
while :; do (curl -sfo /dev/null -m 2 http://entry/ && echo $EPOCHREALTIME) & sleep 0.04; done
"""


def drilled_and_heard(started: Start, here: Path, topology: Path, script: str) -> tuple[dict[str, object], float]:
    """What our probe says of its only path in the only drill, and the longest gap that the shell saw."""
    drill = started("drill", topology, "--seed", 1, "--json")
    wait_until(lambda: drill.poll() is not None or [*here.glob("holdfast-runs/*/control.sock")], 30, "opening of the lab")
    assert drill.poll() is None, drill.communicate()
    shell = started("shell", "client", "--", "bash", "-c", script)
    out, err = drill.communicate(timeout=200)
    assert out, err
    (conducted,) = json.loads(out)["drills"]
    (path,) = conducted["paths"]
    moments = sorted(float(line) for line in shell.communicate(timeout=20)[0].split())
    assert len(moments) > 100, "the shell asked and was answered"
    return path, max(later - earlier for earlier, later in pairwise(moments))


def agree(path: dict[str, object], gap_s: float) -> None:
    (outage,) = path["outages"]
    assert abs(outage["length_s"] - gap_s) < AGREE_S, f"we say {outage['length_s']:.3f} s, the shell {gap_s:.3f} s"


def test_psql_in_a_shell_saw_the_same_outage_of_a_switchover(started: Start, tmp_path: Path) -> None:
    needs("haproxy", "patroni", "postgres", "etcd")
    needs_namespaces()
    folder = tmp_path / "handed-over"
    folder.mkdir()
    (folder / "password").write_text("known")
    (folder / "topology.yaml").write_text(
        "service: handed-over\n"
        "tiers:\n"
        "  entry: {engine: haproxy, replicas: 2, routes: {postgres: db}}\n"
        "  db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}\n"
        "  etcd: {engine: etcd, replicas: 3, on: db}\n"
        "probes:\n  orders: {ledger: db, through: entry, every: 20ms}\n"
        "secrets:\n  db-app: {file: password}\n"
        "drills:\n  - {fault: switchover, tier: db, target: primary, for: 6s}\n"
    )
    psql = next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), shutil.which("psql"))
    assert psql, "whoever has PostgreSQL has psql"

    agree(*drilled_and_heard(started, tmp_path, folder, WRITES.replace("PSQL", psql)))


@pytest.mark.soak
def test_curl_in_a_shell_saw_the_same_outage_of_a_lost_balancer(started: Start, tmp_path: Path) -> None:
    needs("haproxy")
    needs_namespaces()

    agree(*drilled_and_heard(started, tmp_path, EXAMPLES / "unsafe" / "one_balancer", READS))
