"""A topology's year by chance: how unlike one year is to another, with every figure at its middle.

Failing over stands beside the causes as events of its own: covered ones take the tier's failover time, the others until a
person has acted.  Repairs are exponential with the mean that is known.  What only some requests feel is left out.  Where hosts
wait for a crew, what their being down together costs beyond chance is one more event, which lasts as long as a repair.
"""

from dataclasses import dataclass
from typing import Literal

from holdfast.predict import solve
from holdfast.predict.biasing import Rare, rare
from holdfast.predict.gates import Event, Or
from holdfast.predict.montecarlo import Life, Played, Repair, play
from holdfast.predict.tree import FaultTree
from holdfast.predict.yearly import Prediction, covered_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Years:
    """Minutes of downtime in a year: in every second year no more than median_min, in one of ten more than tenth_min, in one of a
    hundred more than hundredth_min.  missed: the share of years that miss the availability objective, or None without one."""

    played: int
    median_min: float
    tenth_min: float
    hundredth_min: float
    missed: float | None
    rare: Rare | None = None
    """Where years at random hardly ever show an outage: what failures that are made likelier and weighed back say instead."""


RARE = 1e-6
"""Six nines: down for less than this share of the time, hardly one of the years that are played has an outage."""
CYCLES = 20_000


def play_years(prediction: Prediction, years: int, seed: int, path: str = "service") -> Played:
    """Raises Refused where numpy is missing."""
    return play(*_lives(prediction, path, "fixed"), years, seed)


def _lives(prediction: Prediction, path: str, quickly: Literal["fixed", "exponential"]) -> tuple[FaultTree, list[Life]]:
    """quickly: how failing over that nobody has to help is distributed."""
    figures = prediction.middle()
    values = prediction.waiting(figures)
    waits: list[Life] = []
    for tier, (_, often) in prediction.failing_over(path, figures).items():
        pool = prediction.service.pools[tier]
        if pool.weight == 1.0:
            share = covered_share(pool, values)
            quick, slow = values[pool.failover], values[pool.manual]
            waits.append(Life(event=f"{tier} fails over", failures_per_h=often * share, repair=Repair(quickly, quick, quick)))
            waits.append(Life(event=f"{tier} waits for a person", failures_per_h=often * (1 - share),
                              repair=Repair("exponential", slow, slow)))
    more = prediction.broken(path, figures) - solve.probability(prediction.tree(path).solved, prediction.shares(path, figures))
    if more > 0.0:
        repair_h = figures["reliability.hosts.mttr"]
        waits.append(Life(event="hosts wait together", failures_per_h=more / repair_h,
                          repair=Repair("exponential", repair_h, repair_h)))
    tree = FaultTree(Or(prediction.path(path).top, *(Event(life.event, 0.0) for life in waits)))
    causes = prediction.service.causes
    lives = [
        Life(event=event.name, failures_per_h=causes[event.name].rate(values),
             repair=Repair("exponential", values[causes[event.name].long], values[causes[event.name].long]))
        for event in tree.events if event.name in causes
    ]
    return tree, [*lives, *waits]


def year_by_chance(prediction: Prediction, years: int, seed: int = 1, path: str = "service") -> Years:
    played = play_years(prediction, years, seed, path)
    objective = prediction.topology.objectives.availability
    median, tenth, hundredth = (played.quantile_h(share) * 60 for share in (0.5, 0.9, 0.99))
    return Years(
        played=years, median_min=median, tenth_min=tenth, hundredth_min=hundredth,
        missed=None if objective is None else played.missed(objective),
        rare=_rarely(prediction, path, seed) if prediction.unavailability(path) < RARE else None,
    )


def _rarely(prediction: Prediction, path: str, seed: int) -> Rare | None:
    """None where the method does not apply: repairs so slow that a cycle does not end."""
    try:
        return rare(*_lives(prediction, path, "exponential"), CYCLES, seed)
    except ValueError:
        return None
