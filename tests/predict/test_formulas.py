"""The small functions give the figures of the documents that they name."""

from fractions import Fraction
from math import comb, inf, isinf, nan
from random import Random

import pytest

from holdfast import predict


def test_a_year_has_365_and_a_quarter_days():
    assert predict.YEAR_H == 8766
    assert predict.downtime(0.9999) * 60 == pytest.approx(52.596)


def test_what_is_needed_multiplies_and_what_is_spare_adds_up():
    assert predict.series([0.99, 0.98]) == pytest.approx(0.9702)
    assert predict.parallel([0.99, 0.98]) == pytest.approx(0.9998)
    assert predict.series([]) == 1.0
    assert predict.parallel([]) == 0.0


def test_two_of_three_is_three_a_squared_less_two_a_cubed():
    for up in (0.0, 0.3, 0.9, 1.0):
        assert predict.k_of_n(2, 3, up) == pytest.approx(3 * up**2 - 2 * up**3)
    assert predict.k_of_n(1, 4, 0.3) == pytest.approx(predict.parallel([0.3] * 4))


def test_k_of_n_is_the_exact_tail_to_twelve_digits_however_small_it_is():
    rng = Random(1)
    for _ in range(300):
        total = rng.randint(1, rng.choice([5, 60, 400]))
        needed = rng.randint(0, total)
        up = rng.choice([rng.random(), 10 ** -rng.uniform(0, 6), 1 - 10 ** -rng.uniform(0, 6)])
        exact = Fraction(up)
        tail = sum(comb(total, i) * exact**i * (1 - exact) ** (total - i) for i in range(needed, total + 1))
        assert predict.k_of_n(needed, total, up) == pytest.approx(float(tail), rel=1e-12, abs=1e-300), (needed, total, up)


def test_k_of_n_of_many_units_neither_overflows_nor_loses_its_digits():
    assert predict.k_of_n(550, 1100, 0.6) == pytest.approx(1 - 8.3191e-12, rel=1e-15, abs=0)
    assert predict.k_of_n(100, 100, 0.6) == pytest.approx(float(Fraction(0.6) ** 100), rel=1e-12)
    assert predict.k_of_n(60, 60, 0.5) == pytest.approx(2.0**-60, rel=1e-12)
    assert predict.k_of_n(100_000, 200_000, 0.5) == pytest.approx(0.500892, rel=1e-6)
    assert predict.k_of_n(900, 900, 0.1) == 0.0


def test_a_composite_agreement_is_the_product_and_a_spare_one_counts_once():
    # Microsoft's own example: a web app of 99.95 % and a database of 99.99 % make 99.94 %.
    assert predict.composite_sla(0.9995, 0.9999) == pytest.approx(0.99940005)
    # And with a queue of 99.9 % beside the database: 99.95 %.
    assert predict.composite_sla(0.9995, [0.9999, 0.999]) == pytest.approx(0.9995 * 0.9999999)


def test_repair_and_failure_times_give_each_other():
    up = predict.availability(mtbf=1000, mttr=1)
    assert up == pytest.approx(1000 / 1001)
    assert predict.mtbf(up, 1) == pytest.approx(1000)
    assert predict.mttr(up, 1000) == pytest.approx(1)
    assert isinf(predict.mtbf(1.0, 1))


def test_a_mirrored_pair_is_the_time_to_absorption_of_its_chain():
    """From two up: T2 = 1/(2l) + T1; from one up: T1 = 1/(l+m) + m/(l+m) T2."""
    failing, repairing = 1 / 30_000, 1 / 24
    leaving = failing + repairing
    expected = (1 / (2 * failing) + 1 / leaving) / (1 - repairing / leaving)
    assert predict.mirrored_pair(30_000, 24) == pytest.approx(expected)
    # Patterson, Gibson and Katz: about MTBF^2 / (2 MTTR).
    assert predict.mirrored_pair(30_000, 24) == pytest.approx(30_000**2 / 48, rel=0.003)


def test_the_burn_rates_of_the_site_reliability_workbook():
    assert predict.alert_threshold(0.02, 1, 30 * 24) == pytest.approx(14.4)
    assert predict.alert_threshold(0.05, 6, 30 * 24) == pytest.approx(6)
    assert predict.alert_threshold(0.10, 3 * 24, 30 * 24) == pytest.approx(1)
    assert predict.burn_rate(0.01, 0.999) == pytest.approx(10)
    assert predict.exhausted_after(10, 30) == pytest.approx(3)
    assert predict.error_budget(0.999, 30 * 24 * 60) == pytest.approx(43.2)
    assert predict.burn_rate(0.1, 1.0) == inf


def test_the_common_part_of_a_rate_and_its_own_part_are_the_whole():
    own, common = predict.common_cause(1e-4, 0.1)
    assert (own, common) == pytest.approx((9e-5, 1e-5))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: predict.series([1.2]), "an availability must lie between 0 and 1, not 1.2"),
        (lambda: predict.availability(0, 1), "mtbf must be a finite number above 0, not 0"),
        (lambda: predict.k_of_n(4, 3, 0.5), "needed must lie between 0 and total = 3, not 4"),
        (lambda: predict.error_budget(0.99, -1), "period must be a finite number above 0, not -1"),
        (lambda: predict.repair_time_with_crews(3, 1, 1, 0), "crews must be a whole number of 1 or more, not 0"),
        (lambda: predict.k_of_n(1.5, 3, 0.5), "needed must be a whole number of 0 or more, not 1.5"),
        (lambda: predict.mtbf(1.0, -5), "mttr must be a finite number above 0, not -5"),
        (lambda: predict.mttr(0.0, -5), "mtbf must be a finite number above 0, not -5"),
        (lambda: predict.exhausted_after(0, -1), "period must be a finite number above 0, not -1"),
        (lambda: predict.exhausted_after(0, 5, 7), "left must lie between 0 and 1, not 7"),
        (lambda: predict.repair_time_with_crews(3, nan, 1, 3), "failure_rate must be a finite number of 0 or more, not nan"),
        (lambda: predict.repair_time_with_crews(3, 1, 0, 3), "repair_rate must be a finite number above 0, not 0"),
        (lambda: predict.repair_shop(0, 1, 1, 1), "units must be a whole number of 1 or more, not 0"),
        (lambda: predict.failover_pair(1, 1, 1, 0, 1), "failover_time must be a finite number above 0, not 0"),
        (lambda: predict.failover_pair(1, 1, 1.5, 1, 1), "coverage must lie between 0 and 1, not 1.5"),
        (lambda: predict.latent(1, 2, 1), "unnoticed must lie between 0 and 1, not 2"),
    ],
)
def test_a_number_out_of_range_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
