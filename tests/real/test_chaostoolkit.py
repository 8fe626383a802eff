"""The real `chaos run` against a lab that `holdfast up` keeps: it strikes, mends, measures, and says success where we do not."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLES, Ran, wait_until

from holdfast.errors import MET, NOT_STRUCK, UNSTEADY

Start = Callable[..., "subprocess.Popen[str]"]
Chaos = Callable[[Mapping[str, Any]], tuple[int, dict[str, Any]]]
PAGE = EXAMPLES / "unsafe" / "page.py"
STUBBORN = """\
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.environ["VISITS"] = {visits!r}
exec(open({page!r}).read())
"""


def python(kind: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    module = "actions" if kind == "action" else "probes"
    return {"type": kind, "name": name, "provider": {
        "type": "python", "module": f"holdfast.chaostoolkit.{module}", "func": name, "arguments": arguments}}  # fmt: skip


def experiment(*method: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"version": "1.0.0", "title": "a page is always there", "description": "one of three dies",
                             "method": list(method), "rollbacks": [python("action", "mend")]}
    if gate:
        found["steady-state-hypothesis"] = {"title": "the service is whole", "probes": [{**gate, "tolerance": True}]}
    return found


@pytest.fixture
def kept(started: Start, tmp_path: Path) -> "subprocess.Popen[str]":
    """Three pages on loopback that no HUP ends, up and whole.  Each visit is written to a file."""
    (tmp_path / "visits").mkdir()
    (tmp_path / "app.py").write_text(STUBBORN.format(page=str(PAGE), visits=str(tmp_path / "visits" / "all")))
    (tmp_path / "topology.yaml").write_text(
        "service: pages\nobjectives: {read_outage: 5s}\n"
        "tiers:\n  web: {engine: command, replicas: 3, run: python3 app.py, port: 8080, health: /ready}\n"
        'probes:\n  visits: {http: "http://web/", every: 50ms}\n'
    )
    running = started("up", tmp_path, "--lab", "loopback", "--seed", 1)
    assert running.stdout
    assert "is up" in running.stdout.readline(), running.stderr.read() if running.stderr else ""
    return running


@pytest.fixture
def chaos(tmp_path: Path) -> Chaos:
    """Run an experiment with the real command.  Its exit code and its journal."""

    def run(what: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        (tmp_path / "experiment.json").write_text(json.dumps(what))
        command = [str(Path(sys.executable).parent / "chaos"), "--no-version-check", "run", "experiment.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        journal = tmp_path / "journal.json"
        assert journal.exists(), done.stdout + done.stderr
        return done.returncode, json.loads(journal.read_text())

    return run


def ended(running: "subprocess.Popen[str]") -> int:
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    return running.returncode


def test_an_experiment_strikes_mends_and_measures_and_both_call_it_a_success(
    kept: "subprocess.Popen[str]", chaos: Chaos, holdfast: Callable[..., Ran]
) -> None:
    code, journal = chaos(experiment(
        # Who looks four times a second, and waits a second for an answer, needs a moment to see that one is silent.
        {**python("action", "strike", drill={"fault": "hang", "tier": "web", "target": "web2"}), "pauses": {"after": 2}},
        python("probe", "in_service", name="web"),
        python("probe", "redundant"),
        python("probe", "outage", probe="visits", patience="20s"),
        python("probe", "errors", probe="visits"),
        python("action", "mend"),
        python("action", "strike", drill={"fault": "kill", "tier": "web", "target": "one", "for": "2s"}),
        gate=python("probe", "steady"),
    ))  # fmt: skip

    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False)
    assert {run["status"] for run in journal["run"]} == {"succeeded"}
    hung, served, spare, outage, errors, mended, killed = (run["output"] for run in journal["run"])
    assert (hung["struck"], served, spare) == ("web2/command", False, False)
    assert "does not answer" in hung["proof"]
    assert 0 <= outage < 5
    assert errors >= 0
    assert mended["outcome"] == killed["outcome"] == "done"
    assert ended(kept) == MET
    drills = json.loads(holdfast("report", "--json").out)["drills"]
    assert [(drill["name"], drill["verdict"]) for drill in drills] == [("hang web", "met"), ("kill web", "met")]


def test_a_strike_that_did_not_strike_is_a_success_for_chaos_toolkit_and_not_for_us(
    kept: "subprocess.Popen[str]", chaos: Chaos
) -> None:
    strike = python("action", "strike", drill={"fault": "kill", "tier": "web", "target": "one", "signal": "HUP"})

    code, journal = chaos(experiment(strike, gate=python("probe", "steady")))

    (run,) = journal["run"]
    assert run["status"] == "failed"
    assert "no proof that kill struck" in run["exception"][-1]
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False)
    assert ended(kept) == NOT_STRUCK


def test_a_steady_state_that_never_held_is_a_success_for_chaos_toolkit_and_not_for_us(
    kept: "subprocess.Popen[str]", chaos: Chaos, holdfast: Callable[..., Ran], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "visits")  # from now on nobody is ready
    wait_until(lambda: "web1/command is not in service" in holdfast("status").out, 20, "an end of service")
    strike = python("action", "strike", drill={"fault": "kill", "tier": "web", "target": "web2"}, patience="2s")

    code, journal = chaos(experiment(strike, gate=python("probe", "redundant")))
    assert journal["steady_states"]["before"]["steady_state_met"] is False
    assert (code, journal["status"], journal["deviated"], journal["run"]) == (0, "completed", False, [])

    code, journal = chaos(experiment(strike))
    assert "web1/command is not in service" in journal["run"][0]["exception"][-1]
    assert (code, journal["status"], journal["deviated"]) == (0, "completed", False)

    assert ended(kept) == UNSTEADY
    drills = json.loads(holdfast("report", "--json").out)["drills"]
    assert [(drill["name"], drill["verdict"]) for drill in drills] == [("kill web", "unsteady"), ("steady state", "unsteady")]
