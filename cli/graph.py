"""A run's graph as rows: its levels, and what to fold when it has more tasks than the screen has lines. Pure."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cli.model import Task

_DIGITS = re.compile(r"(\d+)")
# What one wants to see first when not everything fits.
_INTEREST = {"FAILED": 0, "RUNNING": 1, "READY": 2}
_QUIET = 3


@dataclass(frozen=True)
class TaskRow:
    task: Task
    alone: bool  # in its level
    last: bool  # of its level


@dataclass(frozen=True)
class FoldRow:
    """Tasks that share one line: how many, by status, most advanced first."""

    counts: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        return sum(count for _, count in self.counts)


Row = TaskRow | FoldRow


def levels(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return the tasks by the length of the longest path that leads to each; within a level by id, t2 before t10.

    What is in a cycle (no accepted definition has one) comes last, so that every task is shown once.
    """
    by_id = {task.id: task for task in tasks}
    waiting = {task.id: sum(other in by_id for other in set(task.after)) for task in tasks}
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for other in set(task.after):
            if other in dependents:
                dependents[other].append(task.id)
    depth = {task_id: 0 for task_id, count in waiting.items() if count == 0}
    queue = deque(depth)
    placed: list[list[Task]] = []
    while queue:  # in order of depth, as a task enters the queue when the deepest that it waits for leaves it
        task_id = queue.popleft()
        if depth[task_id] == len(placed):
            placed.append([])
        placed[depth[task_id]].append(by_id.pop(task_id))
        for dependent in dependents[task_id]:
            waiting[dependent] -= 1
            if waiting[dependent] == 0:
                depth[dependent] = depth[task_id] + 1
                queue.append(dependent)
    if by_id:
        placed.append(list(by_id.values()))
    return [sorted(level, key=lambda task: natural(task.id)) for level in placed]


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that compares numbers inside a text by value."""
    return [(1, int(part[:18]), part) if part.isdecimal() else (0, 0, part) for part in _DIGITS.split(text)]


def rows(by_level: Sequence[Sequence[Task]], budget: int) -> list[Row]:
    """Return at most `budget` rows (but at least one) that account for every task.

    Everything is shown if it fits. Else the tasks that are at work or have failed, and what is near to them, have rows
    of their own; each stretch of the others is one row. Few levels are folded each by itself, a long chain is not.
    """
    flat = _flat(by_level)
    if len(flat) <= budget:
        return list(flat)
    apart = 2 * len(by_level) <= budget
    if apart:  # what is of interest comes first in its level, so that the rest of it is one stretch
        flat = _flat([sorted(level, key=_interest) for level in by_level])
    groups = [place if apart else 0 for place, level in enumerate(by_level) for _ in level]
    return _folded(flat, groups, _chosen([row.task for row in flat], groups, max(1, budget)))


def _flat(by_level: Sequence[Sequence[Task]]) -> list[TaskRow]:
    return [
        TaskRow(task, alone=len(level) == 1, last=index == len(level) - 1)
        for level in by_level
        for index, task in enumerate(level)
    ]


def _interest(task: Task) -> int:
    return _INTEREST.get(task.status, _QUIET)


def _chosen(tasks: Sequence[Task], groups: Sequence[int], budget: int) -> set[int]:
    """Return the places of the tasks that get a row of their own, such that no more than `budget` rows result."""
    shown: set[int] = set()
    folds = len(set(groups))
    for place in _by_interest(tasks, apart=folds > 1):
        # A fold is a stretch of one group between shown rows: to show one more task can split it, or end it.
        open_sides = sum(
            0 <= side < len(tasks) and side not in shown and groups[side] == groups[place]
            for side in (place - 1, place + 1)
        )
        if len(shown) + 1 + folds + open_sides - 1 <= budget:
            shown.add(place)
            folds += open_sides - 1
        elif len(shown) + folds >= budget:
            break
    return shown


def _by_interest(tasks: Sequence[Task], *, apart: bool) -> list[int]:
    """Return places: the failed, the running, the ready, then in order, or nearest to where a chain is at work."""
    active = [place for place, task in enumerate(tasks) if task.status in _INTEREST]
    if apart:
        front = 0
    elif active:
        front = active[len(active) // 2]
    else:
        front = max((p for p, t in enumerate(tasks) if t.status == "SUCCEEDED"), default=0)
    return sorted(range(len(tasks)), key=lambda place: (_interest(tasks[place]), abs(place - front)))


def _folded(flat: Sequence[TaskRow], groups: Sequence[int], shown: set[int]) -> list[Row]:
    found: list[Row] = []
    hidden: list[TaskRow] = []
    for place, row in enumerate(flat):
        if hidden and (place in shown or groups[place] != groups[place - 1]):
            found.append(_fold(hidden))
            hidden = []
        if place in shown:
            found.append(row)
        else:
            hidden.append(row)
    if hidden:
        found.append(_fold(hidden))
    return found


def _fold(hidden: Sequence[TaskRow]) -> Row:
    if len(hidden) == 1:  # a line of its own is no longer than one about it
        return hidden[0]
    return FoldRow(count_by_status(row.task for row in hidden))


_ORDER = ("FAILED", "RUNNING", "READY", "SUCCEEDED", "CANCELED", "PENDING")


def count_by_status(tasks: Iterable[Task]) -> tuple[tuple[str, int], ...]:
    """Return (status, how many), what one wants to know first coming first."""
    counts = Counter(task.status for task in tasks)
    known = [(status, counts.pop(status)) for status in _ORDER if status in counts]
    return (*known, *sorted(counts.items()))
