"""What is known of how often things fail: declared in the topology, measured by drills, or a default with its source.

Every figure is a range, read as the 5 % and 95 % points of a lognormal distribution; its middle is the geometric mean.
 Times are hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

from holdfast.predict import steps
from holdfast.topology.model import Pool, Rate, Topology

Tag = Literal["declared", "default", "measured"]

DEAN = "J. Dean, typical first year of a new cluster of about 1,800 machines"
LEAST_H = 1e-3 / 3600
"""A figure of nothing has no logarithm."""
OURS = "assumption of holdfast, without a published figure: declare your own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One figure.  name: its path in the topology.  unit: `h`, or `share`."""

    name: str
    low: float
    high: float
    unit: Literal["h", "share"] = "h"
    tag: Tag = "default"
    source: str = ""

    @property
    def middle(self) -> float:
        return sqrt(self.low * self.high)


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure from drills, to be taken instead: its range in hours or as a share, and the record that shows it.

    promised: of a failover time, the range that the engines' own delays added up to where it was measured, in hours.
    """

    low: float
    high: float
    source: str
    promised: tuple[float, float] | None = None


# Name to (low, high, source).  Hours, or shares.
DEFAULTS: Mapping[str, tuple[float, float, str]] = {
    "hosts.mtbf": (8000.0, 32000.0, f"{DEAN}: 1,000 machine failures a year, one in 16,000 h; half to double of it"),
    "hosts.mttr": (1.0, 6.0, f"{DEAN}: racks are back after 1 to 6 h; taken for a host as well"),
    "zones.mtbf": (
        8766.0,
        34786.0,
        f"{DEAN}: a power distribution unit fails once a year; Uptime Institute 2025: 53 % of operators had an outage in 3 years",
    ),
    "zones.mttr": (1.0, 6.0, f"{DEAN}: racks 1 to 6 h, power distribution about 6 h"),
    "region.down": (
        1e-5,
        1e-4,
        "Google Cloud infrastructure reliability guide: design targets of 99.99 % in several zones, 99.999 % in several regions",
    ),
    "region.mttr": (1.0, 6.0, "as for a zone"),
    "engines.mtbf": (720.0, 8766.0, OURS),
    "engines.mttr": (5 / 3600, 60 / 3600, f"{OURS}; a service manager restarts it"),
    "shared.mttr": (0.25, 4.0, OURS),
    "beta": (0.05, 0.2, "generic beta factor of 0.1 (NUREG/CR-4780, 1988), half to double of it"),
    "uncovered": (0.005, 0.1, OURS),
    "manual_failover": (0.25, 2.0, OURS),
    "failover_test": (720.0, 8766.0, OURS),
    "unnoticed": (0.05, 0.2, OURS),
}


def default(name: str, of: str, unit: Literal["h", "share"] = "h") -> Known:
    low, high, source = DEFAULTS[of]
    return Known(name=name, low=low, high=high, unit=unit, source=source)


def _hours(span_s: tuple[float, float]) -> tuple[float, float]:
    return span_s[0] / 3600, span_s[1] / 3600


class Book:
    """Every figure that a topology's prediction rests on, by name; looked up once, then the same for all who ask."""

    def __init__(self, topology: Topology, measured: Mapping[str, Measured]) -> None:
        self.topology = topology
        self.known: dict[str, Known] = {}
        self._measured = measured

    def _add(self, known: Known) -> str:
        if (found := self._measured.get(known.name)) is not None:
            known = Known(name=known.name, low=found.low, high=found.high, unit=known.unit, tag="measured", source=found.source)
        self.known.setdefault(known.name, known)
        return known.name

    def _declared(self, name: str, low: float, high: float, unit: Literal["h", "share"] = "h") -> str:
        return self._add(Known(name=name, low=low, high=high, unit=unit, tag="declared", source="the topology"))

    def time(self, name: str, span_s: tuple[float, float] | None, of: str) -> str:
        return self._declared(name, *_hours(span_s)) if span_s else self._add(default(name, of))

    def share(self, name: str, said: tuple[float, float] | None, of: str) -> str:
        if said is None:
            return self._add(default(name, of, "share"))
        least = 1e-12  # a share of nothing has no logarithm; this is nothing for any figure that is printed
        return self._declared(name, max(said[0], least), max(said[1], least), "share")

    def rate(self, path: str, said: Rate | None, of: str, fall_back: Rate | None = None) -> tuple[str, str]:
        """Names of (how often, how long): the first is a time between failures, or ends in `.down`, the share of time down."""
        said, second = said or Rate(), fall_back or Rate()
        how_long = self.time(f"{path}.mttr", said.mttr or second.mttr, f"{of}.mttr")
        for rate in (said, second):
            if rate.availability:
                low, high = rate.availability
                return self.share(f"{path}.down", (1.0 - high, 1.0 - low), of), how_long
            if rate.sla is not None:
                down = 1.0 - rate.sla
                source = "the topology, from an SLA: a threshold for credits, not a measured availability"
                return self._add(
                    Known(
                        name=f"{path}.down",
                        low=max(down, 1e-12),
                        high=max(down, 1e-12),
                        unit="share",
                        tag="declared",
                        source=source,
                    )
                ), how_long
            if rate.mtbf:
                return self._declared(f"{path}.mtbf", *_hours(rate.mtbf)), how_long
        if f"{of}.down" in DEFAULTS:
            return self._add(default(f"{path}.down", f"{of}.down", "share")), how_long
        return self._add(default(f"{path}.mtbf", f"{of}.mtbf")), how_long

    def failover(self, tier: str) -> str:
        """How long the tier takes to fail over: declared, else what its engine's own timers and work add up to.  What was
        measured is moved by what a change since does to that sum."""
        name = failover_name(tier)
        pool = self.topology.tiers[tier].reliability or Pool()
        if pool.failover:
            return self._declared(name, *_hours(pool.failover))
        (low, high), source = promised_h(self.topology, tier)
        found = self._measured.get(name)
        if found is not None and found.promised is not None and found.promised != (low, high):
            moved = sorted((_moved(found.low, found.promised[0], low), _moved(found.high, found.promised[1], high)))
            source = f"{found.source}; moved by what the change does to the engines' delays"
            self.known.setdefault(name, Known(name=name, low=moved[0], high=moved[1], tag="measured", source=source))
            return name
        return self._add(Known(name=name, low=low, high=high, source=source))


def _moved(measured: float, then: float, now: float) -> float:
    """By as many seconds as the promise where it was no less than that, else by the same share, so that time is left."""
    return measured + now - then if measured >= then else measured * now / then


def failover_name(tier: str) -> str:
    return f"tiers.{tier}.reliability.failover"


def promised_h(topology: Topology, tier: str) -> tuple[tuple[float, float], str]:
    """(range in hours, source) of `failover_s`."""
    low_s, high_s, source = failover_s(topology, tier)
    return (max(low_s / 3600, LEAST_H), max(high_s / 3600, LEAST_H)), source


def with_promises(measured: Mapping[str, Measured], drilled: Topology) -> dict[str, Measured]:
    """The same figures, failover times with what the engines promise in the topology that was drilled: `Book.failover` then knows
    what a change of a timer does to them.  What has one already keeps it."""
    found = dict(measured)
    for tier in drilled.tiers:
        name = failover_name(tier)
        if name in found and found[name].promised is None:
            found[name] = replace(found[name], promised=promised_h(drilled, tier)[0])
    return found


def failover_s(topology: Topology, tier: str) -> tuple[float, float, str]:
    """(low, high, source): the engines' steps after a silent loss: of its own election or virtual IP, else of the balancer's.

    The outage of one fault on one probe path is composed more exactly by `predict.promise`; for a yearly sum this is enough.
    """
    found = steps.of(tier, topology, "lease", "revoke", "poll", "promote")
    if not found and topology.tiers[tier].vip is not None:
        found = steps.of(f"{tier}-vip", topology, "vip_missed", "learned")
    for balancer in (name for name, other in topology.tiers.items() if tier in other.routes.values()):
        found = found or steps.of(balancer, topology, "ask_elsewhere")
    if not found:
        return 1.0, 60.0, f"{OURS}; nothing in front of it tells how soon a lost instance is left out"
    low_s, high_s = sum(each.low_s for each in found), sum(each.high_s for each in found)
    return low_s, high_s, "the engines' delays: " + ", ".join(dict.fromkeys(each.name for each in found))


def is_elected(topology: Topology, tier: str) -> bool:
    """Whether one instance leads and another must be promoted when it is lost."""
    return getattr(topology.tiers[tier].settings, "consensus", None) is not None
