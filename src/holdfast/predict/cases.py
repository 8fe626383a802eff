"""The cases of a promise: where only the moment of the strike decides what follows, each outcome has bounds of its own.

A case is a handful of facts (`part.Fact`), each true or not.  Shares of a path that name no fact are part of every case.
"""

from collections.abc import Sequence
from itertools import product
from typing import TypeVar

from holdfast.predict.part import Fact, Part, When

Made = TypeVar("Made")

_SAID: dict[Fact, tuple[str, str]] = {
    "primary": ("the primary is struck", "the primary is not struck"),
    "leader": ("the leader of {store} is on a struck host", "the leader of {store} is not on a struck host"),
    "confirms": ("a standby that confirms commits is struck", "no standby that confirms commits is struck"),
}


def cases(found: Sequence[Part]) -> tuple[When, ...]:
    """Every combination of what the tiers distinguish, in their order; one case without facts where they distinguish nothing."""
    by_store: dict[str, list[When]] = {}
    for part in found:
        known = by_store.setdefault(part.store, [])
        if part.when and part.when not in known:
            known.append(part.when)
    met: list[When] = []
    for chosen in product(*filter(None, by_store.values())):
        case: dict[Fact, bool] = {}
        if all(case.setdefault(fact, value) == value for when in chosen for fact, value in when.items()) and case not in met:
            met.append(case)
    return tuple(met) or ({},)


def within(part: Part, case: When) -> bool:
    """Whether it is a share of what happens in this case."""
    return all(case.get(fact, value) == value for fact, value in part.when.items())


def telling(made: Sequence[tuple[When, Made]]) -> list[tuple[When, Made]]:
    """The same with fewer facts: one that makes no difference to what was made of the cases is told by none of them."""
    found = [*made]
    for fact in reversed(_SAID):  # who is struck is decided first, and given up last
        merged: list[tuple[When, Made]] = []
        for case, each in found:
            rest = {name: value for name, value in case.items() if name != fact}
            if (rest, each) not in merged:
                merged.append((rest, each))
        if all(_apart(one, other) for number, (one, _) in enumerate(merged) for other, _ in merged[:number]):
            found = merged
    return found


def _apart(one: When, other: When) -> bool:
    """They can never both be so."""
    return any(other.get(fact, value) != value for fact, value in one.items())


def said(case: When, store: str) -> str:
    """`the primary is struck, the leader of etcd is not on a struck host`."""
    return ", ".join(_SAID[fact][0 if value else 1].format(store=store or "the store") for fact, value in case.items())
