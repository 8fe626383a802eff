"""The proof of the promises: misses are counted, wide bounds are named, and both can fail it."""

from typing import Any

import pytest

from holdfast.cli.service import sensible
from holdfast.drills.suites import drills_of
from tools.soak.page import page
from tools.soak.promises import GROUPS, PROMISES, judged, outcome_of
from tools.soak.proof import EXAMPLES


def promise(measured_s: float | None, low_s: float = 1.0, high_s: float | None = 3.0, **more: Any) -> dict[str, Any]:
    high = float("inf") if high_s is None else high_s
    kept = low_s <= (float("inf") if measured_s is None else measured_s) <= high
    return {"probe": "orders", "given": "", "low_s": low_s, "high_s": high_s, "measured_s": measured_s, "kept": kept, **more}


def run(*made: dict[str, Any], outcome: str = "done") -> dict[str, Any]:
    return {"drills": [{"name": "switchover db", "outcome": outcome, "promises": list(made)}]}


def rows(*measured_s: float | None, **more: Any) -> list[dict[str, Any]]:
    return [{"kept": outcome_of(run(promise(each, **more))).kept} for each in measured_s]


def test_all_trials_together_decide_and_one_miss_in_twenty_is_borne() -> None:
    assert judged(rows(*[2.0] * 19, 3.5)).passed
    assert not judged(rows(*[2.0] * 18, 3.5, 0.5)).passed, "90 % lie within"


def test_a_bound_that_is_never_missed_because_it_is_wide_fails() -> None:
    whole = judged(rows(1.5, 1.6, high_s=3.1))
    assert not whole.passed
    assert "too wide: switchover db, orders" in whole.said
    assert judged(rows(1.5, 1.6, high_s=3.07)).passed, "1.3 times 1.6 s and 1 s are 3.08 s"
    assert not judged(rows(1.5, high_s=None)).passed, "no bound is the widest"


def test_the_longest_is_compared_for_each_case_of_its_own() -> None:
    whole = judged([*rows(20.0, low_s=19.0, high_s=24.0, given="the primary is struck"), *rows(0.1, low_s=0.0, high_s=0.4)])
    assert whole.passed
    assert len(whole.table) == 4


def test_without_anything_measured_nothing_is_proven() -> None:
    assert not judged([]).passed


def test_a_miss_and_a_drill_that_showed_nothing_are_told() -> None:
    missed = outcome_of(run(promise(3.5), promise(None), promise(2.0)))
    assert (missed.passed, missed.figures["promises"], missed.figures["missed"]) == (False, 3, 2)
    assert missed.said.startswith("switchover db, orders: 3.50 s, promised 1.00 s to 3.00 s; switchover db, orders: no end")
    void = outcome_of(run(outcome="void"))
    assert void.figures["not measured"] == "switchover db"
    assert outcome_of(run(promise(None, kept=None))).kept == [], "what was in doubt was not measured"


def test_the_page_shows_the_interval_its_width_and_what_was_measured() -> None:
    kept = {f"database; seed {number}": {"trial": "", "day": "2026-11-26", "passed": True, "said": "", "figures": {"missed": 0},
                                         "kept": outcome_of(run(promise(seconds))).kept}
            for number, seconds in enumerate((1.5, 3.2))}  # fmt: skip
    shown = page(PROMISES, kept, facts={}, source="abc")
    assert "**FAILED.** 1 of 2 outages lie within what was promised (50.0%" in shown
    assert ("| switchover db | orders |  | 1.00 s to 3.00 s | 2.00 s | 1.50 s, 2.35 s, 3.20 s | **1 of 2** | 0.58 |") in shown


def test_its_drills_are_those_of_the_suite() -> None:
    known = {drill.name for drill in drills_of(sensible(str(EXAMPLES / "classic")), "standard")}
    assert {name for group in GROUPS.values() for name in group} <= known


@pytest.mark.parametrize("trial", PROMISES.trials())
def test_every_trial_names_a_group_and_a_seed(trial: str) -> None:
    group, _, seed = trial.partition("; seed ")
    assert group in GROUPS
    assert int(seed) > 0


def test_a_drill_that_is_struck_again_in_one_run_is_one_drill() -> None:
    again = [{"kept": [{**row["kept"][0], "drill": "switchover db (2)"}]} for row in rows(2.9, high_s=4.0)]
    assert not judged(rows(1.5, high_s=4.0)).passed
    whole = judged([*rows(1.5, high_s=4.0), *again])
    assert whole.passed
    assert len(whole.table) == 3
