"""Events in words, for the page's list of what happened."""

from collections.abc import Mapping
from typing import Any

from holdfast.quantities import shown_seconds
from holdfast.record.event import Event

LONGEST = 240
"""Letters of one event's detail that are shown."""

BARE = ("what", "by", "proof", "reason", "said", "seen", "missing", "remedy", "why")
"""Keys whose value says it all."""


def kind(event: Event) -> str:
    """`struck`, `redundancy lost`, `process ended`."""
    return event.kind.removeprefix("drill.").replace(".", " ")


def told(event: Event) -> str:
    if event.kind == "role":
        return str(event.detail.get("role") or "does not answer")
    text = "; ".join(_pair(key, value) for key, value in event.detail.items() if not _nothing(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | Mapping) and not value)


def _pair(key: str, value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key.endswith("_s") and number:
        return f"{_name(key[:-2])} {shown_seconds(value)}" if value >= 0 else f"{_name(key[:-2])} {value:.3g} s"
    if key in BARE:
        return _value(value)
    return f"{_name(key)} {_value(value)}" if number else f"{_name(key)}: {_value(value)}"


def _name(key: str) -> str:
    return key.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(str(key))} {_value(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return str(value)
