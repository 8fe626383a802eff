"""Numbers that a formula can do nothing with, refused: each function gives its number back or raises a ValueError that names the
setting, the range and the value."""

from math import isfinite


def as_share(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")
    return value


def as_positive(name: str, value: float, *, zero: bool = False) -> float:
    if not isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name} must be a finite number {'of 0 or more' if zero else 'above 0'}, not {value!r}")
    return value


def as_whole(name: str, value: int, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, not {value!r}")
    return value
