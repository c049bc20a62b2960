"""What happens to a run: start, execute, advance, cancel, redrive, sweep. The engine's verbs, over the ports.

The table is the truth. Every verb reads what it decides on, writes on condition that it has not changed, and only then
sends messages, so each may be repeated at any time: a repetition finds its writes made, and sends its messages again in
case the first had not come so far. Messages are hints, and a task that is not READY ignores them.

A run and its tasks are several items, and are not read at one moment. Between two reads a run may have ended and have
been redriven, so whoever acts on both compares their epochs: what was decided on an earlier one is not for a later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestration import attempt, decide, failures, overdue, payload, retry
from orchestration.errors import Conflict, Missing, NotFound, PayloadTooLarge
from orchestration.lease import Lease
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
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.steps import ENDING, Steps, arrived_of, stored_of
from orchestration.store import Change, Saved, Stale
from orchestration.tasks import MAX_EVENT_BYTES, NotRun, Result, Returned, TaskServices
from orchestration.workflow import Task, Workflow

RECORD_PAUSE_S = 2
"""The wait before the result of an attempt is written again, after the SDK gave up: the table is throttled, or away."""


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
class Asked:
    """A run after an operator's request: whether this call changed it, and whether it brought it to its end."""

    run: Run
    changed: bool
    ended: bool


@dataclass(frozen=True)
class Swept:
    """A run after a sweep: what was repaired in it, and whether that brought it to its end."""

    run: Run | None
    repairs: tuple[Repair, ...] = ()
    ended: bool = False


@dataclass(frozen=True)
class Engine(Steps):
    """The verbs, over the ports: `Steps` has them."""

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
            self.ready([TaskState(run_id=run_id, task_id=root) for root in pinned.roots])
        return Started(run, pinned, created)

    def _put_run(self, workflow: Workflow, run_id: str, run_input: str) -> tuple[Run, bool]:
        digest = payload.digest(run_input)
        absent = Run(
            run_id=run_id,
            workflow=workflow.name,
            definition=workflow.version,
            input_digest=digest,
            started_at=(now := self.clock.now()),
            deadline_at=_deadline(workflow, now),
        )
        self.catalog.keep(workflow)
        # The input's item is named by its content: of two starts with different inputs, the run names the winner's.
        self.store.put_input(run_id, digest, run_input)
        (outcome,) = self.store.save([Change(absent, decide.start_run(absent, self.check_at(absent.deadline_at)))])
        if isinstance(outcome, Saved):
            return outcome.record, True
        assert outcome.stored is not None, "a put fails only where there is an item"
        if outcome.stored.input_digest != digest:
            self.store.delete_input(run_id, digest)
        return outcome.stored, False

    # -- execute: called by a Worker, for a message ------------------------------------------------------------------

    def execute(self, message: Message, services: TaskServices) -> Executed | Skipped:
        """Claim a task, invoke its service, and record the result."""
        run, task = self._read(message.run_id, message.task_id)
        if run is None:
            return Skipped("there is no such run")
        if task.status is not TaskStatus.READY:
            return Skipped(f"the task is {task.status}")
        now = self.clock.now()
        if run.status is not RunStatus.RUNNING:
            # Nobody waits for this task any more. The stream finds out whether it was the run's last.
            self.store.save([Change(task, decide.cancel(task, now, Handoff.STREAM))])
            return Skipped(f"the run is {run.status}")
        if task.due_at is not None and task.due_at > now:
            self.send(task)
            return Skipped("the task is not due yet")
        return self._attempt(run, task, services)

    def _read(self, run_id: str, task_id: str) -> tuple[Run | None, TaskState]:
        """Return a run and a task of it, neither of which is from before the other's epoch."""
        run, task = self.store.get_run_and_task(run_id, task_id)
        if run is not None and run.epoch < task.epoch:
            run = self.store.get_run(run_id)
        return run, task

    def _attempt(self, run: Run, task: TaskState, services: TaskServices) -> Executed | Skipped:
        definition = self.catalog.pinned(run.workflow, run.definition).tasks[task.task_id]
        # All that the event needs is read before the claim: what fails until then has not used up an attempt.
        event = self._event(run, task, definition)
        now = self.clock.now()
        if run.deadline_at is not None and run.deadline_at <= now:
            return Skipped("the run is past its deadline")  # the sweeper fails it
        timeout_s = attempt.timeout_s(run, definition, task, now)
        if timeout_s == 0:
            event = Failure(retry.TIMEOUT, f"not done within its {definition.total_timeout_s} s")
        lease_until = now + self.timing.lease_ms(timeout_s)
        claim = decide.claim(task, owner=self.chance.token(), lease_until=lease_until, now=now)
        (outcome,) = self.store.save([Change(task, claim)])
        if isinstance(outcome, Stale):
            return Skipped("another worker has claimed the task")
        if isinstance(event, Failure):  # it is claimed all the same, so that one worker only fails it
            return self._record(definition, Lease(self, claim), partial(decide.fail, error=event, now=now))
        event = {**event, "attempt": claim.tries, "deadline_at": now + timeout_s * 1000}
        lease = Lease(self, claim, timeout_s)
        result = services.invoke(definition.service, event, timeout_s, lease.renew)
        going_on = isinstance(result, Returned) or self._is_running(run)
        now, jitter = self.clock.now(), self.chance.jitter()
        return self._record(
            definition,
            lease,
            lambda held: _after(run, definition, held, result, going_on=going_on, jitter=jitter, now=now),
        )

    def _record(self, definition: Task, lease: Lease, end: Callable[[TaskState], TaskState]) -> Executed | Skipped:
        """Write what follows from an attempt, as long as it is ours: a renewal may have moved the version meanwhile."""
        while (claim := lease.claim) is not None:
            ended = end(claim)
            try:
                (outcome,) = self.store.save([Change(claim, ended)])
            except Exception as error:
                # The work is done and only its record is missing: it is given up when the lease is, and not before.
                lasts_ms = (claim.lease_until or 0) - self.clock.now()
                if lasts_ms <= RECORD_PAUSE_S * 1000 or not failures.is_mendable(error):
                    raise
                self.clock.sleep(RECORD_PAUSE_S)
                continue
            if isinstance(outcome, Saved):
                if ended.status is TaskStatus.READY:
                    self.send(ended)
                return Executed(definition.service, claim, ended)
            lease.found(outcome.stored)
        return Skipped("the result came too late: the task has another owner")

    def _event(self, run: Run, task: TaskState, definition: Task) -> dict[str, Json] | Failure:
        """Return what the service is given: the task contract, but for what only the claim knows."""
        try:
            outputs = self.store.get_outputs(run.run_id, definition.after, MAX_EVENT_BYTES)
        except PayloadTooLarge as exc:
            return Failure(retry.DATA_LIMIT, str(exc))
        if missing := [name for name in definition.after if name not in outputs]:
            return Failure(retry.DATA_MISSING, f"the output of {missing[0]} is missing")
        try:
            run_input = self.store.get_input(run)
        except Missing as exc:
            return Failure(retry.DATA_MISSING, str(exc))
        return {
            "run_id": run.run_id,
            "workflow": run.workflow,
            "task_id": task.task_id,
            "idempotency_key": f"{run.run_id}/{task.task_id}",
            "params": definition.params,
            "input": payload.parse(run_input, what="input"),
            "upstream": {name: payload.parse(outputs[name], what=f"output of {name}") for name in definition.after},
        }

    def _is_running(self, run: Run) -> bool:
        """Tell whether a run goes on, as far as is known: a failure is recorded even when that cannot be read."""
        try:
            stored = self.store.get_run(run.run_id)
        except Exception:  # noqa: BLE001 - the attempt is over, and its end must not get lost for this
            return True
        return stored is not None and stored.status is RunStatus.RUNNING

    # -- advance: called by the Orchestrator, for a stream record ------------------------------------------------------

    def advance(self, run_id: str, task_id: str) -> Run | None:
        """Do what follows from a task's end. Return the run, if that was its end too."""
        run, task = self._read(run_id, task_id)
        if run is None or run.status in TERMINAL_RUN or task.status not in TERMINAL_TASK:
            return None
        workflow = self.catalog.pinned(run.workflow, run.definition)
        if run.status is RunStatus.RUNNING:
            if task.status is TaskStatus.SUCCEEDED:
                return self.follow(run, workflow, task_id)
            if task.epoch < run.epoch:
                return None  # it is about to be redriven
            if task.status is TaskStatus.FAILED:
                run = self.fail(run, _cause(task))
            else:
                # The two were read together, but not at one moment: a task is canceled after its run began to end.
                run = self.store.get_run(run_id) or run
        return self.settle(run, workflow)

    # -- cancel and redrive: called by the Orchestrator, for a request -------------------------------------------------

    def cancel(self, run_id: str) -> Asked:
        """Cancel a run: what has not started never will, what runs may end. Raises NotFound.

        The first write is the commit point: the sweeper does what a crash leaves undone. A run that has ended, or is
        failing already, is left as it is.
        """
        run = self._require(run_id)
        changed = False
        while run.status is RunStatus.RUNNING:
            (outcome,) = self.store.save([Change(run, decide.cancel_run(run, self.grace_over()))])
            changed = isinstance(outcome, Saved)
            stored = stored_of(outcome)
            if stored is None:
                raise _no_such(run_id)  # it has been deleted since
            run = stored
        ended = self.settle(run, self.catalog.pinned(run.workflow, run.definition))
        return Asked(ended or run, changed, ended is not None)

    def redrive(self, run_id: str, from_task: str | None = None, epoch: int | None = None) -> Asked:
        """Let the FAILED and CANCELED tasks of an ended run run again; what has succeeded is not invoked again.

        `from_task` says where it failed; Conflict, if it failed elsewhere too. `epoch` is the one that the caller saw:
        a run in a later one was redriven since, perhaps by this very request, and is left as it is. Raises NotFound if
        there is no such run or task, Conflict if the run has not FAILED and is not CANCELED. A run that goes on after a
        redrive is only completed: this is the same request, repeated. The first write is the commit point.
        """
        run = self._require(run_id)
        workflow = self.catalog.pinned(run.workflow, run.definition)
        if from_task is not None and from_task not in workflow.tasks:
            raise NotFound(f"from_task: the workflow {workflow.name!r} has no task {from_task!r}")
        tasks = self.tasks_of(run, workflow)  # of a run that has ended none moves
        if run.status is RunStatus.RUNNING and run.epoch > 1:
            ended = self.redrive_tasks(run, workflow, tasks)
            return Asked(ended or run, changed=False, ended=ended is not None)
        if epoch is not None and run.epoch > epoch:
            return Asked(run, changed=False, ended=False)
        _require_redrivable(run)
        if from_task is not None:
            _require_after(workflow, from_task, tasks.values())
        deadline_at = _deadline(workflow, self.clock.now())
        arrived = arrived_of(workflow, workflow.sinks, tasks)
        again = decide.redrive_run(run, arrived=arrived, deadline_at=deadline_at, check_at=self.check_at(deadline_at))
        (outcome,) = self.store.save([Change(run, again)])
        if isinstance(outcome, Stale):
            return Asked(outcome.stored or run, changed=False, ended=False)  # somebody else has redriven it
        ended = self.redrive_tasks(again, workflow, tasks)
        return Asked(ended or again, changed=True, ended=ended is not None)

    def _require(self, run_id: str) -> Run:
        run = self.store.get_run(run_id)
        if run is None:
            raise _no_such(run_id)
        return run

    # -- sweep: called by the Sweeper, for a run that it is time to look at --------------------------------------------

    def sweep(self, run_id: str) -> Swept:
        """Do in an open run what should have followed and has not, and note when to look at it again."""
        run = self.store.get_run(run_id)
        now = self.clock.now()
        if run is None or run.check_at is None or run.check_at > now:
            return Swept(run)  # the index was behind
        workflow = self.catalog.pinned(run.workflow, run.definition)
        tasks = self.tasks_of(run, workflow)
        if any(task.epoch > run.epoch for task in tasks.values()):
            return Swept(run)  # it was redriven between the two reads
        found = overdue.find(run, workflow, tasks, now, self.timing)
        ended: Run | None = None
        for kind, ids in found.overdue.items():
            ended = self._repair(run, workflow, tasks, kind, ids) or ended
        self.queue.send([Message.of(tasks[task_id]) for task_id in found.due])
        if ended is None:
            next_look = [*found.expected, self.grace_over()] if found.overdue else found.expected
            self._check_again(run, min(next_look, default=self.grace_over()))
        return Swept(ended or run, tuple(found.overdue), ended is not None)

    def _repair(
        self, run: Run, workflow: Workflow, tasks: Mapping[str, TaskState], kind: Repair, ids: Sequence[str]
    ) -> Run | None:
        """Do what is overdue, and return the run if that was its end. Every repair is a step that may be repeated."""
        named = [tasks[task_id] for task_id in ids]
        match kind:
            case Repair.START | Repair.DISPATCH:
                self.ready(named)
            case Repair.EXPIRE:
                self._expire(run, workflow, named)
            case Repair.FOLLOW:
                ended = [self.follow(run, workflow, task_id) for task_id in ids]
                return next((run for run in ended if run), None)
            case Repair.REDRIVE:
                return self.redrive_tasks(run, workflow, tasks)
            case Repair.FAIL:
                return self.settle(self.fail(run, _cause(named[0])), workflow)
            case Repair.DEADLINE:
                error = Failure(retry.TIMEOUT, f"the run has not ended within its {workflow.timeout_s} s")
                return self.settle(self.fail(run, error), workflow)
            case Repair.SETTLE:
                return self.settle(run, workflow)
        return None

    def _expire(self, run: Run, workflow: Workflow, tasks: Sequence[TaskState]) -> None:
        """Take tasks away from workers whose leases have run out: they are tried again, or fail."""
        error = Failure(retry.LOST, "its worker gave no sign of life until its lease ran out")
        now = self.clock.now()
        for task in tasks:
            if run.status is RunStatus.RUNNING:
                definition = workflow.tasks[task.task_id]
                after = attempt.failed(run, definition, task, error, jitter=self.chance.jitter(), now=now)
            else:
                after = attempt.unwanted(task, now, error)
            (outcome,) = self.store.save([Change(task, after)])
            if isinstance(outcome, Saved) and after.status is TaskStatus.READY:
                self.send(after)

    def _check_again(self, run: Run, at: int) -> None:
        now = self.clock.now()
        while run.check_at is not None and run.check_at <= now:
            (outcome,) = self.store.save([Change(run, decide.check_run(run, max(at, now + 1), now))])
            if isinstance(outcome, Saved) or outcome.stored is None:
                return
            run = outcome.stored


def _after(
    run: Run, definition: Task, claim: TaskState, result: Result, *, going_on: bool, jitter: float, now: int
) -> TaskState:
    """Return the task after an attempt; `going_on`: its run does, so that another attempt has a purpose."""
    if isinstance(result, Returned):
        return decide.succeed(claim, result.output, now)
    if isinstance(result, NotRun):
        if not going_on:
            return attempt.unwanted(claim, now, result.failure)
        return attempt.not_run(run, definition, claim, result.failure, jitter=jitter, now=now)
    if not going_on:
        return decide.fail(claim, result.failure, now)
    return attempt.failed(run, definition, claim, result.failure, jitter=jitter, now=now)


def _no_such(run_id: str) -> NotFound:
    return NotFound(f"run_id: there is no run {run_id!r}")


def _require_redrivable(run: Run) -> None:
    if run.status in ENDING:
        raise Conflict(f"run_id: {run.run_id!r} is {run.status}; wait until it has ended, then redrive it")
    if run.status not in {RunStatus.FAILED, RunStatus.CANCELED}:
        raise Conflict(f"run_id: {run.run_id!r} is {run.status}; only a run that is FAILED or CANCELED can be redriven")


def _require_after(workflow: Workflow, first: str, tasks: Iterable[TaskState]) -> None:
    """Raise Conflict if a task has FAILED that is neither `first` nor downstream of it.

    What was only canceled, since the run failed, runs again in any case: the run could not end without it.
    """
    reached = {first}
    queue = [first]
    while queue:
        new = [d for d in workflow.dependents[queue.pop()] if d not in reached]
        reached.update(new)
        queue += new
    others = [t for t in tasks if t.status is TaskStatus.FAILED and t.task_id not in reached]
    if others:
        raise Conflict(
            f"from_task: {others[0].task_id!r} has FAILED too, and does not come after {first!r};"
            " redrive the run without naming a task"
        )


def _deadline(workflow: Workflow, now: int) -> int | None:
    return None if workflow.timeout_s is None else now + workflow.timeout_s * 1000


def _cause(task: TaskState) -> Failure:
    """Return the failure of a run that a task has failed."""
    return replace(task.error or Failure("Unknown", ""), task=task.task_id)
