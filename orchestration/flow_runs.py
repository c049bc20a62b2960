"""The runs of the engine `stepfunctions`: executions of the workflows' state machines."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

from orchestration import asl, executions, payload, views
from orchestration.catalog import Catalog, Entry
from orchestration.engine import Asked
from orchestration.errors import Conflict, NotFound, PayloadTooLarge, Retryable
from orchestration.executions import Execution, ExecutionStatus
from orchestration.flows import Flows
from orchestration.model import Run, RunStatus, TaskStatus
from orchestration.payload import Json
from orchestration.runs import Seen
from orchestration.store import Page, Store, in_parallel
from orchestration.workflow import ID, Workflow

MAX_REMEMBERED = 1_000
K = TypeVar("K")
V = TypeVar("V")
REGISTER = "`orchestra register FILE --engine stepfunctions`"


@dataclass(frozen=True)
class FlowRuns:
    """Executions of Standard machines: Step Functions keeps them, and answers about them.

    `registers` says whether this deployment has machines of registered workflows besides those of declared ones.
    """

    recorded: ClassVar[bool] = True
    flows: Flows
    catalog: Catalog
    table: Store  # the other engine's, whose ids are not taken again
    registers: bool
    _versions: dict[tuple[str, str, int], str] = field(default_factory=dict, init=False)
    """The version that each of the executions seen last runs: it never changes, and AWS answers few such questions."""
    _started: dict[str, str] = field(default_factory=dict, init=False)
    """The workflow of each run that was started last: it may take Step Functions a moment until it finds one."""

    def runs_of(self, entry: Entry) -> bool:
        return self.has_machine(entry) and entry.flow == entry.version

    def has_machine(self, entry: Entry) -> bool:
        """Tell whether there is a machine of a workflow, be it of this version or of an earlier one."""
        return entry.flow is not None and (entry.source == "declared" or self.registers)

    def pinned(self, workflow: str, run_id: str) -> Workflow | None:
        entry = self.catalog.entry(workflow)
        execution = self.flows.find(workflow, run_id) if entry and self.has_machine(entry) else None
        return self._definition(execution) if execution else None

    def start(self, workflow: Workflow, run_id: str, text: str) -> Seen:
        entry = self.catalog.entry(workflow.name)
        if entry and self.has_machine(entry):
            if found := self.flows.find(workflow.name, run_id):
                return self._found(found, text)
            self._require_untaken(workflow, run_id)
        return self.begin(workflow, run_id, text)

    def begin(self, workflow: Workflow, run_id: str, text: str) -> Seen:
        """Start an execution of an id that was not found. Raises Conflict if another run has it, or nothing can run."""
        self._require_startable(workflow, run_id)
        self.catalog.keep(workflow)
        started_at = self.flows.start(workflow.name, run_id, text)
        if started_at is None:  # somebody has started it in between
            return self._found(self._require(run_id, [workflow.name]), text)
        execution = Execution(
            workflow=workflow.name, run_id=run_id, status=ExecutionStatus.RUNNING, started_at=started_at, input=text
        )
        _remember(self._started, run_id, workflow.name)
        return Seen(*executions.read(execution, workflow.version, workflow, []), workflow, created=True)

    def look(self, run_id: str) -> Seen:
        return self._seen(self._require(run_id))

    def output(self, run_id: str, task_id: str | None) -> Json:
        execution = self._require(run_id)
        workflow = self._definition(execution)
        run = executions.run_of(execution)
        return views.output(run, workflow, task_id, lambda wanted: self._outputs(execution, workflow, wanted))

    def cancel(self, run_id: str) -> Asked:
        """End an execution at once. What runs of it goes on, and nobody waits for its result."""
        execution = self._require(run_id)
        run = self._run(execution)
        if run.status is not RunStatus.RUNNING:
            return Asked(run, changed=False, ended=False)
        self.flows.stop(execution)
        # It may have ended by itself in between: then nothing was stopped.
        now = self._run(self._require(run_id, [run.workflow]))
        return Asked(now, changed=now.status not in {RunStatus.SUCCEEDED, RunStatus.FAILED}, ended=False)

    def redrive(self, run_id: str, from_task: str | None, epoch: int | None) -> Asked:
        """Let an ended execution go on where it ended: what succeeded is not invoked again."""
        execution = self._require(run_id)
        seen = self._seen(execution)
        run = seen.run
        if from_task is not None and from_task not in seen.tasks:
            raise NotFound(f"from_task: the workflow {run.workflow!r} has no task {from_task!r}")
        if (run.status is RunStatus.RUNNING and run.epoch > 1) or (epoch is not None and run.epoch > epoch):
            return Asked(run, changed=False, ended=False)
        if run.status not in {RunStatus.FAILED, RunStatus.CANCELED}:
            raise Conflict(f"run_id: {run_id!r} is {run.status}; only a run that is FAILED or CANCELED can be redriven")
        if from_task is not None and seen.tasks[from_task].status is not TaskStatus.FAILED:
            raise Conflict(
                f"from_task: {from_task!r} is {seen.tasks[from_task].status}, and Step Functions goes on where a task"
                " has FAILED; redrive the run without naming a task"
            )
        try:
            redriven_at = self.flows.redrive(execution)
        except Conflict:
            now = self._run(self._require(run_id, [run.workflow]))
            if now.epoch == run.epoch:
                raise
            return Asked(now, changed=False, ended=False)  # somebody else has redriven it
        again = replace(
            execution, status=ExecutionStatus.RUNNING, redrives=execution.redrives + 1, redriven_at=redriven_at
        )
        return Asked(self._run(again), changed=True, ended=False)

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        """As `Store.list_runs`. A run in a list has no deadline, and its error no task: its history would tell them."""
        names = [entry.name for entry in self.catalog.entries() if entry.name in workflows and self.has_machine(entry)]
        pages = in_parallel(lambda name: _newest(self.flows.executions(name), limit, before), names)
        newest = heapq.nlargest(limit, (found for page in pages for found in page), key=lambda pair: pair[0])
        runs = [executions.run_of(execution) for execution in in_parallel(self._with_error, [e for _, e in newest])]
        return Page(runs, runs[-1].position if len(runs) == limit else None)

    def _with_error(self, execution: Execution) -> Execution:
        if execution.status is not ExecutionStatus.FAILED:
            return execution
        return self.flows.find(execution.workflow, execution.run_id) or execution

    def _found(self, execution: Execution, text: str) -> Seen:
        if execution.input != text:
            raise Conflict(f"run_id: {execution.run_id!r} is a run with another input already; use another id")
        return self._seen(execution)

    def _seen(self, execution: Execution) -> Seen:
        workflow = self._definition(execution)
        # What comes after a redrive need not follow from what its state did before: then the payloads say whose it is.
        history = self.flows.history(execution, payloads=execution.redrives > 0)
        return Seen(*executions.read(execution, workflow.version, workflow, history), workflow)

    def _run(self, execution: Execution) -> Run:
        workflow = self._definition(execution)
        return executions.run_of(execution, workflow.version, workflow.timeout_s)

    def _definition(self, execution: Execution) -> Workflow:
        key = (execution.workflow, execution.run_id, execution.started_at)
        if key not in self._versions:
            version = asl.version_of(self.flows.definition(execution))
            if version is None:
                raise Conflict(f"run_id: {execution.run_id!r} runs a state machine that Orchestra has not made")
            if self.catalog.is_declared(execution.workflow):
                # It may have been started without us, and so without its version being kept.
                declared = self.catalog.current(execution.workflow)
                if declared.version == version:
                    self.catalog.keep(declared)
            _remember(self._versions, key, version)
        return self.catalog.pinned(execution.workflow, self._versions[key])

    def _outputs(self, execution: Execution, workflow: Workflow, wanted: Sequence[str]) -> Mapping[str, str]:
        if execution.output is not None and tuple(wanted) == workflow.sinks:
            return _of_sinks(workflow.sinks, execution.output)
        history = self.flows.history(execution, payloads=True)
        _, tasks = executions.read(execution, workflow.version, workflow, history)
        outputs = {task_id: output for task_id in wanted if (output := tasks[task_id].output) is not None}
        if sum(len(output.encode()) for output in outputs.values()) > views.MAX_ANSWER_BYTES:
            raise PayloadTooLarge(f"the outputs of {len(wanted)} tasks are too large together")
        return outputs

    def _require(self, run_id: str, workflows: Sequence[str] | None = None) -> Execution:
        """Find an execution of some workflows, or of any: first of those whose name its id begins with."""
        if workflows is None:
            workflows = [entry.name for entry in self.catalog.entries() if self.has_machine(entry)]
        likely = named_in(run_id, workflows)
        for name in likely:
            if execution := self.flows.find(name, run_id):
                return execution
        others = [name for name in workflows if name not in likely]
        found = in_parallel(lambda name: self.flows.find(name, run_id), others)
        execution = next((execution for execution in found if execution), None)
        if execution is None and self._started.get(run_id) in workflows:
            raise Retryable(
                f"run_id: {run_id!r} was started just now, and Step Functions does not find it yet; ask again"
            )
        if execution is None:
            raise views.no_such_run(run_id)
        return execution

    def _require_untaken(self, workflow: Workflow, run_id: str) -> None:
        """Raise Conflict if the id is that of a run of another workflow: to Step Functions these are two names.

        An id that begins with the workflow's own name, as those do that are made here, is found there first. So nothing
        is asked about it, and such a start costs the same however many workflows there are.
        """
        if named_in(run_id, [workflow.name]):
            return
        others = [e.name for e in self.catalog.entries() if e.name != workflow.name and self.has_machine(e)]
        found = in_parallel(lambda name: self.flows.find(name, run_id), others)
        if taken := next((execution for execution in found if execution), None):
            raise Conflict(f"run_id: {run_id!r} is a run of the workflow {taken.workflow!r} already; use another id")

    def _require_startable(self, workflow: Workflow, run_id: str) -> None:
        entry = self.catalog.entry(workflow.name)
        if entry is None or not self.has_machine(entry):
            mend = f"{REGISTER} makes one"
            if self.catalog.is_declared(workflow.name):
                mend = "the deployed program makes none of it (its setting flowType)"
            elif not self.registers:
                mend = "the deployment makes none of registered workflows (its setting registerFlows)"
            raise Conflict(f"workflow: {workflow.name!r} has no state machine; {mend}")
        if entry.flow != workflow.version:
            raise Conflict(
                f"workflow: the state machine of {workflow.name!r} is of an earlier version; {REGISTER} updates it"
            )
        if self.table.get_run(run_id) is not None:
            raise Conflict(f"run_id: {run_id!r} is a run of the engine 'dynamodb' already; use another id")


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """Add what was seen last, in place of what was seen first."""
    known[key] = value
    if len(known) > MAX_REMEMBERED:
        del known[next(iter(known))]


def named_in(run_id: str, workflows: Iterable[str]) -> list[str]:
    """Return the workflows with whose name an id begins, as those do that are made here; the longest name first."""
    return sorted((name for name in workflows if run_id.startswith(name[:31])), key=len, reverse=True)


def _newest(found: Iterable[Execution], limit: int, before: str | None) -> list[tuple[str, Execution]]:
    """Return the executions that were started last, with their positions, but none from `before` on.

    They come by when they moved last, and none was started after that: so the rest need not be read. There is no way
    to begin anywhere but at the newest.
    """
    newest: list[tuple[str, Execution]] = []
    for execution in found:
        if len(newest) == limit and (execution.finished_at or execution.started_at) < newest[0][1].started_at:
            break
        position = executions.run_of(execution).position
        # What has another kind of name was not started here.
        if ID.fullmatch(execution.run_id) and (before is None or position < before):
            heapq.heappush(newest, (position, execution))
            if len(newest) > limit:
                heapq.heappop(newest)
    return newest


def _of_sinks(sinks: Sequence[str], output: str) -> Mapping[str, str]:
    """Return the outputs of a run's sinks, from that of its execution."""
    if len(sinks) == 1:
        return {sinks[0]: output}
    return {task_id: payload.compact(value) for task_id, value in payload.parse(output, what="output").items()}
