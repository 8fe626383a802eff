"""A topology's years by chance have the mean that is predicted, and differ from each other."""

import pytest
from services import classic

from holdfast.predict.yearly import Prediction
from holdfast.predict.years import play_years, year_by_chance


def test_played_years_are_down_on_average_for_as_long_as_is_predicted():
    prediction = Prediction(classic())
    values = prediction.middle()
    moving = prediction.failing_over("service", values)
    partial = sum(share for tier, (share, _) in moving.items() if prediction.service.pools[tier].weight < 1)

    played = play_years(prediction, 8000, seed=3)

    expected = prediction.unavailability() - partial
    assert abs(played.unavailability - expected) < 4 * played.standard_error
    assert played.standard_error < 0.03 * expected


def test_one_year_in_a_hundred_is_far_worse_than_every_second():
    found = year_by_chance(Prediction(classic()), 4000)
    assert found.median_min < found.tenth_min < found.hundredth_min
    assert found.hundredth_min > 4 * found.median_min
    assert found.missed == pytest.approx(0.11, abs=0.06)
