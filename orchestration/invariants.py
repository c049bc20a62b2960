"""What holds of every run, whatever crashes, comes twice, late or never. Pure.

`Checker` follows the writes of one run, each as (old record, new record); `check_now` looks at a run as it is stored.
The simulator checks every write of every run with it, the tests whole histories, and `orchestra verify` what is in the
table. A violation is a bug in the engine, or somebody else's write.

S1  every move is one that the states allow
S2  every write raises the version by one, and was decided on what was stored
S3  one owner for each attempt of an epoch; a token is used once; the owner changes by a claim only
S4  what has arrived at a join has SUCCEEDED; a task becomes READY when all that it waits for has
S5  within an epoch a terminal state is never left and never written again; a redrive is the only way to another
S6  attempts are counted by claims, by one; another attempt follows only if the policy says so, and if so, it does
S7  a result belongs to the last claim; only what SUCCEEDED has an output
S8  a run SUCCEEDED has all tasks SUCCEEDED, a run FAILED has one that FAILED, or its time was up; a run that has ended
    has no task that can move
S10 a run has the tasks of its definition, and no other
S11 nothing is CANCELED in a run that goes on
S12 the definition and the input of a run never change
S13 the deadline of a run follows from its definition, and changes by a redrive only
L1  the sweeper looks at every run that has not ended, and at no other
L2  a RUNNING task has a lease, and not for long one that has run out
L3  nothing waits that could go on

That nothing is claimed when its run has ended follows from S5 and S8. S9 (no live lease is taken away) needs the true
time, and is checked by the simulator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from orchestration import retry
from orchestration.model import TERMINAL_RUN, TERMINAL_TASK, Run, RunStatus, TaskState, TaskStatus
from orchestration.timing import SWEEP_MS, Timing
from orchestration.workflow import ANY_ERROR, Task, Workflow

# Written out once more, and not taken from `decide.py`: a mistake there must not be one here too.
TASK_EDGES: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.PENDING, TaskStatus.READY, TaskStatus.CANCELED}),  # itself: an arrival
    TaskStatus.READY: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELED}),
    TaskStatus.RUNNING: frozenset(
        {
            TaskStatus.RUNNING,  # a heartbeat
            TaskStatus.SUCCEEDED,
            TaskStatus.FAILED,
            TaskStatus.READY,
            TaskStatus.CANCELED,
        }
    ),
}
RUN_EDGES: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.RUNNING: frozenset(
        {RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.FAILING, RunStatus.CANCELING}  # itself: an arrival, a check
    ),
    RunStatus.FAILING: frozenset({RunStatus.FAILING, RunStatus.FAILED}),
    RunStatus.CANCELING: frozenset({RunStatus.CANCELING, RunStatus.CANCELED}),
}
PERMANENT = frozenset({"States.DataLimitExceeded", "Orchestra.InvalidOutput", "Orchestra.DataMissing"})
INFRASTRUCTURE = frozenset(
    {"Orchestra.WorkerLost", "Orchestra.ConnectionLost", "Lambda.ServiceException", "Runtime.ExitError"}
)
INFRASTRUCTURE_TRIES, RELEASES = 3, 100
REDRIVABLE_TASK = frozenset({TaskStatus.FAILED, TaskStatus.CANCELED})
REDRIVABLE_RUN = frozenset({RunStatus.FAILED, RunStatus.CANCELED})
COMPLETED = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED})

Write: TypeAlias = tuple[Run | TaskState | None, Run | TaskState]
Found: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Violation:
    """One thing that does not hold. `item` is a task's id, or "run"."""

    invariant: str
    item: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.item}: {self.what}"


def check(history: Iterable[Write], workflow: Workflow) -> None:
    """Check a whole history of one run. Raises AssertionError that begins with the invariant's name."""
    checker = Checker(workflow)
    for old, new in history:
        require(checker.write(old, new))


def require(violations: Iterable[Violation]) -> None:
    """Raise AssertionError for the first violation, if there is one."""
    for violation in violations:
        raise AssertionError(str(violation))


class Checker:
    """Follows one run. It knows what is stored from the writes that it was shown."""

    def __init__(self, workflow: Workflow) -> None:
        self.run: Run | None = None
        self.tasks: dict[str, TaskState] = {}
        self._workflow = workflow
        self._owners: dict[str | None, tuple[str, int, int]] = {}

    def write(self, old: Run | TaskState | None, new: Run | TaskState) -> list[Violation]:
        """Return what is wrong with a write, given all that were written before."""
        if isinstance(new, Run):
            assert not isinstance(old, TaskState)
            found = [Violation(invariant, "run", what) for invariant, what in self._run_write(old, new)]
            self.run = new
            return found
        assert not isinstance(old, Run)
        found = [Violation(invariant, new.task_id, what) for invariant, what in self._task_write(old, new)]
        self.tasks[new.task_id] = new
        return found

    # -- tasks -------------------------------------------------------------------------------------------------------

    def _task_write(self, old: TaskState | None, new: TaskState) -> Iterator[Found]:
        task = self._workflow.tasks.get(new.task_id)
        if task is None:
            yield "S10", f"is no task of {self._workflow.name}"
            return
        if self.run is None:
            yield "S10", f"was written before its run: {new}"
            return
        stored = self.tasks.get(new.task_id)
        if old is not stored and old != stored:
            yield "S2", f"decided on {old}, stored was {stored}"
        before = old or TaskState(run_id=new.run_id, task_id=new.task_id)
        if new.version != before.version + 1:
            yield "S2", f"version {before.version} -> {new.version}"
        if self.run.status in TERMINAL_RUN:
            yield "S8", f"{before.status} -> {new.status} in a run that is {self.run.status}"
        if before.status in TERMINAL_TASK:
            yield from self._redrive(self.run, before, new)
        else:
            yield from self._move(self.run, task, before, new)

    def _move(self, run: Run, task: Task, before: TaskState, new: TaskState) -> Iterator[Found]:
        if new.status not in TASK_EDGES[before.status]:
            yield "S1", f"{before.status} -> {new.status}"
        if not before.epoch == new.epoch == run.epoch:
            yield "S5", f"moved in epoch {before.epoch} -> {new.epoch}, and its run is in {run.epoch}"
        if new.arrived != before.arrived or new.status is TaskStatus.READY:
            yield from self._arrivals(task, before, new)
        yield from self._ownership(before, new)
        yield from self._attempts(run, task, before, new)
        yield from _times(run, task, before, new)
        if new.status is TaskStatus.CANCELED and run.status is RunStatus.RUNNING:
            yield "S11", "CANCELED in a run that goes on"
        if (new.output is not None) != (new.status is TaskStatus.SUCCEEDED):
            yield "S7", f"{new.status} with the output {new.output!r}"
        if new.error is not None and new.status is TaskStatus.SUCCEEDED:
            yield "S7", f"SUCCEEDED with the error {new.error}"
        if new.status is TaskStatus.RUNNING and new.lease_until is None:
            yield "L2", "RUNNING without a lease"

    def _redrive(self, run: Run, before: TaskState, new: TaskState) -> Iterator[Found]:
        if before.status not in REDRIVABLE_TASK or new.status is not TaskStatus.PENDING:
            yield "S5", f"{before} -> {new}"
            return
        if not before.epoch < new.epoch == run.epoch:
            yield "S5", f"redriven from epoch {before.epoch} to {new.epoch}, and its run is in {run.epoch}"
        if (new.attempt, new.released, new.owner, new.output) != (0, 0, None, None):
            yield "S6", f"redriven, and not as new: {new}"
        yield from self._arrivals(self._workflow.tasks[new.task_id], None, new)

    def _arrivals(self, task: Task, before: TaskState | None, new: TaskState) -> Iterator[Found]:
        if before is not None and not before.arrived <= new.arrived:
            yield "S4", f"forgot who had arrived: {sorted(before.arrived)} -> {sorted(new.arrived)}"
        succeeded = {self._workflow.indexes[t] for t in task.after if self._has_succeeded(t)}
        if not new.arrived <= succeeded:
            yield "S4", f"{sorted(new.arrived)} have arrived, and of its dependencies {sorted(succeeded)} SUCCEEDED"
        became_ready = before is not None and before.status is TaskStatus.PENDING and new.status is TaskStatus.READY
        if became_ready and len(new.arrived) < len(task.after):
            yield "S4", f"READY, and only {sorted(new.arrived)} have arrived"
        if became_ready and len(succeeded) < len(task.after):
            yield "S4", f"READY before {[t for t in task.after if not self._has_succeeded(t)]}"

    def _ownership(self, before: TaskState, new: TaskState) -> Iterator[Found]:
        if new.status is not TaskStatus.RUNNING:
            # An owner is only forgotten, with its claim.
            if new.owner != before.owner and not (new.owner is None and new.status is TaskStatus.READY):
                invariant = "S7" if new.status in COMPLETED else "S3"
                yield invariant, f"owner {before.owner} -> {new.owner} by {before.status} -> {new.status}"
            return
        if before.status is TaskStatus.RUNNING and new.owner != before.owner:
            yield "S3", f"owner {before.owner} -> {new.owner} without passing READY"
        claim = (new.task_id, new.epoch, new.attempt)
        if new.owner is None or self._owners.setdefault(new.owner, claim) != claim:
            yield "S3", f"owner {new.owner} of {claim} is that of {self._owners.get(new.owner)}"
        if before.status is TaskStatus.READY and new.owner == before.owner:
            yield "S3", f"claimed with the token {new.owner} that it had"

    def _attempts(self, run: Run, task: Task, before: TaskState, new: TaskState) -> Iterator[Found]:
        claimed = before.status is TaskStatus.READY and new.status is TaskStatus.RUNNING
        if new.attempt != before.attempt + claimed:
            yield "S6", f"attempt {before.attempt} -> {new.attempt} by {before.status} -> {new.status}"
        if claimed and new.tries > _most_tries(task):
            yield "S6", f"try {new.tries} of {_most_tries(task)}"
        given_back = new.released - before.released
        if before.status is TaskStatus.RUNNING and new.status is TaskStatus.READY:
            if given_back not in {0, 1} or new.released > min(new.attempt, RELEASES):
                yield "S6", f"released {before.released} -> {new.released} in attempt {new.attempt}"
            if new.error is None:
                yield "S6", "another attempt for no reason"
            elif not given_back and not is_retried(task, before.tries, new.error.name):
                yield "S6", f"another attempt after {new.error.name} of try {before.tries}"
        elif given_back:
            yield "S6", f"released {before.released} -> {new.released} by {before.status} -> {new.status}"
        if before.status is TaskStatus.RUNNING and new.status is TaskStatus.FAILED:
            yield from self._given_up(run, task, new)

    @staticmethod
    def _given_up(run: Run, task: Task, new: TaskState) -> Iterator[Found]:
        if new.error is None:
            yield "S6", "FAILED without an error"
            return
        # What has a time limit may be given up because another attempt could come too late.
        longest_s = max(task.retry.max_delay_s, retry.RELEASE_CEILING_S)
        in_time = (new.finished_at or 0) + 1000 * longest_s < _ends_at(run, task, new)
        if run.status is RunStatus.RUNNING and in_time and is_retried(task, new.tries, new.error.name):
            yield "S6", f"given up after {new.error.name} of try {new.tries}, which the policy retries"

    def _has_succeeded(self, task_id: str) -> bool:
        task = self.tasks.get(task_id)
        return task is not None and task.status is TaskStatus.SUCCEEDED

    # -- the run -----------------------------------------------------------------------------------------------------

    def _run_write(self, old: Run | None, new: Run) -> Iterator[Found]:
        if old is not self.run and old != self.run:
            yield "S2", f"decided on {old}, stored was {self.run}"
        yield from _of_any_run(new, self._workflow)
        if old is None:
            yield from _began(new, self._workflow)
            return
        if new.version != old.version + 1:
            yield "S2", f"version {old.version} -> {new.version}"
        if _identity(new) != _identity(old):
            yield "S12", f"{_identity(old)} -> {_identity(new)}"
        yield from self._run_redrive(old, new) if old.status in TERMINAL_RUN else self._run_move(old, new)
        yield from self._sinks(new)
        yield from _finished(new)
        for what in _ended(new, self.tasks, self._workflow):
            yield "S8", what

    def _sinks(self, new: Run) -> Iterator[Found]:
        sinks = {self._workflow.indexes[t] for t in self._workflow.sinks if self._has_succeeded(t)}
        if not new.arrived <= sinks:
            yield "S4", f"{sorted(new.arrived)} have arrived, and of the sinks {sorted(sinks)} SUCCEEDED"
        if new.status is RunStatus.SUCCEEDED and len(new.arrived) < len(self._workflow.sinks):
            yield "S4", f"SUCCEEDED, and only {sorted(new.arrived)} have arrived"

    def _run_redrive(self, old: Run, new: Run) -> Iterator[Found]:
        if old.status not in REDRIVABLE_RUN or new.status is not RunStatus.RUNNING:
            yield "S5", f"{old} -> {new}"
        elif new.epoch != old.epoch + 1:
            yield "S5", f"redriven from epoch {old.epoch} to {new.epoch}"
        if new.error is not None:
            yield "S5", f"redriven, and not as new: {new.error}"

    def _run_move(self, old: Run, new: Run) -> Iterator[Found]:
        if new.status not in RUN_EDGES[old.status]:
            yield "S1", f"{old.status} -> {new.status}"
        if new.epoch != old.epoch:
            yield "S5", f"epoch {old.epoch} -> {new.epoch} without a redrive"
        if new.deadline_at != old.deadline_at:
            yield "S13", f"the deadline {old.deadline_at} -> {new.deadline_at}"
        if not old.arrived <= new.arrived:
            yield "S4", f"forgot who had arrived: {sorted(old.arrived)} -> {sorted(new.arrived)}"


def _began(run: Run, workflow: Workflow) -> Iterator[Found]:
    if (run.status, run.version, run.epoch) != (RunStatus.RUNNING, 1, 1):
        yield "S1", f"began as {run}"
    if run.deadline_at is not None and run.deadline_at != run.started_at + 1000 * (workflow.timeout_s or 0):
        yield "S13", f"started at {run.started_at}, for {workflow.timeout_s} s, until {run.deadline_at}"


def _finished(run: Run) -> Iterator[Found]:
    if (run.status in TERMINAL_RUN) != (run.finished_at is not None):
        yield "S8", f"{run.status}, and it ended at {run.finished_at}"


def _times(run: Run, task: Task, before: TaskState, new: TaskState) -> Iterator[Found]:
    """Check when another attempt may begin, and since when the task's time runs."""
    if before.status is not TaskStatus.PENDING and new.first_ready_at != before.first_ready_at:
        yield "S13", f"its time runs since {before.first_ready_at} -> {new.first_ready_at}"
    if before.status is not TaskStatus.RUNNING or new.status is not TaskStatus.READY:
        return
    delay_s = retry.RELEASE_CEILING_S if new.released > before.released else task.retry.max_delay_s
    if new.ready_at is None or new.due_at is None or not 0 <= new.due_at - new.ready_at <= 1000 * delay_s:
        yield "S6", f"READY at {new.ready_at}, due at {new.due_at}, with a delay of {delay_s} s at most"
        return
    total = None if task.total_timeout_s is None else (new.first_ready_at or 0) + 1000 * task.total_timeout_s
    ends = [end for end in (run.deadline_at, total) if end is not None]
    if ends and new.due_at >= min(ends):
        yield "S6", f"another attempt is due at {new.due_at}, and its time is up at {min(ends)}"


def is_retried(task: Task, tries: int, error: str) -> bool:
    """Tell whether another attempt follows on a try that ended so, if there is time for it."""
    if task.at_most_once or error in PERMANENT:
        return False
    if error in INFRASTRUCTURE:
        return tries < _most_tries(task)
    return tries < task.retry.max_attempts and (ANY_ERROR in task.retry.on or error in task.retry.on)


def _ends_at(run: Run, task: Task, state: TaskState) -> float:
    total = math.inf if task.total_timeout_s is None else (state.first_ready_at or 0) + 1000 * task.total_timeout_s
    return min(total, math.inf if run.deadline_at is None else run.deadline_at)


def _most_tries(task: Task) -> int:
    if task.retry.max_attempts > 1:
        return task.retry.max_attempts
    return 1 if task.at_most_once else INFRASTRUCTURE_TRIES


def _identity(run: Run) -> tuple[str, str, str, str, str, int]:
    return (run.run_id, run.workflow, run.definition, run.input_digest, run.engine, run.started_at)


def _of_any_run(run: Run, workflow: Workflow) -> Iterator[Found]:
    if (run.status in TERMINAL_RUN) != (run.check_at is None):
        yield "L1", f"{run.status}, and the sweeper looks at {run.check_at}"
    if run.definition != workflow.version:
        yield "S12", f"the definition is {run.definition}, not {workflow.version}"
    if (run.deadline_at is None) != (workflow.timeout_s is None):
        yield "S13", f"the deadline is {run.deadline_at}, for {workflow.timeout_s} s"


def _ended(run: Run, tasks: Mapping[str, TaskState], workflow: Workflow) -> Iterator[str]:
    """Say what is against the end of a run, if it has ended."""
    if run.status not in TERMINAL_RUN:
        return
    statuses = {t: tasks[t].status if t in tasks else TaskStatus.PENDING for t in workflow.tasks}
    if left := {t: str(status) for t, status in statuses.items() if status not in TERMINAL_TASK}:
        yield f"{run.status} with {left}"
    if run.status is RunStatus.SUCCEEDED and set(statuses.values()) != {TaskStatus.SUCCEEDED}:
        yield f"SUCCEEDED with {sorted(set(statuses.values()))}"
    if run.status is RunStatus.FAILED:
        yield from _cause(run, statuses)


def _cause(run: Run, statuses: Mapping[str, TaskStatus]) -> Iterator[str]:
    if run.error is None:
        yield "FAILED without an error"
    elif run.error.task is not None:
        if statuses.get(run.error.task) is not TaskStatus.FAILED:
            yield f"FAILED by {run.error.task}, which is {statuses.get(run.error.task)}"
    elif run.deadline_at is None:
        yield f"FAILED by {run.error}, of no task, and without a deadline"


# -- a run as it is stored ---------------------------------------------------------------------------------------------


def check_now(
    run: Run, tasks: Mapping[str, TaskState], workflow: Workflow, now: int, timing: Timing
) -> list[Violation]:
    """Return what is wrong with a run as it is stored: a state that cannot be, or one that nobody has followed up.

    `tasks` are those that have an item; their outputs are not looked at. The run must have been read before its tasks.
    Several reads are not one moment, so a run that moves meanwhile can look wrong: what is found counts if a second
    look finds it too. What the sweeper has had two chances to find is not under way any more: it is stuck.
    """
    return [*_states(run, tasks, workflow), *_stuck(run, tasks, workflow, now - 2 * SWEEP_MS, timing)]


def _states(run: Run, tasks: Mapping[str, TaskState], workflow: Workflow) -> Iterator[Violation]:
    for invariant, what in _of_any_run(run, workflow):
        yield Violation(invariant, "run", what)
    if not any(task.epoch > run.epoch for task in tasks.values()):  # else it was redriven between the two reads
        for what in _ended(run, tasks, workflow):
            yield Violation("S8", "run", what)
    for task_id, task in tasks.items():
        if task_id in workflow.tasks:
            for invariant, what in _state(task, tasks, workflow):
                yield Violation(invariant, task_id, what)
        else:
            yield Violation("S10", task_id, f"is no task of {workflow.name}")


def _state(task: TaskState, tasks: Mapping[str, TaskState], workflow: Workflow) -> Iterator[Found]:
    definition = workflow.tasks[task.task_id]
    succeeded = {t for t in definition.after if t in tasks and tasks[t].status is TaskStatus.SUCCEEDED}
    begun = task.status not in {TaskStatus.PENDING, TaskStatus.CANCELED}
    if begun and len(succeeded) < len(definition.after):
        yield "S4", f"{task.status}, and {[t for t in definition.after if t not in succeeded]} has not SUCCEEDED"
    if not task.arrived <= {workflow.indexes[t] for t in succeeded}:
        yield "S4", f"{sorted(task.arrived)} have arrived, and of its dependencies {sorted(succeeded)} SUCCEEDED"
    if not 0 <= task.released <= task.attempt or task.tries > _most_tries(definition):
        yield "S6", f"attempt {task.attempt}, {task.released} given back, of {_most_tries(definition)} tries"
    if task.status is TaskStatus.RUNNING or task.status in COMPLETED:
        if task.owner is None or task.attempt == 0:
            yield "S3", f"{task.status} in attempt {task.attempt}, of {task.owner}"
        if task.status is TaskStatus.RUNNING and task.lease_until is None:
            yield "L2", "RUNNING without a lease"


def _stuck(
    run: Run, tasks: Mapping[str, TaskState], workflow: Workflow, then: int, timing: Timing
) -> Iterator[Violation]:
    """Find what should have gone on by `then`."""
    if run.status in TERMINAL_RUN:
        return
    if run.check_at is not None and run.check_at < then:
        yield Violation("L3", "run", f"the sweeper should have looked at it at {run.check_at}")
    if run.status is RunStatus.RUNNING and run.deadline_at is not None and run.deadline_at < then:
        yield Violation("L3", "run", f"RUNNING, and its time was up at {run.deadline_at}")
    late = then - timing.grace_ms
    for task_id in workflow.tasks:
        task = tasks.get(task_id) or TaskState(run_id=run.run_id, task_id=task_id)
        if task.status is TaskStatus.RUNNING:
            if task.lease_until is not None and task.lease_until < then:
                yield Violation("L2", task_id, f"RUNNING, and its lease ended at {task.lease_until}")
        elif (since := _waits_since(run, task, tasks, workflow)) is not None and since < late:
            yield Violation("L3", task_id, f"{task.status} in a {run.status} run, and could go on since {since}")
    if all(t in tasks and tasks[t].status in TERMINAL_TASK and tasks[t].epoch == run.epoch for t in workflow.tasks):
        ended_at = max(task.finished_at or 0 for task in tasks.values())
        if ended_at < late:
            yield Violation("L3", "run", f"{run.status}, and its last task ended at {ended_at}")


def _waits_since(run: Run, task: TaskState, tasks: Mapping[str, TaskState], workflow: Workflow) -> int | None:
    """Return since when something should follow on the state of a task; None: nothing, or its run's check says it.

    What was redriven may wait for what ended long before, and the run does not say when it was redriven: that it is
    looked at in time says enough. So it does of a run that is ending, which the first look at it brings on, and of a
    task that is READY: each look dispatches it again, and how long the queue is cannot be told from here.
    """
    if run.status is not RunStatus.RUNNING or task.status is TaskStatus.READY:
        return None
    if task.epoch != run.epoch or task.status is TaskStatus.SUCCEEDED:
        return None
    if task.status in REDRIVABLE_TASK:
        return task.finished_at
    after = [tasks.get(t) for t in workflow.tasks[task.task_id].after]
    if not after:
        return run.started_at if run.epoch == 1 else None
    ends = [t.finished_at or 0 for t in after if t and t.status is TaskStatus.SUCCEEDED]
    of_this_epoch = run.epoch == 1 or any(t and t.epoch == run.epoch for t in after)
    return max(ends) if len(ends) == len(after) and of_this_epoch else None
