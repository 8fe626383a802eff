"""The judge of the lab's elections, judged: what may never happen is found, and what may is borne."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "real" / "election"))
import judge

LINE = "accepted {} {} {} {} {}"


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
