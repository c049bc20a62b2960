"""What is neither parallel nor serial, cut where that costs the least. Pure.

A knot is a set of tasks that is connected, and of which no part comes before all of the rest. Some barrier has to be
put up in it. Sets of tasks are integers, one bit for each task (see partial_order.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from operator import or_

from orchestration.partial_order import Order, components, each, stages
from orchestration.trees import Found, in_parallel, in_series

MAX_CUTS = 128
"""In how many places a knot may be cut for all of them to be tried; beyond, only the likely ones are."""
MAX_WORK = 300_000
"""How much is tried in one knot, and in all that the cuts leave of it, counted in cuts times tasks: a second or so."""
MAX_SEARCH_DEPTH = 40
"""Cuts within cuts, from which on what is left is halved."""
MANY = 300
"""Tasks of a knot from which on it is cut between its levels only."""


def untie(order: Order, some: int, solve: Callable[[int], Found]) -> Found:
    """Return the tree of a knot. `solve` has that of any part of it.

    Tasks that stand in the same relation to all others are taken for one, whatever is between them: no barrier has to
    tell them apart.
    """
    twins = _Twins(order, some)
    parts = {left: solve(members) for left, members in twins.members.items()}
    ways = (_Knot(order, twins.members, parts, work) for work in (MAX_WORK, 0))
    return min((knot.untie(twins.left) for knot in ways), key=lambda found: found.cost)


class _Twins:
    """The tasks of a knot, where those that no other tells apart are one: `members`, by the one that stands for them.

    Two are twins if they wait for the same and the same waits for them, or if one of them follows the other and that is
    all that is between them and the others.
    """

    def __init__(self, order: Order, some: int) -> None:
        self._order = order
        self.left = some
        self.members = {index: 1 << index for index in each(some)}
        while self._merge_parallel() or self._merge_series():
            pass

    def _merge_parallel(self) -> bool:
        seen: dict[tuple[int, int], int] = {}
        merged = False
        for index in each(self.left):
            one = seen.setdefault((self._order.before[index] & self.left, self._order.behind[index] & self.left), index)
            if one != index:
                self._merge(one, index)
                merged = True
        return merged

    def _merge_series(self) -> bool:
        before = {index: self._order.before[index] & self.left for index in each(self.left)}
        behind = {index: self._order.behind[index] & self.left for index in before}
        by_before = {some: index for index, some in before.items()}
        head: dict[int, int] = {}  # of a chain, by each task that was merged into it
        for index, earlier in before.items():
            # Of those that come right behind this one and nothing else there is one, or they are twins of each other.
            late = by_before.get(earlier | 1 << index)
            if late is not None and behind[index] == behind[late] | 1 << late:
                head[late] = head.get(index, index)
                self._merge(head[late], late)
        return bool(head)

    def _merge(self, one: int, other: int) -> None:
        self.members[one] |= self.members.pop(other)
        self.left &= ~(1 << other)


class _Knot:
    """A knot, in which each task that is left stands for its `members`, of which the tree is known."""

    def __init__(self, order: Order, members: Mapping[int, int], parts: Mapping[int, Found], work: int) -> None:
        self._order = order
        self._members = members
        self._parts = parts
        self._known: dict[int, Found] = {}
        self._left = work  # to be done; without any, a knot is halved, and so is what is left of it

    def untie(self, some: int, level: int = 0) -> Found:
        if some not in self._known:
            self._known[some] = self._solved(some, level + 1)
        return self._known[some]

    def _solved(self, some: int, level: int) -> Found:
        if some & (some - 1) == 0:
            return self._parts[some.bit_length() - 1]
        apart = components(some, self._order.related)
        if len(apart) > 1:
            return in_parallel([self.untie(part, level) for part in apart])
        in_a_row = stages(some, self._order)
        if len(in_a_row) > 1:
            return in_series([self.untie(part, level) for part in in_a_row])
        if level > MAX_SEARCH_DEPTH or self._left <= 0:
            levels = sorted(self._levels(some))
            return self._cut(levels[len(levels) // 2], some, level)
        best: Found | None = None
        for cut in self._best_first(some):
            if best is not None and self._left <= 0:
                break
            found = self._cut(cut, some, level)
            if best is None or found.cost < best.cost:
                best = found
        assert best is not None, "whatever is not one task has a first one, behind which it can be cut"
        return best

    def _cut(self, before: int, some: int, level: int) -> Found:
        behind = some & ~before
        found = in_series([self.untie(before, level), self.untie(behind, level)])
        here = (self._all(before), self._all(behind), self._lost(before, behind))
        return replace(found, cuts=(here, *found.cuts))

    def _all(self, some: int) -> int:
        return reduce(or_, (self._members[index] for index in each(some)), 0)

    def _lost(self, before: int, behind: int) -> int:
        """Return how many pairs of tasks could have run at the same time, and cannot with a barrier between these."""
        late = self._all(behind)
        return sum(
            self._members[early].bit_count() * (late & ~self._order.behind[early]).bit_count() for early in each(before)
        )

    def _best_first(self, some: int) -> list[int]:
        """Return the places to cut, those in the middle first: two small knots are untied with less than a large one.

        Where not all can be tried, this leads to fewer barriers than to begin where a cut costs the least.
        """
        cuts, size = self._cuts(some), some.bit_count()
        self._left -= len(cuts) * size
        return sorted(cuts, key=lambda cut: (abs(2 * cut.bit_count() - size), self._lost(cut, some & ~cut), cut))

    def _cuts(self, some: int) -> set[int]:
        """Return the places to cut: of each, the tasks before it, with which all come that they wait for."""
        if some.bit_count() > MANY:
            return self._levels(some)
        every = self._all_cuts(some)
        return every if every is not None else self._likely_cuts(some)

    def _all_cuts(self, some: int) -> set[int] | None:
        """Return all places to cut, or None if there are too many."""
        found = {0}
        for index in each(some):  # in an order in which whatever a task waits for comes before it
            needed = self._order.before[index] & some
            found |= {cut | 1 << index for cut in found if cut & needed == needed}
            if len(found) > MAX_CUTS:
                return None
        return found - {0, some}

    def _likely_cuts(self, some: int) -> set[int]:
        """Return the cuts right behind each task and all that it waits for, right before it, and between levels."""
        behind = {(self._order.before[index] & some) | 1 << index for index in each(some)}
        before = {some & ~(self._order.behind[index] | 1 << index) for index in each(some)}
        return (behind | before | self._levels(some)) - {0, some}

    def _levels(self, some: int) -> set[int]:
        cuts, reached = set(), 0
        while reached != some:
            reached |= self._order.first_of(some & ~reached)
            cuts.add(reached)
        return cuts - {some}
