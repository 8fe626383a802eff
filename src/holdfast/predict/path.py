"""The way of a probe's question through the tiers: client, virtual IP, balancer, the tier that serves, what that needs.

A probe is read by the names that all probe settings have: `every`, `patience`, `tiers`, and `ledger` where it writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.topology.model import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """entry: the balancer, "" where the serving tier is asked directly.  serves: who answers.  needs: tiers without which it
    cannot, as far as is declared, through any number of callers; misses: tiers that it can do without, and for how many seconds
    it may wait for each first.
    """

    probe: str
    writes: bool
    every_s: float
    patience_s: float
    entry: str
    serves: str
    needs: tuple[str, ...] = ()
    misses: Mapping[str, float] = field(default_factory=dict)
    host: str = ""
    """The one host that the probe asks, where it asks no tier."""

    @property
    def first(self) -> str:
        """The tier whose addresses the client knows."""
        return self.entry or self.serves


def path_of(name: str, declared: Any, topology: Topology) -> Path:
    ledger = getattr(declared, "ledger", "")
    first = (getattr(declared, "through", None) or ledger) if ledger else declared.tiers[0]
    protocol = "postgres" if ledger else "http"
    first = topology.borne_by(first) or first
    tier = first if first in topology.tiers else next((each.tier for each in topology.instances if each.host == first), "")
    routes = topology.tiers[tier].routes if tier else {}
    serves = routes.get(protocol, tier)
    needs, misses = _leant_on(serves, topology)
    return Path(
        probe=name, writes=bool(ledger), every_s=declared.every, patience_s=declared.patience,
        entry=tier if routes else "", serves=serves, needs=needs, misses=misses, host="" if first in topology.tiers else first,
    )  # fmt: skip


def _leant_on(serves: str, topology: Topology) -> tuple[tuple[str, ...], Mapping[str, float]]:
    """What it needs, and what those need, and so on; and what can be missed, with how long the nearest caller who can do without
    waits.  Where one way needs a tier and another can miss it, it is needed.
    """
    needs: dict[str, None] = {}
    misses: dict[str, float] = {}
    todo: list[tuple[str, float | None]] = [(serves, None)]
    while todo:
        caller, limit_s = todo.pop(0)
        for used, how in topology.tiers[caller].uses.items() if caller in topology.tiers else ():
            if used not in topology.tiers or used in (serves, *needs):
                continue
            waits_s = limit_s if limit_s is not None else None if how.critical else how.timeout * (1 + how.retries)
            if waits_s is None:
                needs[used] = None
            elif misses.get(used, -1.0) < waits_s:
                misses[used] = waits_s
            else:
                continue
            todo.append((used, waits_s))
    return tuple(needs), {used: waits_s for used, waits_s in misses.items() if used not in needs}
