"""Years played by chance, compiled by numba (`holdfast[numba]`): the same changes as in numpy, walked through one by one.

Where numpy has to sort millions of changes and ask the tree for all states at once, this walks down the diagrams after each
change.  Compiling takes seconds, so it is for many years.  Imported only where numba is.
"""

from collections.abc import Sequence
from typing import Any

import numba
import numpy

from holdfast.predict.solve import Solved

PIECES = 64
"""Of a year, into which its changes are put before they are sorted."""

KNOWN = 1 << 14
"""States that are kept in mind: few enough for a cache, and a power of two."""


def played(
    solved: Solved, states: Sequence[bool], owners: Sequence[Sequence[int]], year_h: float, changes: Sequence[tuple[Any, Any]],
    years: int,
) -> tuple[Any, Any]:
    """(hours down, outages) of each year.

    states: of each event, as long as nobody changes it.  owners: the events that go down and up with each row of changes.
    changes: (year, hour) of each row, a change to down and one to up in turn within a year.
    """
    if solved.constant is not None:
        return numpy.full(years, year_h * solved.constant), numpy.full(years, float(solved.constant))
    each = [len(row) for row, _ in changes]
    year = numpy.concatenate([row for row, _ in changes]) if changes else numpy.empty(0, numpy.int64)
    at = numpy.concatenate([row for _, row in changes]) if changes else numpy.empty(0)
    who = numpy.repeat(numpy.arange(len(changes), dtype=numpy.int32), each)
    starts = numpy.cumsum([0, *(len(part.rows) for part in solved.parts)])
    rows = numpy.array([row for part in solved.parts for row in part.rows], dtype=numpy.int64).reshape(-1, 3)
    firsts = numpy.cumsum([0, *(len(events) for events in owners)])
    owned = numpy.array([event for events in owners for event in events], dtype=numpy.int64)
    fixed = numpy.array([*states, *[False] * len(solved.parts)], dtype=numpy.int64)
    keys = numpy.random.default_rng(0).integers(1, 1 << 62, max(1, len(changes)), dtype=numpy.int64)
    return _walked(year, at, who, firsts, owned, fixed, solved.events, starts, rows, keys, years, year_h)


@numba.njit(nogil=True)
def _top(count: Any, events: int, starts: Any, rows: Any) -> bool:
    """Down the diagram of each part in turn; each is a variable of those behind it."""
    for part in range(len(starts) - 1):
        first_row = starts[part] - 2  # rows 0 and 1 are true and false, and stand nowhere
        row = starts[part + 1] - first_row - 1
        while row > 1:
            row = rows[first_row + row, 2 if count[rows[first_row + row, 0]] > 0 else 1]
        count[events + part] = 1 - row
    return bool(count[-1] > 0)


@numba.njit(nogil=True)
def _walked(
    year: Any, at: Any, who: Any, firsts: Any, owned: Any, fixed: Any, events: int, starts: Any, rows: Any, keys: Any, years: int,
    year_h: float,
) -> tuple[Any, Any]:
    """What is down together is known by the exclusive or of its keys, and most of it comes again and again."""
    places = numpy.zeros(years * PIECES + 1, numpy.int32)
    piece, scale = numpy.empty(len(year), numpy.int32), PIECES / year_h
    for index in range(len(year)):
        piece[index] = year[index] * PIECES + min(int(at[index] * scale), PIECES - 1)
        places[piece[index] + 1] += 1
    for index in range(years * PIECES):
        places[index + 1] += places[index]
    begins = places[::PIECES].copy()
    moment_h, owner_of = numpy.empty(len(year)), numpy.empty(len(year), numpy.int32)
    for index in range(len(year)):
        place = places[piece[index]]
        places[piece[index]] += 1
        moment_h[place], owner_of[place] = at[index], who[index]
    known, known_down = numpy.full(KNOWN, -1, numpy.int64), numpy.zeros(KNOWN, numpy.bool_)
    hours, outages = numpy.zeros(years), numpy.zeros(years)
    is_down, count = numpy.zeros(len(firsts) - 1, numpy.int64), fixed.copy()
    for number in range(years):
        first, last = begins[number], begins[number + 1]
        for index in range(first + 1, last):  # all but sorted
            later_h, owner, place = moment_h[index], owner_of[index], index
            while place > first and moment_h[place - 1] > later_h:
                moment_h[place], owner_of[place] = moment_h[place - 1], owner_of[place - 1]
                place -= 1
            moment_h[place], owner_of[place] = later_h, owner
        is_down[:] = 0
        count[:] = fixed
        label, before, began_h = 0, False, 0.0
        for index in range(first, last):
            owner = owner_of[index]
            change = 1 - 2 * is_down[owner]
            is_down[owner] += change
            for each in range(firsts[owner], firsts[owner + 1]):
                count[owned[each]] += change
            label ^= keys[owner]
            is_last = index + 1 == last
            if not is_last and moment_h[index + 1] == moment_h[index]:
                continue  # what lasts no time is nothing that anybody saw
            slot = label & (KNOWN - 1)
            if known[slot] != label:
                known[slot], known_down[slot] = label, _top(count, events, starts, rows)
            now = known_down[slot]
            if before and (is_last or not now):
                hours[number] += moment_h[index] - began_h
            elif now and not before and not is_last:
                began_h = moment_h[index]
                outages[number] += 1
            before = now
    return hours, outages
