"""Runs workflows on the deployed system, through the Orchestrator's requests, and tells their traces."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.parity import trace
from tests.parity.trace import Trace
from tests.support.stack import TERMINAL, System

AT_ONCE = 6
"""How many runs are under way: more would only wait for the two processors."""
WITHIN_S = 120
POLL_S = 0.2
_numbers = itertools.count(1)  # of runs, so that no id is used twice


@dataclass(frozen=True)
class Job:
    """A run to be made."""

    workflow: Workflow
    engine: str
    run_input: Json = None
    outputs: bool = False  # whether the output of each task is told too
    canceled_after_s: float | None = None  # when the run is canceled, to be redriven once it has ended


@dataclass(frozen=True)
class Runner:
    system: System

    @cached_property
    def _lambda(self) -> Any:
        return self.system.client("lambda")  # one for all threads: making one takes longer than a request

    def ask(self, **request: Json) -> dict[str, Any]:
        reply = self._lambda.invoke(
            FunctionName=self.system.deployment.outputs["orchestrator_arn"], Payload=json.dumps(request)
        )
        answer: dict[str, Any] = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    def results(self, jobs: Sequence[Job], *, registered: bool = False) -> list[Trace | Exception]:
        """Run all, some at a time. Return what came of each, in the order of the jobs."""

        def result(job: Job) -> Trace | Exception:
            try:
                return self.trace(job)
            except Exception as exc:  # noqa: BLE001 - it is the result of one job, and the others go on
                return exc

        with ThreadPoolExecutor(AT_ONCE) as pool:
            if not registered:
                list(pool.map(self.register, {job.workflow.name: job.workflow for job in jobs}.values()))
            return list(pool.map(result, jobs))

    def register(self, workflow: Workflow) -> dict[str, Any]:
        """Make a workflow known to both engines."""
        answer = self.ask(action="register", engine="stepfunctions", definition=workflow.to_json())
        assert "error" not in answer, answer
        return answer

    def trace(self, job: Job) -> Trace:
        """Run a workflow that is known, and return its trace."""
        run_id = self.start(job)
        if job.canceled_after_s is not None:
            time.sleep(job.canceled_after_s)  # at any moment: whatever has happened by then
            self._cancel_and_redrive(job.engine, run_id)
        run = self.finished(job.engine, run_id)
        done = [task_id for task_id, task in run["tasks"].items() if task["status"] == "SUCCEEDED"]
        outputs = {t: self._output(job.engine, run_id, task_id=t) for t in done} if job.outputs else {}
        output = self._output(job.engine, run_id) if run["status"] == "SUCCEEDED" else None
        return trace.of(job.workflow, run, output, outputs)

    def _cancel_and_redrive(self, engine: str, run_id: str) -> None:
        """End a run, if it has not ended, and let it go on."""
        self.ask(action="cancel", engine=engine, run_id=run_id)
        if self.finished(engine, run_id)["status"] == "CANCELED":
            answer = self.ask(action="redrive", engine=engine, run_id=run_id)
            assert answer.get("changed") is True, answer

    def start(self, job: Job) -> str:
        run_id = f"{job.workflow.name[:40]}-{job.engine[0]}-{next(_numbers)}"
        answer = self.ask(
            action="start", engine=job.engine, workflow=job.workflow.name, run_id=run_id, input=job.run_input
        )
        assert answer.get("created") is True, answer
        return run_id

    def finished(self, engine: str, run_id: str) -> Mapping[str, Any]:
        deadline = time.monotonic() + WITHIN_S
        while True:
            run = self.ask(action="describe", engine=engine, run_id=run_id)
            assert "status" in run, run
            if run["status"] in TERMINAL:
                return run
            assert time.monotonic() < deadline, f"{run_id} has not ended within {WITHIN_S} s: {run}"
            time.sleep(POLL_S)  # between two looks

    def _output(self, engine: str, run_id: str, **task: str) -> Json:
        answer = self.ask(action="output", engine=engine, run_id=run_id, **task)
        assert "output" in answer, answer
        return answer["output"]
