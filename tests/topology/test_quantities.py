"""Quantities as people write them, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.quantities import seconds, share, shown_seconds, size, written_seconds, written_share


@pytest.mark.parametrize(("text", "value_s"), [
    ("250ms", 0.25), ("30s", 30.0), ("1.5 min", 90.0), ("2m", 120.0), ("1h", 3600.0), ("20us", 0.00002), (0, 0.0), ("0", 0.0),
])
def test_durations_become_seconds(text, value_s):
    assert seconds(text) == value_s


@pytest.mark.parametrize("value", [
    5, "5", 1.5, "5 parsecs", "-3s", "", "s", True, None, [], float("inf"), "1e3s", "9" * 400 + "s",
])
def test_a_duration_without_a_unit_or_sense_says_how_to_write_it(value):
    with pytest.raises(ValueError, match=r"; write it "):
        seconds(value)


@pytest.mark.parametrize(("text", "value"), [("99.95%", 0.9995), ("100%", 1.0), (0.5, 0.5), (1, 1.0), ("0", 0.0)])
def test_shares_lie_between_zero_and_one(text, value):
    assert share(text) == value


def test_a_share_without_its_percent_sign_is_told_how_it_was_meant():
    with pytest.raises(ValueError, match=r"outside of 0% to 100%; write it like 99.9%"):
        share(99.9)


@pytest.mark.parametrize(("text", "value"), [("2GiB", 2**31), ("64 MiB", 2**26), ("1.5kB", 1500), (4096, 4096)])
def test_sizes_become_bytes(text, value):
    assert size(text) == value


@pytest.mark.parametrize("value", ["2 gigs", "-1B", True, 1.5, None])
def test_a_senseless_size_says_how_to_write_it(value):
    with pytest.raises(ValueError, match=r"; write it "):
        size(value)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**7).map(lambda ms: ms / 1000))
def test_a_written_duration_reads_back_as_the_same(value_s):
    assert seconds(written_seconds(value_s)) == value_s


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**6).map(lambda millionths: millionths / 10**6))
def test_a_written_share_reads_back_as_the_same(value):
    assert share(written_share(value)) == value


@pytest.mark.parametrize(("value_s", "text"), [
    (0.0123, "12 ms"), (0.9996, "1.00 s"), (1.236, "1.24 s"), (22.61, "22.6 s"), (185, "3 min 5 s"),
])
def test_durations_in_tables_have_three_digits(value_s, text):
    assert shown_seconds(value_s) == text
