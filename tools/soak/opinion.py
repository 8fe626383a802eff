"""A second opinion that shares no code with our probes: loops in a shell, with psql and with curl, measure the same outage.

They run inside the client's host while `holdfast drill` breaks the service.  Each question is a process of its own, so that one
that hangs delays no other; only the moments of good answers are kept, and the outage is the longest time between two of them.
psql takes the moment from the server, in the same session and right after the commit: its own end may come late on two cores.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from json import loads
from pathlib import Path
from typing import Any

from tools.soak.proof import EXAMPLES, NotMade, Outcome, Proof
from tools.soak.running import finished, start

AGREE_S = 0.2
KEPT_UP_S = AGREE_S * 3 / 4
TIMES = 10
EVERY_40_MS = "read -rt 0.04 -u $never"
WRITES = f"""\
export PGPASSWORD=known PGHOST=entry PGUSER=app PGDATABASE=app PGCONNECT_TIMEOUT=2 PGSSLMODE=disable PGGSSENCMODE=disable
exec {{never}}<> <(:) 2>/dev/null
ask="PSQL -XqAt -v ON_ERROR_STOP=1"
until $ask -c 'CREATE TABLE IF NOT EXISTS second (at timestamptz)'; do sleep 0.2; done
while :; do
    $ask -c 'INSERT INTO second VALUES (now())' -c 'SELECT extract(epoch FROM clock_timestamp())' &
    {EVERY_40_MS}
done
"""
READS = f"""\
exec {{never}}<> <(:)
until curl -sfo /dev/null -m 2 http://entry/; do sleep 0.2; done
while :; do (curl -sfo /dev/null -m 2 http://entry/ && echo $EPOCHREALTIME) & {EVERY_40_MS}; done
"""
HANDED_OVER = """\
service: handed-over
tiers:
  entry: {engine: haproxy, replicas: 2, routes: {postgres: db}}
  db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}
  etcd: {engine: etcd, replicas: 3, on: db}
probes:
  orders: {ledger: db, through: entry, every: 20ms}
secrets:
  db-app: {file: password}
drills:
  - {fault: switchover, tier: db, target: primary, for: 6s}
"""
SWITCHOVER, BALANCER = "psql, a switchover", "curl, the only balancer lost"


def switchover(folder: Path) -> tuple[Path, str]:
    """The topology, and the shell's loop for it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "password").write_text("known")
    (folder / "topology.yaml").write_text(HANDED_OVER)
    psql = next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), None) or shutil.which("psql")
    if not psql:
        raise NotMade("there is no psql here; Debian's postgresql has it")
    return folder, WRITES.replace("PSQL", psql)


def measured(folder: Path, topology: Path, script: str, seed: int) -> tuple[Mapping[str, Any], list[float]]:
    """What our probe says of its only path in the only drill, and the moments of the shell's good answers."""
    drill = start(folder, "drill", topology, "--seed", seed, "--json")
    until_s = time.monotonic() + 30
    while drill.poll() is None and not [*folder.glob("holdfast-runs/*/control.sock")] and time.monotonic() < until_s:
        time.sleep(0.05)
    shell = start(folder, "shell", "client", "--", "bash", "-c", script)
    try:
        code, out, err = finished(drill, 200)
        moments = sorted(float(line) for line in shell.communicate(timeout=20)[0].split())
    finally:
        shell.kill()
    if not out or len(moments) <= 100:
        raise NotMade(f"exit code {code}, {len(moments)} good answers in the shell: {err[-500:]}")
    (conducted,) = loads(out)["drills"]
    (path,) = conducted["paths"]
    return path, moments


def agreed(path: Mapping[str, Any], moments: Sequence[float]) -> Outcome:
    """With several outages, or one without end, there is nothing to compare: not agreed.  Raises NotMade where the shell
    itself came late: with the outage left out, one of a hundred of its answers may keep it waiting for KEPT_UP_S."""
    *gaps_s, gap_s = sorted(later - earlier for earlier, later in pairwise(moments))
    late_s = gaps_s[len(gaps_s) * 99 // 100]
    if late_s > KEPT_UP_S:
        raise NotMade(f"the shell's own answers came up to {late_s * 1000:.0f} ms apart while nothing was broken")
    outages = path["outages"]
    ours_s = outages[0]["length_s"] if len(outages) == 1 else None
    if ours_s is None:
        return Outcome(passed=False, figures={"holdfast s": "-", "shell s": gap_s}, said=f"{len(outages)} outages")
    apart_s = abs(ours_s - gap_s)
    figures = {"holdfast s": ours_s, "shell s": gap_s, "apart ms": round(apart_s * 1000), "answers in the shell": len(moments),
               "its beat ms": round(late_s * 1000)}
    return Outcome(passed=apart_s < AGREE_S, figures=figures, said=f"we say {ours_s:.3f} s, the shell {gap_s:.3f} s")


def attempt(trial: str, folder: Path) -> Outcome:
    kind, _, seed = trial.partition("; seed ")
    topology, script = switchover(folder / "topology") if kind == SWITCHOVER else (EXAMPLES / "unsafe" / "one_balancer", READS)
    return agreed(*measured(folder, topology, script, int(seed)))


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    apart = sorted(row.get("apart ms", AGREE_S * 1000) for row in rows)
    return f"Apart by {apart[len(apart) // 2]} ms in the median, {apart[-1]} ms at most."


OPINION = Proof(
    name="opinion", title="A second opinion agrees on every outage",
    claim="Loops in a shell, one question per process every 40 ms, measured the outage beside holdfast's own probe, from "
          f"the same host. The two must agree within {AGREE_S * 1000:.0f} ms.",
    trials=lambda: [f"{kind}; seed {seed}" for seed in range(1, TIMES + 1) for kind in (SWITCHOVER, BALANCER)],
    attempt=attempt, summary=_summary,
)  # fmt: skip
