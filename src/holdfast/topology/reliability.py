"""What a person may say of how often things fail, and how long they then stay so."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, model_validator

from holdfast.quantities import Share, Shares, Spans
from holdfast.topology.declared import Declared


class Rate(Declared):
    """How often something fails and how long it then stays so: `{mtbf: [1y, 4y], mttr: 4h}`, `{sla: 99.99%}`.

    A range is `[low, high]`, read as the 5 % and 95 % points of what is known.
    """

    mtbf: Spans | None = None
    """Mean time between failures; `y` is a year of 365.25 days. Or a range: `[1y, 4y]`."""
    mttr: Spans | None = None
    """Mean time until it works again. Or a range: `[1h, 6h]`."""
    availability: Shares | None = None
    """Instead of `mtbf`: the share of time for which it works, as measured. Or a range."""
    sla: Share | None = None
    """Instead of `mtbf`: what its provider's agreement says. That is a threshold for credits, not a measured availability."""

    @model_validator(mode="after")
    def _one_way(self) -> "Rate":
        said = [name for name in ("mtbf", "availability", "sla") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ValueError(f"{said[0]} and {said[1]} say the same thing twice; keep one of them")
        top = self.availability[1] if self.availability else self.sla
        if top == 1.0:
            raise ValueError("nothing is available for 100% of the time; write less, as in 99.99%")
        return self


class Shared(Rate):
    """One thing on which several depend: a name service, a certificate, a push of configuration, a vendor."""

    tiers: tuple[str, ...] = ()
    """Tiers that fail with it; the whole service if none is named."""


class Pool(Rate):
    """What is known of one tier: its program's own failures, and how it fails over."""

    coverage: Shares | None = None
    """The share of failures after which the tier fails over by itself. Or a range."""
    failover: Spans | None = None
    """How long that takes; what the engines' timers add up to if not given. Or a range."""
    manual_failover: Spans | None = None
    """How long it takes a person where it does not fail over by itself. Or a range."""


class Reliability(Declared):
    """What is known of how often things fail; what is not said here is a default, and printed as one."""

    beta: Shares | None = None
    """The share of the failures of equal things that strike all of them at once: the beta factor of common causes."""
    coverage: Shares | None = None
    """The share of failures after which a tier fails over by itself. Or a range."""
    manual_failover: Spans | None = None
    """How long it takes a person where it does not. Or a range."""
    repair_crews: Annotated[int, Field(ge=1)] | None = None
    """How many hosts can be repaired at a time; each has somebody if not given."""
    failover_test: Spans | None = None
    """How often failing over is exercised: only then a standby is found that is dead unnoticed."""
    unnoticed: Shares | None = None
    """The share of a standby's failures that nobody notices until then. Or a range."""
    hosts: Rate | None = None
    """Of a host: hardware, kernel, power supply."""
    zones: Rate | None = None
    """Of a zone: what takes all hosts in it at once."""
    region: Rate | None = None
    """Of all zones at once."""
    engines: Mapping[str, Rate] = {}
    """Of an engine's program on one host, by engine."""
    shared: Mapping[str, Shared] = {}
    """What several tiers depend on: DNS, a certificate, a configuration push, a vendor; by name."""
