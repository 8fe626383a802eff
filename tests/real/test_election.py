"""Leadership under strikes, with the real etcd in a lab of namespaces: no two holders' writes both pass, somebody leads again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import needs, needs_namespaces

sys.path.insert(0, str(Path(__file__).parent / "election"))
import election_soak as soak


def test_ten_strikes_never_let_two_lead_at_once() -> None:
    needs("etcd")
    needs_namespaces()

    lab = soak.one_lab(seed=2, numbers=range(10), limit_s=40)

    assert lab["strikes"], "struck at least once"
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
