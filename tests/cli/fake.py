"""An Orchestrator at the client's port, and a way to run a command against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from typer import Typer
from typer.testing import CliRunner, Result

from cli.client import Client, Request
from cli.deployment import Choice
from cli.errors import CliError
from cli.main import app
from cli.meter import Meter
from cli.ports import Clock, Ports
from orchestration.asl import compile_workflow
from orchestration.workflow import Workflow
from tests.support import shapes

NOW = 1_795_473_060_000  # 2026-11-23 22:31:00 UTC
RUN_ID = "abc-20261123-223100-x7k2q9"

Answer = Any  # a response, or an exception to raise


@dataclass
class FakeClock:
    now: int = NOW
    sleeps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += round(seconds * 1000)

    def port(self) -> Clock:
        return Clock(now_ms=lambda: self.now, sleep=self.sleep)


@dataclass
class Called:
    """What a command did: its result, the requests that it sent, and the deployment that it chose."""

    result: Result
    requests: list[Request]
    choices: list[Choice]
    clock: FakeClock

    @property
    def exit_code(self) -> int:
        return self.result.exit_code

    @property
    def stdout(self) -> str:
        return self.result.stdout

    @property
    def stderr(self) -> str:
        return self.result.stderr

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; more or less than one does not parse."""
        return json.loads(self.result.stdout)


def call(
    *arguments: str,
    answers: Sequence[Answer] = (),
    stdin: bytes | None = None,
    env: dict[str, str | None] | None = None,
    refuse_connection: CliError | None = None,
    bring_up: Callable[[Callable[[str], None]], None] | None = None,
    meter: Callable[[Choice], Meter] | None = None,
    program: Typer = app,
) -> Called:
    """Run `orchestra`, or another program, with the arguments; each request gets the next answer; there must be one."""
    requests: list[Request] = []
    choices: list[Choice] = []
    left = list(answers)
    clock = FakeClock()

    def send(request: Request) -> Any:
        requests.append(request)
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def connect(choice: Choice) -> Client:
        choices.append(choice)
        if refuse_connection is not None:
            raise refuse_connection
        return Client(send)

    def no_meter(choice: Choice) -> Meter:
        raise AssertionError(f"nobody should read the metrics of {choice}")

    ports = Ports(
        connect=connect,
        meter=meter or no_meter,
        bring_up=bring_up or (lambda _say: None),
        clock=clock.port(),
        token=lambda: "x7k2q9",
    )
    result = CliRunner().invoke(program, list(arguments), input=stdin, env=env, obj=ports, catch_exceptions=False)
    assert not left, f"requests that were not made: {left}"
    return Called(result, requests, choices, clock)


def task(status: str = "PENDING", *, service: str = "s", after: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    """Return a task as `describe` answers it."""
    absent = dict.fromkeys(("ready_at", "started_at", "finished_at", "error"))
    return {"status": status, "service": service, "after": list(after), "attempts": 0, **absent, **fields}


def described(status: str = "RUNNING", *, tasks: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a run as `describe` answers it; without `tasks`, one of abc in which nothing has begun."""
    return {
        "run_id": RUN_ID,
        "workflow": "abc",
        "version": "0123456789abcdef" * 4,
        "engine": "dynamodb",
        "status": status,
        "error": None,
        "created_at": NOW,
        "started_at": NOW,
        "finished_at": NOW + 2300 if status in {"SUCCEEDED", "FAILED", "CANCELED"} else None,
        "tasks": abc() if tasks is None else tasks,
        **fields,
    }


def compiled(workflow: Workflow) -> dict[str, Any]:
    """Return what `asl` answers about a workflow."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:"
    return compile_workflow(workflow, {name: arn + name for name in workflow.services}).to_json()


def document(run: dict[str, Any], output: Any) -> dict[str, Any]:
    """Return what a command that follows a run prints with --json."""
    keys = ("run_id", "workflow", "engine", "status", "error", "started_at", "finished_at", "tasks")
    return {**{key: run[key] for key in keys}, "output": output}


def abc(**changes: dict[str, Any]) -> dict[str, Any]:
    graph = {
        "A": task(service="a"),
        "B1": task(service="b1", after=["A"]),
        "B2": task(service="b2", after=["A"]),
        "B3": task(service="b3", after=["A"]),
        "C": task(service="c", after=["B1", "B2", "B3"]),
    }
    return {task_id: {**item, **changes.get(task_id, {})} for task_id, item in graph.items()}


def done(started: int, took: int, attempts: int = 1) -> dict[str, Any]:
    """Return the changes of a task that succeeded, `started` ms into the run."""
    begun = NOW + started
    return {
        "status": "SUCCEEDED",
        "attempts": attempts,
        "ready_at": begun - 10,
        "started_at": begun,
        "finished_at": begun + took,
    }


ALL_DONE = abc(A=done(100, 200), B1=done(400, 300), B2=done(400, 1200), B3=done(450, 900), C=done(1700, 500))
ABC_MACHINE = compiled(shapes.diamond())
