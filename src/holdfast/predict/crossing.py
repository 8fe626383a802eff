"""Where a failure may also help: how likely each event decides, in either direction.

For a tree with "not" or xor the derivative of the probability is a difference of the two directions, so it cannot say how
often the top changes.  Here each event's two cofactors are walked side by side, and where they end differently it decides.
"""

from collections.abc import Mapping, Sequence

from holdfast.predict.solve import Part, Solved, variables


def toggling(solved: Solved, events: Sequence[float]) -> list[float]:
    """Per event, the probability that the top is different with and without it.  Modules are independent, so shares multiply."""
    p = list(events)
    for part in solved.parts:
        p.append(_value(part, p))
    if solved.constant is not None:
        return [0.0] * len(p)
    shares = [0.0] * len(p)
    shares[-1] = 1.0
    for index in range(len(solved.parts) - 1, -1, -1):
        part, own = solved.parts[index], shares[solved.events + index]
        place = {variable: level for level, variable in enumerate(variables(solved, part))}
        for variable in place:
            shares[variable] = own * _decides(part, variable, place, p)
    return shares[: solved.events]


def _value(part: Part, p: Sequence[float]) -> float:
    values = [1.0, 0.0]
    for variable, low, high in part.rows:
        values.append(p[variable] * values[high] + (1.0 - p[variable]) * values[low])
    return values[-1]


def _decides(part: Part, variable: int, place: Mapping[int, int], p: Sequence[float]) -> float:
    """The probability that the part differs between its two cofactors, over pairs of rows by an explicit stack."""
    rows = part.rows
    top = len(rows) + 1
    answers: dict[tuple[int, int], float] = {}
    level = [1 << 30, 1 << 30, *(place[row[0]] for row in rows)]
    stack = [(top, top)]
    while stack:
        pair = stack[-1]
        if pair in answers:
            stack.pop()
            continue
        a, b = pair
        if a < 2 and b < 2:
            answers[pair] = float(a != b)
            continue
        upper = min(level[a], level[b])
        at = rows[(a if level[a] == upper else b) - 2][0]
        a0, a1 = (rows[a - 2][1], rows[a - 2][2]) if level[a] == upper else (a, a)
        b0, b1 = (rows[b - 2][1], rows[b - 2][2]) if level[b] == upper else (b, b)
        children = [(a1, b0)] if at == variable else [(a0, b0), (a1, b1)]
        if missing := [child for child in children if child not in answers]:
            stack += missing
            continue
        if at == variable:
            answers[pair] = answers[children[0]]
        else:
            answers[pair] = (1.0 - p[at]) * answers[children[0]] + p[at] * answers[children[1]]
    return answers[top, top]

