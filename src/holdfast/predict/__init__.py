"""What should happen, before anything runs: fault trees, availability, capacity, and what a change would gain.

    from holdfast.predict import And, AtLeast, Event, FaultTree, Not, Or, Xor

Usable without a topology, and without numpy.  Every formula names its source.
"""

from holdfast.predict.chains import failover_pair, latent, repair_shop, repair_time_with_crews, steady_state
from holdfast.predict.formulas import (
    YEAR_H,
    YEAR_S,
    alert_threshold,
    availability,
    burn_rate,
    common_cause,
    composite_sla,
    downtime,
    error_budget,
    exhausted_after,
    k_of_n,
    mirrored_pair,
    mtbf,
    mttr,
    nines,
    parallel,
    series,
)
from holdfast.predict.gates import And, AtLeast, Event, Gate, Not, Or, Xor
from holdfast.predict.tree import FaultTree, Importance

__all__ = [
    "YEAR_H", "YEAR_S", "And", "AtLeast", "Event", "FaultTree", "Gate", "Importance", "Not", "Or", "Xor", "alert_threshold",
    "availability", "burn_rate", "common_cause", "composite_sla", "downtime", "error_budget", "exhausted_after", "failover_pair",
    "k_of_n", "latent", "mirrored_pair", "mtbf", "mttr", "nines", "parallel", "repair_shop", "repair_time_with_crews", "series",
    "steady_state",
]
