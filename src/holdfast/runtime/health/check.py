"""What a user registers: a check with its settings, and a group of checks.

Rules: everything that can be wrong with one of them alone is a ValueError when it is made, and names the setting, the value and
the range; what can only be wrong among several is found by `registration`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.runtime import checks
from holdfast.runtime.calling import is_async

__all__ = ["KINDS", "Check", "Group", "registration"]

KINDS = ("liveness", "readiness", "startup")
# A colon separates component and measurement in health+json (draft-inadarei-api-health-check-06, section 4), a slash is a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _named(setting: str, value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{setting} is {value!r}; it must be 1 to 64 letters, digits, dots, dashes and underscores")
    return value


def _several(setting: str, value: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value)
    if len(set(found)) != len(found):
        raise ValueError(f"{setting} is {value!r}; it must name each only once")
    return found


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the program or to something that it needs.

    function    plain, coroutine function, or a plain one that returns an awaitable; called without arguments
    kind        "liveness", "readiness", "startup", or several of them
    critical    whether its failure is a failure of the whole, or only a warning; None: as the group says, and True without one
    group       the name of a registered Group
    needs       names of checks without which this one cannot pass: when one of them fails as well, this failure is a symptom
    timeout_s   after this its result is a failure, 0 < timeout_s <= 300; the wait for a thread counts
    ttl_s       how long a result is given out again, 0 <= ttl_s <= 3600; 0: a new run for each question that finds none under way
    fall        so many failures in a row are believed; until then the check warns
    rise        so many successes in a row end a failure
    history     how many runs are kept
    """

    name: str
    function: Callable[[], Any]
    kind: str | tuple[str, ...] = "readiness"
    critical: bool | None = None
    group: str = ""
    needs: str | tuple[str, ...] = ()
    timeout_s: float = 2.0
    ttl_s: float = 1.0
    rise: int = 1
    fall: int = 1
    history: int = 20

    def __post_init__(self) -> None:
        _named("name", self.name)
        where = f"check {self.name!r}: "
        try:
            checks.function("function", self.function)
            is_async(self.function)
            self._set("kind", _several("kind", self.kind))
            for kind in self.kind:
                checks.one_of("kind", kind, KINDS)
            if not self.kind:
                raise ValueError(f"kind is {self.kind!r}; it must name at least one of {', '.join(KINDS)}")
            if self.critical is not None and not isinstance(self.critical, bool):
                raise ValueError(f"critical is {self.critical!r}; it must be True, False or None")
            if self.group:
                _named("group", self.group)
            self._set("needs", _several("needs", self.needs))
            if self.name in self.needs:
                raise ValueError(f"needs is {self.needs!r}; a check cannot need itself")
            self._set("timeout_s", checks.number("timeout_s", self.timeout_s, low=0.0, low_open=True, high=300.0))
            self._set("ttl_s", checks.number("ttl_s", self.ttl_s, low=0.0, high=3600.0))
            for name in ("rise", "fall"):
                checks.whole(name, getattr(self, name), low=1, high=1000)
            checks.whole("history", self.history, low=0, high=10_000)
            if "liveness" in self.kind and getattr(self.function, "dependency", False):
                raise ValueError(
                    f"kind is {self.kind!r}; liveness must touch no dependency: when that fails, every copy of the program would "
                    "be restarted in vain.  Use kind='readiness'")
        except (TypeError, ValueError) as wrong:
            raise ValueError(f"{where}{wrong}") from None

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def instant(self) -> bool:
        """Its function says of itself that it never waits, so it is run where the question arrives."""
        return bool(getattr(self.function, "instant", False))


@dataclass(frozen=True, slots=True)
class Group:
    """Checks that belong together.

    critical    what its checks are that do not say it themselves; None: each of them must say it
    at_least    a quorum: the group passes while so many of its checks do not fail, and `critical` (True when not given) is said
                of the group as a whole; its checks then may not say it
    """

    name: str
    critical: bool | None = None
    at_least: int | None = None

    def __post_init__(self) -> None:
        _named("name", self.name)
        try:
            if self.critical is not None and not isinstance(self.critical, bool):
                raise ValueError(f"critical is {self.critical!r}; it must be True, False or None")
            checks.optional(checks.whole, "at_least", self.at_least, low=1, high=100_000)
        except ValueError as wrong:
            raise ValueError(f"group {self.name!r}: {wrong}") from None
        if self.at_least is not None and self.critical is None:
            object.__setattr__(self, "critical", True)


def registration(known: Mapping[str, Check], groups: Mapping[str, Group], new: Iterable[Check]) -> dict[str, Check]:
    """All checks with the new ones, whose `critical` is decided.  ValueError for what is wrong among them."""
    found = dict(known)
    for check in new:
        if not isinstance(check, Check):
            raise ValueError(f"{check!r} is not a Check")
        if check.name in found:
            raise ValueError(f"check {check.name!r} is registered twice; every name must be unique")
        if check.name in groups:
            raise ValueError(f"check {check.name!r} has the name of a group; every name must be unique")
        found[check.name] = _decided(check, groups)
    for check in found.values():
        for name in check.needs:
            _need(check, name, found)
    _refuse_cycles(found)
    return found


def _decided(check: Check, groups: Mapping[str, Group]) -> Check:
    critical = True if check.critical is None else check.critical
    if check.group:
        group = groups.get(check.group)
        if group is None:
            raise ValueError(
                f"check {check.name!r}: group is {check.group!r}; it must be one of {', '.join(map(repr, groups)) or 'none'}")
        if group.at_least is not None and check.critical is not None:
            raise ValueError(
                f"check {check.name!r}: critical is {check.critical!r}; group {group.name!r} has a quorum, so only the group as "
                "a whole is critical or not")
        if check.critical is None:
            if group.critical is None:
                raise ValueError(
                    f"check {check.name!r}: critical is missing; group {group.name!r} wants each of its checks to say "
                    "critical=True or critical=False")
            critical = group.critical
    made: Check = object.__new__(Check)  # it was checked when it was made
    for name in Check.__slots__:
        object.__setattr__(made, name, critical if name == "critical" else getattr(check, name))
    return made


def _need(check: Check, name: str, found: Mapping[str, Check]) -> None:
    if name not in found:
        raise ValueError(
            f"check {check.name!r}: needs is {check.needs!r}; there is no check {name!r} (register it before, or together)")
    for kind in check.kind:
        if kind not in found[name].kind:
            raise ValueError(f"check {check.name!r}: needs is {check.needs!r}; {name!r} is no check of kind {kind!r}")


def _refuse_cycles(found: Mapping[str, Check]) -> None:
    done: set[str] = set()
    for start in found:
        path: list[str] = []
        stack = [(start, iter(found[start].needs))]
        path.append(start)
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                done.add(name)
            elif following in path:
                circle = [*path[path.index(following):], following]
                raise ValueError(f"checks need each other in a circle: {' needs '.join(map(repr, circle))}")
            elif following not in done:
                path.append(following)
                stack.append((following, iter(found[following].needs)))
