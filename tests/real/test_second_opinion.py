"""A second opinion that shares no code with our probes: a loop in a shell, with psql, measures the same outage.

`make soak` asks for it again and again, also with curl.
"""

from pathlib import Path

from conftest import needs, needs_namespaces

from tools.soak.opinion import agreed, measured, switchover


def test_psql_in_a_shell_saw_the_same_outage_of_a_switchover(tmp_path: Path) -> None:
    needs("haproxy", "patroni", "postgres", "etcd")
    needs_namespaces()
    topology, script = switchover(tmp_path / "handed-over")

    outcome = agreed(*measured(tmp_path, topology, script, seed=1))
    if not outcome.passed:  # on a busy machine the shell itself comes late; `make soak` counts how often
        outcome = agreed(*measured(tmp_path, topology, script, seed=2))

    assert outcome.passed, outcome.said
