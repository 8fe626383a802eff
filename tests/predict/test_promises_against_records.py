"""The promises of today beside outages of real runs of examples/classic: in short what `make soak` proves at length.

`recorded_outages.json`: what probes saw (the sum of a path's outages or its longest gap, whichever is longer) in drills of the
suites, on two cores that others used as well; `given` is the case that the strike turned out to be.  One drill is not among them:
a `cut_from` right behind a `clock_skew`, whose Patroni still slept for the hour by which its clock had gone back.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from test_failover_promises import topology

from holdfast.cli.describe import strike_of
from holdfast.drills.suites import drills_of
from holdfast.predict.promise import promises
from holdfast.topology.model import Topology
from tools.soak.promises import INSIDE, judged

RECORDED = json.loads(Path(__file__).with_name("recorded_outages.json").read_text())


def beside(whole: Topology) -> list[dict[str, Any]]:
    """Every recorded outage with what is promised for it now, as the proof keeps them."""
    drills = {drill.name: drill for drill in drills_of(whole, "full")}
    found = []
    for each in RECORDED:
        (made,) = [promise for promise in promises(strike_of(drills[each["drill"]]), whole)
                   if (promise.probe, promise.given) == (each["probe"], each["given"])]  # fmt: skip
        assert made.low_s is not None, each
        found += [{"drill": each["drill"], "probe": each["probe"], "given": each["given"], "low_s": made.low_s,
                   "high_s": made.high_s, "measured_s": measured_s} for measured_s in each["measured_s"]]  # fmt: skip
    return found


def test_recorded_outages_lie_within_and_no_bound_is_too_wide():
    whole = judged([{"kept": beside(topology())}])
    assert whole.passed, whole.said


@pytest.mark.parametrize("changes", [
    {"db": {"ttl": 40.0}}, {"db": {"loop_wait": 4.0}}, {"entry": {"retry_after": 1.6}}, {"entry-vip": {"advert": 0.4}},
], ids=str)
def test_with_other_timers_the_same_outages_would_not_fit(changes):
    assert not judged([{"kept": beside(topology(**changes))}]).passed


def test_there_are_enough_of_them_to_say_so():
    assert sum(len(each["measured_s"]) for each in RECORDED) * (1 - INSIDE) >= 2, "one miss must not decide alone"
