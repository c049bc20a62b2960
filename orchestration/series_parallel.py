"""A graph of tasks as steps in series and in parallel, which is all that Step Functions can say. Pure.

A partial order can be said so, exactly, if and only if it holds no "N": four tasks of which C and D wait for A, D waits
for B too, and nothing else (Valdes, Tarjan and Lawler, "The recognition of series parallel digraphs", 1982). Then the
tree is found by taking the order apart: what is not connected runs in parallel, and where all of one part comes before
all of the rest it runs in series. Where neither is so, an N is in the way, and a barrier has to be put up: some tasks
wait for some that they do not depend on. Of all places the one is taken that leads to the fewest barriers, and among
those to the fewest such waits. Small knots are searched completely, large ones only where it is likely.

Sets of tasks are integers, one bit for each task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TypeAlias

MAX_NAMED_WAITS = 1_000
MAX_CUTS = 128
"""In how many places a knot may be cut for all of them to be tried; beyond, only the likely ones are."""
MAX_WORK = 300_000
"""How much is tried in one knot, and in all that the cuts leave of it, counted in cuts times tasks: a second or so."""
MAX_SEARCH_DEPTH = 40
"""Cuts within cuts, from which on what is left is halved."""
MANY = 300
"""Tasks of a knot from which on it is cut between its levels only."""


@dataclass(frozen=True)
class Series:
    """Two parts at least, none of which is a Series: each begins when the one before it has ended."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True)
class Parallel:
    """Two branches at least, none of which is a Parallel."""

    branches: tuple[Tree, ...]


Tree: TypeAlias = "str | Series | Parallel"


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
    return _Planner(_Order(after), max_depth).plan()


def depth(tree: Tree) -> int:
    """Return how many tasks the longest way through the tree has."""
    match tree:
        case Series(parts):
            return sum(map(depth, parts))
        case Parallel(branches):
            return max(map(depth, branches))
        case _:
            return 1


def nesting(tree: Tree) -> int:
    """Return how many levels of branches within branches the tree has."""
    match tree:
        case Series(parts):
            return max(map(nesting, parts))
        case Parallel(branches):
            return 1 + max(map(nesting, branches))
        case _:
            return 0


def tasks(tree: Tree) -> Iterator[str]:
    """Yield the tasks of a tree, from left to right."""
    match tree:
        case Series(inner) | Parallel(inner):
            for part in inner:
                yield from tasks(part)
        case _:
            yield tree


class _Order:
    """The partial order of the tasks: for each, by its index, all that come before it and behind it."""

    def __init__(self, after: Mapping[str, Sequence[str]]) -> None:
        self.names = _sorted_by_dependencies(after)
        place = {name: index for index, name in enumerate(self.names)}
        self.before = [0] * len(place)
        self.behind = [0] * len(place)
        for name, index in place.items():
            for dependency in after[name]:
                self.before[index] |= self.before[place[dependency]] | 1 << place[dependency]
        for index, before in enumerate(self.before):
            for other in _members(before):
                self.behind[other] |= 1 << index
        self.related = [a | b for a, b in zip(self.before, self.behind, strict=True)]

    def named(self, some: int) -> tuple[str, ...]:
        return tuple(sorted(self.names[index] for index in _members(some)))

    def last_of(self, some: int) -> int:
        """Return those of some tasks that none of them comes behind."""
        return _set_of(i for i in _members(some) if not self.behind[i] & some)

    def first_of(self, some: int) -> int:
        return _set_of(i for i in _members(some) if not self.before[i] & some)


@dataclass(frozen=True)
class _Found:
    """What a part of the order became: its tree, and how much was given up for it."""

    tree: Tree
    cuts: tuple[tuple[int, int, int], ...] = ()  # what is before, what is behind, how many waits
    parallels: int = 0

    @property
    def cost(self) -> tuple[int, int, int]:
        return len(self.cuts), sum(lost for _, _, lost in self.cuts), self.parallels


class _Planner:
    def __init__(self, order: _Order, max_depth: int) -> None:
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
            for late in _members(then)
            for early in _members(first & ~order.before[late])
        ]
        return Barrier(order.named(first), order.named(then), tuple(sorted(waits)[:MAX_NAMED_WAITS]), lost)

    def _solve(self, some: int, level: int) -> _Found:
        """Return the tree of some tasks. Only what holds an N is searched for the best place to cut it."""
        if level > 3 * self._max_depth:  # at each level of branches there is at most a series, and a knot
            raise TooDeep
        order = self._order
        if some & (some - 1) == 0:
            return _Found(order.names[some.bit_length() - 1])
        apart = _components(some, order.related)
        if len(apart) > 1:
            return _in_parallel([self._solve(part, level + 1) for part in apart])
        stages = _stages(some, order)
        if len(stages) > 1:
            return _in_series([self._solve(part, level + 1) for part in stages])
        return self._untied(some, level)

    def _untied(self, some: int, level: int) -> _Found:
        """Return the tree of a knot: of tasks that neither parallel nor serial parts can be told apart of.

        Tasks that stand in the same relation to all others are taken for one, whatever is between them: no barrier
        has to tell them apart.
        """
        twins = _Twins(self._order, some)
        parts = {left: self._solve(members, level + 1) for left, members in twins.members.items()}
        return _Knot(self._order, twins.members, parts).untie(twins.left)


class _Twins:
    """The tasks of a knot, where those that no other tells apart are one: `members`, by the one that stands for them.

    Two are twins if they wait for the same and the same waits for them, or if one of them follows the other and that is
    all that is between them and the others.
    """

    def __init__(self, order: _Order, some: int) -> None:
        self._order = order
        self.left = some
        self.members = {index: 1 << index for index in _members(some)}
        while self._merge_parallel() or self._merge_series():
            pass

    def _merge_parallel(self) -> bool:
        seen: dict[tuple[int, int], int] = {}
        merged = False
        for index in _members(self.left):
            one = seen.setdefault((self._order.before[index] & self.left, self._order.behind[index] & self.left), index)
            if one != index:
                self._merge(one, index)
                merged = True
        return merged

    def _merge_series(self) -> bool:
        before = {index: self._order.before[index] & self.left for index in _members(self.left)}
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

    def __init__(self, order: _Order, members: Mapping[int, int], parts: Mapping[int, _Found]) -> None:
        self._order = order
        self._members = members
        self._parts = parts
        self._known: dict[int, _Found] = {}
        self._work = 0

    def untie(self, some: int, level: int = 0) -> _Found:
        if some not in self._known:
            self._known[some] = self._solved(some, level + 1)
        return self._known[some]

    def _solved(self, some: int, level: int) -> _Found:
        if some & (some - 1) == 0:
            return self._parts[some.bit_length() - 1]
        apart = _components(some, self._order.related)
        if len(apart) > 1:
            return _in_parallel([self.untie(part, level) for part in apart])
        stages = _stages(some, self._order)
        if len(stages) > 1:
            return _in_series([self.untie(part, level) for part in stages])
        if level > MAX_SEARCH_DEPTH or self._work > MAX_WORK:  # one half and the other, so that it has an end
            levels = sorted(self._levels(some))
            return self._cut(levels[len(levels) // 2], some, level)
        best: _Found | None = None
        for cut in self._best_first(some):
            if best is not None and self._work > MAX_WORK:
                break
            found = self._cut(cut, some, level)
            if best is None or found.cost < best.cost:
                best = found
        assert best is not None, "whatever is not one task has a first one, behind which it can be cut"
        return best

    def _cut(self, before: int, some: int, level: int) -> _Found:
        behind = some & ~before
        found = _in_series([self.untie(before, level), self.untie(behind, level)])
        here = (self._all(before), self._all(behind), self._lost(before, behind))
        return _Found(found.tree, (here, *found.cuts), found.parallels)

    def _all(self, some: int) -> int:
        return reduce(or_, (self._members[index] for index in _members(some)), 0)

    def _lost(self, before: int, behind: int) -> int:
        """Return how many pairs of tasks could have run at the same time, and cannot with a barrier between these."""
        late = self._all(behind)
        return sum(
            self._members[early].bit_count() * (late & ~self._order.behind[early]).bit_count()
            for early in _members(before)
        )

    def _best_first(self, some: int) -> list[int]:
        """Return the places to cut, those in the middle first: two small knots are untied with less than a large one.

        Where not all can be tried, this leads to fewer barriers than to begin where a cut costs the least.
        """
        cuts, size = self._cuts(some), some.bit_count()
        self._work += len(cuts) * size
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
        for index in _members(some):  # in an order in which whatever a task waits for comes before it
            needed = self._order.before[index] & some
            found |= {cut | 1 << index for cut in found if cut & needed == needed}
            if len(found) > MAX_CUTS:
                return None
        return found - {0, some}

    def _likely_cuts(self, some: int) -> set[int]:
        """Return the cuts right behind each task and all that it waits for, right before it, and between levels."""
        behind = {(self._order.before[index] & some) | 1 << index for index in _members(some)}
        before = {some & ~(self._order.behind[index] | 1 << index) for index in _members(some)}
        return (behind | before | self._levels(some)) - {0, some}

    def _levels(self, some: int) -> set[int]:
        cuts, reached = set(), 0
        while reached != some:
            reached |= self._order.first_of(some & ~reached)
            cuts.add(reached)
        return cuts - {some}


def _in_parallel(parts: Sequence[_Found]) -> _Found:
    trees = [part.tree for part in parts]
    branches = [b for tree in trees for b in (tree.branches if isinstance(tree, Parallel) else (tree,))]
    # A branch that is a Parallel is none of its own any more.
    parallels = 1 + sum(part.parallels - isinstance(part.tree, Parallel) for part in parts)
    return _Found(Parallel(tuple(sorted(branches, key=_first))), _cuts_of(parts), parallels)


def _in_series(parts: Sequence[_Found]) -> _Found:
    trees = [part.tree for part in parts]
    flat = [p for tree in trees for p in (tree.parts if isinstance(tree, Series) else (tree,))]
    return _Found(Series(tuple(flat)), _cuts_of(parts), sum(part.parallels for part in parts))


def _cuts_of(parts: Sequence[_Found]) -> tuple[tuple[int, int, int], ...]:
    return tuple(cut for part in parts for cut in part.cuts)


def _first(tree: Tree) -> str:
    return next(tasks(tree))


def _components(some: int, related: Sequence[int]) -> list[int]:
    """Return the connected parts of some tasks: between two of them no task waits for another."""
    found = []
    while some:
        part = frontier = some & -some
        some ^= part
        while frontier:
            index = frontier.bit_length() - 1
            new = related[index] & some
            some ^= new
            part |= new
            frontier = frontier & ~(1 << index) | new
        found.append(part)
    return found


def _stages(some: int, order: _Order) -> list[int]:
    """Return the parts of some tasks, of which all of each come before all of the next; one, if there are none."""
    stages, left = [], some
    while left:
        part = frontier = left & -left
        left ^= part
        while frontier:
            index = frontier.bit_length() - 1
            new = left & ~order.related[index]  # what may run at the same time is in the same stage
            left ^= new
            part |= new
            frontier = frontier & ~(1 << index) | new
        stages.append(part)
    # All of the earlier stages come before any task of a stage, and none of the later ones.
    return sorted(stages, key=lambda part: (order.before[part.bit_length() - 1] & some).bit_count())


def _members(some: int) -> Iterator[int]:
    while some:
        least = some & -some
        yield least.bit_length() - 1
        some ^= least


def _set_of(members: Iterator[int]) -> int:
    return sum(1 << index for index in members)


def _sorted_by_dependencies(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks in an order in which each comes after all that it waits for; by name, where that is open."""
    dependents: dict[str, list[str]] = {name: [] for name in after}
    missing = Counter({name: len(others) for name, others in after.items()})
    for name, others in after.items():
        for other in others:
            dependents[other].append(name)
    ready = sorted((name for name, number in missing.items() if number == 0), reverse=True)
    done = []
    while ready:
        name = ready.pop()
        done.append(name)
        for following in sorted(dependents[name], reverse=True):
            missing[following] -= 1
            if missing[following] == 0:
                ready.append(following)
    assert len(done) == len(after), "a valid workflow has no cycle"
    return done
