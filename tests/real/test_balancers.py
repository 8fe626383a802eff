"""The same drills over nginx, HAProxy and Envoy, and each of them with TLS: every objective is met."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import EXAMPLES, Ran, needs, needs_namespaces

sys.path.insert(0, str(EXAMPLES.parent))

from tools.balancers import NAMES, topology  # noqa: E402

pytestmark = pytest.mark.soak


def drilled(holdfast: Callable[..., Ran], folder: Path, text: str) -> dict[str, dict]:
    (folder / "topology.yaml").write_text(text)
    ran = holdfast("drill", folder, "--seed", 1, "--json", limit_s=150)
    drills = {drill["name"]: drill for drill in json.loads(ran.out)["drills"]}
    assert ran.code == 0, [(name, drill["verdict"], drill["reason"], drill["errors"]) for name, drill in drills.items()]
    return drills


@pytest.mark.parametrize("engine", NAMES)
def test_every_drill_of_the_common_list_is_met(holdfast: Callable[..., Ran], tmp_path: Path, engine: str) -> None:
    needs(engine, "keepalived")
    needs_namespaces()

    drills = drilled(holdfast, tmp_path, topology(engine))

    for name in ("kill web", "freeze web", "isolate web", "rolling_restart web"):
        assert drills[name]["errors"] == 0
        assert drills[name]["paths"][0]["slowest_s"] < 0.5


@pytest.mark.parametrize("engine", NAMES)
def test_a_certificate_changes_under_load_and_nobody_notices(holdfast: Callable[..., Ran], tmp_path: Path, engine: str) -> None:
    needs(engine, "keepalived")
    needs_namespaces()
    pytest.importorskip("cryptography")
    text = topology(engine).partition("drills:")[0].replace("http://entry/", "https://entry/")
    text = text.replace("    routes: {http: web}\n", "    routes: {http: web}\n    tls: {}\n")

    drills = drilled(holdfast, tmp_path, text + "drills:\n  - {fault: certificate_change, tier: entry, target: all, for: 4s}\n")

    assert drills["certificate_change entry"]["errors"] == 0
    assert "shows the new certificate" in drills["certificate_change entry"]["evidence"]["verified"]["proof"]
