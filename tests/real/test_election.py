"""Leadership under strikes, with the real etcd in a lab of namespaces: no two holders' writes both pass, somebody leads again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import needs, needs_namespaces

sys.path.insert(0, str(Path(__file__).parent / "election"))
import judge
import soak

LINE = "accepted {} {} {} {} {}"


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


def test_the_judge_finds_an_older_token_that_passed() -> None:
    writes = judge.read([LINE.format("a", 5, 1, 1.0, 1.1), LINE.format("b", 7, 1, 2.0, 2.1), LINE.format("a", 5, 2, 1.5, 2.2)])

    assert judge.objections(writes) == ["token 5 of a passed after 7"]


def test_the_judge_finds_two_who_believe_at_once() -> None:
    writes = judge.read([LINE.format("a", 5, 1, 1.0, 1.1), LINE.format("b", 7, 1, 2.0, 2.1), "refused a 5 2 2.5 2.6"])

    assert judge.objections(writes) == ["a believed in token 5 until 0.500 s after b believed in 7"]


def test_the_judge_finds_one_token_with_two_owners() -> None:
    writes = judge.read([LINE.format("a", 5, 1, 1.0, 1.1), LINE.format("b", 5, 1, 2.0, 2.1)])

    assert judge.objections(writes) == ["a and b both write with token 5"]


def test_the_judge_bears_a_late_write_that_the_fence_refused() -> None:
    writes = judge.read([LINE.format("a", 5, 1, 1.0, 1.1), LINE.format("b", 7, 1, 2.0, 2.1), "refused a 5 2 1.9 2.6"])

    assert judge.objections(writes) == []


def test_a_gap_that_began_before_the_strike_and_went_on_counts_whole() -> None:
    writes = judge.read([LINE.format("a", 5, 1, 1.0, 1.0), LINE.format("b", 7, 1, 4.0, 4.0), LINE.format("b", 7, 2, 4.1, 4.1)])

    assert judge.gap_s(writes, 1.5, 4.2) == 3.0
