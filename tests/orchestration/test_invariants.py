"""The checker that other tests rely on: it accepts a real history, and finds what was planted in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestration.model import RunStatus, TaskState, TaskStatus
from tests.support import invariants, shapes
from tests.support.world import run

History = list[tuple[Any, Any]]


def history() -> History:
    return list(run(shapes.diamond()).store.history)


def at(found: History, name: str, status: str) -> int:
    """Return the place of the write that brought a task (or the run, "r") into a state."""
    return next(
        i
        for i, (_, new) in enumerate(found)
        if new.status == status and (new.task_id if isinstance(new, TaskState) else new.run_id) == name
    )


def test_a_real_history_is_accepted() -> None:
    invariants.check(history(), shapes.diamond())


def changed(name: str, was: str, /, **changes: Any) -> Callable[[History], History]:
    """Change what one write wrote, and what the next of the same item was decided on."""

    def plant(found: History) -> History:
        _, new = found[at(found, name, was)]
        other = replace(new, **changes)
        return [(other if a == new else a, other if b == new else b) for a, b in found]

    return plant


def dropped(name: str, status: str) -> Callable[[History], History]:
    return lambda found: [write for i, write in enumerate(found) if i != at(found, name, status)]


def again(name: str, was: str, /, **changes: Any) -> Callable[[History], History]:
    """Write an item once more after all."""

    def plant(found: History) -> History:
        _, new = found[at(found, name, was)]
        return [*found, (new, replace(new, version=new.version + 1, **changes))]

    return plant


def early(name: str, status: str) -> Callable[[History], History]:
    """Make a write come before all but the first."""

    def plant(found: History) -> History:
        place = at(found, name, status)
        return [found[0], found[place], *found[1:place], *found[place + 1 :]]

    return plant


@pytest.mark.parametrize(
    ("invariant", "plant"),
    [
        ("S1", changed("A", "RUNNING", status=TaskStatus.PENDING)),
        ("S1", changed("r", "SUCCEEDED", status=RunStatus.FAILED)),
        ("S2", changed("A", "RUNNING", version=7)),
        ("S2", dropped("A", "RUNNING")),
        ("S2", changed("r", "SUCCEEDED", version=1)),
        ("S3", changed("A", "RUNNING", owner=None)),
        ("S4", early("B1", "READY")),
        ("S5", again("A", "SUCCEEDED")),
        ("S5", again("A", "SUCCEEDED", status=TaskStatus.FAILED)),
        ("S5", again("r", "SUCCEEDED")),
        ("S6", changed("A", "RUNNING", attempt=2)),
        ("S6", changed("A", "RUNNING", attempt=0)),
        ("S7", changed("A", "SUCCEEDED", owner="another")),
        ("S7", changed("A", "SUCCEEDED", output=None)),
        ("S8", early("r", "SUCCEEDED")),
        ("S10", changed("B1", "READY", task_id="stranger")),
        ("S10", lambda found: found[1:]),
        ("S12", changed("r", "SUCCEEDED", definition="other")),
    ],
)
def test_what_is_planted_is_found(invariant: str, plant: Callable[[History], History]) -> None:
    with pytest.raises(AssertionError, match=rf"^{invariant}: "):
        invariants.check(plant(history()), shapes.diamond())
