"""In which order a diagram may ask its variables.  None is best for all trees, so several are tried under a budget.

All are known heuristics: the depth-first walk (Fujita, Fujisawa and Kawato, ICCAD 1988) as written, small or large inputs first,
by how often a variable is used, by the weight that flows down from the top (Minato, Ishiura and Yajima, DAC 1990), level by
level, the walks and levels backwards, and an order that keeps together what gates hold together (FORCE).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

Inputs = Mapping[int, Sequence[int]]
"""Gate to its inputs, as term numbers; what has no entry is a variable."""


def orders(inputs: Inputs, top: int) -> Iterator[tuple[int, ...]]:
    """Each order once, the ones that most often serve well first."""
    size = _sizes(inputs, top)
    uses: dict[int, int] = {}
    for below in inputs.values():
        for each in below:
            uses[each] = uses.get(each, 0) + 1
    rules: tuple[Callable[[int], float] | None, ...] = (
        lambda term: size[term], None, lambda term: -size[term], lambda term: -uses.get(term, 0),
    )
    walks = [_walk(inputs, top, rule) for rule in rules]
    seen = set()
    shared = most_shared(inputs, top)
    first = (*shared, *(term for term in walks[0] if term not in shared))
    made: tuple[Callable[[], tuple[int, ...]], ...] = (
        lambda: first, lambda: walks[0], lambda: walks[1], lambda: walks[2], lambda: _weighed(inputs, top), lambda: walks[3],
        lambda: _levels(inputs, top), lambda: walks[0][::-1], lambda: walks[1][::-1], lambda: _levels(inputs, top)[::-1],
        lambda: _drawn_together(inputs, top, walks[1]), lambda: _drawn_together(inputs, top, _weighed(inputs, top)),
        lambda: walks[2][::-1],
    )
    for make in made:
        order = make()
        if order not in seen:
            seen.add(order)
            yield order


MOST_SPLIT = 6
"""Variables on which a function is split at most, before anything is built: 64 cases."""


def most_shared(inputs: Inputs, top: int) -> tuple[int, ...]:
    """Variables that far more gates use than is usual, the most used first: zones, networks, what many depend on."""
    uses: dict[int, int] = {}
    for below in inputs.values():
        for each in set(below):
            if each not in inputs:
                uses[each] = uses.get(each, 0) + 1
    many = sorted((term for term in uses if uses[term] >= 3), key=lambda term: -uses[term])[:MOST_SPLIT]
    return tuple(term for term in many if 2 * uses[term] >= uses[many[0]])


def _sizes(inputs: Inputs, top: int) -> dict[int, int]:
    """How many variables a walk below each term meets, repeated ones counted again."""
    found: dict[int, int] = {}
    stack = [top]
    while stack:
        term = stack[-1]
        below = inputs.get(term)
        if term in found or below is None:
            found.setdefault(term, 1)
            stack.pop()
        elif missing := [each for each in below if each not in found]:
            stack += missing
        else:
            found[term] = sum(found[each] for each in below)
            stack.pop()
    return found


def _walk(inputs: Inputs, top: int, rule: Callable[[int], float] | None) -> tuple[int, ...]:
    found: dict[int, None] = {}
    seen: set[int] = set()
    stack = [top]
    while stack:
        term = stack.pop()
        if term in seen:
            continue
        seen.add(term)
        below = inputs.get(term)
        if below is None:
            found[term] = None
        else:
            stack.extend(reversed(below if rule is None else sorted(below, key=rule)))
    return tuple(found)


def _topological(inputs: Inputs, top: int) -> list[int]:
    """Terms, each before its inputs."""
    done: set[int] = set()
    behind: list[int] = []
    stack = [(top, False)]
    while stack:
        term, left = stack.pop()
        if left:
            behind.append(term)
        elif term not in done:
            done.add(term)
            stack.append((term, True))
            stack.extend((each, False) for each in inputs.get(term, ()))
    return behind[::-1]


def _weighed(inputs: Inputs, top: int) -> tuple[int, ...]:
    weight = {top: 1.0}
    order = _topological(inputs, top)
    for term in order:
        below = inputs.get(term, ())
        for each in below:
            weight[each] = weight.get(each, 0.0) + weight[term] / len(below)
    return tuple(sorted((term for term in order if term not in inputs), key=lambda term: -weight[term]))


def _levels(inputs: Inputs, top: int) -> tuple[int, ...]:
    depth = {top: 0}
    order = _topological(inputs, top)
    for term in order:
        for each in inputs.get(term, ()):
            depth[each] = max(depth.get(each, 0), depth[term] + 1)
    return tuple(sorted((term for term in order if term not in inputs), key=lambda term: depth[term]))


PULLS = 60
"""Rounds after which terms are drawn together no further.  On the Aralia set more than this changes nothing."""


def _drawn_together(inputs: Inputs, top: int, start: Sequence[int]) -> tuple[int, ...]:
    """Gates and variables on a line, each moved to the middle of the gates that it belongs to, again and again; of the orders
    that come of it the one in which gates reach least far (FORCE: Aloul, Markov and Sakallah, GLSVLSI 2003)."""
    place = {variable: float(index) for index, variable in enumerate(start)}
    groups = []
    for term in reversed(_topological(inputs, top)):
        if term in inputs:
            place[term] = sum(place[each] for each in inputs[term]) / len(inputs[term])
            groups.append((term, *inputs[term]))
    best, least = tuple(start), float("inf")
    for _ in range(PULLS):
        pulled: dict[int, list[float]] = {term: [] for term in place}
        for group in groups:
            middle = sum(place[each] for each in group) / len(group)
            for each in group:
                pulled[each].append(middle)
        line = sorted(place, key=lambda term: sum(pulled[term]) / len(pulled[term]))
        place = {term: float(index) for index, term in enumerate(line)}
        reach = sum(max(place[each] for each in group) - min(place[each] for each in group) for group in groups)
        if reach < least:
            best, least = tuple(term for term in line if term not in inputs), reach
    return best
