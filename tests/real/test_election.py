"""Leadership under strikes, with the real etcd in a lab of namespaces: no two holders' writes both pass, somebody leads again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import needs, needs_namespaces

sys.path.insert(0, str(Path(__file__).parent / "election"))
import election_soak as soak
from rehearsal import faketime

SEED = 1178
"""Its first ten strikes are of ten kinds."""
FORMS = {"kill", "freeze", "isolate", "cut_one_member", "lose_quorum", "restart_contenders", "step_clock"}


def test_ten_strikes_never_let_two_lead_at_once() -> None:
    needs("etcd")
    needs_namespaces()

    lab = soak.one_lab(seed=SEED, numbers=range(10), limit_s=180)

    assert [strike["number"] for strike in lab["strikes"]] == list(range(10))
    missing = FORMS - {strike["kind"] for strike in lab["strikes"]}
    assert missing <= ({"step_clock"} if not faketime() else set())
    assert lab["judged"] > 100
    assert soak.objections([lab]) == []


@pytest.mark.soak
def test_two_hundred_strikes_of_one_seed() -> None:
    """Goes on where it was stopped: HOLDFAST_SOAK names the folder of the state."""
    needs("etcd")
    needs_namespaces()
    state = Path(os.environ.get("HOLDFAST_SOAK", ".soak")) / "election.jsonl"

    labs = soak.soak(state, seed=1, strikes=200, limit_s=3600)

    assert len(soak.strikes_of(labs)) == 200
    assert soak.objections(labs) == []
