"""A graph of tasks as steps in series and in parallel, which is all that Step Functions can say. Pure.

A partial order can be said so, exactly, if and only if it holds no "N": four tasks of which C and D wait for A, D waits
for B too, and nothing else (Valdes, Tarjan and Lawler, "The recognition of series parallel digraphs", 1982). Then the
tree is found by taking the order apart: what is not connected runs in parallel, and where all of one part comes before
all of the rest it runs in series. Where neither is so, an N is in the way, and a barrier has to be put up: some tasks
wait for some that they do not depend on. Of all places the one is taken that leads to the fewest barriers, then to the
fewest such waits, then to the shortest way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.knots import untie
from orchestration.partial_order import Order, components, each, stages
from orchestration.trees import Found, Tree, in_parallel, in_series, nesting

MAX_NAMED_WAITS = 1_000


@dataclass(frozen=True)
class Barrier:
    """A place where tasks wait for some that they do not depend on."""

    first: tuple[str, ...]
    """The tasks that all have to end first; nothing that is before the barrier comes after them."""
    then: tuple[str, ...]
    """The tasks that may begin then."""
    waits: tuple[tuple[str, str], ...]
    """Of each task in `then`, those in `first` that it waits for without need: (it, the other), the first 1,000."""
    lost: int
    """How many pairs of tasks, anywhere before and behind, could have run at the same time and now cannot."""


@dataclass(frozen=True)
class Plan:
    tree: Tree
    barriers: tuple[Barrier, ...] = ()


class TooDeep(Exception):
    """The tree would have more levels than is allowed."""


def plan(after: Mapping[str, Sequence[str]], max_depth: int) -> Plan:
    """Return how to run a graph without cycles, of which `after` has the direct dependencies of each task.

    Raises TooDeep if branches would be nested more than `max_depth` levels deep.
    """
    return _Planner(Order(after), max_depth).plan()


class _Planner:
    def __init__(self, order: Order, max_depth: int) -> None:
        self._order = order
        self._max_depth = max_depth

    def plan(self) -> Plan:
        found = self._solve((1 << len(self._order.names)) - 1, 0)
        if nesting(found.tree) > self._max_depth:
            raise TooDeep
        return Plan(found.tree, tuple(self._barrier(*cut) for cut in found.cuts))

    def _barrier(self, before: int, behind: int, lost: int) -> Barrier:
        order = self._order
        first, then = order.last_of(before), order.first_of(behind)
        waits = [
            (order.names[late], order.names[early])
            for late in each(then)
            for early in each(first & ~order.before[late])
        ]
        return Barrier(order.named(first), order.named(then), tuple(sorted(waits)[:MAX_NAMED_WAITS]), lost)

    def _solve(self, some: int, level: int) -> Found:
        """Return the tree of some tasks. Only what holds an N is searched for the best place to cut it."""
        if level > 3 * self._max_depth:  # at each level of branches there is at most a series, and a knot
            raise TooDeep
        order = self._order
        if some & (some - 1) == 0:
            return Found(order.names[some.bit_length() - 1])
        apart = components(some, order.related)
        if len(apart) > 1:
            return in_parallel([self._solve(part, level + 1) for part in apart])
        in_a_row = stages(some, order)
        if len(in_a_row) > 1:
            return in_series([self._solve(part, level + 1) for part in in_a_row])
        return untie(order, some, lambda part: self._solve(part, level + 1))
