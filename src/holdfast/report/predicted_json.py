"""A prediction as JSON; `schema` names the version, and times end in their unit."""

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

from holdfast.predict.promise import Promise
from holdfast.predict.spread import Spread
from holdfast.predict.yearly import Outlook
from holdfast.report.predicted import Predicted

SCHEMA = "holdfast.predict/1"


def as_json(found: Predicted, outages: Sequence[tuple[str, Promise]] = ()) -> str:
    """outages: what each drill may cost, with its name."""
    promises = [{"drill": name, "fault": each.fault, "tier": each.tier, "target": each.target, **each.as_detail()}
                for name, each in outages]
    return json.dumps({**document(found), "promises": promises}, indent=1)


def document(found: Predicted) -> dict[str, Any]:
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "service": found.service,
        "year_days": 365.25,
        "samples": found.sampled,
        "changed": list(found.changed),
        "paths": [
            {**_outlook(each), **_spread(known)}
            for each, known in zip(found.outlooks, found.spreads or (None,) * len(found.outlooks), strict=True)
        ],
        "before": _outlook(found.before) if found.before else None,
        "objective": None if found.objective is None else {"availability": found.objective, "kept_by_share": found.met_share},
        "single_points": list(found.single_points),
        "cut_sets_by_order": {str(order): number for order, number in found.cut_sets.counts.items()},
        "cut_sets": [{"events": list(events), "probability": often} for events, often in found.cut_sets.likeliest],
        "cut_sets_left_out": found.cut_sets.left_out,
        "importance": [
            {
                "event": name,
                "birnbaum": _finite(each.birnbaum),
                "criticality": _finite(each.criticality),
                "diagnostic": _finite(each.diagnostic),
                "achievement": _finite(each.achievement),
                "reduction": _finite(each.reduction),
            }
            for name, each in found.importance
        ],
        "worse_than_one": [
            {"tier": tier, "several_min": several, "one_min": one} for tier, several, one in found.worse_than_one
        ],
        "findings": [
            {"level": each.level, "rule": each.rule, "what": each.what, "where": each.where, "remedy": each.remedy}
            for each in found.findings
        ],
        "figures": [
            {"name": each.name, "low": each.low, "high": each.high, "unit": each.unit, "tag": each.tag, "source": each.source}
            for each in found.known
        ],
    }
    if found.years is not None:
        years = found.years
        made["years"] = {"played": years.played, "median_min": years.median_min, "tenth_min": years.tenth_min,
                         "hundredth_min": years.hundredth_min, "missed_share": years.missed,
                         "without_partial": True, "rare": None if years.rare is None else {
                             "unavailability": years.rare.unavailability, "standard_error": years.rare.standard_error,
                             "cycles": years.rare.cycles}}
    if found.gains is not None:
        made["gains"] = [
            {"change": each.change, "set": each.setting or None, "gain_min": each.gain_min, "after_min": each.after_min}
            for each in found.gains
        ]
    return made


def _outlook(each: Outlook) -> dict[str, Any]:
    return {
        "path": each.path,
        "down_min": {"low": each.low_min, "middle": each.middle_min, "high": each.high_min},
        "outages_per_year": each.outages,
        "mean_outage_s": each.mean_outage_s,
        "failing_over_min": each.failover_min,
        "partial_min": each.partial_min,
        "drivers": [{"figure": name, "low_end_min": low, "high_end_min": high} for name, low, high in each.drivers],
    }


def _spread(known: Spread | None) -> dict[str, Any]:
    """5 % and 95 % of the samples; null where it is not known."""
    ends = {"outages_per_year": known and known.outages, "mean_outage_s": known and known.mean_outage_s,
            "failing_over_min": known and known.failover_min}
    return {"spread": {name: None if pair is None else {"low": pair[0], "high": pair[1]} for name, pair in ends.items()}}


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
