"""What an overload offered, and what became of it, as the drill's evidence tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Counts of requests; `capacity` is what the service declares, in requests a second.

    refused: another status than the wanted one.  failed: no connection, or one that broke.  late: past the deadline, or after
    the load was over.  looks: questions to instances meanwhile whether they serve; health_missed: without a yes in time;
    not_sent_to: at which a balancer had taken the instance out.
    """

    due: int
    good: int
    refused: int
    failed: int
    late: int
    capacity: float
    lasted_s: float
    looks: int = 0
    health_missed: int = 0
    not_sent_to: int = 0
    refused_slowest_s: float = 0.0
    good_slowest_s: float = 0.0

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.lasted_s if self.lasted_s else 0.0

    @property
    def share(self) -> float:
        """Of the declared capacity."""
        return self.goodput / self.capacity


def load_of(figures: Mapping[str, Any] | None) -> Load | None:
    """None where nothing was offered."""
    if not figures or "capacity" not in figures:
        return None
    counts = ("due", "good", "refused", "failed", "late", "looks", "health_missed", "not_sent_to")
    times = ("capacity", "lasted_s", "refused_slowest_s", "good_slowest_s")
    return Load(**{name: int(figures[name]) for name in counts}, **{name: float(figures[name]) for name in times})
