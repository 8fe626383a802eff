"""A binary decision diagram: a Boolean function as a graph in which every variable is asked once, from the first level down.

Reduced and ordered (Bryant, IEEE Trans. Computers C-35(8), 1986), with complement edges (Brace, Rudell and Bryant, DAC 1990): a
function is an integer, twice the number of its node, plus one for "not".  Nothing here recurses, so depth is no limit; a
node is always made after its children, so ascending numbers are a topological order.
"""

from collections.abc import Iterable, Sequence

TRUE, FALSE = 0, 1


class TooLarge(Exception):
    """The diagram would have more nodes than it was allowed.  done: how much of what was to be built stood by then, 0 to 1."""

    done = 0.0


class Diagram:
    """Nodes as three lists by number; node 0 is the constant true.  A node's `high` edge never carries a "not".

    What is known of nodes and pairs stands in dictionaries of whole numbers, 32 bits for each part: of tuples there would be
    millions, and the garbage collector would look at each again and again.
    """

    __slots__ = ("_ands", "_unique", "high", "level", "limit", "low")

    def __init__(self, limit: int = 1 << 62) -> None:
        self.level: list[int] = [1 << 30]
        self.low: list[int] = [TRUE]
        self.high: list[int] = [TRUE]
        self.limit = limit
        self._unique: dict[int, int] = {}
        self._ands: dict[int, int] = {}

    def make(self, level: int, low: int, high: int) -> int:
        """The function that is `high` where the variable of this level is true, else `low`."""
        if low == high:
            return low
        if high & 1:
            return self._made(level, low ^ 1, high ^ 1) ^ 1
        return self._made(level, low, high)

    def _made(self, level: int, low: int, high: int) -> int:
        key = (level << 32 | low) << 32 | high
        found = self._unique.get(key)
        if found is None:
            found = len(self.level) << 1
            if len(self.level) >= self.limit:
                raise TooLarge
            self._unique[key] = found
            self.level.append(level)
            self.low.append(low)
            self.high.append(high)
        return found

    def variable(self, level: int) -> int:
        return self.make(level, FALSE, TRUE)

    def both(self, f: int, g: int) -> int:
        """f and g.  By a stack of questions: one that is asked again finds its parts answered."""
        known = _trivial(f, g)
        if known is not None:
            return known
        levels, lows, highs, ands = self.level, self.low, self.high, self._ands
        top = f << 32 | g if f < g else g << 32 | f
        found = ands.get(top)
        if found is not None:
            return found
        stack = [top]
        while stack:
            pair = stack[-1]
            f, g = pair >> 32, pair & 0xFFFFFFFF
            a, b = f >> 1, g >> 1
            level = levels[a] if levels[a] < levels[b] else levels[b]
            if levels[a] == level:
                f0, f1 = lows[a] ^ (f & 1), highs[a] ^ (f & 1)
            else:
                f0 = f1 = f
            if levels[b] == level:
                g0, g1 = lows[b] ^ (g & 1), highs[b] ^ (g & 1)
            else:
                g0 = g1 = g
            # The same few lines twice, because a call for each would take as long as all the rest.
            if f1 == g1 or g1 == TRUE:
                high = f1
            elif f1 == TRUE:
                high = g1
            elif f1 == FALSE or g1 == FALSE or f1 ^ g1 == 1:
                high = FALSE
            else:
                part = f1 << 32 | g1 if f1 < g1 else g1 << 32 | f1
                known = ands.get(part)
                if known is None:
                    stack.append(part)
                    continue
                high = known
            if f0 == g0 or g0 == TRUE:
                low = f0
            elif f0 == TRUE:
                low = g0
            elif f0 == FALSE or g0 == FALSE or f0 ^ g0 == 1:
                low = FALSE
            else:
                part = f0 << 32 | g0 if f0 < g0 else g0 << 32 | f0
                known = ands.get(part)
                if known is None:
                    stack.append(part)
                    continue
                low = known
            stack.pop()
            ands[pair] = self.make(level, low, high)
        return ands[top]

    def either(self, f: int, g: int) -> int:
        return self.both(f ^ 1, g ^ 1) ^ 1

    def choose(self, f: int, g: int, h: int) -> int:
        """g where f is true, else h."""
        if g == h:
            return g
        node = f >> 1
        level = self.level[node]
        if node and level < self.level[g >> 1] and level < self.level[h >> 1] and self.low[node] == FALSE and (
            self.high[node] == TRUE
        ):
            return self.make(level, g, h) if f & 1 else self.make(level, h, g)
        return self.either(self.both(f, g), self.both(f ^ 1, h))

    def differ(self, f: int, g: int) -> int:
        """Exactly one of them."""
        return self.choose(f, g ^ 1, g)

    def all_of(self, functions: Iterable[int]) -> int:
        """Their conjunction, from the lowest level up: then each step only adds on top."""
        result = TRUE
        for each in sorted(functions, key=lambda f: -self.level[f >> 1]):
            result = self.both(each, result)
            if result == FALSE:
                break
        return result

    def any_of(self, functions: Iterable[int]) -> int:
        return self.all_of([f ^ 1 for f in functions]) ^ 1

    def at_least(self, needed: int, functions: Sequence[int]) -> int:
        """`needed` or more of them: a row of "j more are needed" per function, from the lowest level up."""
        row = [TRUE] + [FALSE] * needed
        for each in sorted(functions, key=lambda f: -self.level[f >> 1]):
            row = [TRUE] + [self.choose(each, row[j - 1], row[j]) for j in range(1, needed + 1)]
        return row[needed]

    def below(self, function: int) -> list[int]:
        """Every edge that is reached from this one, itself included, without the constants: those of lower nodes first."""
        seen = {function} - {TRUE, FALSE}
        stack = list(seen)
        while stack:
            edge = stack.pop()
            for child in (self.low[edge >> 1] ^ (edge & 1), self.high[edge >> 1] ^ (edge & 1)):
                if child > FALSE and child not in seen:
                    seen.add(child)
                    stack.append(child)
        return sorted(seen)


def _trivial(f: int, g: int) -> int | None:
    if f == g or g == TRUE:
        return f
    if f == TRUE:
        return g
    return FALSE if f == FALSE or g == FALSE or f ^ g == 1 else None
