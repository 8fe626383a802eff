"""How the service stands and what its clients saw, as probes of an experiment."""

from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import ActivityFailed

from holdfast.chaostoolkit.asking import answer, duration_s

__all__ = ["errors", "in_service", "measured", "outage", "redundant", "steady"]


def steady(patience: str = "30s", configuration: Mapping[str, Any] | None = None) -> bool:
    """Does the steady state of a drill hold: every instance in service and reachable, all redundant, every probe calm?

    True, or it fails with what is missing: a False would end the experiment before its method and still be reported as
    a success.
    """
    told = answer({"do": "steady", "patience_s": duration_s(patience)}, configuration)
    if not told["steady"]:
        raise ActivityFailed("; ".join(told["missing"]))
    return True


def in_service(name: str = "", configuration: Mapping[str, Any] | None = None) -> bool:
    """Is this instance (`web1/command`) in service, or each of this tier (`web`), or each of all?"""
    answer({"do": "looked"}, configuration)  # what is not whole while nothing is struck stands in the record
    instances = answer({}, configuration)["instances"]
    chosen = [each for each in instances if not name or name in (each["name"], each["tier"], each["host"])]
    if not chosen:
        names = ", ".join(dict.fromkeys(each["tier"] for each in instances))
        raise ActivityFailed(f"nothing is called {name}; tiers are {names}")
    return all(each["in_service"] == "yes" for each in chosen)


def redundant(configuration: Mapping[str, Any] | None = None) -> bool:
    """Could the service lose any one host now?"""
    return not answer({"do": "looked"}, configuration)["missing"]


def outage(probe: str, patience: str = "60s", configuration: Mapping[str, Any] | None = None) -> float:
    """Seconds without service since the last strike, as this probe of the topology saw it.

    patience: how long to wait until its answers are calm again.  An outage that is not over then counts up to now.
    """
    return float(measured(probe, patience, configuration)["outage_s"])


def errors(probe: str, patience: str = "60s", configuration: Mapping[str, Any] | None = None) -> int:
    """How many of its questions since the last strike were refused or not answered."""
    told = measured(probe, patience, configuration)
    return int(told["no"] + told["unknown"])


def measured(probe: str, patience: str = "60s", configuration: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All that this probe saw since the last strike.

    asked, yes, no, unknown; outage_s and whether it is over; longest_gap_s, slowest_s, error_share (0 to 1).
    """
    return answer({"do": "measured", "probe": probe, "patience_s": duration_s(patience)}, configuration)
