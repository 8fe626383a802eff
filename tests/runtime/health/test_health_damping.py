"""Flaps are damped, and what is shown meanwhile says so."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.health import Check, Health, Result
from holdfast.runtime.testing import FakeClock


def seen(said: list[str], **settings: int) -> Iterator[tuple[str, str]]:
    """Status and message after each run."""
    clock, answers = FakeClock(), iter(said)
    health = Health(clock=clock)
    health.add(Check("it", lambda: Result(next(answers)), **settings))  # type: ignore[arg-type]
    for _ in said:
        report = health.ask()["it"]
        yield str(report.status), report.message
        clock.advance(1)


def test_a_failure_is_believed_when_it_has_repeated_and_warns_until_then() -> None:
    assert list(seen(["pass", "fail", "fail", "fail"], fall=3)) == [
        ("pass", ""), ("warn", "1 of 3 failures"), ("warn", "2 of 3 failures"), ("fail", "")]


def test_one_good_answer_among_failures_begins_the_count_anew() -> None:
    said = ["pass", "fail", "pass", "fail", "pass"]
    assert [status for status, _ in seen(said, fall=2)] == ["pass", "warn", "pass", "warn", "pass"]


def test_a_recovery_is_believed_when_it_has_repeated() -> None:
    assert list(seen(["fail", "pass", "warn", "pass"], rise=3)) == [
        ("fail", ""), ("fail", "1 of 3 successes"), ("fail", "2 of 3 successes"), ("pass", "")]


def test_the_first_answer_is_believed_at_once() -> None:
    assert [status for status, _ in seen(["fail"], fall=5, rise=5)] == ["fail"]
    assert [status for status, _ in seen(["pass"], fall=5, rise=5)] == ["pass"]


STATUSES = st.lists(st.sampled_from(["pass", "warn", "fail"]), min_size=1, max_size=30)


@given(STATUSES, st.integers(1, 5), st.integers(1, 5))
def test_it_fails_exactly_between_a_believed_failure_and_a_believed_recovery(said: list[str], rise: int, fall: int) -> None:
    failing, streak, before = False, 0, ""
    for number, (status, _) in enumerate(seen(said, rise=rise, fall=fall)):
        bad = said[number] == "fail"
        streak = streak + 1 if number and bad == (before == "fail") else 1
        before = said[number]
        if not number:
            failing = bad
        elif bad and streak >= fall:
            failing = True
        elif not bad and streak >= rise:
            failing = False
        assert (status == "fail") == failing
        assert not (bad and status == "pass"), "a failure is never shown as a pass"


def test_the_time_in_a_state_and_the_history_are_kept() -> None:
    clock = FakeClock(0.0)
    answers = iter(["pass", "pass", "fail", "fail", "fail"])
    health = Health(clock=clock)
    health.add(Check("it", lambda: Result(next(answers), "why"), history=3))
    for _ in range(5):
        report = health.ask()["it"]
        clock.advance(10)
    assert report.since_s == 20.0
    assert [(each.at_s, each.status) for each in health.history("it")] == [(20.0, "fail"), (30.0, "fail"), (40.0, "fail")]
    assert health.counts() == {"it": (5, 3, 0)}
