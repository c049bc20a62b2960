"""Step Functions in memory: machines, and executions whose histories a test writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orchestration.errors import Conflict, NotFound, Refused
from orchestration.executions import Event, Execution, ExecutionStatus
from tests.support.execution_history import History
from tests.support.memory import FakeClock

MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-local-"
FUNCTIONS = "arn:aws:lambda:us-east-1:123456789012:function:task-"
ENDED = {ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.ABORTED}


@dataclass
class MemoryFlows:
    clock: FakeClock = field(default_factory=FakeClock)
    registers: bool = True
    machines: dict[str, str] = field(default_factory=dict)  # the definition of each workflow's machine
    kept: dict[tuple[str, str], Execution] = field(default_factory=dict)
    running: dict[tuple[str, str], str] = field(default_factory=dict)  # the definition that each execution runs
    events: dict[tuple[str, str], History] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)  # what was asked of which workflow

    def machine_arn(self, workflow: str) -> str:
        return MACHINES + workflow

    def find(self, workflow: str, run_id: str) -> Execution | None:
        self.calls.append(("find", workflow))
        return self.kept.get((workflow, run_id))

    def definition(self, execution: Execution) -> str:
        self.calls.append(("definition", execution.workflow))
        return self.running[_key(execution)]

    def history(self, execution: Execution, *, payloads: bool = False) -> Iterator[Event]:
        self.calls.append(("history with payloads" if payloads else "history", execution.workflow))
        for event in self.events[_key(execution)].events:
            yield event if payloads else replace(event, output=None, task=None)

    def executions(self, workflow: str) -> Iterator[Execution]:
        self.calls.append(("executions", workflow))
        found = [execution for execution in self.kept.values() if execution.workflow == workflow]
        for execution in sorted(found, key=lambda e: (e.finished_at or e.started_at, e.run_id), reverse=True):
            yield replace(execution, input=None, output=None, error=None, cause=None)

    def start(self, workflow: str, run_id: str, text: str) -> int | None:
        self.calls.append(("start", workflow))
        if workflow not in self.machines:
            raise NotFound(f"workflow: {workflow!r} has no state machine")
        there = self.kept.get((workflow, run_id))
        if there:
            same = there.status is ExecutionStatus.RUNNING and there.input == text
            return there.started_at if same else None
        execution = Execution(
            workflow=workflow,
            run_id=run_id,
            status=ExecutionStatus.RUNNING,
            started_at=self.clock.now(),
            input=text,
        )
        self.kept[workflow, run_id] = execution
        self.running[workflow, run_id] = self.machines[workflow]
        self.events[workflow, run_id] = History(self.clock)
        return execution.started_at

    def stop(self, execution: Execution) -> None:
        self.calls.append(("stop", execution.workflow))
        if self.kept[_key(execution)].status is ExecutionStatus.RUNNING:
            self.end(execution.run_id, ExecutionStatus.ABORTED, cause="canceled by orchestra")

    def redrive(self, execution: Execution) -> int:
        self.calls.append(("redrive", execution.workflow))
        stored = self.kept[_key(execution)]
        if stored.status not in ENDED:
            raise Conflict(f"run_id: Step Functions cannot redrive {execution.run_id!r}: it is {stored.status}")
        self.events[_key(stored)].add("ExecutionRedriven")
        self.kept[_key(stored)] = replace(
            stored,
            status=ExecutionStatus.RUNNING,
            redrives=stored.redrives + 1,
            redriven_at=self.clock.now(),
            finished_at=None,
            error=None,
            cause=None,
        )
        return self.clock.now()

    def admit(self, workflow: str) -> None:
        self.calls.append(("admit", workflow))
        if not self.registers:
            raise Refused("engine: this deployment makes no state machines of registered workflows")

    def put(self, workflow: str, definition: str) -> bool:
        self.calls.append(("put", workflow))
        changed = self.machines.get(workflow) != definition
        self.machines[workflow] = definition
        return changed

    def tell(self, run_id: str) -> History:
        """Return the history of an execution, to be written on."""
        (history,) = [history for (_, name), history in self.events.items() if name == run_id]
        return history

    def end(
        self,
        run_id: str,
        status: ExecutionStatus = ExecutionStatus.SUCCEEDED,
        *,
        output: str | None = None,
        error: str | None = None,
        cause: str | None = None,
    ) -> Execution:
        """End an execution: what its machine would do, or a caller."""
        (execution,) = [execution for execution in self.kept.values() if execution.run_id == run_id]
        ended = replace(execution, status=status, finished_at=self.clock.now(), output=output, error=error, cause=cause)
        self.kept[_key(execution)] = ended
        return ended


def _key(execution: Execution) -> tuple[str, str]:
    return execution.workflow, execution.run_id
