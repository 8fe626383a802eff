"""Years played by chance agree with what can be calculated, and show what cannot."""

from math import nan

import pytest

from holdfast.predict import And, AtLeast, Event, FaultTree, Not, Or, Xor
from holdfast.predict.biasing import rare
from holdfast.predict.formulas import YEAR_H
from holdfast.predict.montecarlo import Life, Repair, Window, lives_of, play

FAILING, REPAIR_H = 4 / YEAR_H, 24.0


def units(count: int) -> list[Event]:
    return [Event(f"u{number}", failure_rate=FAILING, repair_rate=1 / REPAIR_H) for number in range(count)]


def lives(tree: FaultTree, kind="exponential") -> list[Life]:
    return [Life(event=event.name, failures_per_h=FAILING, repair=Repair(kind, REPAIR_H, REPAIR_H)) for event in tree.events]


def test_played_years_are_down_for_as_long_and_as_often_as_the_diagram_says():
    tree = FaultTree(Or(AtLeast(2, *units(4)), Event("switch", failure_rate=FAILING / 4, repair_rate=1 / REPAIR_H)))
    rates = {event.name: (event.failure_rate, REPAIR_H) for event in tree.events}

    played = play(tree, lives_of(tree, rates), years=40_000, seed=3)

    assert abs(played.unavailability - tree.probability()) < 4 * played.standard_error + 0.003 * tree.probability()
    assert played.outages.mean() == pytest.approx(tree.frequency() * YEAR_H, rel=0.03)


def test_for_long_run_shares_only_the_mean_of_a_repair_counts_but_not_for_bad_years():
    tree = FaultTree(And(*units(2)))
    exponential = play(tree, lives(tree), years=60_000, seed=5)
    fixed = play(tree, lives(tree, "fixed"), years=60_000, seed=6)

    assert fixed.unavailability == pytest.approx(exponential.unavailability, rel=0.08)
    assert exponential.quantile_h(0.99) > 1.1 * fixed.quantile_h(0.99)


def test_more_than_64_events_are_told_apart():
    tree = FaultTree(Or(*units(100)))
    played = play(tree, lives(tree), years=500, seed=7)
    assert played.unavailability == pytest.approx(tree.probability(), rel=0.03)


def test_a_window_takes_its_hosts_down_and_two_that_overlap_are_no_repair():
    tree = FaultTree(Or(*units(2)))
    windows = [Window(events=("u0",), every_h=YEAR_H, length_h=10, first_h=100),
               Window(events=("u0", "u1"), every_h=YEAR_H, length_h=4, first_h=103)]

    played = play(tree, [], years=3, seed=1, windows=windows)

    assert list(played.down_h) == pytest.approx([10, 10, 10])
    assert list(played.outages) == [1, 1, 1]


def test_maintenance_of_one_host_of_two_costs_what_the_other_fails_meanwhile():
    tree = FaultTree(And(*units(2)))
    weekly = Window(events=("u0",), every_h=168, length_h=8)
    played = play(tree, lives(tree), years=40_000, seed=8, windows=[weekly])
    q = tree.events[0].probability
    assert played.unavailability == pytest.approx(q * (q + (1 - q) * 8 / 168), rel=0.05)


def test_the_chance_of_missing_an_objective_is_that_of_a_poisson_count():
    """One thing that fails with 0.5 a year and then takes ten hours: an objective of five hours is missed if it fails at all."""
    from math import exp

    tree = FaultTree(Event("x", 0.0))
    life = Life(event="x", failures_per_h=0.5 / YEAR_H, repair=Repair("fixed", 10, 10))
    played = play(tree, [life], years=40_000, seed=2)
    assert played.missed(1 - 5 / YEAR_H) == pytest.approx(1 - exp(-0.5), abs=0.012)


def test_the_same_seed_plays_the_same_years():
    tree = FaultTree(And(*units(2)))
    assert list(play(tree, lives(tree), 50, seed=1).down_h) == list(play(tree, lives(tree), 50, seed=1).down_h)


def test_biased_failures_find_nine_nines_that_played_years_do_not_see():
    rates = {f"u{number}": (1 / 8766, 2.0) for number in range(6)}
    tree = FaultTree(AtLeast(3, *(Event(name, failure_rate=a, repair_rate=1 / b) for name, (a, b) in rates.items())))
    exact = tree.probability()
    assert exact < 1e-9

    found = rare(tree, lives_of(tree, rates), cycles=20_000, seed=4)

    assert found.standard_error < 0.05 * exact
    assert abs(found.unavailability - exact) < 4 * found.standard_error


def test_what_cannot_be_played_is_refused_by_name():
    tree = FaultTree(And(*units(2)))
    with pytest.raises(ValueError, match="no event 'nobody'"):
        play(tree, [Life(event="nobody", failures_per_h=1, repair=Repair("fixed", 1, 1))], 1, seed=1)
    with pytest.raises(ValueError, match="exponential repairs, and that of u0"):
        rare(tree, lives(tree, "fixed"), 10, seed=1)


ONE_LIFE = {"u0": (FAILING, REPAIR_H)}
FIXED = Repair("fixed", 1, 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda tree: play(tree, lives_of(tree, ONE_LIFE), 10, seed=1), "nothing says when a fails: .* give it a life"),
        (lambda tree: play(tree, [], 10, seed=1, compile=True), "nothing says when a, u0 fail: "),
        (lambda tree: rare(tree, lives_of(tree, ONE_LIFE), 10, seed=1), "nothing says when a fails: "),
        (lambda tree: play(tree, lives(tree), 0, seed=1), "years must be a whole number of 1 or more, not 0"),
        (lambda tree: play(tree, lives(tree), 1, seed=1, year_h=-1.0), "year_h must be a finite number above 0, not -1.0"),
        (lambda tree: rare(tree, lives(tree), 1, seed=1), "cycles must be a whole number of 2 or more, not 1"),
        (lambda tree: rare(tree, [*lives(tree), *lives(tree)], 10, seed=1), "a has two lives"),
        (lambda _: Life(event="a", failures_per_h=-1, repair=FIXED), "a: failures_per_h must be .* 0 or more, not -1"),
        (lambda _: Life(event="a", failures_per_h=nan, repair=FIXED), "a: failures_per_h must be .*, not nan"),
        (lambda _: Repair("weibull", 1, 5), "one of exponential, fixed, lognormal, uniform, not 'weibull'"),
        (lambda _: Repair("lognormal", 0, 5), "low_h must be a finite number above 0, not 0"),
        (lambda _: Repair("uniform", 5, 1), "high_h must be low_h = 5 or more, not 1"),
        (lambda _: Repair("fixed", 1, 5), "fixed: high_h must be low_h = 1, not 5"),
        (lambda _: Window(events=("a",), every_h=0, length_h=1), "every_h must be a finite number above 0, not 0"),
        (lambda _: Window(events=("a",), every_h=9, length_h=-1), "length_h must be a finite number above 0, not -1"),
        (lambda _: Window(events=("a",), every_h=9, length_h=1, first_h=-1), "first_h must be .* 0 or more, not -1"),
    ],
)
def test_what_would_be_left_out_or_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call(FaultTree(Or(Event("a", 0.3), *units(1))))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_top_that_has_happened_while_all_is_well_counts_from_the_first_hour(compiled):
    """A constant, an event that is always down, and a "not": as long in numpy as compiled."""
    unit = units(1)[0]
    life = [Life(event="u0", failures_per_h=FAILING, repair=Repair("fixed", 10, 10))]
    for always in (Or(unit, Not(unit)), Or(Event("always", 1.0), unit)):
        played = play(FaultTree(always), life, 20, seed=1, compile=compiled)
        assert list(played.down_h) == pytest.approx([YEAR_H] * 20)
        assert list(played.outages) == [1] * 20
    without = play(FaultTree(Not(unit)), life, 20, seed=1, compile=compiled)
    with_it = play(FaultTree(unit), life, 20, seed=1, compile=compiled)
    assert list(without.down_h) == pytest.approx(list(YEAR_H - with_it.down_h))
    assert play(FaultTree(Event("never", 0.0)), [], 5, seed=1, compile=compiled).down_h.sum() == 0


def test_cycles_count_what_never_fails_as_up_and_the_time_while_all_is_well():
    both = [Life(event="u0", failures_per_h=FAILING, repair=Repair("exponential", REPAIR_H, REPAIR_H)),
            Life(event="u1", failures_per_h=0.0, repair=Repair("exponential", REPAIR_H, REPAIR_H))]
    first, second = units(2)
    assert rare(FaultTree(Or(first, second)), both, 2000, seed=1).unavailability == pytest.approx(first.probability, rel=0.1)
    found = rare(FaultTree(Not(Or(first, second))), both, 2000, seed=1).unavailability
    assert found == pytest.approx(1 - first.probability, rel=0.05)


def test_compiled_years_are_the_same_years():
    """Modules, a "not", windows that overlap, an event without a life, and repairs of every kind."""
    kinds = ("exponential", "fixed", "uniform", "lognormal")
    events = units(9)
    tree = FaultTree(Or(
        And(AtLeast(2, *events[:3]), Not(Event("elsewhere", 0.0))), And(Or(events[3], events[4]), Or(events[5], events[0])),
        Xor(events[6], events[7], Event("always", 1.0)), events[8],
    ))  # fmt: skip
    lives = [Life(event=event.name, failures_per_h=FAILING, repair=Repair(kinds[index % 4], 20, (20, 20, 22, 23)[index % 4]))
             for index, event in enumerate(events[:7])]
    windows = [Window(events=("u7", "u0"), every_h=700, length_h=3),
               Window(events=("u7", "u8"), every_h=900, length_h=9, first_h=50)]

    plain, fast = (play(tree, lives, 5000, seed=9, windows=windows, compile=which) for which in (False, True))

    assert list(fast.down_h) == pytest.approx(list(plain.down_h))
    assert list(fast.outages) == list(plain.outages)
    assert fast.outages.sum() > 5000


def test_a_tree_that_cannot_fail_is_compiled_all_the_same():
    tree = FaultTree(And(Event("never", 0.0), *units(1)))
    life = [Life(event="u0", failures_per_h=FAILING, repair=Repair("fixed", 1, 1))]
    assert play(tree, life, 10, seed=1, compile=True).down_h.sum() == 0
