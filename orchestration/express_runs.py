"""The runs of the engine `stepfunctions` where its machines are of the type EXPRESS: they are started, and that is all.

Step Functions keeps no record of such an execution but its log, runs it at least once and for at most five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NoReturn

from orchestration.catalog import Entry
from orchestration.errors import NoSuchRun
from orchestration.flow_runs import FlowRuns, named_in
from orchestration.runs import Seen
from orchestration.store import Page
from orchestration.workflow import Workflow


@dataclass(frozen=True)
class ExpressRuns:
    """`log_group` names the log group of a workflow's machine."""

    recorded: ClassVar[bool] = False
    flows: FlowRuns
    log_group: Callable[[Entry], str]

    def runs_of(self, entry: Entry) -> bool:
        return self.flows.runs_of(entry)

    def pinned(self, workflow: str, run_id: str) -> Workflow | None:  # noqa: ARG002 - there is none to be found
        return None

    def start(self, workflow: Workflow, run_id: str, text: str) -> Seen:
        """Start an execution. Who asks twice gets two."""
        seen = self.flows.begin(workflow, run_id, text)
        entry = self.flows.catalog.entry(workflow.name)
        return replace(seen, log_group=self.log_group(entry)) if entry else seen

    def look(self, run_id: str) -> NoReturn:
        raise self._no_record(run_id)

    def output(self, run_id: str, task_id: str | None) -> NoReturn:  # noqa: ARG002
        raise self._no_record(run_id)

    def cancel(self, run_id: str) -> NoReturn:
        raise self._no_record(run_id)

    def redrive(self, run_id: str, from_task: str | None, epoch: int | None) -> NoReturn:  # noqa: ARG002
        raise self._no_record(run_id)

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:  # noqa: ARG002
        return Page([])

    def _no_record(self, run_id: str) -> NoSuchRun:
        entries = {entry.name: entry for entry in self.flows.catalog.entries() if self.flows.has_machine(entry)}
        named = named_in(run_id, entries)
        log = f"the log group {self.log_group(entries[named[0]])}" if named else "its workflow's log group"
        return NoSuchRun(
            f"run_id: there is no run {run_id!r} in the table, and of an execution of an EXPRESS flow Step Functions"
            f" keeps nothing but its log, in {log}"
        )
