"""From a formula to diagrams, one for each module, and the sums over them: probability and its derivatives.

Both polarities of a node are rows of their own, so no probability is ever taken as one minus another: what is as unlikely as
1e-13 keeps all its digits.  Rows are in topological order, so each sum is one pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from holdfast.predict.diagram import FALSE, TRUE, Diagram, TooLarge
from holdfast.predict.formula import Formula, coherent_terms, grouped, modules
from holdfast.predict.orders import most_shared, orders

ROUNDS = ((2_000, 10), (16_000, 99), (160_000, 8), (650_000, 3), (1_600_000, 2))
"""(nodes allowed to an order, how many orders are tried): many while they cost little, then those that came furthest, and
at last whatever is allowed."""

LOOK_ON = 200_000
"""Nodes from which on the first order that keeps to its budget is taken: a better one would not save what it costs."""

QUICK = 10
"""Orders that are quickly made; those behind them are made only where none of these kept to its budget."""

GOOD_ENOUGH = 12
"""Rows per variable from which on no better order is looked for."""

MOST_NODES = 4_000_000
"""About 1.2 GB.  A tree that needs more in every order is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One module, solved.  rows: (variable, row if false, row if true); rows 0 and 1 are the constants true and false, and
    the last one is the module itself.  A variable below the number of events is that event, one above is an earlier part."""

    rows: tuple[tuple[int, int, int], ...]
    term: int
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """parts: each behind those that it uses; the last one is the top.  nodes: made on the way, of the orders that were kept."""

    parts: tuple[Part, ...]
    events: int
    constant: bool | None = None
    nodes: int = 0


def solve(formula: Formula, most_nodes: int = MOST_NODES, *, only_coherent: bool = False, number: int | None = None) -> Solved:
    """only_coherent: leave modules with a "not" or an xor where they are.  number: use this order alone, to compare orders.

    Raises ValueError where every order would need more than `most_nodes`.
    """
    events = len(formula.events)
    if formula.top < 0:
        return Solved(parts=(), events=events, constant=formula.top == -1)
    if formula.top >> 1 < events:
        row = (formula.top >> 1, TRUE, FALSE) if formula.top & 1 else (formula.top >> 1, FALSE, TRUE)
        part = Part(rows=(row,), term=formula.top >> 1, order=(formula.top >> 1,))
        return Solved(parts=(part,), events=events, nodes=1)
    formula = grouped(formula)
    found = modules(formula)
    if only_coherent:
        coherent = coherent_terms(formula)
        found = [term for term in found if coherent[term] or term == formula.top >> 1]
    place = {term: events + index for index, term in enumerate(found)}
    parts = []
    nodes = 0
    for term in found:
        below = _below(formula, term, place)
        diagram, root, order = _best(formula, term, below, most_nodes, number)
        if term == formula.top >> 1:
            root ^= formula.top & 1
        parts.append(_part(diagram, root, order, term, place))
        nodes += len(diagram.level)
    return Solved(parts=tuple(parts), events=events, nodes=nodes)


def _below(formula: Formula, top: int, place: Mapping[int, int]) -> dict[int, list[int]]:
    """Gates of this module to their inputs; other modules are variables."""
    found: dict[int, list[int]] = {}
    stack = [top]
    while stack:
        term = stack.pop()
        if term not in found:
            found[term] = [each >> 1 for each in formula.inputs[term]]
            stack += [each for each in found[term] if formula.kinds[each] != "event" and each not in place]
    return found


def _best(
    formula: Formula, top: int, below: Mapping[int, list[int]], most_nodes: int, number: int | None,
) -> tuple[Diagram, int, tuple[int, ...]]:
    """The smallest diagram of the first round in which any order kept to its budget.  How much an order had built when it broke
    one budget, and whether it got further than below the one before, says how likely it keeps the next."""
    source = orders(below, top)
    tried = [next(source)]
    if number is not None:
        tried += source
        tried = [tried[number % len(tried)]]
    elif len(tried[0]) <= 6 or len(below) == 1:
        source = iter(())
    done: dict[tuple[int, ...], tuple[float, bool]] = {}
    for allowed, many in (*ROUNDS, (most_nodes, 99)):
        budget = min(allowed, most_nodes)
        best: tuple[int, Diagram, int, tuple[int, ...]] | None = None
        ranked = sorted(tried, key=lambda order: done.get(order, (0.0, True)), reverse=True)
        for index in range(many):
            if index == len(ranked):
                ranked += islice(source, 1)
            enough = best is not None and (best[0] <= GOOD_ENOUGH * len(best[3]) or budget > LOOK_ON or index >= QUICK)
            if enough or index == len(ranked):
                break
            order = ranked[index]
            if order not in tried:
                tried.append(order)
            diagram = Diagram(limit=budget if best is None else min(budget, len(best[1].level)))
            try:
                root = _split(formula, top, below, order, diagram)
            except TooLarge as stopped:
                done[order] = (stopped.done, stopped.done > done.get(order, (0.0, True))[0])
                continue
            size = len(diagram.below(root))
            if best is None or size < best[0]:
                best = (size, diagram, root, order)
        if best is not None:
            return best[1:]
    raise ValueError(
        f"the tree needs a diagram of more than {most_nodes} nodes in each of {len(tried)} variable orders; "
        "split it, or allow more with most_nodes"
    )


def _split(formula: Formula, top: int, below: Mapping[int, list[int]], order: Sequence[int], diagram: Diagram) -> int:
    """Built once for each case of the variables that stand first because most depend on them, and joined: with a zone known to
    be up or down, the rest falls into parts that have nothing to do with each other."""
    shared = most_shared(below, top)
    split = len(shared) if tuple(order[: len(shared)]) == shared else 0
    made = {term: diagram.variable(level) for level, term in enumerate(order)}
    if not split:
        return _built(formula, top, below, made, diagram)
    touched = _touched(below, shared)
    kept: dict[tuple[int, int], int] = {}
    roots = []
    for case in range(1 << split):
        known = dict(made)
        known.update({term: TRUE if case >> place & 1 else FALSE for place, term in enumerate(shared)})
        known.update({term: kept[term, case & mask] for term, mask in touched.items() if (term, case & mask) in kept})
        try:
            roots.append(_built(formula, top, below, known, diagram))
        except TooLarge as stopped:
            stopped.done = (case + stopped.done) / (1 << split)
            raise
        kept.update({(term, case & mask): known[term] for term, mask in touched.items() if term in known})
    for place in range(split):
        # The last variable of the split is the lowest, and the highest bit of a case.
        level, half = split - 1 - place, len(roots) // 2
        roots = [diagram.make(level, roots[case], roots[case + half]) for case in range(half)]
    return roots[0]


def _touched(below: Mapping[int, list[int]], shared: Sequence[int]) -> dict[int, int]:
    """Gate to which of the shared variables stand below it, as bits."""
    found = {term: 1 << place for place, term in enumerate(shared)}
    stack = list(below)
    while stack:
        term = stack[-1]
        if missing := [each for each in below[term] if each in below and each not in found]:
            stack += missing
            continue
        stack.pop()
        mask = 0
        for each in below[term]:
            mask |= found.get(each, 0)
        found[term] = mask
    return {term: found[term] for term in below}


def _built(formula: Formula, top: int, below: Mapping[int, list[int]], made: dict[int, int], diagram: Diagram) -> int:
    stack = [top]
    while stack:
        term = stack[-1]
        if term in made:
            stack.pop()
            continue
        if missing := [each for each in below[term] if each not in made]:
            stack += missing
            continue
        try:
            made[term] = _gate(formula, term, [made[each >> 1] ^ (each & 1) for each in formula.inputs[term]], diagram)
        except TooLarge as stopped:
            stopped.done = sum(each in made for each in below) / len(below)
            raise
        stack.pop()
    return made[top]


def _gate(formula: Formula, term: int, functions: list[int], diagram: Diagram) -> int:
    kind = formula.kinds[term]
    if kind == "and":
        return diagram.all_of(functions)
    if kind == "or":
        return diagram.any_of(functions)
    if kind == "atleast":
        return diagram.at_least(formula.needed[term], functions)
    result = FALSE
    for each in functions:
        result = diagram.differ(result, each)
    return result


def _part(diagram: Diagram, root: int, order: tuple[int, ...], term: int, place: Mapping[int, int]) -> Part:
    edges = diagram.below(root)
    row = {TRUE: TRUE, FALSE: FALSE} | {edge: index for index, edge in enumerate(edges, 2)}
    rows = tuple(
        (place.get(order[diagram.level[edge >> 1]], order[diagram.level[edge >> 1]]),
         row[diagram.low[edge >> 1] ^ (edge & 1)], row[diagram.high[edge >> 1] ^ (edge & 1)])
        for edge in edges
    )
    if root not in edges:  # a constant in disguise: as a row that is the same whatever its variable is
        variable = place.get(order[0], order[0])
        rows = ((variable, root, root),)
    return Part(rows=rows, term=term, order=order)


def variables(solved: Solved, part: Part) -> list[int]:
    """In the order of the diagram's levels: a row's variable stands above those of the rows that it leads to."""
    level = {term: place for place, term in enumerate(part.order)}
    term_of = [*range(solved.events), *(each.term for each in solved.parts)]
    return sorted({variable for variable, _, _ in part.rows}, key=lambda variable: level[term_of[variable]])


def probability(solved: Solved, events: Sequence[float]) -> float:
    """Of the top, given those of the events; each node once: `p(f) = q p(f1) + (1 - q) p(f0)` (Rauzy, RESS 40(3), 1993)."""
    if solved.constant is not None:
        return float(solved.constant)
    p = list(events)
    for part in solved.parts:
        p.append(_values(part, p)[-1])
    return p[-1]


def _values(part: Part, p: Sequence[float]) -> list[float]:
    values = [1.0, 0.0]
    add = values.append
    for variable, low, high in part.rows:
        q = p[variable]
        add(q * values[high] + (1.0 - q) * values[low])
    return values


def derivatives(solved: Solved, events: Sequence[float]) -> tuple[float, list[float]]:
    """Probability of the top, and its derivative by that of each event: Birnbaum's importance.  One pass up, one down."""
    p = list(events)
    if solved.constant is not None:
        return float(solved.constant), [0.0] * len(p)
    every = []
    for part in solved.parts:
        every.append(_values(part, p))
        p.append(every[-1][-1])
    slopes = [0.0] * len(p)
    slopes[-1] = 1.0
    for index in range(len(solved.parts) - 1, -1, -1):
        part, values = solved.parts[index], every[index]
        flows = [0.0] * len(values)
        flows[-1] = slopes[solved.events + index]
        for row in range(len(part.rows) - 1, -1, -1):
            flow = flows[row + 2]
            if flow:
                variable, low, high = part.rows[row]
                q = p[variable]
                slopes[variable] += flow * (values[high] - values[low])
                flows[high] += flow * q
                flows[low] += flow * (1.0 - q)
    return p[-1], slopes[: solved.events]
