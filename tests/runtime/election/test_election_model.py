"""Thousands of hostile schedules in virtual time: what may never happen, and what must happen in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schedules import KINDS, Blow, Outcome, Schedule, World, drawn

from holdfast.runtime.election_core import Term
from holdfast.runtime.election_settings import Terms

BLOWS = st.lists(
    st.builds(
        Blow, at_s=st.floats(0, 45), kind=st.sampled_from(KINDS), node=st.integers(-1, 4), for_s=st.floats(0.1, 10),
    ), max_size=14,
).map(tuple)  # fmt: skip
# ttl / (ttl - margin) is 1.11, so clocks that run at 0.905 to 1.1 of etcd's are within the bound.
SCHEDULES = st.builds(
    Schedule, seed=st.integers(0, 2**32), rates=st.lists(st.floats(0.905, 1.1), min_size=2, max_size=5).map(tuple),
    blows=BLOWS, seats=st.sampled_from((1, 1, 1, 2)),
)  # fmt: skip


def run(schedule: Schedule) -> Outcome:
    return World(schedule).run()


def holds(schedule: Schedule) -> None:
    out = run(schedule)
    assert out.wrong == []
    who: dict[tuple[int, int], int] = {}
    greatest: dict[int, int] = {}
    for at_s, node, seat, token in out.passed:
        assert who.setdefault((seat, token), node) == node, f"two holders wrote with token {token}"
        assert token >= greatest.get(seat, 0), f"at {at_s} s an older token passed"
        greatest[seat] = token


# A claim of seat 0 that arrives seconds late, when its holder has resigned and its sender holds seat 1.
LATE_CLAIM = Schedule(
    seed=113239, rates=(0.927916995263721, 1.0, 1.0546875), seats=2,
    blows=(Blow(at_s=0.0, kind="crash", node=1, for_s=1.5), Blow(at_s=5.5, kind="resign", node=2, for_s=1.0)),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEDULES)
@example(LATE_CLAIM)
def test_no_two_holders_believe_at_once_tokens_only_grow_and_somebody_leads_again(schedule: Schedule) -> None:
    holds(schedule)


@pytest.mark.soak
@settings(max_examples=6000, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEDULES)
def test_the_same_over_thousands_of_schedules(schedule: Schedule) -> None:
    holds(schedule)


def test_the_schedules_are_hostile_enough_to_prove_something() -> None:
    outs = [run(drawn(seed)) for seed in range(40)]

    assert sum(len(out.terms) for out in outs) > 100, "leadership changes hands"
    assert sum(out.refused for out in outs) > 0, "late writes reach the fence, and are refused"


# --- what the proof is worth: each of these mistakes, made on purpose, is found


def _counting_from_the_answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    confirm = Term.confirm
    monkeypatch.setattr(Term, "confirm", lambda self, asked_s: confirm(self, self._clock()))
    return {}


def _no_margin(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"margin_s": 0.0, "rates": (0.905, 0.95, 1.0)}


def _clocks_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"rates": (0.7, 0.7, 1.1)}


def _a_belief_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def confirm(self: Term, asked_s: float) -> bool:
        self.ended, self.until_s = "", asked_s + self._ttl_less_margin_s + 2.0
        return True

    monkeypatch.setattr(Term, "confirm", confirm)
    return {}


def _a_token_that_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(Term, "__init__", _with_token(Term.__init__, lambda token: token % 5))
    return {}


def _with_token(init: Callable[..., None], change: Callable[[int], int]) -> Callable[..., None]:
    def begun(self: Term, name: str, taken: Any, *more: Any) -> None:
        init(self, name, taken._replace(token=change(taken.token)), *more)

    return begun


MISTAKES = (
    _counting_from_the_answer, _no_margin, _clocks_beyond_the_bound, _a_belief_that_comes_back, _a_token_that_does_not_grow,
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__.strip("_"))
def test_a_mistake_made_on_purpose_is_found(mistake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = mistake(monkeypatch)

    assert any(run(drawn(seed, **changes)).wrong for seed in range(300)), "none of 300 schedules found it"


def test_the_settings_of_the_model_are_settings_that_may_be_chosen() -> None:
    assert Terms(ttl_s=5, margin_s=0.5).ttl_s == Schedule(1, (1.0,), ()).ttl_s
