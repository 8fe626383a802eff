"""A file as if some of its values were others: `tiers.db.replicas=2`.

Rules: what is changed is checked like what is written, by the same loader; a path that leads to no tier, client or
probe of the file is refused here, because the loader would take it for a new one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import yaml

from holdfast.errors import Problem, Refused
from holdfast.topology.reading import LOADER, Reading
from holdfast.topology.tree import Keys
from holdfast.topology.wording import unknown

NAMED = {"tiers": "tier", "clients": "client", "probes": "probe"}

Change = tuple[Keys, Any]


def parsed(text: str) -> Change:
    """`tiers.db.replicas=2` as (("tiers", "db", "replicas"), 2).  Raises Refused."""
    path, sign, written = text.partition("=")
    steps = path.strip().split(".")
    if not sign or not all(steps):
        remedy = "write PATH=VALUE with the path's keys joined by dots, as in tiers.db.replicas=2"
        raise Refused(Problem(f"{text!r} says not what to set to what", "--set", remedy))
    try:
        value = yaml.load(written, LOADER)
    except yaml.YAMLError:
        raise Refused(Problem(f"{written!r} is not a value", f"--set {path}", "write it as in the file")) from None
    return tuple(steps), value


def changed(reading: Reading, changes: Sequence[Change]) -> Reading:
    """The same reading with these values.  Raises Refused with every change that leads nowhere."""
    problems = []
    value = reading.value
    for path, new in changes:
        where = f"--set {'.'.join(map(str, path))}"
        section = value.get(path[0]) if isinstance(value, dict) else None
        named = isinstance(section, dict) and path[0] == "tiers" and len(path) > 1
        if named and (instead := _implied(path, section)):
            problems.append(Problem(f"{path[1]} is added by another tier, which has its keys", where, f"write {instead}"))
        elif path[0] in NAMED and len(path) > 1 and isinstance(section, dict) and path[1] not in section:
            problems.append(unknown(NAMED[path[0]], str(path[1]), map(str, section), where))
        elif (made := _with(value, path, new)) is None:
            problems.append(Problem("a value stands where the path goes on", where, "name a key that holds others"))
        else:
            value = made
    if problems:
        raise Refused(problems)
    return replace(reading, value=value)


def _implied(path: Keys, tiers: Any) -> str:
    """Where the keys of a tier are written that `vip:` or `mesh:` adds; "" for any other."""
    bearer, _, word = str(path[1]).rpartition("-")
    key = {"vip": "vip_settings", "mesh": "mesh"}.get(word)
    if key is None or path[1] in tiers or not isinstance(tiers.get(bearer), dict) or not tiers[bearer].get(word):
        return ""
    return ".".join(map(str, ("tiers", bearer, key, *(path[2:] or ("KEY",)))))


def _with(value: Any, path: Keys, new: Any) -> Any:
    """A copy with `new` at `path`, or None where something on the way holds no keys."""
    if not path:
        return new
    if isinstance(value, list) and str(path[0]).isdigit() and int(path[0]) <= len(value):
        index = int(path[0])
        inner = _with(value[index] if index < len(value) else None, path[1:], new)
        return [*value[:index], inner, *value[index + 1 :]]
    if value is not None and not isinstance(value, dict):
        return None
    inner = _with((value or {}).get(path[0]), path[1:], new)
    return None if inner is None and len(path) > 1 else {**(value or {}), path[0]: inner}
