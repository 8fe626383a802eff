"""The example with sidecars, broken where only a mesh can break: a sidecar killed, certificates exchanged under load."""

import json
from collections.abc import Callable

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

DRILLS = """drills:
  - {fault: kill, tier: pages-mesh, target: one, for: 2s}
  - {fault: freeze, tier: pages, target: one, for: 2s}
  - {fault: certificate_change, tier: pages-mesh, target: all, for: 2s}
"""


def test_sidecars_are_killed_and_their_certificates_exchanged_and_no_visitor_notices(
    holdfast: Callable[..., Ran], tmp_path
) -> None:
    needs("envoy")
    needs_namespaces()
    pytest.importorskip("cryptography")
    text = (EXAMPLES / "mesh" / "topology.yaml").read_text().partition("drills:")[0] + DRILLS
    for program in ("mesh/front.py", "balancers/page.py"):
        name = program.rpartition("/")[2]
        (tmp_path / name).write_text((EXAMPLES / program).read_text())
    (tmp_path / "topology.yaml").write_text(text.replace("../balancers/page.py", "page.py"))

    ran = holdfast("drill", tmp_path, "--seed", 1, "--json", limit_s=120)

    drills = {drill["name"]: drill for drill in json.loads(ran.out)["drills"]}
    assert ran.code == 0, [(name, drill["verdict"], drill["reason"], drill["errors"]) for name, drill in drills.items()]
    assert {name: drill["errors"] for name, drill in drills.items()} == {
        "kill pages-mesh": 0, "freeze pages": 0, "certificate_change pages-mesh": 0,
    }
    proof = drills["certificate_change pages-mesh"]["evidence"]["verified"]["proof"]
    assert proof.count("shows the new certificate") == 3
