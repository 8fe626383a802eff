"""More trees of the Aralia set, which do not stand here: who has the set names its folder in HOLDFAST_ARALIA.

The set is distributed with SCRAM (rakhimov/scram, input/Aralia), as text: probabilities "p(e1)=0.01", gates "g1:=(a & b)",
"(a | b)", "@(2,[a,b,c])" for 2 of 3, "~" not.  Values: SCRAM 0.16.2 with `scram --bdd --probability=1`, which prints six digits,
and its number of minimal cut sets of each order.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from holdfast.predict import And, AtLeast, Event, FaultTree, Gate, Not, Or

COUNTS: Mapping[str, tuple[float, list[int]]] = {
    "isp9601": (0.0556728, [1, 571, 100, 101, 106920, 99036, 41904, 23160, 4704, 288]),
    "isp9602": (0.0172447, [1, 77, 210, 3973, 21302, 109458, 473266, 1138544, 1554904, 1205592, 522640, 147200, 20480]),
    "isp9604": (0.142751, [8, 601, 46623, 181813, 262610, 169735, 66232, 16408, 2384, 160]),
    "isp9605": (1.37171e-05, [0, 0, 13, 88, 462, 27, 5040]),
    "isp9607": (9.4951e-07, [0, 0, 0, 100, 24, 744, 5232, 19992, 33336, 36288, 18816, 3096, 7800, 13704, 9960, 1344]),
    "ftr10": (0.448677, [57, 243, 5]),
    "edfpa15b": (0.362737, [21, 3222, 62102, 260068, 232464, 245748, 624856, 726288, 442068, 250004, 58352, 5280]),
    "edfpa15p": (0.0736302, [6, 172, 826, 1300, 1980, 2862, 4305, 5958, 5218, 3755, 1320, 168]),
    "edfpa15r": (0.018975, [1, 92, 633, 1181, 1803, 2568, 4118, 5771, 5153, 3741, 1320, 168]),
    "edfpa14b": (
        0.29562,
        [19, 1427, 111352, 882240, 3386824, 5357784, 7565584, 14909976, 22964368, 20284928, 18484464, 9612312, 2232000, 162144],
    ),
}
LONG = ("edfpa15b", "edfpa15p", "edfpa15r", "edfpa14b")

VOTE = re.compile(r"@\((\d+),\[(.*)\]\)")


def read(text: str) -> Gate:
    probability = {event: float(value) for event, value in re.findall(r"^p\((\w+)\)=(\S+)$", text, re.MULTILINE)}
    said = {name: words.replace(" ", "") for name, words in re.findall(r"^(\w+):=(.+)$", text, re.MULTILINE)}
    used = {word for words in said.values() for word in re.findall(r"\w+", words)}
    made: dict[str, Event | Gate] = {}

    def of(word: str) -> Event | Gate:
        if word.startswith("~"):
            return Not(of(word[1:]))
        if word not in made:
            made[word] = gate(said[word]) if word in said else Event(word, probability[word])
        return made[word]

    def gate(words: str) -> Gate:
        if vote := VOTE.fullmatch(words):
            return AtLeast(int(vote[1]), *map(of, vote[2].split(",")))
        inputs = words.removeprefix("(").removesuffix(")")
        return And(*map(of, inputs.split("&"))) if "&" in inputs else Or(*map(of, inputs.split("|")))

    (top,) = set(said) - used
    found = of(top)
    assert isinstance(found, Gate)
    return found


def test_the_form_of_the_set_is_read():
    text = "small\np(a)=0.5\np(b)=0.25\np(c)=0.125\ntop:=(g1 | g2)\ng1:=@(2,[a,b,c])\ng2:=(~g3 & c)\ng3:=a\n"
    two_of_three = 0.5 * 0.25 + 0.5 * 0.125 + 0.25 * 0.125 - 2 * 0.5 * 0.25 * 0.125
    only_c = 0.5 * 0.75 * 0.125
    assert FaultTree(read(text)).probability() == pytest.approx(two_of_three + only_c)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.soak if name in LONG else ()) for name in COUNTS])
def test_a_tree_of_a_folder_has_the_probability_and_the_cut_sets_that_scram_finds(name):
    folder = os.environ.get("HOLDFAST_ARALIA")
    if folder is None:
        pytest.skip("HOLDFAST_ARALIA names no folder with the Aralia set (rakhimov/scram, input/Aralia)")
    tree = FaultTree(read((Path(folder) / f"{name}.txt").read_text()))
    probability, counts = COUNTS[name]
    assert float(f"{tree.probability():.6g}") == probability
    assert tree.cut_set_counts() == {order: count for order, count in enumerate(counts, 1) if count}
