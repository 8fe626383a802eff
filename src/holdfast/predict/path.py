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
    cannot, as far as is declared; misses: tiers that it can do without, and for how many seconds it may wait for each first.
    """

    probe: str
    writes: bool
    every_s: float
    patience_s: float
    entry: str
    serves: str
    needs: tuple[str, ...] = ()
    misses: Mapping[str, float] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The tier whose addresses the client knows."""
        return self.entry or self.serves


def path_of(name: str, declared: Any, topology: Topology) -> Path:
    ledger = getattr(declared, "ledger", "")
    first = (getattr(declared, "through", None) or ledger) if ledger else declared.tiers[0]
    protocol = "postgres" if ledger else "http"
    tier = first if first in topology.tiers else next((each.tier for each in topology.instances if each.host == first), "")
    routes = topology.tiers[tier].routes if tier else {}
    serves = routes.get(protocol, tier)
    uses = {used: how for used, how in topology.tiers[serves].uses.items() if used in topology.tiers} if serves else {}
    return Path(
        probe=name, writes=bool(ledger), every_s=declared.every, patience_s=declared.patience,
        entry=tier if routes else "", serves=serves, needs=tuple(used for used, how in uses.items() if how.critical),
        misses={used: how.timeout for used, how in uses.items() if not how.critical},
    )  # fmt: skip
