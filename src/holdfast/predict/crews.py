"""Hosts that wait for each other's repair: a tree's exact answer where crews are fewer than hosts.

With a crew each, hosts fail independently.  With fewer, those that are down stand in line, so several are down together more
often than that.  In the chain of all hosts a set of them is down for a share of time that is proportional to the product of their
failure rates x repair times, as with a crew each, times g(n) = n! / product of min(k, crews) for k to n, where n is how many they
are: first come, first served, repairs exponential with one mean (a closed network of one station: Baskett, Chandy, Muntz and
Palacios, Journal of the ACM 22(2), 1975; with equal hosts it is the machine repairman of `chains.repair_shop`).  So the tree is
evaluated by the number of hosts that are down, each number counting as many times more as g says.  It is exact for all tiers
together, as they share the crews.  All works on numbers, and on arrays with one number for each sample.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from holdfast.predict.service import Cause, Values
from holdfast.predict.solve import Part, Solved, variables
from holdfast.predict.tree import FaultTree

Counted = list[Any]
"""Probabilities together with so many hosts down: none, one, two and so on; nothing beyond its end."""

STEP = 1e-200
"""Of a derivative; its square is 0 to a float."""

NOTHING = 1e-17
"""Numbers of hosts that are down for less than this share of time are left out."""
NOTHING_OF_A_SAMPLE = 1e-9
"""The same where ten thousand are asked for: a thirtieth of a second a year."""

NEVER = 1e-100
"""So unlikely is what even a line for one crew does not make likely."""

MOST = 1e300
"""Beyond it a factor stands beside a probability that is 0 to a float."""


def slower(units: int, load: Any, crews: int) -> Any:
    """How many times longer a host is down than its repair takes, by its waiting for a crew; load: failure rate x repair time of
    each.  `chains.repair_time_with_crews` by its closed form, which never overflows."""
    last, mean = 1.0, 0.0  # of those numbers of hosts that have been looked at: the share of the last one, the mean
    for down in range(1, units + 1):
        more = last * (units - down + 1) * load / min(down, crews)
        last, mean = more / (1.0 + more), (mean + down * more) / (1.0 + more)
    return mean / (units - mean) / load


def independent(downs: Iterable[Any]) -> Counted:
    """Of how many of these hosts are down, if they are so independently."""
    found: Counted = [1.0]
    for down in downs:
        found = _times(found, [1.0 - down, down], len(found))
        if len(found) > 1 and _largest(found[-1]) < NEVER:
            found.pop()
    return found


def weights(every: Sequence[Any], crews: int, longer: Any) -> Counted:
    """How much likelier it is that so many hosts are down than if they were so independently.

    every: of all hosts, the share of time down.  longer: `slower`, which these shares hold already.
    """
    factor: Any = 1.0
    total: Any = 0.0
    found: Counted = []
    mean = sum(every)
    nothing = NOTHING if isinstance(mean, float) else NOTHING_OF_A_SAMPLE
    for number, share in enumerate(independent(every)):
        if number:
            factor = _capped(factor * (number / min(number, crews)) / longer)
        total = total + factor * share
        found.append(factor)
        if number > crews and number > _largest(mean) and _largest(factor * share / total) < nothing:
            break
    return [each / total for each in found]


class Counting:
    """A solved tree whose probability is asked for by the number of hosts that are down.

    hosts: the events that are hosts.  Below each row every host and every part with hosts stands, also where it decides nothing:
    it must be counted all the same.
    """

    def __init__(self, solved: Solved, hosts: Iterable[int]) -> None:
        self._solved = solved
        self._hosts = set(hosts)
        self._counted = set(self._hosts)
        self._parts: list[tuple[list[int], list[tuple[int, int, int]]]] = []
        for index, part in enumerate(solved.parts):
            here = [each for each in variables(solved, part) if each in self._counted]
            self._parts.append((here, _completed(solved, part, here)))
            if here:
                self._counted.add(solved.events + index)
        self.held = self._held(solved.events + len(solved.parts) - 1) if solved.parts else set()

    def _held(self, variable: int) -> set[int]:
        """The hosts that the top depends on at all."""
        if variable < self._solved.events:
            return {variable} & self._hosts
        here = self._parts[variable - self._solved.events][0]
        return {host for each in here for host in self._held(each)}

    def probabilities(self, events: Sequence[Any], flows: Mapping[int, Any] | None = None, most: int = 1 << 30) -> Counted:
        """That the top has happened and so many of the hosts in `held` are down, up to `most`.

        events: probability of each.  flows: see `frequency`.
        """
        if self._solved.constant is not None:
            return [float(self._solved.constant)]
        known: list[Any] = [([0.0, q], [1.0 - q], [1.0 - q, q]) if index in self._hosts else q for index, q in enumerate(events)]
        for index, flow in (flows or {}).items():  # a host that fails is not yet counted in the state that it leaves
            q, left = events[index], (1.0 - events[index]) * flow
            known[index] = ([left, q], [1.0 - q - left], [1.0 - q, q]) if index in self._hosts else q + left
        found: Counted = []
        for index, (here, rows) in enumerate(self._parts):
            found = _walked(rows, known, self._counted, most)
            every: Counted = [1.0]
            for each in here:
                every = _times(every, known[each][2], most)
            up = [each - found[place] if place < len(found) else each for place, each in enumerate(every)]
            counted = self._solved.events + index in self._counted
            known.append((found, up, every) if counted else (found[0] if found else 0.0))
        return found


def frequency(counting: Counting, events: Sequence[float], rates: Sequence[float], most: int) -> Counted:
    """How often the top of a tree without "not" happens with so many of its hosts down before: the derivative by time of its
    probability if what is up fails at its rate, and nothing is repaired.

    By a step so small in the imaginary direction that it is exact (Squire and Trapp, SIAM Review 40(1), 1998).
    """
    flows = {index: complex(0.0, STEP * rate) for index, rate in enumerate(rates)}
    return [complex(each).imag / STEP for each in counting.probabilities(events, flows, most)]


class Line:
    """The hosts of a service, and the crews for which they stand in line.

    hosts: the causes of all of them.  often, long: names of how often and for how long one fails.
    """

    def __init__(self, hosts: Sequence[Cause], often: str, long: str, crews: int) -> None:
        self._hosts, self._often, self._long, self._crews = {host.name: host for host in hosts}, often, long, crews
        self._counting: dict[FaultTree, Counting] = {}

    def waiting(self, values: Values) -> dict[str, Any]:
        """The figures with each repair as long as it takes on average with the waiting for a crew."""
        return {**values, self._long: values[self._long] * self._longer(values)}

    def _longer(self, values: Values) -> Any:
        rates = sum(host.rate(values) for host in self._hosts.values()) / len(self._hosts)
        return slower(len(self._hosts), rates * values[self._long], self._crews)

    def probability(self, tree: FaultTree, events: Sequence[Any], values: Values) -> Any:
        """Of the top; events: probability of each with the waiting; values: the figures without it."""
        counting, rest, likelier = self._of(tree, values)
        return _weighed(counting.probabilities(events, most=len(likelier) - 1), rest, likelier)

    def frequency(self, tree: FaultTree, events: Sequence[float], rates: Sequence[float], values: Values) -> float:
        """Of the top, if each event fails at its rate while it is up."""
        counting, rest, likelier = self._of(tree, values)
        return float(_weighed(frequency(counting, events, rates, len(likelier) - 1), rest, likelier))

    def _of(self, tree: FaultTree, values: Values) -> tuple[Counting, list[Any], Counted]:
        names = [event.name for event in tree.events]
        if tree not in self._counting:
            self._counting[tree] = Counting(tree.solved, [place for place, name in enumerate(names) if name in self._hosts])
        counting = self._counting[tree]
        stretched = self.waiting(values)
        downs = {name: host.down(stretched) for name, host in self._hosts.items()}
        held = {names[place] for place in counting.held}
        rest = [down for name, down in downs.items() if name not in held]
        return counting, rest, weights(list(downs.values()), self._crews, self._longer(values))


def _weighed(found: Counted, rest: Sequence[Any], likelier: Counted) -> Any:
    """The sum over the numbers of hosts that are down; rest: the shares of time down of those that the tree knows nothing of."""
    total: Any = 0.0
    for number, share in enumerate(_times(found, independent(rest), len(likelier) - 1)):
        total = total + likelier[number] * share
    return total


def _completed(solved: Solved, part: Part, here: Sequence[int]) -> list[tuple[int, int, int]]:
    """The part's rows, with one more for each variable of `here` that a way down leaves out: both of its ends are the same."""
    level = {variable: place for place, variable in enumerate(variables(solved, part))}
    levels = [level[each] for each in here]
    rows: list[tuple[int, int, int]] = []
    made: dict[tuple[int, int], int] = {}
    place = {0: (0, len(here)), 1: (1, 0)}
    """Row to (its new one, how many of `here` stand above it)."""

    def reached(row: int, above: int) -> int:
        new, stands = place[row]
        for missing in range(stands - 1, above - 1, -1):
            if (new, missing) not in made:
                rows.append((here[missing], new, new))
                made[new, missing] = len(rows) + 1
            new = made[new, missing]
        return new

    for number, (variable, low, high) in enumerate(part.rows, 2):
        above = sum(each < level[variable] for each in levels)
        below = above + (variable in here)
        ends = reached(low, below), reached(high, below)
        rows.append((variable, *ends))
        place[number] = (len(rows) + 1, above)
    reached(len(part.rows) + 1, 0)
    return rows


def _walked(rows: Sequence[tuple[int, int, int]], known: Sequence[Any], counted: set[int], most: int) -> Counted:
    values: list[Counted] = [[1.0], []]
    for variable, low, high in rows:
        if variable not in counted:
            q = known[variable]
            values.append(_plus([q * each for each in values[high]], [(1.0 - q) * each for each in values[low]]))
            continue
        down, up, every = known[variable]
        if low == high:
            values.append(_times(every, values[low], most))
        else:
            values.append(_plus(_times(down, values[high], most), _times(up, values[low], most)))
    return values[-1]


def _plus(a: Counted, b: Counted) -> Counted:
    if len(a) < len(b):
        a, b = b, a
    return [each + b[place] if place < len(b) else each for place, each in enumerate(a)]


def _times(a: Counted, b: Counted, most: int) -> Counted:
    if not a or not b:
        return []
    size = min(len(a) + len(b) - 1, most + 1)
    found: Counted = [None] * size
    for i, x in enumerate(a[:size]):
        if isinstance(x, float) and x == 0.0:
            continue
        for j, y in enumerate(b[: size - i]):
            more = x * y
            found[i + j] = more if found[i + j] is None else found[i + j] + more
    return [0.0 if each is None else each for each in found]


def _capped(value: Any) -> Any:
    return value.clip(max=MOST) if hasattr(value, "clip") else min(value, MOST)


def _largest(value: Any) -> float:
    return float(value.max()) if hasattr(value, "max") else float(value)
