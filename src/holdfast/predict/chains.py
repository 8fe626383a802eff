"""Markov chains in continuous time, exactly: pools that fail over, repair crews, standbys that are dead unnoticed.

Solved by the elimination of Grassmann, Taksar and Heyman (Operations Research 33(5), 1985), which subtracts nothing, so small
probabilities keep their digits.  Rates and times are of any one unit.
"""

from collections.abc import Iterable, Mapping
from math import isfinite

from holdfast.predict.ranges import as_positive, as_share, as_whole

Rates = Mapping[tuple[str, str], float]
"""(from, to) to the rate of that step."""


def steady_state(rates: Rates) -> dict[str, float]:
    """The long-run share of time in each state of an irreducible chain.  Raises ValueError for a negative or infinite rate,
    for a step to itself, and for a chain that can get stuck."""
    for (a, b), rate in rates.items():
        if a == b or not isfinite(rate) or rate < 0:
            raise ValueError(f"the rate from {a} to {b} must be a finite number of 0 or more between two states, not {rate!r}")
    states = list(dict.fromkeys(state for step, rate in rates.items() if rate > 0 for state in step))
    place = {state: index for index, state in enumerate(states)}
    size = len(states)
    q = [[0.0] * size for _ in range(size)]
    for (a, b), rate in rates.items():
        if rate > 0:
            q[place[a]][place[b]] += rate
    for last in range(size - 1, 0, -1):
        leaving = sum(q[last][:last])
        if leaving <= 0.0:
            raise ValueError(f"the chain gets stuck in {states[last]}: no way leads back from it to {', '.join(states[:last])}")
        for i in range(last):
            if q[i][last]:
                share = q[i][last] / leaving
                q[i][last] = share
                for j in range(last):
                    if i != j:
                        q[i][j] += share * q[last][j]
    weight = [1.0] + [0.0] * (size - 1)
    for j in range(1, size):
        weight[j] = sum(weight[i] * q[i][j] for i in range(j))
    total = sum(weight)
    return {state: weight[index] / total for index, state in enumerate(states)}


def frequency(rates: Rates, share: Mapping[str, float], down: Iterable[str]) -> float:
    """How often the chain goes from the other states into those that are down, per unit of time."""
    bad = set(down)
    return sum(share.get(a, 0.0) * rate for (a, b), rate in rates.items() if a not in bad and b in bad)


def failover_pair(
    failure_rate: float, repair_rate: float, coverage: float, failover_time: float, manual_time: float, crews: int = 2,
) -> Rates:
    """An active unit and its standby: states up2, moving (failing over), stuck (failed to), up1, down.

    The active fails and with probability `coverage` is replaced after `failover_time`, else by a person after `manual_time`; a
    standby may fail too.  Down are moving, stuck and down.  (Trivedi and Bobbio, Reliability and Availability Engineering,
    2017, section 9.5: coverage.)  Raises ValueError for rates below 0, times that are not above it, and less than one crew.
    """
    both = 2 if as_whole("crews", crews, 1) >= 2 else 1
    fails, mends = as_positive("failure_rate", failure_rate, zero=True), as_positive("repair_rate", repair_rate)
    as_share("coverage", coverage)
    as_positive("failover_time", failover_time)
    as_positive("manual_time", manual_time)
    return {
        ("up2", "moving"): fails * coverage, ("up2", "stuck"): fails * (1.0 - coverage), ("up2", "up1"): fails,
        ("moving", "up1"): 1.0 / failover_time, ("stuck", "up1"): 1.0 / manual_time,
        ("moving", "down"): fails, ("stuck", "down"): fails,
        ("up1", "up2"): mends, ("up1", "down"): fails, ("down", "up1"): both * mends,
    }


FAILOVER_DOWN = ("moving", "stuck", "down")


def repair_shop(units: int, failure_rate: float, repair_rate: float, crews: int) -> Rates:
    """`units` equal ones of which at most `crews` are repaired at a time; states "0" to str(units) count those that are down.

    The machine repairman (Kleinrock, Queueing Systems 1, 1975, section 3.8).  Raises ValueError as `failover_pair` does.
    """
    as_whole("units", units, 1)
    as_whole("crews", crews, 1)
    as_positive("failure_rate", failure_rate, zero=True)
    as_positive("repair_rate", repair_rate)
    steps = {}
    for down in range(units):
        steps[str(down), str(down + 1)] = (units - down) * failure_rate
        steps[str(down + 1), str(down)] = min(down + 1, crews) * repair_rate
    return steps


def repair_time_with_crews(units: int, failure_rate: float, repair_rate: float, crews: int) -> float:
    """Mean time from a failure to the end of its repair, waiting for a crew included: by Little's law, those that are down over
    how often one fails, from the chain above."""
    as_whole("units", units, 1)
    as_whole("crews", crews, 1)
    as_positive("failure_rate", failure_rate, zero=True)
    as_positive("repair_rate", repair_rate)
    if crews >= units or failure_rate == 0.0:
        return 1.0 / repair_rate
    share = steady_state(repair_shop(units, failure_rate, repair_rate, crews))
    down = sum(int(state) * each for state, each in share.items())
    return down / ((units - down) * failure_rate)


def latent(failure_rate: float, unnoticed: float, test_interval: float) -> float:
    """The share of time for which a standby is dead and nobody knows: it fails so at rate failure_rate x unnoticed, and each test
    finds it.  With one every `test_interval` it stays unfound for half of that on average (IEC 61508-6, annex B: l T / 2).
    """
    as_positive("failure_rate", failure_rate, zero=True)
    as_share("unnoticed", unnoticed)
    as_positive("test_interval", test_interval, zero=True)
    if failure_rate * unnoticed == 0.0 or test_interval == 0.0:
        return 0.0
    share = steady_state({("good", "dead"): failure_rate * unnoticed, ("dead", "good"): 2.0 / test_interval})
    return share["dead"]
