"""Which tasks of a graph have to come before which, with sets of tasks as integers, one bit for each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence


class Order:
    """The partial order of the tasks: for each, by its index, all that come before it and behind it."""

    def __init__(self, after: Mapping[str, Sequence[str]]) -> None:
        self.names = _sorted(after)
        place = {name: index for index, name in enumerate(self.names)}
        self.before = [0] * len(place)
        self.behind = [0] * len(place)
        for name, index in place.items():
            for dependency in after[name]:
                self.before[index] |= self.before[place[dependency]] | 1 << place[dependency]
        for index, before in enumerate(self.before):
            for other in each(before):
                self.behind[other] |= 1 << index
        self.related = [a | b for a, b in zip(self.before, self.behind, strict=True)]

    def named(self, some: int) -> tuple[str, ...]:
        return tuple(sorted(self.names[index] for index in each(some)))

    def last_of(self, some: int) -> int:
        """Return those of some tasks that none of them comes behind."""
        return set_of(i for i in each(some) if not self.behind[i] & some)

    def first_of(self, some: int) -> int:
        return set_of(i for i in each(some) if not self.before[i] & some)


def components(some: int, related: Sequence[int]) -> list[int]:
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


def stages(some: int, order: Order) -> list[int]:
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


def each(some: int) -> Iterator[int]:
    while some:
        least = some & -some
        yield least.bit_length() - 1
        some ^= least


def set_of(members: Iterator[int]) -> int:
    return sum(1 << index for index in members)


def _sorted(after: Mapping[str, Sequence[str]]) -> list[str]:
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
