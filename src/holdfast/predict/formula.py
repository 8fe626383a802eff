"""A tree of gates as a flat, simplified formula: equal gates once, chains of the same gate joined, "not" on the inputs.

A literal is twice the number of its term, plus one for "not".  Terms 0 to n-1 are the events, those above are gates whose
inputs have lower numbers.  What depends on nothing else in the tree is a module (Dutuit and Rauzy, IEEE Trans. Reliability 45(3),
1996): it can be solved alone, and stands in the rest as one event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.predict.gates import Event, Gate, Node

TRUE, FALSE = -1, -2


@dataclass(slots=True, kw_only=True)
class Formula:
    """kinds: of each term ("event", "and", "atleast", "xor"); "or" is a negated "and" of negated inputs only where it must be,
    so it is kept.  inputs: literals of each gate.  needed: of "atleast"."""

    events: list[Event]
    kinds: list[str] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    needed: list[int] = field(default_factory=list)
    top: int = TRUE
    """A literal, or TRUE, FALSE."""


def formula_of(top: Node) -> Formula:
    """Raises ValueError where two events of one name differ, for a gate below itself, and for what is no gate and no event."""
    if not isinstance(top, Event | Gate):
        raise ValueError(f"the top of a tree must be an Event or a gate, not {top!r}")
    gates, events = _collected(top)
    made = Formula(events=list(events.values()))
    number = {name: index for index, name in enumerate(events)}
    for _ in events:
        _add(made, "event", (), 0)
    parents = _parents(gates)
    literal: dict[int, int] = {}
    known: dict[tuple[str, int, tuple[int, ...]], int] = {}

    def of(node: Node) -> int:
        return number[node.name] << 1 if isinstance(node, Event) else literal[id(node)]

    for gate in gates:  # inputs come first
        literal[id(gate)] = _simplified(made, known, gate, [(of(each), parents.get(id(each), 2) == 1) for each in gate.inputs])
    made.top = of(top)
    return made


def _collected(top: Node) -> tuple[list[Gate], dict[str, Event]]:
    """Gates, each behind its inputs; events in the order in which they are met."""
    gates: list[Gate] = []
    events: dict[str, Event] = {}
    done: set[int] = set()
    above: set[int] = set()
    stack: list[tuple[Node, bool]] = [(top, False)]
    while stack:
        node, left = stack.pop()
        if isinstance(node, Event):
            if events.setdefault(node.name, node) != node:
                raise ValueError(f"two different events are both named {node.name!r}")
        elif left:
            gates.append(node)
            above.discard(id(node))
        elif id(node) in above:
            raise ValueError(f"a gate ({node.kind}) stands below itself; a tree has no way back up")
        elif id(node) not in done:
            done.add(id(node))
            above.add(id(node))
            stack.append((node, True))
            stack.extend((each, False) for each in reversed(node.inputs))
    return gates, events


def _parents(gates: Sequence[Gate]) -> Mapping[int, int]:
    count: dict[int, int] = {}
    for gate in gates:
        for each in gate.inputs:
            count[id(each)] = count.get(id(each), 0) + 1
    return count


def _add(made: Formula, kind: str, inputs: tuple[int, ...], needed: int) -> int:
    made.kinds.append(kind)
    made.inputs.append(inputs)
    made.needed.append(needed)
    return len(made.kinds) - 1


def _simplified(made: Formula, known: dict, gate: Gate, inputs: list[tuple[int, bool]]) -> int:
    """The literal of a gate whose inputs are literals; `True` beside one that no other gate has as an input."""
    if gate.kind == "not":
        return _negated(inputs[0][0])
    if gate.kind == "xor":
        return _odd(made, known, [each for each, _ in inputs])
    needed = {"and": len(inputs), "or": 1}.get(gate.kind, gate.needed)
    literals = [each for each, _ in inputs]
    needed -= literals.count(TRUE)
    literals = [each for each in literals if each >= 0]
    if needed <= 0 or needed > len(literals):
        return TRUE if needed <= 0 else FALSE
    if needed not in (1, len(literals)):
        return _found(made, known, "atleast", tuple(sorted(literals)), needed)
    kind = "or" if needed == 1 else "and"
    alone = {each for each, single in inputs if single}
    flat: list[int] = []
    for each in literals:
        joined = not each & 1 and each in alone and made.kinds[each >> 1] == kind
        flat += made.inputs[each >> 1] if joined else (each,)
    return _joined(made, known, kind, flat)


def _joined(made: Formula, known: dict, kind: str, literals: list[int]) -> int:
    once = dict.fromkeys(literals)
    if any(each ^ 1 in once for each in once):
        return TRUE if kind == "or" else FALSE
    if len(once) == 1:
        return next(iter(once))
    return _found(made, known, kind, tuple(once), 0)


def _odd(made: Formula, known: dict, literals: list[int]) -> int:
    odd = False
    left: dict[int, None] = {}
    for each in literals:
        if each in (TRUE, FALSE):
            odd ^= each == TRUE
            continue
        odd ^= bool(each & 1)
        term = each & ~1
        if term in left:
            del left[term]
        else:
            left[term] = None
    if not left:
        return TRUE if odd else FALSE
    found = next(iter(left)) if len(left) == 1 else _found(made, known, "xor", tuple(sorted(left)), 0)
    return found ^ 1 if odd else found


def _negated(literal: int) -> int:
    return {TRUE: FALSE, FALSE: TRUE}.get(literal, literal ^ 1)


def _found(made: Formula, known: dict, kind: str, inputs: tuple[int, ...], needed: int) -> int:
    key = (kind, needed, tuple(sorted(inputs)))
    if key not in known:
        known[key] = _add(made, kind, inputs, needed) << 1
    return known[key]


def coherent_terms(formula: Formula) -> list[bool]:
    """Of each term, whether no "not" and no xor stands in it or below it."""
    found: list[bool] = []
    for kind, inputs in zip(formula.kinds, formula.inputs, strict=True):
        found.append(kind != "xor" and all(not each & 1 and found[each >> 1] for each in inputs))
    return found


def modules(formula: Formula) -> list[int]:
    """Gates below which nothing is used from elsewhere, inputs before those that hold them; the top is always one.

    A walk notes when each term is met first and last, and when each gate is left; all of a module's terms are met in between.
    """
    size = len(formula.kinds)
    first, last, left_at = [0] * size, [0] * size, [0] * size
    order: list[int] = []
    stack: list[tuple[int, bool]] = [(formula.top >> 1, False)]
    clock = 0
    while stack:
        term, leaving = stack.pop()
        clock += 1
        if leaving:
            left_at[term] = clock
            order.append(term)
            continue
        last[term] = clock
        if not first[term]:
            first[term] = clock
            if formula.kinds[term] != "event":
                stack.append((term, True))
                stack.extend((each >> 1, False) for each in reversed(formula.inputs[term]))
    low, high = list(first), list(last)
    found = []
    for term in order:
        below = [each >> 1 for each in formula.inputs[term]]
        earliest, latest = min(low[each] for each in below), max(high[each] for each in below)
        if earliest > first[term] and latest < left_at[term]:
            found.append(term)
        low[term], high[term] = min(low[term], earliest), max(high[term], latest)
    return found


def grouped(formula: Formula) -> Formula:
    """The same, with those inputs of an "and" or "or" that nothing else depends on under a gate of their own: one module more."""
    alone = set(modules(formula)) | {term for term, kind in enumerate(formula.kinds) if kind == "event"}
    uses: dict[int, int] = {formula.top >> 1: 2}
    reached = {formula.top >> 1}
    for term in range(len(formula.kinds) - 1, -1, -1):
        if term in reached:
            for each in formula.inputs[term]:
                uses[each >> 1] = uses.get(each >> 1, 0) + 1
                reached.add(each >> 1)
    made = Formula(events=formula.events)
    number: list[int] = []
    for term, (kind, inputs) in enumerate(zip(formula.kinds, formula.inputs, strict=True)):
        if term not in reached and kind != "event":
            number.append(-1)
            continue
        literals = tuple(number[each >> 1] << 1 | each & 1 for each in inputs)
        if kind in ("and", "or"):
            private = [
                new for each, new in zip(inputs, literals, strict=True) if uses[each >> 1] == 1 and each >> 1 in alone
            ]
            if 1 < len(private) < len(literals):
                group = _add(made, kind, tuple(private), 0) << 1
                literals = (*(each for each in literals if each not in set(private)), group)
        number.append(_add(made, kind, literals, formula.needed[term]))
    made.top = number[formula.top >> 1] << 1 | formula.top & 1
    return made
