"""The checker that everything relies on: it accepts what really happens, and finds what was planted in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestration import invariants, retry
from orchestration.invariants import Checker, Violation
from orchestration.model import Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.timing import SWEEP_MS, Timing
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.world import World, run

History = list[tuple[Any, Any]]
BOOM = Failure("Boom", "it broke")


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
        ("S1", changed("r", "RUNNING", version=2)),
        ("S1", changed("r", "RUNNING", epoch=2)),
        ("S2", changed("A", "RUNNING", version=7)),
        ("S2", dropped("A", "RUNNING")),
        ("S2", changed("r", "SUCCEEDED", version=1)),
        ("S3", changed("A", "RUNNING", owner=None)),
        ("S3", changed("B1", "RUNNING", owner="token-1")),
        ("S4", early("B1", "READY")),
        ("S4", changed("C", "PENDING", arrived=frozenset({0}))),
        ("S4", changed("r", "SUCCEEDED", arrived=frozenset({0}))),
        ("S5", again("A", "SUCCEEDED")),
        ("S5", again("A", "SUCCEEDED", status=TaskStatus.FAILED)),
        ("S5", again("A", "SUCCEEDED", status=TaskStatus.PENDING, epoch=2)),
        ("S5", again("r", "SUCCEEDED")),
        ("S5", again("r", "SUCCEEDED", status=RunStatus.RUNNING, epoch=2, check_at=1)),
        ("S5", changed("A", "READY", epoch=2)),
        ("S6", changed("A", "RUNNING", attempt=2)),
        ("S6", changed("A", "RUNNING", attempt=0)),
        ("S6", changed("A", "RUNNING", released=1)),
        ("S7", changed("A", "SUCCEEDED", owner="another")),
        ("S7", changed("A", "SUCCEEDED", output=None)),
        ("S8", early("r", "SUCCEEDED")),
        ("S10", changed("B1", "READY", task_id="stranger")),
        ("S10", lambda found: found[1:]),
        ("S11", changed("A", "SUCCEEDED", status=TaskStatus.CANCELED, output=None)),
        ("S12", changed("r", "SUCCEEDED", definition="other")),
        ("S12", changed("r", "SUCCEEDED", input_digest="other")),
        ("S12", changed("r", "SUCCEEDED", started_at=1)),
        ("S13", changed("r", "RUNNING", deadline_at=5)),
        ("S13", changed("r", "SUCCEEDED", deadline_at=5)),
        ("L1", changed("r", "RUNNING", check_at=None)),
        ("L1", changed("r", "SUCCEEDED", check_at=5)),
        ("L2", changed("A", "RUNNING", lease_until=None)),
    ],
)
def test_what_is_planted_is_found(invariant: str, plant: Callable[[History], History]) -> None:
    found = found_in(plant(history()))
    assert invariant in found
    with pytest.raises(AssertionError, match=rf"^{found[0]}: "):
        invariants.check(plant(history()), shapes.diamond())


def found_in(writes: History, workflow: Workflow | None = None) -> list[str]:
    """Return the names of what is violated by the first write that violates anything."""
    checker = Checker(workflow or shapes.diamond())
    return next((names for old, new in writes if (names := [v.invariant for v in checker.write(old, new)])), [])


# -- attempts: what may follow on one that has ended -------------------------------------------------------------------


def attempts(task: Task, *ends: TaskState) -> list[str]:
    """Return what is wrong with a task that is claimed and then ends so, again and again."""
    workflow = Workflow("one", {"A": task})
    began = Run(
        run_id="r", workflow="one", definition=workflow.version, input_digest="i", started_at=1, version=1, check_at=9
    )
    ready = TaskState(run_id="r", task_id="A", status=TaskStatus.READY, version=1)
    writes: History = [(None, began), (None, ready)]
    for n, end in enumerate(ends, 1):
        last = writes[-1][1]
        claim = replace(
            last, status=TaskStatus.RUNNING, version=last.version + 1, attempt=n, owner=f"o{n}", lease_until=9
        )
        owner = claim.owner if end.status is TaskStatus.FAILED else None
        ended = replace(claim, status=end.status, error=end.error, owner=owner, version=claim.version + 1)
        ended = replace(ended, ready_at=n, due_at=n) if end.status is TaskStatus.READY else ended
        writes += [(last, claim), (claim, replace(ended, released=last.released + end.released))]
    return found_in(writes, workflow)


def again_after(name: str) -> TaskState:
    return TaskState(run_id="r", task_id="A", status=TaskStatus.READY, error=Failure(name, ""))


def given_back() -> TaskState:
    return replace(again_after("Busy"), released=1)


def failed_by(name: str) -> TaskState:
    return replace(again_after(name), status=TaskStatus.FAILED)


ONCE, TWICE = Task("s"), Task("s", retry=Retry(max_attempts=2, on=["Boom"]))
AT_MOST_ONCE = Task("s", at_most_once=True)


@pytest.mark.parametrize(
    ("task", "ends"),
    [
        (ONCE, [failed_by("Boom")]),
        (TWICE, [again_after("Boom"), failed_by("Boom")]),
        (TWICE, [failed_by("Other")]),
        (TWICE, [failed_by(retry.INVALID_OUTPUT)]),
        (ONCE, [again_after(retry.LOST), again_after(retry.CONNECTION_LOST), failed_by(retry.LOST)]),
        (ONCE, [again_after(retry.LOST), failed_by("Boom")]),
        (ONCE, [given_back(), given_back(), given_back(), given_back(), failed_by("Boom")]),
        (TWICE, [given_back(), again_after("Boom"), given_back(), failed_by("Boom")]),
        (AT_MOST_ONCE, [failed_by(retry.LOST)]),
        (AT_MOST_ONCE, [given_back(), failed_by("Boom")]),
        (Task("s", total_timeout_s=9), [failed_by(retry.LOST)]),
    ],
)
def test_attempts_that_the_policy_allows(task: Task, ends: list[TaskState]) -> None:
    assert attempts(task, *ends) == []


@pytest.mark.parametrize(
    ("task", "ends"),
    [
        (ONCE, [again_after("Boom")]),
        (TWICE, [again_after("Other")]),
        (TWICE, [again_after("Boom"), again_after("Boom")]),
        (TWICE, [again_after(retry.INVALID_OUTPUT)]),
        (ONCE, [again_after(retry.LOST)] * 3),
        (AT_MOST_ONCE, [again_after(retry.LOST)]),
        (TWICE, [failed_by("Boom")]),
        (ONCE, [failed_by(retry.LOST)]),
        (ONCE, [replace(again_after("Boom"), error=None)]),
        (ONCE, [replace(failed_by("Boom"), error=None)]),
        (ONCE, [replace(given_back(), released=2)]),
        (ONCE, [replace(failed_by("Boom"), released=1)]),
    ],
)
def test_attempts_that_the_policy_does_not_allow(task: Task, ends: list[TaskState]) -> None:
    assert set(attempts(task, *ends)) == {"S6"}


# -- redrive -----------------------------------------------------------------------------------------------------------


def redriven() -> tuple[Workflow, History]:
    """Return the history of a run whose second task fails, and then does not."""
    broken = True

    def task(event: Any) -> Any:
        if event["task_id"] == "t00001" and broken:
            raise ValueError("it broke")
        return 1

    workflow = shapes.chain(3)
    world = World()
    world.services.run = task
    world.start(workflow)
    world.settle()
    broken = False
    world.engine().redrive("r")
    world.settle()
    assert world.run().status is RunStatus.SUCCEEDED
    return workflow, list(world.store.history)


def test_a_redrive_is_accepted() -> None:
    workflow, found = redriven()
    invariants.check(found, workflow)


@pytest.mark.parametrize(
    ("invariant", "item", "status", "changes"),
    [
        ("S5", "r", RunStatus.RUNNING, {"epoch": 3}),
        ("S5", "t00001", TaskStatus.PENDING, {"epoch": 1}),
        ("S5", "t00001", TaskStatus.PENDING, {"epoch": 3}),
        ("S6", "t00001", TaskStatus.PENDING, {"attempt": 1}),
        ("S6", "t00001", TaskStatus.PENDING, {"owner": "token-1"}),
        ("S4", "t00001", TaskStatus.PENDING, {"arrived": frozenset({0, 1})}),
        ("S4", "t00002", TaskStatus.PENDING, {"arrived": frozenset({1})}),
    ],
)
def test_what_is_planted_in_a_redrive_is_found(invariant: str, item: str, status: Any, changes: dict[str, Any]) -> None:
    workflow, found = redriven()
    place = next(
        i for i, (old, new) in enumerate(found)
        if new.status is status and old is not None and old.status in {"FAILED", "CANCELED"}
        and (new.task_id if isinstance(new, TaskState) else "r") == item
    )  # fmt: skip
    old, new = found[place]
    assert invariant in found_in([*found[:place], (old, replace(new, **changes))], workflow)


def test_a_task_that_comes_back_in_a_run_that_has_ended_is_found() -> None:
    found = history()
    _, ended = found[at(found, "C", "SUCCEEDED")]
    back = replace(ended, status=TaskStatus.PENDING, version=ended.version + 1)
    assert found_in([*found, (ended, back)])[0] == "S8"


# -- a run as it is stored ---------------------------------------------------------------------------------------------

TIMING = Timing()
NOW = 10_000_000
LATE = NOW - 2 * SWEEP_MS - TIMING.grace_ms
"""What should have gone on before this is stuck: the sweeper has come twice since its grace was over."""
PAIR = Workflow("pair", {"A": Task("s"), "B": Task("s", after=["A"])})
TIMED = Workflow("pair", PAIR.tasks, timeout_s=60)


def a_run(**changes: Any) -> Run:
    pinned = TIMED if "deadline_at" in changes else PAIR
    fields: dict[str, Any] = {"run_id": "r", "workflow": "pair", "definition": pinned.version, "input_digest": "i"}
    return Run(**{**fields, "started_at": NOW - 1_000, "version": 1, "check_at": NOW, **changes})


def a_task(task_id: str, status: str, **changes: Any) -> TaskState:
    begun = status in {"RUNNING", "SUCCEEDED", "FAILED"}
    owned: dict[str, Any] = {"attempt": 1, "owner": "o"} if begun else {}
    lease = {"lease_until": NOW} if status == "RUNNING" else {}
    fields = {"version": 3, "ready_at": NOW, "finished_at": NOW, **owned, **lease, **changes}
    return TaskState(run_id="r", task_id=task_id, status=TaskStatus(status), **fields)


def looks(found_run: Run, *tasks: TaskState) -> list[tuple[str, str]]:
    pinned = TIMED if found_run.definition == TIMED.version else PAIR
    found = invariants.check_now(found_run, {t.task_id: t for t in tasks}, pinned, NOW, TIMING)
    return [(violation.invariant, violation.item) for violation in found]


@pytest.mark.parametrize(
    ("found_run", "tasks"),
    [
        (a_run(), []),
        (a_run(), [a_task("A", "READY")]),
        (a_run(), [a_task("A", "READY", ready_at=1)]),  # in a long queue: the run is looked at in time
        (a_run(), [a_task("A", "READY", ready_at=1, due_at=NOW + 86_400_000)]),
        (a_run(), [a_task("A", "RUNNING", lease_until=NOW - 2 * SWEEP_MS)]),
        (a_run(started_at=1), [a_task("A", "SUCCEEDED", finished_at=LATE)]),
        (a_run(), [a_task("A", "FAILED", finished_at=LATE)]),
        (a_run(status=RunStatus.SUCCEEDED, check_at=None), [a_task("A", "SUCCEEDED"), a_task("B", "SUCCEEDED")]),
        (a_run(status=RunStatus.FAILED, check_at=None, error=Failure("Boom", "", "A")),
         [a_task("A", "FAILED"), a_task("B", "CANCELED")]),
        (a_run(status=RunStatus.FAILED, check_at=None, deadline_at=NOW, error=Failure("States.Timeout", "")),
         [a_task("A", "SUCCEEDED"), a_task("B", "CANCELED")]),
        (a_run(status=RunStatus.CANCELING), [a_task("A", "READY", ready_at=1)]),
        # Redriven long after its tasks ended: of these nothing says how late it is, but that it is looked at does.
        (a_run(epoch=2), [a_task("A", "SUCCEEDED", finished_at=1), a_task("B", "PENDING", epoch=2)]),
        (a_run(epoch=2), [a_task("A", "FAILED", finished_at=1), a_task("B", "CANCELED", finished_at=1)]),
        (a_run(epoch=2), [a_task("A", "PENDING", epoch=2)]),
        # Read before a redrive, its tasks after it.
        (a_run(status=RunStatus.FAILED, check_at=None, error=Failure("Boom", "", "A")),
         [a_task("A", "READY", epoch=2), a_task("B", "PENDING", epoch=2)]),
    ],
)  # fmt: skip
def test_what_may_be_stored(found_run: Run, tasks: list[TaskState]) -> None:
    assert looks(found_run, *tasks) == []


@pytest.mark.parametrize(
    ("violated", "found_run", "tasks"),
    [
        (("S12", "run"), a_run(definition="other"), []),
        (("S13", "run"), a_run(deadline_at=None), []),
        (("S13", "run"), replace(a_run(), deadline_at=NOW), []),
        (("L1", "run"), a_run(check_at=None), []),
        (("L1", "run"), a_run(status=RunStatus.SUCCEEDED), [a_task("A", "SUCCEEDED"), a_task("B", "SUCCEEDED")]),
        (("S8", "run"), a_run(status=RunStatus.SUCCEEDED, check_at=None), [a_task("A", "SUCCEEDED")]),
        (("S8", "run"), a_run(status=RunStatus.FAILED, check_at=None),
         [a_task("A", "FAILED"), a_task("B", "CANCELED")]),
        (("S8", "run"), a_run(status=RunStatus.FAILED, check_at=None, error=Failure("Boom", "", "A")),
         [a_task("A", "CANCELED"), a_task("B", "CANCELED")]),
        (("S8", "run"), a_run(status=RunStatus.FAILED, check_at=None, error=BOOM),
         [a_task("A", "SUCCEEDED"), a_task("B", "CANCELED")]),
        (("S10", "C"), a_run(), [a_task("C", "READY")]),
        (("S4", "B"), a_run(), [a_task("B", "READY")]),
        (("S4", "B"), a_run(), [a_task("A", "FAILED"), a_task("B", "RUNNING")]),
        (("S4", "B"), a_run(), [a_task("A", "READY"), a_task("B", "PENDING", arrived=frozenset({0}))]),
        (("S3", "A"), a_run(), [a_task("A", "RUNNING", owner=None)]),
        (("S3", "A"), a_run(), [a_task("A", "SUCCEEDED", attempt=0)]),
        (("S6", "A"), a_run(), [a_task("A", "RUNNING", attempt=4)]),
        (("S6", "A"), a_run(), [a_task("A", "READY", released=1)]),
        (("L2", "A"), a_run(), [a_task("A", "RUNNING", lease_until=None)]),
        (("L2", "A"), a_run(), [a_task("A", "RUNNING", lease_until=NOW - 2 * SWEEP_MS - 1)]),
        (("L3", "A"), a_run(started_at=LATE - 1), []),
        (("L3", "A"), a_run(), [a_task("A", "FAILED", finished_at=LATE - 1)]),
        (("L3", "B"), a_run(), [a_task("A", "SUCCEEDED", finished_at=LATE - 1)]),
        (("L3", "run"), a_run(),
         [a_task("A", "SUCCEEDED", finished_at=1), a_task("B", "SUCCEEDED", finished_at=LATE - 1)]),
        (("L3", "run"), a_run(status=RunStatus.FAILING),
         [a_task("A", "FAILED", finished_at=1), a_task("B", "CANCELED", finished_at=LATE - 1)]),
        (("L3", "run"), a_run(check_at=NOW - 2 * SWEEP_MS - 1), []),
        (("L3", "run"), a_run(deadline_at=NOW - 2 * SWEEP_MS - 1), []),
    ],
)  # fmt: skip
def test_what_must_not_be_stored(violated: tuple[str, str], found_run: Run, tasks: list[TaskState]) -> None:
    assert set(looks(found_run, *tasks)) == {violated}


def test_a_violation_says_what_it_is_about() -> None:
    assert str(Violation("S8", "run", "SUCCEEDED with []")) == "S8: run: SUCCEEDED with []"
