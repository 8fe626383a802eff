"""Markov chains: solved exactly, and what the sums for failing over are held to."""

from math import factorial
from random import Random

import pytest

from holdfast.predict import chains
from holdfast.predict.service import Cause, Pool
from holdfast.predict.yearly import covered_share, moving_of


def test_a_steady_state_flows_into_every_state_as_much_as_out_of_it():
    for seed in range(60):
        rng = Random(seed)
        size = rng.randint(2, 9)
        steps = {
            (str(a), str(b)): 10 ** rng.uniform(-8, 3) for a in range(size) for b in range(size)
            if a != b and (b == (a + 1) % size or rng.random() < 0.5)
        }
        share = chains.steady_state(steps)
        assert sum(share.values()) == pytest.approx(1)
        for state in share:
            coming = sum(share[a] * rate for (a, b), rate in steps.items() if b == state)
            leaving = sum(share[state] * rate for (a, _), rate in steps.items() if a == state)
            assert coming == pytest.approx(leaving, rel=1e-9)


def test_a_share_of_1e_minus_20_keeps_its_digits():
    """A birth-death chain: the share of each state is the product of the ratios on the way."""
    steps = {(str(n), str(n + 1)): 1e-5 for n in range(4)} | {(str(n + 1), str(n)): 1.0 for n in range(4)}
    share = chains.steady_state(steps)
    assert share["4"] == pytest.approx(1e-20 * share["0"], rel=1e-12)


def test_units_with_a_crew_each_are_independent_and_binomial():
    share = chains.steady_state(chains.repair_shop(4, 0.02, 0.5, crews=4))
    down = 0.02 / 0.52
    for number in range(5):
        ways = factorial(4) / (factorial(number) * factorial(4 - number))
        assert share[str(number)] == pytest.approx(ways * down**number * (1 - down) ** (4 - number))


def test_a_single_crew_makes_repairs_wait():
    """Closed form of the machine repairman with one crew: p(n) / p(0) = N! / (N - n)! (l / m)^n."""
    ratio, units = 0.1, 5
    share = chains.steady_state(chains.repair_shop(units, ratio, 1.0, crews=1))
    weights = [factorial(units) / factorial(units - n) * ratio**n for n in range(units + 1)]
    assert [share[str(n)] for n in range(units + 1)] == pytest.approx([weight / sum(weights) for weight in weights])
    assert chains.repair_time_with_crews(units, ratio, 1.0, 1) > 1.2
    assert chains.repair_time_with_crews(units, ratio, 1.0, 5) == 1.0


@pytest.mark.parametrize("failures_per_year", [0.2, 1, 4])
@pytest.mark.parametrize("coverage", [0.9, 0.99, 1.0])
@pytest.mark.parametrize("failover_s", [1, 22, 300])
def test_the_sum_for_failing_over_is_within_a_fifth_of_a_percent_of_the_chain(failures_per_year, coverage, failover_s):
    """Down together, plus how often the active one fails beside a good standby times how long clients then wait."""
    failing, repairing = failures_per_year / 8766, 1 / 4
    waits_h = (failover_s / 3600, 1.0)
    steps = chains.failover_pair(failing, repairing, coverage, *waits_h)
    share = chains.steady_state(steps)
    exact = sum(share.get(state, 0.0) for state in chains.FAILOVER_DOWN)

    host = Cause(name="host", often="mtbf", long="mttr")
    names = ("uncovered", "failover", "manual", "test", "unnoticed")
    pool = Pool(tier="pair", size=2, own=(host,), weight=1.0, **{name: name for name in names})
    values = {"mtbf": 1 / failing, "mttr": 1 / repairing, "uncovered": 1 - coverage, "failover": waits_h[0], "manual": waits_h[1]}
    moving, _ = moving_of(pool, values | {"test": 1.0, "unnoticed": 0.0})
    assert host.down(values) ** 2 + moving == pytest.approx(exact, rel=0.002)


def test_a_standby_that_is_dead_unnoticed_is_as_often_no_help_as_its_chain_says():
    host = Cause(name="host", often="mtbf", long="mttr")
    names = ("uncovered", "failover", "manual", "test", "unnoticed")
    pool = Pool(tier="pair", size=2, own=(host,), weight=1.0, **{name: name for name in names})
    values = {"mtbf": 1000.0, "mttr": 4.0, "uncovered": 0.05, "unnoticed": 0.1, "test": 720.0}
    assert covered_share(pool, values) == pytest.approx(0.95 * (1 - chains.latent(1 / 1000, 0.1, 720)))


def test_how_often_a_chain_goes_down_is_what_comes_up_again():
    steps = chains.failover_pair(0.01, 0.5, 0.95, 0.01, 1.0)
    share = chains.steady_state(steps)
    down = chains.frequency(steps, share, chains.FAILOVER_DOWN)
    up = chains.frequency(steps, share, {"up1", "up2"})
    assert down == pytest.approx(up)


def test_a_dead_standby_is_found_by_a_test_after_half_an_interval_on_average():
    assert chains.latent(1e-4, 0.5, 720) == pytest.approx(1e-4 * 0.5 * 720 / 2, rel=0.02)
    assert chains.latent(1e-4, 0.0, 720) == 0.0


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({("a", "b"): -1.0, ("b", "a"): 1.0}, "the rate from a to b must be a finite number"),
        ({("a", "b"): 1.0}, "gets stuck in b"),
        ({("a", "a"): 1.0}, "between two states"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused(steps, says):
    with pytest.raises(ValueError, match=says):
        chains.steady_state(steps)
