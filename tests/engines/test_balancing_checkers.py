"""Whatever a user may ask a balancer for, its own checker accepts what we make of it."""

from pathlib import Path

import pytest
from helpers import ASKED_FOR, BALANCERS, CANNOT, balanced
from test_real_checkers import placed, site, verdict

from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Uses

pytestmark = pytest.mark.real

MODEST = Uses(timeout="5s", retries=1, ejection={"failures": 4, "for": "8s"})
WHOLE = Uses(timeout="5s", retries=1, retry_budget="20%", max_pending=9, ejection={"failures": 4, "for": "8s", "most": "34%"})
USES = {"nginx": MODEST, "haproxy": MODEST, "envoy": WHOLE}
# nginx knows cookies from 1.29.6 on; those who have it render and check it themselves.
ASKED = [(engine, name) for engine in BALANCERS for name in ASKED_FOR if (engine, name) not in CANNOT | {("nginx", "cookie")}]


@pytest.mark.parametrize(("engine", "name"), ASKED)
def test_the_checker_accepts_what_was_asked_for(tmp_path: Path, engine: str, name: str):
    whole = balanced(engine, USES[engine] if "server_connections" not in ASKED_FOR[name] else None, **ASKED_FOR[name])
    place = site(tmp_path, whole, engine)
    instance = whole.instances_of("entry")[0]

    said = verdict(placed(ENGINES[engine].process(instance, whole, place), place))

    assert said.returncode == 0, said.stdout + said.stderr
    assert "warning" not in (said.stdout + said.stderr).lower()
