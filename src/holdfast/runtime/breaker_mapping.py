"""Settings as people write them in a file: "250ms", "50%", and the name that was spelt wrong."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# What may stand in one policy of a topology; all but the breaker is read by policies of their own.
OF_A_POLICY = frozenset({"breaker", "ejection", "max_pending", "retries", "retry_budget", "timeout"})
# What a topology says of a use besides, for those who predict: no policy of a call.
OF_NO_POLICY = frozenset({"critical", "pool"})
# Longest first, so that "ms" is not read as "s".
_UNITS = (("min", 60.0), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0))
_PREDICATES = frozenset({"failure_on", "ignore_on", "failure_result", "ignore_result"})


def taken_from(mapping: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The settings in `mapping` by their full names, as numbers.  ValueError for a name that nobody knows, or one given twice."""
    known = set(names) - _PREDICATES
    given = {name: value for name, value in mapping.items() if name == "breaker" or name not in OF_A_POLICY | OF_NO_POLICY}
    inner = given.pop("breaker", None)
    if inner is not None:
        if not hasattr(inner, "items"):
            raise ValueError(f"breaker is {inner!r}; it must be a mapping of settings")
        if given:
            raise ValueError(f"{', '.join(given)} stands beside `breaker`; the settings of a breaker belong inside of it")
        given = dict(inner.items())
    taken: dict[str, Any] = {}
    for name, value in given.items():
        full = f"{name}_s" if name not in known and f"{name}_s" in known else name
        if full not in known:
            raise ValueError(f"{name} is no setting of a breaker that a file can hold{meant(name, known)}")
        if full in taken:
            raise ValueError(f"{name} is given twice: as {full} and without its unit")
        taken[full] = read(name, full, value) if isinstance(value, str) else value
    return taken


def read(name: str, full: str, text: str) -> float | int:
    number, factor = text.strip(), 1.0
    if full.endswith("_s"):
        for unit, seconds in _UNITS:
            if number.endswith(unit):
                number, factor = number.removesuffix(unit), seconds
                break
    elif number.endswith("%") and ("rate" in full or full == "retry_budget"):
        number, factor = number.removesuffix("%"), 0.01
    try:
        return int(number) if factor == 1.0 and not full.endswith("_s") and "." not in number else _scaled(float(number), factor)
    except ValueError:
        example = "a time such as 250ms, 10s or 2min" if full.endswith("_s") else "a number, or a rate such as 50%"
        raise ValueError(f"{name} is {text!r}; it must be {example}") from None


def _scaled(number: float, factor: float) -> float:
    # 0.01 and 0.001 are no binary fractions: 7 * 0.01 is not 0.07, 7 / 100 is.
    return number / round(1 / factor) if factor < 1 else number * factor


def meant(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only for people who made a mistake

    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
