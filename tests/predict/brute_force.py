"""The definition of everything that a fault tree is asked, by going through all states: slow, short and obviously right."""

from itertools import product
from random import Random

from holdfast.predict import And, AtLeast, Event, Gate, Not, Or, Xor


def happens(node, state) -> bool:
    if isinstance(node, Event):
        return state[node.name]
    found = [happens(each, state) for each in node.inputs]
    return {
        "and": all(found), "or": any(found), "atleast": sum(found) >= node.needed, "not": not found[0],
        "xor": sum(found) % 2 == 1,
    }[node.kind]


class States:
    """Every state of the events, with what the top is in it."""

    def __init__(self, top, events):
        self.events = events
        names = [event.name for event in events]
        every = product((False, True), repeat=len(names))
        self.top = {bits: happens(top, dict(zip(names, bits, strict=True))) for bits in every}

    def weight(self, bits) -> float:
        result = 1.0
        for event, failed in zip(self.events, bits, strict=True):
            result *= event.probability if failed else 1.0 - event.probability
        return result

    def probability(self) -> float:
        return sum(self.weight(bits) for bits, down in self.top.items() if down)

    def frequency(self) -> float:
        """Every step from an up state into a down one, by a failure or a repair."""
        total = 0.0
        for bits, down in self.top.items():
            for index, event in enumerate(self.events):
                other = (*bits[:index], not bits[index], *bits[index + 1 :])
                if not down and self.top[other]:
                    total += self.weight(bits) * (event.repair_rate if bits[index] else event.failure_rate)
        return total

    def minimal(self) -> set:
        names = [event.name for event in self.events]
        failing = [frozenset(n for n, b in zip(names, bits, strict=True) if b) for bits, down in self.top.items() if down]
        found: list = []
        for each in sorted(failing, key=len):
            if not any(less <= each for less in found):
                found.append(each)
        return set(found)


def drawn(seed: int, *, coherent: bool, events: int = 8, gates: int = 12) -> Gate | Event:
    """A tree at random, in which gates share inputs."""
    rng = Random(seed)
    nodes: list = [
        Event(f"e{index}", failure_rate=rng.uniform(0.01, 0.5), repair_rate=rng.uniform(0.1, 1))
        for index in range(rng.randint(1, events))
    ]
    for _ in range(rng.randint(1, gates)):
        inputs = rng.choices(nodes, k=rng.randint(2, 4))
        kinds = [lambda i: And(*i), lambda i: Or(*i), lambda i: AtLeast(rng.randint(1, len(i)), *i)]
        if not coherent:
            kinds += [lambda i: Not(i[0]), lambda i: Xor(*i)]
        nodes.append(rng.choice(kinds)(inputs))
    return nodes[-1]
