"""Runs compiled definitions in this process: the local interpreter, jsonata-python, and the probe. No emulator.

So thousands of workflows can be tried, and any mutant of a definition. What is on the way of a real run beside it (the
Orchestrator, histories, Lambda) is not here; that is what the scenarios are for.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonata

from local.bootstrap.state_errors import Failed
from local.bootstrap.state_values import QueryError
from local.bootstrap.states import Ports, Walk
from orchestration import asl
from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.parity import model, trace
from tests.parity.trace import TaskTrace, Trace

RUN_ID = "<its own>"
SLACK_MS = 30_000
_NULL = jsonata.utils.Utils.NULL_VALUE


def function_of(service: str) -> str:
    return f"arn:aws:lambda:us-east-1:000000000000:function:task-{service}"


def compiled(workflow: Workflow) -> asl.Compiled:
    return asl.compile_workflow(workflow, {service: function_of(service) for service in workflow.services})


def evaluate(expression: str, variables: Mapping[str, Json]) -> Json:
    """Return the value of a JSONata expression. Raises QueryError if it has none."""
    bound = {name: _NULL if value is None else value for name, value in variables.items()}
    try:
        value = jsonata.Jsonata.jsonata(expression).evaluate(None, bound)
        if value is None and not jsonata.Jsonata.jsonata(f"$exists(({expression}))").evaluate(None, bound):
            raise QueryError("has no value")
    except (ValueError, RuntimeError, jsonata.jexception.JException) as exc:
        raise QueryError(str(exc)) from None
    return None if value is _NULL else value


@dataclass
class _World:
    """The functions, and what they were asked."""

    workflow: Workflow
    tasks: dict[str, TaskTrace] = field(default_factory=dict)

    async def invoke(self, resource: str, event: Json) -> Json:
        event = json.loads(json.dumps(event))  # as it would come over the wire
        task_id = event["task_id"]
        task = self.workflow.tasks[task_id]
        assert resource == function_of(task.service)
        late_ms = event["deadline_at"] - (time.time() + task.timeout_s) * 1000
        if abs(late_ms) <= SLACK_MS:
            event["deadline_at"] = "<in time>"
        error, output = model.invoked(task, event)
        if error is not None:
            called = model.CALLED.get(error[0], error[0])
            self.tasks[task_id] = TaskTrace("FAILED", event["attempt"], (called, error[1]))
            raise Failed(error[0], json.dumps({"task": task_id, "errorMessage": error[1]}))
        self.tasks[task_id] = TaskTrace("SUCCEEDED", event["attempt"], None, trace.canonical(output))
        return output


def run(definition: Mapping[str, Any], workflow: Workflow, run_input: Json) -> Trace:
    """Return the trace of a run of a state machine, which may be one that the compiler would not make."""
    world = _World(workflow)
    ports = Ports(
        emit=_Emit(),
        evaluate=evaluate,
        invoke=world.invoke,
        sleep=lambda _: asyncio.sleep(0),
        now=time.time,
        random=lambda: 1.0,
    )
    execution = {"Name": RUN_ID, "Id": "arn:execution", "Input": run_input}
    walk = Walk(definition, {"Execution": execution, "StateMachine": {"Name": workflow.name}}, {}, ports)
    ending = asyncio.run(walk.run())
    if ending.status == "SUCCEEDED":
        assert ending.output is not None
        return Trace("SUCCEEDED", None, trace.canonical(json.loads(ending.output)), world.tasks)
    assert ending.failure
    error, cause = ending.failure.error, str(ending.failure.cause)
    if not cause.startswith('{"task": '):  # no task has raised it
        return Trace("FAILED", (error, None, cause), None, world.tasks)
    raised = json.loads(cause)
    task_id = raised["task"]
    told = trace.told_of(workflow, task_id)
    tasks = {t: world.tasks.get(t, model.NEVER) for t in workflow.tasks if t in told}
    return Trace("FAILED", (model.CALLED.get(error, error), task_id, raised["errorMessage"]), None, tasks)


class _Emit:
    def __init__(self) -> None:
        self._count = 0

    def __call__(self, kind: str, previous: int, details: Any = None) -> int:
        self._count += 1
        return self._count
