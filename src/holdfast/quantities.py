"""Quantities as people write them ("250ms", "99.95%", "2GiB") and back.

Durations are seconds, shares are between 0 and 1, sizes are bytes.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"us": "0.000001", "ms": "0.001", "s": "1", "m": "60", "min": "60", "h": "3600", "d": "86400"}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_WRITTEN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")


def _split(text: str, kind: str, example: str) -> tuple[Decimal, str]:
    found = _WRITTEN.fullmatch(text) if len(text) <= 40 else None
    if not found:
        raise ValueError(f"{text[:40]!r} is not a {kind}; write it like {example}")
    return Decimal(found[1]), found[2]


def seconds(value: Any) -> float:
    """`"250ms"` is 0.25.  Raises ValueError that says how to write it; a bare number has no unit and is refused."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a duration; write it like 250ms or 30s")
    if value in (0, "0"):
        return 0.0
    number, unit = _split(str(value), "duration", "250ms or 30s")
    if unit not in _SECONDS:
        reason = "has no unit" if not unit else f"has the unknown unit {unit!r}"
        raise ValueError(f"{value!r} {reason}; write it with a unit ({', '.join(_SECONDS)}), as in {number}s")
    return float(number * Decimal(_SECONDS[unit]))


def share(value: Any) -> float:
    """`"99.95%"` is 0.9995; a bare number must lie between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a share; write it like 99.95%")
    number, unit = _split(str(value), "share", "99.95%")
    if unit not in ("", "%"):
        raise ValueError(f"{value!r} has the unknown unit {unit!r}; write it like 99.95%")
    result = float(number / 100 if unit else number)
    if not 0 <= result <= 1:
        hint = f"{number}%" if not unit and number <= 100 else "99.95%"
        raise ValueError(f"{value!r} lies outside of 0% to 100%; write it like {hint}")
    return result


def size(value: Any) -> int:
    """`"2GiB"` is 2147483648 bytes; a bare whole number is bytes."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{value!r} is not a size; write it like 64MiB")
    number, unit = _split(str(value), "size", "64MiB")
    if unit and unit not in _BYTES:
        raise ValueError(f"{value!r} has the unknown unit {unit!r}; write it with one of these: {', '.join(_BYTES)}")
    return int(number * _BYTES.get(unit, 1))


_NUMBER = r"[0-9]+(\.[0-9]+)?"
_DURATION_WRITTEN = {"type": "string", "pattern": rf"^\s*({_NUMBER}\s*({'|'.join(_SECONDS)})|0)\s*$"}
_SHARE_WRITTEN = {
    "anyOf": [{"type": "string", "pattern": rf"^\s*{_NUMBER}\s*%?\s*$"}, {"type": "number", "minimum": 0, "maximum": 1}],
    "examples": ["99.95%"],
}
_SIZE_WRITTEN = {
    "anyOf": [{"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({'|'.join(_BYTES)})?\s*$"}, {"type": "integer", "minimum": 0}],
    "examples": ["64MiB"],
}

Duration = Annotated[
    float, BeforeValidator(seconds), WithJsonSchema({"anyOf": [_DURATION_WRITTEN, {"const": 0}], "examples": ["250ms", "30s"]})
]
_YEAR_S = 365.25 * 86400
_SPAN_WRITTEN = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({'|'.join(_SECONDS)}|y)\s*$"}
Range = tuple[float, float]
"""(low, high); what is known exactly has both equal."""


def _pair(value: Any, read: Callable[[Any], float], example: str) -> Range:
    both = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(both) != 2:
        raise ValueError(f"a range has two ends, not {len(both)}; write it like {example}")
    low, high = (each if isinstance(value, tuple) else read(each) for each in both)
    if low > high:
        raise ValueError(f"the range begins with {both[0]} and ends with less, {both[1]}; write the smaller one first")
    return low, high


def _span_s(value: Any) -> float:
    text = str(value).strip()
    if isinstance(value, str) and text.endswith("y") and re.fullmatch(rf"{_NUMBER}\s*y", text):
        return float(text[:-1]) * _YEAR_S
    try:
        found = seconds(value)
    except ValueError as error:
        raise ValueError(str(error).replace(", d)", ", d, y)")) from None
    if found <= 0:
        raise ValueError(f"{value!r} is no time at all; write more than 0, as in 30d")
    return found


def spans(value: Any) -> Range:
    """`"30d"` or `["30d", "2y"]`, in seconds; a year has 365.25 days.  Raises ValueError that says how to write it."""
    return _pair(value, _span_s, "[30d, 2y]")


def shares(value: Any) -> Range:
    """`"99.9%"` or `["99.9%", "99.99%"]`."""
    return _pair(value, share, "[99.9%, 99.99%]")


def _either(one: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]})


Spans = Annotated[Range, BeforeValidator(spans), _either({**_SPAN_WRITTEN, "examples": ["250ms", "30d"]})]
Share = Annotated[float, BeforeValidator(share), WithJsonSchema(_SHARE_WRITTEN)]
Shares = Annotated[Range, BeforeValidator(shares), _either(_SHARE_WRITTEN)]
Size = Annotated[int, BeforeValidator(size), WithJsonSchema(_SIZE_WRITTEN)]


def written_seconds(value_s: float) -> str:
    """The shortest way a person would write it: 0.25 is `250ms`, 90 is `90s`, 0.0123 is `12ms`."""
    if value_s >= 1 or value_s == 0:
        return f"{value_s:.10g}s"
    return f"{value_s * 1000:.10g}ms"


def shown_seconds(value_s: float) -> str:
    """For tables: three digits at the most, `12 ms`, `1.24 s`, `22.6 s`, `3 min 5 s`."""
    if value_s < 0.9995:
        return f"{value_s * 1000:.0f} ms"
    if value_s < 9.995:
        return f"{value_s:.2f} s"
    if value_s < 119.95:
        return f"{value_s:.1f} s"
    return f"{int(value_s) // 60} min {int(value_s) % 60} s"


def written_share(value: float) -> str:
    """0.9995 is `99.95%`."""
    text = format(Decimal(repr(value)) * 100, "f")
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"
