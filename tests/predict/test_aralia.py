"""Trees of the Aralia set, the field's benchmark of real fault trees, are solved to the values that others publish.

Eleven of its 43 trees stand in `aralia/`, as equations in a form of our own: "&" and, "|" or, "!" not, a number for k of n;
behind them probabilities and the events that have them, "*" for all.  Trees: A. Rauzy's set as distributed
with SCRAM (rakhimov/scram, input/Aralia, and Debian's package scram 0.16.2-3, /usr/share/scram/input).  Values: SCRAM 0.16.2 with
`scram --bdd --probability=1`, which prints six digits, and its number of minimal cut sets of each order.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from holdfast.predict import And, AtLeast, Event, FaultTree, Gate, Not, Or

FOLDER = Path(__file__).parent / "aralia"

COUNTS: Mapping[str, tuple[float, list[int]]] = {
    "chinese": (0.00456932, [0, 12, 0, 24, 188, 168]),
    "baobab1": (1.2823e-06, [0, 1, 1, 70, 400, 2212, 14748, 8460, 10624, 6600, 3072]),
    "baobab2": (0.0208686, [0, 6, 121, 268, 630, 3780]),
    "baobab3": (0.00224117, [0, 22, 102, 264, 1139, 3452, 4759, 6976, 4601, 2588, 483]),
    "das9201": (0.0134237, [0, 82, 9740, 2881, 1246, 254, 14]),
    "das9202": (0.0101154, [1, 1, 16, 112, 448, 1536, 3648, 5632, 7168, 5120, 4096]),
    "das9203": (0.0013488, [0, 7, 728, 3585, 11880]),
    "das9204": (2.16942e-11, [0, 0, 0, 0, 0, 0, 2304, 9504, 1152, 288, 1152, 0, 0, 0, 2304]),
    "isp9603": (0.00323326, [0, 22, 1320, 1074, 720, 200, 82, 16]),
    "isp9606": (0.0543174, [4, 163, 936, 672, 1]),
}
NOT_COHERENT = {"cea9601": 2.38155e-06}

KINDS: Mapping[str, Callable[..., Gate]] = {"&": And, "|": Or, "!": Not}


def read(name: str) -> Gate:
    equations, chances = (FOLDER / f"{name}.txt").read_text().split("\n\n")
    probability = {event: float(line.split()[0]) for line in chances.splitlines() for event in line.split()[1:]}
    said = {line.split()[0]: line.split()[1:] for line in equations.splitlines()}
    used = {word.lstrip("!") for words in said.values() for word in words[1:]}
    made: dict[str, Event | Gate] = {}

    def of(word: str) -> Event | Gate:
        if word.startswith("!"):
            return Not(of(word[1:]))
        if word not in made:
            if word in said:
                kind, *inputs = said[word]
                below = [of(each) for each in inputs]
                made[word] = KINDS[kind](*below) if kind in KINDS else AtLeast(int(kind), *below)
            else:
                made[word] = Event(word, probability.get(word, probability.get("*", -1.0)))
        return made[word]

    (top,) = set(said) - used
    found = of(top)
    assert isinstance(found, Gate)
    return found


LONG = ("baobab3",)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.soak if name in LONG else ()) for name in COUNTS])
def test_probability_and_cut_sets_of_each_order_are_the_published_ones(name):
    tree = FaultTree(read(name))
    probability, counts = COUNTS[name]
    assert float(f"{tree.probability():.6g}") == probability
    assert tree.cut_set_counts() == {order: count for order, count in enumerate(counts, 1) if count}


@pytest.mark.soak
@pytest.mark.parametrize("name", NOT_COHERENT)
def test_a_tree_that_is_not_coherent_and_needs_half_a_million_nodes_is_solved_as_well(name):
    assert float(f"{FaultTree(read(name)).probability():.6g}") == NOT_COHERENT[name]
