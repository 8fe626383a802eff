"""Minimal cut sets: the smallest sets of failures that bring the top down while everything else works.

Rauzy's minimal solutions of a binary decision diagram (Reliability Engineering and System Safety 40(3), 1993), as zero-suppressed
diagrams, by explicit stacks.  In a tree with "not" or xor they are the minimal sets of failures with all else working.
"""

from collections.abc import Iterator, Sequence

from holdfast.predict.solve import Part, Solved, variables

EMPTY, UNIT = 0, 1
"""No set at all; the one set without members."""


class Sets:
    """Families of sets as a zero-suppressed diagram: a node holds those without its variable (`low`), those with it (`high`)."""

    __slots__ = ("_differences", "_unique", "high", "level", "low")

    def __init__(self) -> None:
        self.level: list[int] = [1 << 30, 1 << 30]
        self.low: list[int] = [0, 0]
        self.high: list[int] = [0, 0]
        self._unique: dict[tuple[int, int, int], int] = {}
        self._differences: dict[tuple[int, int], int] = {}

    def make(self, level: int, low: int, high: int) -> int:
        if high == EMPTY:
            return low
        key = (level, low, high)
        found = self._unique.get(key)
        if found is None:
            found = self._unique[key] = len(self.level)
            self.level.append(level)
            self.low.append(low)
            self.high.append(high)
        return found

    def without(self, f: int, g: int) -> int:
        """The sets of f that contain no set of g."""
        top = (f, g)
        stack = [top]
        while stack:
            pair = stack[-1]
            if pair in self._differences:
                stack.pop()
                continue
            f, g = pair
            if f in (EMPTY, g) or g == UNIT:
                self._differences[pair] = EMPTY
                continue
            if g == EMPTY:
                self._differences[pair] = f
                continue
            parts = self._parts(f, g)
            if missing := [part for part in parts if part not in self._differences]:
                stack += missing
                continue
            self._differences[pair] = self._without(f, g, [self._differences[part] for part in parts])
        return self._differences[top]

    def _parts(self, f: int, g: int) -> list[tuple[int, int]]:
        a, b = self.level[f], self.level[g]
        if a > b:
            return [(f, self.low[g])]
        if a < b:
            return [(self.low[f], g), (self.high[f], g)]
        parts = [(self.low[f], self.low[g]), (self.high[f], self.high[g])]
        first = self._differences.get(parts[1])
        return parts if first is None else [*parts, (first, self.low[g])]

    def _without(self, f: int, g: int, answers: Sequence[int]) -> int:
        if self.level[f] > self.level[g]:
            return answers[0]
        return self.make(self.level[f], answers[0], answers[-1])


class Cuts:
    """The minimal cut sets of a solved tree, up to an order, part by part."""

    def __init__(self, solved: Solved, order: int | None) -> None:
        self._solved = solved
        self._order = order
        self._least = _least_orders(solved)
        self._sets = Sets()
        self._names = [variables(solved, part) for part in solved.parts]
        """Of each part, the variables in the order of its levels."""
        self._roots = [self._minimal(part, names) for part, names in zip(solved.parts, self._names, strict=True)]

    def _minimal(self, part: Part, names: Sequence[int]) -> int:
        """Rows that a row needs come first, so all questions are asked from the top and answered from the bottom."""
        level = {variable: place for place, variable in enumerate(names)}
        top = (len(part.rows) + 1, self._order)
        asked = {top}
        stack = [top]
        while stack:
            for child in self._children(part, *stack.pop()):
                if child not in asked:
                    asked.add(child)
                    stack.append(child)
        answer: dict[tuple[int, int | None], int] = {}
        for row, left in sorted(asked, key=lambda each: each[0]):
            if row < 2 or (left is not None and left < 0):
                answer[row, left] = UNIT if row == 0 and (left is None or left >= 0) else EMPTY
                continue
            (low, high) = (answer[child] for child in self._children(part, row, left))
            variable = part.rows[row - 2][0]
            answer[row, left] = self._sets.make(level[variable], low, self._sets.without(high, low))
        return answer[top]

    def _children(self, part: Part, row: int, left: int | None) -> tuple[tuple[int, int | None], ...]:
        if row < 2 or (left is not None and left < 0):
            return ()
        variable, low, high = part.rows[row - 2]
        return (low, left), (high, None if left is None else left - self._least[variable])

    def counts(self) -> dict[int, int]:
        """Order to number of minimal cut sets, exactly, by polynomials: no set is written out."""
        if not self._roots:
            return {0: 1} if self._solved.constant else {}
        found: list[dict[int, int]] = []
        for names, root in zip(self._names, self._roots, strict=True):
            found.append(self._polynomial(names, root, found))
        return dict(sorted(found[-1].items()))

    def _polynomial(self, names: Sequence[int], root: int, earlier: Sequence[dict[int, int]]) -> dict[int, int]:
        sets, events = self._sets, self._solved.events
        made: dict[int, dict[int, int]] = {EMPTY: {}, UNIT: {0: 1}}
        for node in _below(sets, root):
            total = dict(made[sets.low[node]])
            variable = names[sets.level[node]]
            own = {1: 1} if variable < events else earlier[variable - events]
            for a, times in made[sets.high[node]].items():
                for b, more in own.items():
                    if self._order is None or a + b <= self._order:
                        total[a + b] = total.get(a + b, 0) + times * more
            made[node] = total
        return made[root]

    def each(self) -> Iterator[tuple[int, ...]]:
        """Every minimal cut set as event numbers, those of one part after the other."""
        if not self._roots:
            yield from [()] if self._solved.constant else []
            return
        top = len(self._roots) - 1
        stack: list[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]] = [((), ((top, self._roots[top]),))]
        while stack:
            chosen, waiting = stack.pop()
            if self._order is not None and len(chosen) > self._order:
                continue
            if not waiting:
                yield tuple(sorted(chosen))
                continue
            (index, node), rest = waiting[-1], waiting[:-1]
            if node == UNIT:
                stack.append((chosen, rest))
            elif node != EMPTY:
                stack.append((chosen, (*rest, (index, self._sets.low[node]))))
                variable = self._names[index][self._sets.level[node]]
                rest = (*rest, (index, self._sets.high[node]))
                inner = variable - self._solved.events
                if inner < 0:
                    stack.append(((*chosen, variable), rest))
                else:
                    stack.append((chosen, (*rest, (inner, self._roots[inner]))))


def _least_orders(solved: Solved) -> list[int]:
    """Of each variable, how many events its smallest cut set has; more than any order where it has none."""
    found = [1] * solved.events
    for part in solved.parts:
        values = [0, 1 << 20]
        for variable, low, high in part.rows:
            values.append(min(values[low], values[high] + found[variable]))
        found.append(values[-1])
    return found


def _below(sets: Sets, root: int) -> list[int]:
    seen = {root} - {EMPTY, UNIT}
    stack = list(seen)
    while stack:
        node = stack.pop()
        for child in (sets.low[node], sets.high[node]):
            if child > UNIT and child not in seen:
                seen.add(child)
                stack.append(child)
    return sorted(seen)
