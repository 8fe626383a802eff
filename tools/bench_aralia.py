"""The Aralia set, solved one tree after the other on this machine: `python -m tools.bench_aralia`, or `make bench-aralia`.

Eleven of its 43 trees stand in tests/predict/aralia, in a form of our own; for the others HOLDFAST_ARALIA names the folder with
the set's own files, as SCRAM distributes them (github.com/rakhimov/scram, input/Aralia).  What is not at hand is named
below the table, which is Markdown.  Nothing here passes or fails.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.predict import And, AtLeast, Event, FaultTree, Gate, Not, Or, Xor

HERE = Path(__file__).parents[1] / "tests" / "predict" / "aralia"

PROBABILITY = 0.01
"""Of every basic event of the set."""

PUBLISHED: Mapping[str, tuple[int | None, float | None]] = {
    "baobab1": (46_188, 1.01708e-4), "baobab2": (4_805, 7.13018e-4), "baobab3": (24_386, 2.24117e-3),
    "cea9601": (130_281_976, 1.48409e-3), "chinese": (392, 1.17058e-3), "das9201": (14_217, 1.34237e-2),
    "das9202": (27_778, 1.01154e-2), "das9203": (16_200, 1.34880e-3), "das9204": (16_704, None),
    "das9205": (17_280, 1.38408e-8), "das9206": (19_518, 2.29687e-1), "das9207": (25_988, 3.46696e-1),
    "das9208": (8_060, 1.30179e-2), "das9209": (82_000_000_000, 1.05800e-13), "das9601": (4_259, 4.23440e-3),
    "das9701": (26_299_506, 7.44694e-2), "edf9201": (579_720, 3.24591e-1), "edf9202": (130_112, 7.81302e-1),
    "edf9203": (20_807_446, 5.99589e-1), "edf9204": (32_580_630, 5.25374e-1), "edf9205": (21_308, 2.09351e-1),
    "edf9206": (None, 8.61500e-12), "edfpa14b": (105_955_422, 2.95620e-1), "edfpa14o": (105_927_244, 2.97057e-1),
    "edfpa14p": (415_500, 8.07059e-2), "edfpa14q": (105_950_670, 2.95905e-1), "edfpa14r": (380_412, 2.09977e-2),
    "edfpa15b": (2_910_473, 3.62737e-1), "edfpa15o": (2_906_753, 3.62956e-1), "edfpa15p": (27_870, 7.36302e-2),
    "edfpa15q": (2_910_473, 3.62737e-1), "edfpa15r": (26_549, 1.89750e-2), "elf9601": (151_348, 9.66291e-2),
    "ftr10": (305, 4.48677e-1), "isp9601": (276_785, 5.71245e-2), "isp9602": (5_197_647, 1.72447e-2),
    "isp9603": (3_434, 3.23326e-3), "isp9604": (746_574, 1.42751e-1), "isp9605": (5_630, 1.37171e-5),
    "isp9606": (1_776, 5.43174e-2), "isp9607": (150_436, 9.49510e-7), "jbd9601": (None, 7.55091e-1),
    "nus9601": (None, None),
}
"""Minimal cut sets and the top's probability, as the README of openpra-org/aralia-fault-tree-dataset gives them.  Left out are
three that cannot be: the probability of das9204 (6.07651E-08, more than its 2304 cut sets of order 7 and all larger ones allow),
the number of jbd9601 (that of the line above it) and the number of edf9206 (385,825,320; we count 7,159,688,704)."""

VOTE = re.compile(r"@\((\d+),\[(.*)\]\)")
EITHER = re.compile(r"\(\((\w+)\|(\w+)\)&\(~\(\1&\2\)\)\)")

KINDS: Mapping[str, Callable[..., Gate]] = {"&": And, "|": Or, "!": Not}


def tree_of(name: str) -> Gate | None:
    """From the folder that HOLDFAST_ARALIA names, else from our own; None where it is in neither."""
    folder = os.environ.get("HOLDFAST_ARALIA")
    if folder is not None and (file := Path(folder) / f"{name}.txt").exists():
        return theirs(file.read_text())
    return ours((HERE / f"{name}.txt").read_text()) if (HERE / f"{name}.txt").exists() else None


def theirs(text: str) -> Gate:
    """The set's own form: "p(e1)=0.01", "g1:=(a & b)", "(a | b)", "@(2,[a,b,c])" for 2 of 3, "~" not, xor written out."""
    probability = {event: float(value) for event, value in re.findall(r"^p\((\w+)\)=(\S+)$", text, re.MULTILINE)}
    said = {name: words.replace(" ", "") for name, words in re.findall(r"^(\w+):=(.+)$", text, re.MULTILINE)}

    def made(words: str, of: Callable[[str], Event | Gate]) -> Gate:
        if vote := VOTE.fullmatch(words):
            return AtLeast(int(vote[1]), *map(of, vote[2].split(",")))
        if either := EITHER.fullmatch(words):
            return Xor(of(either[1]), of(either[2]))
        if not re.fullmatch(r"\(?~?\w+([&|]~?\w+)*\)?", words) or ("&" in words and "|" in words):
            raise ValueError(f"a gate is not in the set's form: {words!r}")
        inputs = words.removeprefix("(").removesuffix(")")
        return And(*map(of, inputs.split("&"))) if "&" in inputs else Or(*map(of, inputs.split("|")))

    used = {name: [word for word in re.findall(r"\w+", words) if not word.isdigit()] for name, words in said.items()}
    return _top(used, lambda name, of: made(said[name], of), probability)


def ours(text: str) -> Gate:
    """The form of tests/predict/aralia: "g1 & a b", "|" or, "!" not, a number for k of n; then probabilities, "*" for all."""
    equations, chances = text.split("\n\n")
    probability = {event: float(line.split()[0]) for line in chances.splitlines() for event in line.split()[1:]}
    said = {line.split()[0]: line.split()[1:] for line in equations.splitlines()}

    def made(name: str, of: Callable[[str], Event | Gate]) -> Gate:
        kind, *inputs = said[name]
        return KINDS[kind](*map(of, inputs)) if kind in KINDS else AtLeast(int(kind), *map(of, inputs))

    return _top({name: [word.lstrip("!") for word in words[1:]] for name, words in said.items()}, made, probability)


def _top(
    used: Mapping[str, list[str]], gate: Callable[[str, Callable[[str], Event | Gate]], Gate], probability: Mapping[str, float],
) -> Gate:
    made: dict[str, Event | Gate] = {}

    def of(word: str) -> Event | Gate:
        if word[0] in "!~":
            return Not(of(word[1:]))
        if word not in made:
            made[word] = gate(word, of) if word in used else Event(word, probability.get(word, probability.get("*", -1.0)))
        return made[word]

    (top,) = set(used) - {word for words in used.values() for word in words}
    found = of(top)
    assert isinstance(found, Gate)
    return found


def gates(top: Gate) -> int:
    seen: dict[int, Gate] = {}
    waiting: list[Event | Gate] = [top]
    while waiting:
        gate = waiting.pop()
        if isinstance(gate, Gate) and id(gate) not in seen:
            seen[id(gate)] = gate
            waiting += gate.inputs
    return len(seen)


def line(name: str, most_nodes: int) -> str | None:
    """One row of the table; None where the tree is not at hand."""
    top = tree_of(name)
    if top is None:
        return None
    number, probability = PUBLISHED[name]
    began = time.process_time()
    try:
        tree = FaultTree(top, most_nodes=most_nodes)
    except ValueError:
        return f"| {name} | {gates(top)} | | | over {most_nodes:,} nodes | | | {time.process_time() - began:.1f} | |"
    found = tree.probability({event.name: PROBABILITY for event in tree.events})
    solved = time.process_time() - began
    began = time.process_time()
    cuts = sum(tree.cut_set_counts().values())
    same = "same" if probability is not None and f"{found:.6g}" == f"{probability:.6g}" else "differs" if probability else "none"
    as_many = "same" if cuts == number else "differs" if number else "none"
    return (
        f"| {name} | {gates(top)} | {len(tree.events)} | {tree.nodes:,} | {found:.6g} | {same} | {cuts:,} | {as_many} "
        f"| {solved:.1f} | {time.process_time() - began:.1f} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench_aralia", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="trees; all if none is named")
    parser.add_argument("--nodes", type=int, default=4_000_000, help="the budget of a diagram")
    asked = parser.parse_args()
    print("| tree | gates | events | rows | probability | published | minimal cut sets | published | solved, s | cut sets, s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    absent = []
    for name in asked.names or sorted(PUBLISHED):
        row = line(name, asked.nodes)
        if row is None:
            absent.append(name)
        else:
            print(row, flush=True)
    print(f"\nprocessor time, Python {sys.version.split()[0]}; not at hand: {' '.join(absent) or 'none'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
