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
from orchestration.timing import SWEEP_MS, Timing
from orchestration.workflow import Workflow

REMINDER_MS = 900_000
"""The longest time between two dispatches of a task that waits, unless the grace is longer."""


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
    _noted: set[tuple[Repair, str]] = field(default_factory=set)

    def add(self, repair: Repair, at: int, task_id: str | None = None) -> None:
        """Note what is overdue from `at` on: once, even if many who wait for a task say so of it."""
        if at > self.now:
            self.expected.append(at)
            return
        ids = self.overdue.setdefault(repair, [])
        if task_id is not None and (repair, task_id) not in self._noted:
            self._noted.add((repair, task_id))
            ids.append(task_id)


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
        if run.deadline_at <= found.now:
            return  # no worker takes what is READY any more, and all that waits is about to be canceled
    for task_id, task in tasks.items():
        if task.status is TaskStatus.READY:
            _find_ready(found, task, grace, run.checked_at or 0)
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


def _find_ready(found: Findings, task: TaskState, grace: int, checked_at: int) -> None:
    ready_at = task.ready_at or 0
    due_at = max(ready_at, task.due_at or 0)
    if due_at - ready_at > MAX_DELAY_S * 1000:
        # The queue delays no message for so long, so there is none: this is the sweeper's, and no repair. But it comes
        # only once a minute, however short the grace is.
        grace = max(grace, 2 * SWEEP_MS)
        if due_at > found.now:
            found.expected.append(due_at)
            return
        if checked_at < due_at and found.now < due_at + grace:
            found.due.append(task.task_id)
    # Whether its message was lost, or only waits in a long queue, cannot be told from here.
    last, following = _reminders(due_at, grace, found.now)
    if last is not None and last > checked_at:
        found.add(Repair.DISPATCH, last, task.task_id)
    found.expected.append(following)


def _reminders(since: int, grace: int, now: int) -> tuple[int | None, int]:
    """Return the last time by now, and the first after it, at which a task that waits is dispatched once more.

    The first is when the grace is over; the intervals double, up to a limit: a message too many for each task that
    waits, again and again, would make a queue longer that is too long already.
    """
    last, at, interval = None, since + grace, grace
    while at <= now:
        if interval >= REMINDER_MS:
            at += (now - at) // interval * interval
        last, at, interval = at, at + interval, max(grace, min(2 * interval, REMINDER_MS))
    return last, at


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
