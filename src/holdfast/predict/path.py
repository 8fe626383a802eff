"""The way of a probe's question through the tiers: client, virtual IP, balancer, the tier that serves, what that needs.

A probe is read by the names that all probe settings have: `every`, `patience`, `tiers`, and `ledger` where it writes.
"""

from dataclasses import dataclass
from typing import Any

from holdfast.topology.model import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """entry: the balancer, "" where the serving tier is asked directly.  serves: who answers.  needs: tiers without which it
    cannot, as far as is declared; they matter to reads as well as to writes.
    """

    probe: str
    writes: bool
    every_s: float
    patience_s: float
    entry: str
    serves: str
    needs: tuple[str, ...] = ()

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
    needs = tuple(used for used, how in topology.tiers[serves].uses.items() if how.critical) if serves else ()
    return Path(
        probe=name, writes=bool(ledger), every_s=declared.every, patience_s=declared.patience,
        entry=tier if routes else "", serves=serves, needs=tuple(used for used in needs if used in topology.tiers),
    )  # fmt: skip
