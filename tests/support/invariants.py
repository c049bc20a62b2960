"""What holds at every write of a run, checked over the history of what was stored (old record, new record).

S1  every move is one that the states allow
S2  every write raises the version by one
S3  one owner for each attempt; the owner changes by a claim only
S4  a task becomes READY when all that it waits for has SUCCEEDED
S5  a terminal state is never left and never written again
S6  attempts are counted by claims, by one, up to the policy's limit
S7  the claim that a result belongs to is the last one
S8  a run SUCCEEDED has all tasks SUCCEEDED, a run FAILED has one that FAILED; a run that ends has no task that can move
S10 a run has the tasks of its definition, and no other
S12 the definition and the input of a run never change

That nothing is claimed when its run has ended (S11) follows from S5 and S8.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.model import Run, TaskState
from orchestration.workflow import Workflow

TASK_EDGES = {
    "PENDING": {"PENDING", "READY", "CANCELED"},  # PENDING to PENDING is an arrival
    "READY": {"RUNNING", "CANCELED"},
    "RUNNING": {"RUNNING", "SUCCEEDED", "FAILED", "READY", "CANCELED"},
}
RUN_EDGES = {
    "RUNNING": {"RUNNING", "SUCCEEDED", "FAILING", "CANCELING"},
    "FAILING": {"FAILED"},
    "CANCELING": {"CANCELED"},
}
TERMINAL = {"SUCCEEDED", "FAILED", "CANCELED"}

Write = tuple[Run | TaskState | None, Run | TaskState]


def check(history: Iterable[Write], workflow: Workflow) -> None:
    """Check a whole history of one run. Raises AssertionError that begins with the invariant's name."""
    tasks: dict[str, TaskState] = {}
    run: Run | None = None
    owners: dict[tuple[str, int], str | None] = {}
    for old, new in history:
        if isinstance(new, Run):
            assert old is None or isinstance(old, Run)
            assert old == run, f"S2: decided on {old}, stored was {run}"
            _check_run(old, new, tasks, workflow)
            run = new
        else:
            assert old is None or isinstance(old, TaskState)
            assert old == tasks.get(new.task_id), f"S2: decided on {old}, stored was {tasks.get(new.task_id)}"
            assert new.task_id in workflow.tasks, f"S10: {new.task_id} is no task of the workflow"
            assert run is not None, f"S10: {new} was written before its run"
            before = old or TaskState(run_id=new.run_id, task_id=new.task_id)
            _check_task(before, new, workflow)
            if (before.status.value, new.status.value) == ("PENDING", "READY"):
                late = [d for d in workflow.tasks[new.task_id].after if _status(tasks, d) != "SUCCEEDED"]
                assert not late, f"S4: {new.task_id} became READY before {late}"
            if new.status == "RUNNING":
                owner = owners.setdefault((new.task_id, new.attempt), new.owner)
                assert new.owner == owner, f"S3: attempt {new.attempt} of {new.task_id} has two owners"
            tasks[new.task_id] = new


def _check_task(old: TaskState, new: TaskState, workflow: Workflow) -> None:
    at = f"{new.task_id}: {old} -> {new}"
    assert old.status.value not in TERMINAL, f"S5: {at}"
    assert new.status.value in TASK_EDGES[old.status.value], f"S1: {at}"
    assert new.version == old.version + 1, f"S2: {at}"
    claimed = (old.status.value, new.status.value) == ("READY", "RUNNING")
    assert new.attempt == old.attempt + claimed, f"S6: {at}"
    assert new.attempt <= workflow.tasks[new.task_id].retry.max_attempts, f"S6: {at}"
    if claimed:
        assert new.owner is not None, f"S3: {at}"
        assert new.owner != old.owner, f"S3: {at}"
    if new.status.value in {"SUCCEEDED", "FAILED"}:
        assert (new.owner, new.attempt) == (old.owner, old.attempt), f"S7: {at}"
    assert (new.output is not None) == (new.status.value == "SUCCEEDED"), f"S7: {at}"
    assert old.arrived <= new.arrived, f"S4: {at}"


def _check_run(old: Run | None, new: Run, tasks: dict[str, TaskState], workflow: Workflow) -> None:
    at = f"run: {old} -> {new}"
    if old is None:
        assert (new.status.value, new.version) == ("RUNNING", 1), f"S1: {at}"
        assert new.definition == workflow.version, f"S12: {at}"
        return
    assert old.status.value not in TERMINAL, f"S5: {at}"
    assert new.status.value in RUN_EDGES[old.status.value], f"S1: {at}"
    assert new.version == old.version + 1, f"S2: {at}"
    assert (new.definition, new.input_digest) == (old.definition, old.input_digest), f"S12: {at}"
    statuses = [_status(tasks, task_id) for task_id in workflow.tasks]
    if new.status == "SUCCEEDED":
        assert set(statuses) == {"SUCCEEDED"}, f"S8: {at} with {statuses}"
    if new.status == "FAILED":
        assert "FAILED" in statuses, f"S8: {at} with {statuses}"
    if new.status.value in TERMINAL:
        assert set(statuses) <= TERMINAL, f"S8: {at} with {statuses}"


def _status(tasks: dict[str, TaskState], task_id: str) -> str:
    return tasks[task_id].status.value if task_id in tasks else "PENDING"
