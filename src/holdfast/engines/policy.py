"""How a balancer calls the tier that it routes to: what `uses:` says, else the engine's own numbers."""

from dataclasses import dataclass

from holdfast.topology.model import Ejection, Topology

RETRIES = 2
"""Beside the first attempt: with three servers, one dead and one dying, the third still answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """timeout_s: for the whole request, or None for the engine's.  retry_budget: share of the requests under way."""

    timeout_s: float | None = None
    retries: int = RETRIES
    retry_budget: float | None = None
    max_pending: int | None = None
    ejection: Ejection | None = None


def policy(tier: str, to: str, topology: Topology) -> Policy:
    """Of the balancer `tier` towards `to`."""
    uses = topology.tiers[tier].uses.get(to)
    if uses is None:
        return Policy()
    return Policy(
        timeout_s=uses.timeout if "timeout" in uses.model_fields_set else None,
        retries=uses.retries if "retries" in uses.model_fields_set else RETRIES,
        retry_budget=uses.retry_budget, max_pending=uses.max_pending, ejection=uses.ejection,
    )
