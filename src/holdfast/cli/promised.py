"""Promises of every drill of a suite, for the verbs that show them."""

from collections.abc import Sequence

from holdfast.cli.describe import strike_of
from holdfast.drills.drill import Drill
from holdfast.drills.suites import drills_of
from holdfast.predict.promise import Promise, promises
from holdfast.topology.model import Topology


def promised(topology: Topology, drills: Sequence[Drill]) -> list[tuple[str, Promise]]:
    """(drill, promise), in the order of the plan."""
    return [(each.name, promise) for each in drills for promise in promises(strike_of(each), topology)]


def foreseen(topology: Topology, suite: str = "full") -> tuple[Drill, ...]:
    """The topology's own drills, else those of this suite."""
    return drills_of(topology, None if topology.drills else suite)
