"""A second opinion that shares no code with our probes: a loop in a shell, with psql, measures the same outage.

`make soak` asks for it again and again, also with curl.
"""

from contextlib import suppress
from pathlib import Path

import pytest
from conftest import needs, needs_namespaces

from tools.soak.opinion import agreed, measured, switchover
from tools.soak.proof import NotMade, Outcome


def test_psql_in_a_shell_saw_the_same_outage_of_a_switchover(tmp_path: Path) -> None:
    needs("haproxy", "patroni", "postgres", "etcd")
    needs_namespaces()
    topology, script = switchover(tmp_path / "handed-over")

    outcome = Outcome(passed=False, figures={}, said="the shell never kept up")
    for seed in (1, 2, 3, 4):  # on a busy machine the shell itself comes late; `make soak` counts how often they differ
        with suppress(NotMade):
            outcome = agreed(*measured(tmp_path / str(seed), topology, script, seed))
            if outcome.passed:
                return

    pytest.fail(outcome.said)
