"""What happens to a run: start, execute, advance. The engine's verbs, over the ports; every rule is in `decide.py`.

The table is the truth. Every verb reads what it decides on, writes on condition that it has not changed, and only then
sends messages, so each may be repeated at any time: a repetition finds its writes made, and sends its messages again in
case the first had not come so far. Messages are hints, and a task that is not READY ignores them.

Later verbs have their place here: cancel, redrive and sweep make the same moves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration import decide, payload, retry
from orchestration.catalog import Catalog
from orchestration.clock import Chance, Clock
from orchestration.errors import Conflict
from orchestration.model import (
    TERMINAL_RUN,
    TERMINAL_TASK,
    Failure,
    Handoff,
    Run,
    RunStatus,
    TaskState,
    TaskStatus,
)
from orchestration.payload import Json
from orchestration.queue import Message, Queue
from orchestration.store import Change, Outcome, R, Saved, Stale, Store
from orchestration.tasks import Result, Returned, TaskServices
from orchestration.workflow import MAX_DELAY_S, Task, Workflow


@dataclass(frozen=True)
class Started:
    run: Run
    workflow: Workflow
    created: bool  # False: there was a run of this id already, with the same input


@dataclass(frozen=True)
class Executed:
    """One attempt: `task` is the record that was written after it, `claimed` the one before."""

    service: str
    claimed: TaskState
    task: TaskState


@dataclass(frozen=True)
class Skipped:
    """Nothing was invoked, or the result came too late to be recorded."""

    reason: str


@dataclass(frozen=True)
class Engine:
    store: Store
    catalog: Catalog
    queue: Queue
    clock: Clock
    chance: Chance

    # -- start: called by the Orchestrator, for a request ------------------------------------------------------------

    def start(self, workflow: Workflow, run_id: str, run_input: str) -> Started:
        """Start a run, or find the one that this id has started already.

        `run_input` is compact JSON text within the limit. Raises Conflict if the id belongs to another workflow or
        input; nothing is written then. Putting the run is the commit point: what a crash leaves undone after it, the
        next start with the same id does.
        """
        digest = payload.digest(run_input)
        run = self.store.get_run(run_id)
        created = False
        if run is None:
            run, created = self._put_run(workflow, run_id, run_input)
        if (run.workflow, run.input_digest) != (workflow.name, digest):
            other = "with another input" if run.workflow == workflow.name else f"of the workflow {run.workflow!r}"
            raise Conflict(f"run_id: {run_id!r} is a run {other} already; use another id")
        pinned = self.catalog.pinned(run.workflow, run.definition)
        if run.status is RunStatus.RUNNING:
            self._ready([TaskState(run_id=run_id, task_id=root) for root in pinned.roots])
        return Started(run, pinned, created)

    def _put_run(self, workflow: Workflow, run_id: str, run_input: str) -> tuple[Run, bool]:
        digest = payload.digest(run_input)
        absent = Run(
            run_id=run_id,
            workflow=workflow.name,
            definition=workflow.version,
            input_digest=digest,
            started_at=self.clock.now(),
        )
        self.catalog.keep(workflow)
        # The input's item is named by its content: of two starts with different inputs, the run names the winner's.
        self.store.put_input(run_id, digest, run_input)
        (outcome,) = self.store.save([Change(absent, decide.start_run(absent))])
        if isinstance(outcome, Saved):
            return outcome.record, True
        assert outcome.stored is not None, "a put fails only where there is an item"
        if outcome.stored.input_digest != digest:
            self.store.delete_input(run_id, digest)
        return outcome.stored, False

    # -- execute: called by a Worker, for a message ------------------------------------------------------------------

    def execute(self, message: Message, services: TaskServices) -> Executed | Skipped:
        """Claim a task, invoke its service, and record the result."""
        run, task = self.store.get_run_and_task(message.run_id, message.task_id)
        if run is None:
            return Skipped("there is no such run")
        if task.status is not TaskStatus.READY:
            return Skipped(f"the task is {task.status}")
        now = self.clock.now()
        if task.due_at is not None and task.due_at > now:
            self._send_later(task, task.due_at - now)
            return Skipped("the task is not due yet")
        if run.status is not RunStatus.RUNNING:
            # Nobody waits for this task any more. The stream finds out whether it was the run's last.
            self.store.save([Change(task, decide.cancel(task, now, Handoff.STREAM))])
            return Skipped(f"the run is {run.status}")
        return self._attempt(run, task, services)

    def _attempt(self, run: Run, task: TaskState, services: TaskServices) -> Executed | Skipped:
        definition = self.catalog.pinned(run.workflow, run.definition).tasks[task.task_id]
        # All that the event needs is read before the claim: what fails until then has not used up an attempt.
        event = self._event(run, task, definition)
        now = self.clock.now()
        claim = decide.claim(task, owner=self.chance.token(), timeout_s=definition.timeout_s, now=now)
        (outcome,) = self.store.save([Change(task, claim)])
        if isinstance(outcome, Stale):
            return Skipped("another worker has claimed the task")
        event = {**event, "attempt": claim.attempt, "deadline_at": now + definition.timeout_s * 1000}
        result = services.invoke(definition.service, event, definition.timeout_s)
        recorded = self._recorded(run, definition, claim, result)
        (outcome,) = self.store.save([Change(claim, recorded)])
        if isinstance(outcome, Stale):
            return Skipped("the result came too late: the task has another owner")
        if recorded.status is TaskStatus.READY:
            self._send_later(recorded, (recorded.due_at or now) - self.clock.now())
        return Executed(definition.service, claim, recorded)

    def _event(self, run: Run, task: TaskState, definition: Task) -> dict[str, Json]:
        """Return what the service is given: the task contract, but for what only the claim knows."""
        outputs = self.store.get_outputs(run.run_id, definition.after)
        return {
            "run_id": run.run_id,
            "workflow": run.workflow,
            "task_id": task.task_id,
            "idempotency_key": f"{run.run_id}/{task.task_id}",
            "params": definition.params,
            "input": payload.parse(self.store.get_input(run), what="input"),
            "upstream": {name: payload.parse(outputs[name], what=f"output of {name}") for name in definition.after},
        }

    def _recorded(self, run: Run, definition: Task, claim: TaskState, result: Result) -> TaskState:
        now = self.clock.now()
        if isinstance(result, Returned):
            return decide.succeed(claim, result.output, now)
        failure = result.failure
        delay_s = retry.delay_s(
            definition.retry, attempt=claim.attempt, error=failure.name, jitter=self.chance.jitter()
        )
        if delay_s is None or not self._is_running(run.run_id):
            return decide.fail(claim, failure, now)
        return decide.retry(claim, failure, delay_s=delay_s, now=now)

    def _is_running(self, run_id: str) -> bool:
        run = self.store.get_run(run_id)
        return run is not None and run.status is RunStatus.RUNNING

    def _send_later(self, task: TaskState, delay_ms: int) -> None:
        delay_s = min(MAX_DELAY_S, max(0, math.ceil(delay_ms / 1000)))
        self.queue.send([Message.of(task)], delay_s)

    # -- advance: called by the Orchestrator, for a stream record ------------------------------------------------------

    def advance(self, run_id: str, task_id: str) -> Run | None:
        """Do what follows from a task's end. Return the run, if that was its end too."""
        run, task = self.store.get_run_and_task(run_id, task_id)
        if run is None or run.status in TERMINAL_RUN or task.status not in TERMINAL_TASK:
            return None
        workflow = self.catalog.pinned(run.workflow, run.definition)
        if run.status is RunStatus.RUNNING:
            if task.status is TaskStatus.SUCCEEDED:
                return self._follow(run, workflow, task_id)
            if task.status is TaskStatus.FAILED and task.error is not None:
                run = self._fail(run, replace(task.error, task=task_id))
            else:
                # The two were read together, but not at one moment: a task is canceled after its run began to end.
                run = self.store.get_run(run_id) or run
        # Somebody else may have ended the run since it was read.
        return self._settle(run, workflow) if run.status in {RunStatus.FAILING, RunStatus.CANCELING} else None

    def _follow(self, run: Run, workflow: Workflow, task_id: str) -> Run | None:
        """Tell all that waited for a task that it has succeeded; make READY what waits for nothing more."""
        index = workflow.indexes[task_id]
        dependents = workflow.dependents[task_id]
        if not dependents:
            return self._arrive_at_run(run, workflow, index)
        single = [d for d in dependents if len(workflow.tasks[d].after) == 1]
        joins = [TaskState(run_id=run.run_id, task_id=d) for d in dependents if d not in set(single)]
        complete = [
            join
            for join in map(_stored, self.store.arrive(joins, index))
            if join and len(join.arrived) == len(workflow.tasks[join.task_id].after)
        ]
        # A task that waits for one thing only needs no join: its first write makes it READY.
        self._ready([TaskState(run_id=run.run_id, task_id=d) for d in single], frozenset({index}))
        self._ready(complete)
        return None

    def _arrive_at_run(self, run: Run, workflow: Workflow, index: int) -> Run | None:
        """The run is the last join: it waits for the sinks."""
        arrived = frozenset({index})
        if len(workflow.sinks) > 1:
            (outcome,) = self.store.arrive([run], index)
            stored = _stored(outcome)
            if stored is None or len(stored.arrived) < len(workflow.sinks):
                return None
            run = stored
        while run.status is RunStatus.RUNNING:
            (outcome,) = self.store.save([Change(run, decide.succeed_run(run, self.clock.now(), arrived))])
            if isinstance(outcome, Saved):
                return outcome.record
            if outcome.stored is None:
                break
            run = outcome.stored
        return None

    def _fail(self, run: Run, error: Failure) -> Run:
        while run.status is RunStatus.RUNNING:
            (outcome,) = self.store.save([Change(run, decide.fail_run(run, error))])
            stored = _stored(outcome)
            if stored is None:
                break  # it has been deleted, and nobody waits for it
            run = stored
        return run

    def _settle(self, run: Run, workflow: Workflow) -> Run | None:
        """Cancel what has not started of a failing or canceling run; end the run if nothing of it runs any more."""
        stored = self.store.get_tasks(run.run_id)
        absent = {task_id: TaskState(run_id=run.run_id, task_id=task_id) for task_id in workflow.tasks}
        tasks = {**absent, **stored}
        while waiting := [t for t in tasks.values() if t.status in {TaskStatus.PENDING, TaskStatus.READY}]:
            now = self.clock.now()
            outcomes = self.store.save([Change(task, decide.cancel(task, now)) for task in waiting])
            tasks |= {
                t.task_id: _stored(outcome) or absent[t.task_id] for t, outcome in zip(waiting, outcomes, strict=True)
            }
        if any(task.status is TaskStatus.RUNNING for task in tasks.values()):
            return None  # its end brings us here again
        (outcome,) = self.store.save([Change(run, decide.settle_run(run, self.clock.now()))])
        return outcome.record if isinstance(outcome, Saved) else None

    # -- what several verbs do ---------------------------------------------------------------------------------------

    def _ready(self, tasks: Sequence[TaskState], arrived: frozenset[int] = frozenset()) -> None:
        """Make tasks READY that wait for nothing more, and dispatch them: also those that are READY already.

        Such a one may come from a handler that died before it sent the message; a message too many is dropped.
        """
        ready: list[TaskState] = []
        while tasks:
            ready += [task for task in tasks if task.status is TaskStatus.READY]
            pending = [task for task in tasks if task.status is TaskStatus.PENDING]
            now = self.clock.now()
            outcomes = self.store.save([Change(task, decide.ready(task, now, arrived)) for task in pending])
            tasks = [task for task in map(_stored, outcomes) if task]
        self.queue.send([Message.of(task) for task in ready])


def _stored(outcome: Outcome[R]) -> R | None:
    """Return what is stored now, whether we wrote it or somebody else."""
    return outcome.record if isinstance(outcome, Saved) else outcome.stored
