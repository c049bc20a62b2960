"""Bugs on purpose, each small enough to be made by anybody, and the invariant that has to find it.

A plant that survives says that an invariant is missing, or a fault. It changes one function's source, or puts another
in its place, for as long as it is planted; the product has no flag for it.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from orchestration import attempt, decide, engine, overdue, retry, steps
from orchestration.decide import TaskEvent
from orchestration.engine import Engine
from orchestration.lease import Lease
from orchestration.model import TaskState, TaskStatus
from orchestration.overdue import Findings, Repair
from orchestration.steps import Steps
from orchestration.timing import Timing
from tests.simulation.simulation import Mode
from tests.simulation.table import SimStore, Table
from tests.simulation.world import World

Patch = Callable[[], Any]
"""Makes a context manager that has the bug in place."""


@dataclass(frozen=True)
class Plant:
    name: str
    invariants: frozenset[str]
    patches: Sequence[Patch]
    mode: Mode = Mode.FAULTS
    seeds: int = 300

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for make in self.patches:
                stack.enter_context(make())
            yield


def changed(owner: Any, name: str, *changes: tuple[str, str]) -> Patch:
    """Change the source of a function: of each pair, it must hold the first once, and gets the second."""

    def make() -> Any:
        function = inspect.getattr_static(owner, name)
        static = isinstance(function, staticmethod)
        function = function.__func__ if static else function
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in changes:
            assert source.count(old) == 1, f"{name} holds {source.count(old)} times {old!r}"
            source = source.replace(old, new)
        flags = __future__.annotations.compiler_flag
        code = compile(source, f"<planted in {name}>", "exec", flags, dont_inherit=True)
        names: dict[str, Any] = {}
        exec(code, function.__globals__, names)
        return patch.object(owner, name, names[name])

    return make


def put(owner: Any, name: str, value: Any) -> Patch:
    return lambda: patch.object(owner, name, value)


def move(status: TaskStatus, event: TaskEvent, to: TaskStatus) -> Patch:
    """Allow a move that the transition table does not have."""
    return lambda: patch.dict(decide.TASK_MOVES[status], {event: to})


def never(repair: Repair) -> Patch:
    """Let the sweeper overlook one kind of loss."""
    real = Findings.add

    def add(found: Findings, kind: Repair, at: int, task_id: str | None = None) -> None:
        if kind is not repair:
            real(found, kind, at, task_id)

    return lambda: patch.object(Findings, "add", add)


def plant(name: str, invariants: str, *patches: Patch, mode: Mode = Mode.FAULTS, seeds: int = 300) -> Plant:
    return Plant(name, frozenset(invariants.split()), patches, mode, seeds)


READY, RUNNING, PENDING, SUCCEEDED = TaskStatus.READY, TaskStatus.RUNNING, TaskStatus.PENDING, TaskStatus.SUCCEEDED
CANCELED = TaskStatus.CANCELED

PLANTS = (
    # -- claims and results --------------------------------------------------------------------------------------------
    plant(
        "a task that runs may be claimed",
        "S3",
        changed(Engine, "execute", ("task.status is not TaskStatus.READY", "task.status not in {'READY', 'RUNNING'}")),
        move(RUNNING, TaskEvent.CLAIMED, RUNNING),
    ),
    plant(
        "a result is recorded by whoever has one",
        "S7 S9",
        changed(Lease, "found", ("stored.owner == self.claim.owner", "True")),
        mode=Mode.ZOMBIES,
    ),
    plant(
        "a heartbeat renews whatever claim there is",
        "S7 S9",
        changed(Lease, "renew", ("self.found(stored_of(outcome))", "self.claim = stored_of(outcome)")),
        mode=Mode.ZOMBIES,
    ),
    plant(
        "who loses the race for a task says that it failed",
        "S7 S9",
        changed(
            Engine,
            "_attempt",
            (
                'return Skipped("another worker has claimed the task")',
                "event, claim = Failure('Lost', ''), outcome.stored",
            ),
        ),
    ),
    plant("the version is not compared", "S2", put(SimStore, "holds", staticmethod(lambda _old, _stored: True))),
    plant("a put overwrites", "S2", changed(SimStore, "_save", ("(stored is None) if old", "True if old"))),
    plant(
        "a lost reply is a lost race",
        "Q1",
        changed(SimStore, "_stale", ("if stored == new:", "if False:")),
        mode=Mode.REPLIES,
    ),
    plant(
        "an attempt begins before it is due",
        "S6",
        changed(Engine, "execute", ("task.due_at is not None and task.due_at > now", "False")),
    ),
    plant(
        "a task of an ending run is claimed",
        "S11",
        changed(Engine, "execute", ("run.status is not RunStatus.RUNNING", "False")),
    ),
    plant(
        "a task of an ending run is tried again",
        "S11",
        changed(
            engine, "_after", ("if not going_on:\n        return decide.fail", "if False:\n        return decide.fail")
        ),
    ),
    plant(
        "an attempt begins after the deadline",
        "S13",
        changed(Engine, "_attempt", ("run.deadline_at is not None and run.deadline_at <= now", "False")),
        seeds=1_000,
    ),
    plant(
        "a task is out of time at once",
        "S6 S13",
        changed(attempt, "ends_at", ("task.first_ready_at + definition", "task.first_ready_at - definition")),
    ),
    plant(
        "what comes before it is due is not sent again",
        "Q0",
        changed(Engine, "execute", ("self.send(task)", "pass")),
        mode=Mode.USERS,
        seeds=1_000,
    ),
    plant(
        "a result is lost when a renewal seemed to be",
        "Q1",
        changed(Engine, "_record", ("lease.found(outcome.stored)", "break")),
        mode=Mode.BEATS,
    ),
    # -- joins ---------------------------------------------------------------------------------------------------------
    plant(
        "a join counts what arrives",
        "S4",
        changed(SimStore, "_arrive", ("or index in current.arrived", "")),
        changed(Steps, "follow", ("len(join.arrived) ==", "join.version >=")),
    ),
    plant(
        "a join waits for the first only",
        "S4",
        changed(
            Steps, "follow", ("if join and len(join.arrived) == len(workflow.tasks[join.task_id].after)", "if join")
        ),
    ),
    plant(
        "a run waits for its first sink only",
        "S4 S8",
        changed(Steps, "arrive_at_run", ("len(stored.arrived) < len(workflow.sinks)", "False")),
    ),
    # -- attempts ------------------------------------------------------------------------------------------------------
    plant(
        "another attempt begins when the time is up",
        "S6",
        changed(
            attempt, "_due_at", ("return due_at if due_at < ends_at(run, definition, claim) else None", "return due_at")
        ),
    ),
    plant(
        "the time of all attempts begins anew with each",
        "S13",
        changed(decide, "retry", ("ready_at=now,", "ready_at=now, first_ready_at=now,")),
    ),
    plant(
        "a connection that broke is the task's own error",
        "S6",
        put(retry, "INFRASTRUCTURE", retry.INFRASTRUCTURE - {retry.CONNECTION_LOST}),
    ),
    plant(
        "a busy service fails a task that runs at most once",
        "S6",
        changed(
            attempt,
            "not_run",
            (
                "return decide.fail(claim, error, now) if due_at is None",
                "return decide.fail(claim, error, now) if due_at is None or definition.at_most_once",
            ),
        ),
    ),
    plant(
        "a redriven run keeps its error",
        "S5",
        changed(decide, "redrive_run", ("error=None,", "")),
    ),
    plant(
        "a run that is canceled is looked at when it would have been",
        "L1",
        changed(decide, "cancel_run", ("RunEvent.CANCEL_ASKED, check_at=check_at", "RunEvent.CANCEL_ASKED")),
    ),
    plant(
        "one attempt too many",
        "S6",
        changed(retry, "delay_s", ("left = policy.max_attempts - tries", "left = policy.max_attempts + 1 - tries")),
    ),
    plant(
        "one attempt too few",
        "S6",
        changed(retry, "delay_s", ("left = policy.max_attempts - tries", "left = policy.max_attempts - 1 - tries")),
    ),
    plant(
        "any error is tried again",
        "S6",
        changed(retry, "delay_s", (" if ANY_ERROR in policy.on or error in policy.on else 0", "")),
    ),
    plant(
        "a busy service costs a try",
        "S6",
        changed(engine, "_after", ("return attempt.not_run(", "return attempt.failed(")),
    ),
    plant(
        "what is given back counts as a try",
        "S6 E4",
        put(TaskState, "tries", property(lambda task: task.attempt)),
    ),
    plant("at most once, but for a lost worker", "S6", changed(retry, "delay_s", ("task.at_most_once or ", ""))),
    plant(
        "an attempt outlasts the deadline",
        "E4",
        changed(attempt, "timeout_s", ("min(definition.timeout_s, math.ceil(left_ms / 1000))", "definition.timeout_s")),
        seeds=600,
    ),
    # -- the sweeper ---------------------------------------------------------------------------------------------------
    plant("no sweeper", "L1 L2 L3", put(World, "_sweep", lambda _: None)),
    *(plant(f"the sweeper never does {repair}", "L1 L2 L3", never(repair), seeds=600) for repair in Repair),
    plant(
        "the sweeper does not believe the lease",
        "S9",
        changed(overdue, "find", ("task.lease_until or 0", "(task.lease_until or 0) - 40_000")),
    ),
    plant(
        "a lost worker burns two attempts",
        "S6",
        changed(
            attempt, "failed", ("decide.retry(claim,", "decide.retry(decide.replace(claim, attempt=claim.attempt + 1),")
        ),
    ),
    plant("the sweeper has no patience", "Q0", put(Timing, "grace_ms", 1), mode=Mode.QUIET, seeds=2_000),
    plant("a lease is not renewed", "Q0", put(Lease, "renew", lambda _: None), mode=Mode.QUIET),
    plant(
        "a look puts the next one off for a day",
        "L1 L3",
        changed(Engine, "_check_again", ("max(at, now + 1)", "now + 86_400_000")),
    ),
    plant(
        "the sweeper stops at the first run that fails",
        "L1 L3",
        changed(World, "sweep", ("continue", "return"), ("first = self.any_below(len(due))", "first = 0")),
        seeds=600,
    ),
    # -- the end of a run ----------------------------------------------------------------------------------------------
    plant(
        "a run ends while a task runs",
        "S8",
        changed(Steps, "settle", ("if any(task.status not in TERMINAL_TASK for task in tasks.values())", "if False")),
    ),
    plant("an ending run cancels what runs", "S9", put(steps, "WAITING", frozenset({PENDING, READY, RUNNING}))),
    plant(
        "a cancel overwrites what has ended",
        "S5",
        put(steps, "WAITING", frozenset({PENDING, READY, SUCCEEDED})),
        move(SUCCEEDED, TaskEvent.CANCELED, CANCELED),
    ),
    plant(
        "an ending run lets wait what waits",
        "L1 L3",
        changed(Steps, "settle", ("t.status in WAITING and t.epoch <= run.epoch", "False")),
    ),
    plant(
        "a cancel is answered, and not done",
        "S16",
        changed(Engine, "cancel", ("while run.status is RunStatus.RUNNING", "while False")),
    ),
    # -- redrive -------------------------------------------------------------------------------------------------------
    plant(
        "a redrive runs again what has succeeded",
        "S5",
        changed(steps, "is_left_behind", ("{TaskStatus.FAILED,", "{TaskStatus.SUCCEEDED, TaskStatus.FAILED,")),
        move(SUCCEEDED, TaskEvent.REDRIVEN, PENDING),
    ),
    plant(
        "a redrive makes all READY at once",
        "S4",
        changed(Steps, "redrive_tasks", ("if len(t.arrived) == len(workflow.tasks[t.task_id].after)", "")),
    ),
    plant(
        "a redrive from a task redrives others too",
        "S15",
        changed(engine, "_require_after", ("if others:", "if False:")),
        seeds=600,
    ),
    plant(
        "a redrive from a task is refused for what comes after it",
        "S16",
        changed(engine, "_require_after", ("reached.update(new)", "pass")),
        seeds=1_000,
    ),
    plant("a redrive stays in its epoch", "S5", changed(decide, "redrive_run", ("run.epoch + 1", "run.epoch"))),
    plant(
        "a redrive comes back after the run has ended once more",
        "S8",
        changed(Steps, "settle", ("is_left_behind(t, run)", "False")),
        mode=Mode.EPOCHS,
        seeds=2_000,
    ),
    plant(
        "tasks of a later epoch are settled too",
        "S11",
        changed(Steps, "settle", (" and t.epoch <= run.epoch", "")),
        mode=Mode.EPOCHS,
    ),
    plant(
        "a sweep decides on two epochs",
        "S11",
        changed(Engine, "sweep", ("any(task.epoch > run.epoch for task in tasks.values())", "False")),
        mode=Mode.EPOCHS,
        seeds=3_000,
    ),
    plant(
        "a message is handled in two epochs",
        "S11",
        changed(Engine, "_read", ("run.epoch < task.epoch", "False")),
        mode=Mode.EPOCHS,
        seeds=3_000,
    ),
    plant(
        "a failure from before the redrive fails the run",
        "S8",
        changed(Engine, "advance", ("if task.epoch < run.epoch", "if False")),
        mode=Mode.EPOCHS,
    ),
    # -- other releases, other users -----------------------------------------------------------------------------------
    plant("what a newer release has written is overwritten", "S12", put(Table, "require_readable", lambda *_: None)),
    plant(
        "a run is started again with another input",
        "S14",
        changed(Engine, "start", ("(run.workflow, run.input_digest) != (workflow.name, digest)", "False")),
    ),
    plant(
        "who starts second takes the input of the first away",
        "E4",
        changed(Engine, "_put_run", ("outcome.stored.input_digest != digest", "True")),
        seeds=3_000,
    ),
)
"""Not among them, since it changes nothing that can be seen: to act on the stale image of a record or an index. Every
write is conditional on what it was decided on, so that what is stale only loses: that is what conditions are for."""
