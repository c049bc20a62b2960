"""Checks every write as it happens, and the whole once all is over. It sees the true time and the whole table.

What can be said of the stored history alone is in `orchestration/invariants.py`. Here is what takes more:

S6  an attempt does not begin before it is due; one whose service was busy is given back
S7  only the owner completes its task
S9  nobody takes a task away before its lease is over, by his own clock
S11 nothing is claimed, or tried again, by whoever has not seen the run go on
S12 what a newer release has written, an older one does not overwrite
S13 nothing begins when the time of its run is up, or times out before its own is
S14 a run is started once, and not with another input
S15 a redrive from a task makes no other run again that has FAILED
S16 a request has done what is answered, and is refused for a reason only
E1  what SUCCEEDED has been invoked, in its last attempt
E2  there are no more effects than claims: one for each, at most
E3  an at-most-once task has one effect at most, in each epoch
E4  a service is given what it should be: the outputs of those before it, its key, its try, its deadline
E5  what SUCCEEDED has the output that it should have
X   no error that is none of ours
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestration import invariants, payload, retry
from orchestration.invariants import Checker, Violation
from orchestration.model import Run, RunStatus, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.workflow import Task, Workflow
from tests.simulation.services import outputs_of

if TYPE_CHECKING:
    from tests.simulation.world import Lambda, World

MOST_LATE_MS = 300_000
"""A handler lives no longer than this, and may have decided when it began."""

Claim = tuple[str, str, int]
"""The run, the task and the epoch of a claim."""


class Violated(Exception):
    """An invariant does not hold."""

    def __init__(self, run_id: str, violation: Violation) -> None:
        super().__init__(f"{violation.invariant}: {run_id}: {violation.item}: {violation.what}")
        self.invariant = violation.invariant


class Judge:
    def __init__(self, world: World) -> None:
        self._world = world
        self._checkers: dict[str, Checker] = {}
        self._workflows: dict[str, Workflow] = {}
        self._possible: dict[str, dict[str, str]] = {}
        self._inputs: dict[str, Json] = {}
        self._expected: dict[str, dict[str, str]] = {}
        self.effects: Counter[str] = Counter()  # by the token of the claim
        self.claims: dict[str, Claim] = {}
        self.canceled: set[str] = set()  # the runs of which somebody has asked for it
        self.invocations = 0

    def expect(self, run_id: str, workflow: Workflow, *inputs: str) -> None:
        """Expect a run with one of these inputs: who starts it first decides."""
        self._workflows[run_id] = workflow
        self._possible[run_id] = {payload.digest(text): text for text in inputs}
        self._checkers[run_id] = Checker(workflow)

    def violated(self, invariant: str, run_id: str, item: str, what: str) -> None:
        self._world.stop(Violated(run_id, Violation(invariant, item, what)))

    def failed(self, by: Lambda, error: Exception) -> None:
        """Judge an error that came out of the engine."""
        self.violated("X", by.name, by.kind, f"{type(error).__name__}: {error}")

    # -- writes --------------------------------------------------------------------------------------------------------

    def written(self, old: Run | TaskState | None, new: Run | TaskState, by: Lambda, *, readable: bool) -> None:
        world = self._world
        was = "-" if old is None else old.status.value
        world.cover(by.kind, "task" if isinstance(new, TaskState) else "run", f"{was} -> {new.status.value}")
        if world.log is not None:
            world.note("wrote", by, new.run_id, getattr(new, "task_id", "run"), f"{was} -> {new.status}", _details(new))
        for violation in self._checkers[new.run_id].write(old, new):
            world.stop(Violated(new.run_id, violation))
        if not readable:
            self.violated("S12", new.run_id, getattr(new, "task_id", "run"), f"written by the older release, {by.name}")
        if isinstance(new, Run):
            assert not isinstance(old, TaskState)
            self._run_written(old, new, by)
        else:
            assert not isinstance(old, Run)
            if new.status is TaskStatus.RUNNING or (old is not None and old.status is TaskStatus.RUNNING):
                assert old is not None
                self._claim_written(old, new, by)

    def _run_written(self, old: Run | None, new: Run, by: Lambda) -> None:
        if by.redrives_from is not None and new.epoch > by.redrives_from[0]:
            self._redriven_from(new, by.redrives_from[1])
        if old is None or (old.status, old.epoch) != (new.status, new.epoch):
            self._run_changed(new, by)
        if new.status is RunStatus.CANCELING and new.run_id not in self.canceled:
            self.violated("S11", new.run_id, "run", "CANCELING, and nobody has asked for it")
        if new.version == 1:
            self._inputs[new.run_id] = payload.parse(self._possible[new.run_id][new.input_digest], what="input")
            self._expected[new.run_id] = outputs_of(self._workflows[new.run_id], self._inputs[new.run_id])

    def _run_changed(self, new: Run, by: Lambda) -> None:
        """Check that others who have to follow are looked after in time, and how long the run may take."""
        latest = self._clock(by) + self._world.timing.grace_ms
        if new.status is RunStatus.RUNNING:
            latest = min(latest, new.deadline_at or latest)
        if new.check_at is not None and new.check_at > latest:
            self.violated(
                "L1", new.run_id, "run", f"{new.status} at {self._clock(by)}, and looked at at {new.check_at}"
            )
        if new.status is RunStatus.RUNNING and new.deadline_at is not None:
            ends = self._clock(by) + 1000 * (self._workflows[new.run_id].timeout_s or 0)
            if not ends - MOST_LATE_MS <= new.deadline_at <= ends:
                self.violated("S13", new.run_id, "run", f"goes on from {self._clock(by)}, and until {new.deadline_at}")

    def _clock(self, by: Lambda) -> int:
        """Return the time by a process's clock; when the clocks are set right, that by which it may have decided."""
        return max(by.clock(), self._world.now + by.skew)

    def _redriven_from(self, new: Run, first: str) -> None:
        """Check that no failure is redriven but that of the task that was named, and of what comes after it."""
        if others := self._beside(new.run_id, first):
            self.violated("S15", new.run_id, "run", f"redriven from {first}, and {others} have FAILED too")

    def _beside(self, run_id: str, first: str) -> list[str]:
        """Return the tasks that have FAILED, and that are neither `first` nor come after it."""
        workflow = self._workflows[run_id]
        reached = {first}
        for _ in workflow.tasks:
            reached |= {t for t, task in workflow.tasks.items() if reached & set(task.after)}
        tasks = self._world.table.tasks[run_id]
        return [t for t in workflow.tasks if t not in reached and tasks[t].status is TaskStatus.FAILED]

    def _claim_written(self, old: TaskState, new: TaskState, by: Lambda) -> None:
        timing = self._world.timing
        if (new.lease_until or 0) > self._clock(by) + timing.lease_ms(timing.lease_s):
            self.violated("S9", new.run_id, new.task_id, f"leased at {self._clock(by)} until {new.lease_until}")
        if old.status is TaskStatus.READY:
            self._claimed(old, new, by)
        else:
            self._claim_ended(old, new, by)

    def _claim_ended(self, old: TaskState, new: TaskState, by: Lambda) -> None:
        """Check who has renewed or ended a claim, and as what."""
        owned = old.owner in by.tokens
        if not owned and (old.lease_until or 0) > self._clock(by):
            self.violated("S9", new.run_id, new.task_id, f"{new.status} by {by.name}, leased until {old.lease_until}")
        elif not owned and (new.status is TaskStatus.SUCCEEDED or new.error is None or new.error.name != retry.LOST):
            self.violated("S7", new.run_id, new.task_id, f"{new.status} by {by.name}, who does not own it")
        elif old.owner in by.given_back and new.status is TaskStatus.READY and new.released == old.released:
            self.violated("S6", new.run_id, new.task_id, "its service was busy, and its try is not given back")
        elif old.owner in by.given_back and new.status is TaskStatus.FAILED and self._has_time(new):
            self.violated("S6", new.run_id, new.task_id, f"FAILED, and its service was busy {new.released} times only")
        if new.error is not None and new.error.name == retry.DATA_MISSING:
            self.violated("E4", new.run_id, new.task_id, new.error.message)
        if new.status is TaskStatus.SUCCEEDED:
            self._succeeded(old, new)
        elif new.error is not None and new.error.name == retry.TIMEOUT and not self.effects[old.owner or ""]:
            self._out_of_time(new, by)
        run = self._world.table.runs[new.run_id]
        if new.status is TaskStatus.READY and run.status is not RunStatus.RUNNING and not by.saw_running(new.run_id):
            self.violated("S11", new.run_id, new.task_id, f"tried again in a run that {by.name} has seen {run.status}")

    def _has_time(self, task: TaskState) -> bool:
        workflow = self._workflows[task.run_id]
        limits = workflow.timeout_s, workflow.tasks[task.task_id].total_timeout_s
        return limits == (None, None) and task.released < retry.RELEASES

    def _out_of_time(self, new: TaskState, by: Lambda) -> None:
        """Check that a task that timed out without an attempt had no time left."""
        total_s = self._workflows[new.run_id].tasks[new.task_id].total_timeout_s
        if total_s is None or self._clock(by) < (new.first_ready_at or 0) + 1000 * total_s:
            self.violated("S13", new.run_id, new.task_id, f"timed out at {self._clock(by)}, without an attempt")

    def _claimed(self, old: TaskState, new: TaskState, by: Lambda) -> None:
        run = self._world.table.runs[new.run_id]
        if old.due_at is not None and old.due_at > self._clock(by):
            self.violated("S6", new.run_id, new.task_id, f"claimed at {self._clock(by)}, and it is due at {old.due_at}")
        if run.status is not RunStatus.RUNNING and not by.saw_running(new.run_id):
            self.violated("S11", new.run_id, new.task_id, f"claimed in a run that {by.name} has seen {run.status}")
        if run.deadline_at is not None and (new.started_at or 0) >= run.deadline_at:
            self.violated(
                "S13", new.run_id, new.task_id, f"begins at {new.started_at}, and its run ends at {run.deadline_at}"
            )
        assert new.owner is not None
        self.claims[new.owner] = (new.run_id, new.task_id, new.epoch)

    def _succeeded(self, old: TaskState, new: TaskState) -> None:
        if old.owner is None or not self.effects[old.owner]:
            self.violated("E1", new.run_id, new.task_id, f"SUCCEEDED in attempt {new.attempt}, which had no effect")
        expected = payload.compact(self._expected[new.run_id][new.task_id])
        if new.output != expected:
            self.violated("E5", new.run_id, new.task_id, f"the output is {new.output}, not {expected}")

    # -- answers -----------------------------------------------------------------------------------------------------

    def answered_cancel(self, before: Run | None, after: Run) -> None:
        if before is not None and after.status is RunStatus.RUNNING and after.epoch == before.epoch:
            self.violated("S16", after.run_id, "run", "its cancel is answered, and it goes on")

    def answered_redrive(self, before: Run | None, after: Run) -> None:
        if before is not None and after.status in invariants.REDRIVABLE_RUN and after.epoch == before.epoch == 1:
            self.violated("S16", after.run_id, "run", f"its redrive is answered, and it is {after.status}")

    def refused_redrive(self, before: Run | None, after: Run, first: str | None) -> None:
        same = before is not None and before.version == after.version
        if same and after.status in invariants.REDRIVABLE_RUN and not (first and self._beside(after.run_id, first)):
            self.violated("S16", after.run_id, "run", f"its redrive from {first} is refused, and it is {after.status}")

    # -- effects -------------------------------------------------------------------------------------------------------

    def invoked(self, event: Mapping[str, Json], by: Lambda) -> None:
        """Note an effect of a service, and check what it is given."""
        self.invocations += 1
        run_id, task_id = str(event["run_id"]), str(event["task_id"])
        token = by.token()
        claim = self.claims.get(token)
        if claim is None or claim[:2] != (run_id, task_id):
            self.violated("E2", run_id, task_id, f"invoked by {by.name} without a claim")
            return
        self.effects[token] += 1
        if self.effects[token] > 1:
            self.violated("E2", run_id, task_id, f"invoked twice for the claim {token}")
        task = self._workflows[run_id].tasks[task_id]
        same = [t for t, other in self.claims.items() if other == claim and self.effects[t]]
        if task.at_most_once and len(same) > 1:
            self.violated("E3", run_id, task_id, f"invoked for the claims {same}")
        expected = self._expected[run_id]
        given = {
            "input": self._inputs[run_id],
            "upstream": {t: expected[t] for t in task.after},
            "idempotency_key": f"{run_id}/{task_id}",
        }
        if wrong := {name: event[name] for name, value in given.items() if event[name] != value}:
            self.violated("E4", run_id, task_id, f"was given {wrong}")
        stored = self._world.table.tasks[run_id][task_id]
        if stored.owner == token:
            self._told(event, stored, task)

    def _told(self, event: Mapping[str, Json], stored: TaskState, task: Task) -> None:
        """Check what a service is told of its attempt: which it is, and when it has to be over."""
        run = self._world.table.runs[stored.run_id]
        if event["attempt"] != stored.tries:
            self.violated(
                "E4", run.run_id, stored.task_id, f"was told {event['attempt']}, and it is try {stored.tries}"
            )
        ends = [(stored.started_at or 0) + 1000 * task.timeout_s]
        if task.total_timeout_s is not None:
            ends.append((stored.first_ready_at or 0) + 1000 * task.total_timeout_s + 999)
        if run.deadline_at is not None:
            ends.append(run.deadline_at + 999)  # a timeout is whole seconds
        if event["deadline_at"] > min(ends):
            self.violated("E4", run.run_id, stored.task_id, f"has until {event['deadline_at']}, and not {min(ends)}")

    # -- what is stored ------------------------------------------------------------------------------------------------

    def look(self, run_id: str, *, stuck: bool) -> None:
        """Check a run as `orchestra verify` would. While things get lost, something may well be stuck for a time."""
        table, world = self._world.table, self._world
        run = table.runs.get(run_id)
        if run is None:
            return
        found = invariants.check_now(run, table.lean.get(run_id, {}), self._workflows[run_id], world.now, world.timing)
        for violation in found:
            if stuck or violation.invariant not in {"L2", "L3"}:
                world.stop(Violated(run_id, violation))

    def settle(self) -> None:
        """Check what holds when nothing happens any more."""
        for run_id, run in self._world.table.runs.items():
            if run_id == self._world.poisoned:
                continue
            if run.check_at is not None:
                statuses = {t: str(task.status) for t, task in self._world.table.tasks.get(run_id, {}).items()}
                self.violated("L1", run_id, "run", f"{run.status} for good, with {statuses}")
            self.look(run_id, stuck=True)


def _details(record: Run | TaskState) -> str:
    names = ("epoch", "attempt", "released", "owner", "lease_until", "arrived", "ready_at", "due_at", "check_at")
    values = {n: getattr(record, n, None) for n in (*names, "version", "error")}
    shown = {n: sorted(v) if isinstance(v, frozenset) else v for n, v in values.items() if v}
    return " ".join(f"{n}={getattr(v, 'name', v)}" for n, v in shown.items())
