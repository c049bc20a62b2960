"""What should have followed in a run, and has not: what the sweeper has to do for it. Pure.

Whatever a lost message, a lost stream record or a handler that died can leave is here, each with the time from which on
it is overdue. Until then it is under way, and a run that nothing happens to has nothing overdue, ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestration.model import Run, RunStatus, TaskState, TaskStatus
from orchestration.queue import MAX_DELAY_S
from orchestration.timing import Timing
from orchestration.workflow import Workflow


class Repair(StrEnum):
    """What the sweeper does in place of somebody who should have."""

    START = "START"  # the run was put, and its first tasks were not made READY
    EXPIRE = "EXPIRE"  # a worker gave no sign of life until its lease ran out
    DISPATCH = "DISPATCH"  # no worker has taken a task that is READY
    FOLLOW = "FOLLOW"  # a task has succeeded, and who waits for it was not told
    FAIL = "FAIL"  # a task has failed, and its run was not
    SETTLE = "SETTLE"  # a run that is ending did not end
    REDRIVE = "REDRIVE"  # the run was redriven, and not all of its tasks
    DEADLINE = "DEADLINE"  # the time of the run is up


@dataclass
class Findings:
    """What a look at a run has found, at the time `now`."""

    now: int
    overdue: dict[Repair, list[str]] = field(default_factory=dict)  # the tasks to act on; of DEADLINE and SETTLE: none
    due: list[str] = field(default_factory=list)  # READY tasks whose delay was too long for the queue, and is over
    expected: list[int] = field(default_factory=list)  # when something else becomes overdue or due, in epoch ms

    def add(self, repair: Repair, at: int, task_id: str | None = None) -> None:
        """Note what is overdue from `at` on."""
        if at > self.now:
            self.expected.append(at)
        else:
            self.overdue.setdefault(repair, []).extend([task_id] if task_id is not None else [])


def find(run: Run, workflow: Workflow, stored: Mapping[str, TaskState], now: int, timing: Timing) -> Findings:
    """Return what is overdue in an open run. `stored` are its tasks that have an item.

    The caller looks at a run when its `check_at` has passed, and no sooner: whoever puts a run into a state that others
    have to follow up sets that time a grace period ahead.
    """
    found = Findings(now)
    tasks = {t: stored.get(t) or TaskState(run_id=run.run_id, task_id=t) for t in workflow.tasks}
    for task in tasks.values():
        if task.status is TaskStatus.RUNNING:
            found.add(Repair.EXPIRE, task.lease_until or 0, task.task_id)
    if run.status is RunStatus.RUNNING:
        _find_running(found, run, workflow, tasks, timing.grace_ms)
    else:
        _find_ending(found, list(tasks.values()), timing.grace_ms)
    return found


def _find_ending(found: Findings, tasks: Sequence[TaskState], grace: int) -> None:
    waiting = [task for task in tasks if task.status in {TaskStatus.PENDING, TaskStatus.READY}]
    if waiting:
        # Who let the run end cancels what waits, at once; but a task may just have come back for another attempt.
        found.add(Repair.SETTLE, max(task.ready_at or 0 for task in waiting) + grace)
    elif not any(task.status is TaskStatus.RUNNING for task in tasks):
        found.add(Repair.SETTLE, max(task.finished_at or 0 for task in tasks) + grace)


def _find_running(found: Findings, run: Run, workflow: Workflow, tasks: Mapping[str, TaskState], grace: int) -> None:
    if run.deadline_at is not None:
        found.add(Repair.DEADLINE, run.deadline_at)
    for task_id, task in tasks.items():
        if task.status is TaskStatus.READY:
            _find_ready(found, task, grace)
        elif task.status is TaskStatus.PENDING and not workflow.tasks[task_id].after:
            found.add(Repair.START, run.started_at + grace, task_id)
        elif task.status is TaskStatus.PENDING:
            after = [tasks[d] for d in workflow.tasks[task_id].after]
            _find_join(found, workflow, after, task.arrived, grace)
        elif task.status in {TaskStatus.FAILED, TaskStatus.CANCELED}:
            if task.epoch < run.epoch:
                found.add(Repair.REDRIVE, found.now, task_id)
            elif task.status is TaskStatus.FAILED:
                found.add(Repair.FAIL, (task.finished_at or 0) + grace, task_id)
    _find_join(found, workflow, [tasks[s] for s in workflow.sinks], run.arrived, grace)


def _find_ready(found: Findings, task: TaskState, grace: int) -> None:
    ready_at = task.ready_at or 0
    due_at = max(ready_at, task.due_at or 0)
    if due_at - ready_at > MAX_DELAY_S * 1000:
        # The queue delays no message for so long, so there is none: this is the sweeper's, and no repair.
        if due_at > found.now:
            found.expected.append(due_at)
            return
        if found.now < due_at + grace:
            found.due.append(task.task_id)
    found.add(Repair.DISPATCH, due_at + grace, task.task_id)


def _find_join(
    found: Findings, workflow: Workflow, after: Sequence[TaskState], arrived: frozenset[int], grace: int
) -> None:
    """Find the successes that a join was not told of, and the join that was told of all and has done nothing."""
    succeeded = [task for task in after if task.status is TaskStatus.SUCCEEDED]
    missing = [task for task in succeeded if workflow.indexes[task.task_id] not in arrived]
    if not missing and len(succeeded) == len(after):
        missing = [max(after, key=lambda task: task.finished_at or 0)]
    for task in missing:
        found.add(Repair.FOLLOW, (task.finished_at or 0) + grace, task.task_id)
