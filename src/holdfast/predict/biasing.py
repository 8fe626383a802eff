"""Six nines and more: years played at random hardly ever show an outage, so failures are made likelier and weighed back.

Balanced failure biasing over regenerative cycles (Shahabuddin, Management Science 40(3), 1994; Goyal and others, IEEE Trans.
Computers 41(1), 1992), with mean holding times instead of drawn ones.  For exponential lives and repairs; needs numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.predict.montecarlo import Life, all_alive, numpy_or_refused
from holdfast.predict.ranges import as_positive, as_whole
from holdfast.predict.tree import FaultTree

FAILURE_SHARE = 0.5
"""In a state with something down, how often the next step is a failure: of any of those that are up, each as likely."""

MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rare:
    """unavailability with the standard error of its estimate; cycles from all well to all well that were played."""

    unavailability: float
    standard_error: float
    cycles: int


def rare(tree: FaultTree, lives: Sequence[Life], cycles: int, seed: int) -> Rare:
    """The share of time down.  cycles: 2 or more.

    Raises ValueError for repairs that are not exponential or take no time, where nothing ever fails, for an event with two lives,
    and as `montecarlo.play` does for what nothing is said of.
    """
    numpy = numpy_or_refused()
    as_whole("cycles", cycles, 2)
    names = [life.event for life in lives]
    all_alive(tree, names)
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{twice[0]} has two lives")
    if wrong := [life.event for life in lives if life.repair.kind != "exponential"]:
        raise ValueError(f"failure biasing needs exponential repairs, and that of {wrong[0]} is not")
    for life in lives:
        as_positive(f"{life.event}: low_h", life.repair.low_h)
    never = [life.event for life in lives if life.failures_per_h == 0]
    lives = [life for life in lives if life.failures_per_h > 0]
    if not lives:
        raise ValueError("nothing here ever fails")
    rng = numpy.random.default_rng(seed)
    fails = numpy.array([life.failures_per_h for life in lives])
    mends = numpy.array([1.0 / life.repair.low_h for life in lives])
    names = [life.event for life in lives] + never
    # The two halves of the ratio from cycles of their own: long ones matter for the length, rare ones for the time down.
    down = _cycles(numpy, rng, tree, names, fails, mends, cycles, biased=True)[0]
    length = _cycles(numpy, rng, tree, names, fails, mends, cycles, biased=False)[1]
    ratio = float(down.mean() / length.mean())
    spread = (float(down.std(ddof=1)) ** 2 + ratio**2 * float(length.std(ddof=1)) ** 2) / cycles
    return Rare(unavailability=ratio, standard_error=spread**0.5 / float(length.mean()), cycles=cycles)


def _cycles(
    numpy: Any, rng: Any, tree: FaultTree, names: Sequence[str], fails: Any, mends: Any, cycles: int, *, biased: bool,
) -> tuple[Any, Any]:
    """(weighed hours down, hours) of each cycle.  names: those of `fails` first, then what never fails."""
    size = len(fails)
    state = numpy.zeros((cycles, size), dtype=bool)
    state[numpy.arange(cycles), rng.choice(size, cycles, p=fails / fails.sum())] = True
    length = numpy.full(cycles, 1.0 / fails.sum())
    down = length * _happens(numpy, tree, names, numpy.zeros((1, size), dtype=bool))
    weight, active, seen = numpy.ones(cycles), numpy.arange(cycles), numpy.zeros(cycles, dtype=bool)
    for _ in range(MOST_STEPS):
        if not len(active):
            return down, length
        now = state[active]
        rates = numpy.where(now, mends, fails)
        total = rates.sum(axis=1)
        hold = weight[active] / total
        length[active] += hold
        is_down = _happens(numpy, tree, names, now)
        down[active] += hold * is_down
        seen[active] |= is_down
        true = rates / total[:, None]
        # Once a cycle has been down it may end as it likes: pushed on, it would not for a long time.
        chosen = numpy.where(seen[active][:, None], true, _biased(numpy, now, true)) if biased else true
        running = chosen.cumsum(axis=1)
        step = (rng.random(len(active))[:, None] * running[:, -1:] > running).sum(axis=1).clip(max=size - 1)
        rows = numpy.arange(len(active))
        weight[active] *= true[rows, step] / chosen[rows, step]
        state[active, step] ^= True
        active = active[state[active].any(axis=1)]
    raise ValueError(f"a cycle did not end within {MOST_STEPS} steps: repairs are too slow for this method")


def _biased(numpy: Any, now: Any, true: Any) -> Any:
    """Half of the steps are failures, each of what is up as likely; repairs among themselves as they are."""
    up = ~now
    ups = up.sum(axis=1, keepdims=True)
    repairs = numpy.where(now, true, 0.0)
    failing = numpy.where(up, FAILURE_SHARE / numpy.maximum(ups, 1), 0.0)
    mending = repairs / repairs.sum(axis=1, keepdims=True) * numpy.where(ups > 0, 1.0 - FAILURE_SHARE, 1.0)
    return failing + mending


def _happens(numpy: Any, tree: FaultTree, names: Sequence[str], now: Any) -> Any:
    never = numpy.zeros(len(now))
    columns = {name: now[:, index].astype(float) if index < now.shape[1] else never for index, name in enumerate(names)}
    return numpy.asarray(tree.probabilities(columns)) > 0.5
