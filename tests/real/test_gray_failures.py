"""Every fault that leaves hosts standing, on the classic stack: proven, mended, and then the service is whole again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces, processes_naming

from holdfast.lab import memory

pytestmark = pytest.mark.soak

DRILLS = """
drills:
  - {fault: alive_but_wrong, tier: web, target: one, for: 6s}
  - {fault: slow_answers, tier: web, target: one, for: 6s}
  - {fault: dependency_down, tier: web, target: one, dependency: db, for: 6s}
  - {fault: clock_skew, tier: db, target: primary, by: 1h, for: 6s}
  - {fault: disk_slow, tier: db, target: primary, for: 6s}
  - {fault: disk_read_only, tier: db, target: replica, for: 6s}
  - {fault: oom, tier: db, target: replica, for: 6s}
"""


def test_each_strikes_is_mended_and_loses_no_acknowledged_write(holdfast: Callable[..., Ran], tmp_path: Path) -> None:
    needs("haproxy", "keepalived", "patroni", "postgres", "etcd", "envoy", "libfaketime", "bindfs")
    needs_namespaces()
    folder = tmp_path / "gray"
    folder.mkdir()
    text = (EXAMPLES / "classic" / "topology.yaml").read_text().replace("../shop/app.py", str(EXAMPLES / "shop" / "app.py"))
    (folder / "topology.yaml").write_text(text + DRILLS)

    ran = holdfast("drill", folder, "--seed", 1, "--json")

    assert ran.code in (0, 1, 6), ran.err[-3000:]
    drills = json.loads(ran.out)["drills"]
    able = [drill for drill in drills if drill["outcome"] != "skipped"]
    assert len(drills) == 7
    assert {drill["outcome"] for drill in able} == {"done"}
    assert {drill["lost_writes"] for drill in able} == {0}
    assert all("memory" in drill["reason"] or "/dev/fuse" in drill["reason"] for drill in drills if drill not in able)
    assert not processes_naming(str(tmp_path))
    if isinstance(here := memory.ground(), memory.Ground):
        assert not list(here.parent.glob("holdfast-*.db*"))
