"""What is found of a stack that is up, down, stopped, stuck, half deployed, or older than its program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cli import stack_health
from cli.client import Client
from cli.deployment import Choice
from cli.errors import CliError, NoDeployment, RemoteError
from cli.health import Check, broken, fine, left_out
from local import deployment, server
from local.deployment import Deployment, Result
from local.errors import LocalError
from local.plan import Operation, Step
from local.server import Emulator

UP = Deployment("local", "http://127.0.0.1:4566", "us-east-1", {}, "test", "test")
SAME = Step(Operation.SAME, "urn:q", "aws:sqs/queue:Queue", "q")
CHANGED = Step(Operation.UPDATE, "urn:f", "aws:lambda/function:Function", "task-a", ("code",))
RUNNING = fine("stack", "local is up at http://127.0.0.1:4566")
ANSWERS = fine("Orchestrator", "answers, and has 2 workflows")
CURRENT = fine("program", "is what stands, with 1 resource")


@dataclass
class Stack:
    """A stack on this machine; what is None or empty is not there."""

    emulator: Emulator | None = Emulator(4711, 4566, "us-east-1", "mark")  # noqa: RUF009 - frozen
    answers: bool = True
    running: Deployment | LocalError | None = UP
    kept: Emulator | None = None
    steps: tuple[Step, ...] | LocalError = (SAME,)
    orchestrator: CliError | None = None

    def checks(self, name: str = "local", *, for_aws: bool = False) -> list[Check]:
        chosen: list[Choice] = []

        def connect(choice: Choice) -> Client:
            chosen.append(choice)
            if self.orchestrator is not None:
                raise self.orchestrator
            return Client(lambda _request: {"workflows": [{}, {}]})

        found = list(stack_health.checks(name, connect, for_aws=for_aws))
        assert chosen == [Choice(name)] * sum(check.name == "Orchestrator" for check in found)
        return found


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stack:
    made_up = Stack()
    (tmp_path / "Pulumi.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "running", lambda _folder: made_up.emulator)
    monkeypatch.setattr(server, "answers", lambda _emulator: made_up.answers)
    monkeypatch.setattr(server, "kept", lambda _folder: made_up.kept)
    monkeypatch.setattr(deployment, "running", lambda _stack: given(made_up.running))
    monkeypatch.setattr(
        deployment, "preview", lambda _stack: Result("local", given(made_up.steps), {}, frozenset(), 0.1)
    )
    return made_up


def given(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def test_a_stack_that_is_what_the_program_says_is_fine(stack: Stack) -> None:
    assert stack.checks() == [RUNNING, ANSWERS, CURRENT]


@pytest.mark.parametrize(("name", "up"), [("local", "orchestra local up"), ("mine", "orchestra local up --stack mine")])
def test_a_stack_that_is_not_up_is_nothing_broken(stack: Stack, name: str, up: str) -> None:
    stack.emulator = stack.running = None
    assert stack.checks(name) == [left_out("stack", f"{name} is not up on this machine", up)]

    stack.kept = Emulator(0, 4566, "us-east-1", "mark")
    assert stack.checks(name) == [left_out("stack", f"{name} has stopped, its runs are kept", up)]


def test_an_emulator_that_does_not_answer_is_ended(stack: Stack) -> None:
    stack.answers = False
    assert stack.checks() == [
        broken(
            "stack",
            "the emulator (process 4711) of local does not answer",
            "kill -9 4711 && orchestra local up",
        )
    ]


def test_what_the_local_target_says_is_told(stack: Stack) -> None:
    stack.running = LocalError("it is in pieces")
    assert stack.checks() == [broken("stack", "it is in pieces", "orchestra local up")]


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (
            NoDeployment("there is no function f; try: orchestra local up"),
            broken("Orchestrator", "there is no function f", "try: orchestra local up"),
        ),
        (
            RemoteError("the Orchestrator failed"),
            broken("Orchestrator", "the Orchestrator failed", "orchestra local up"),
        ),
    ],
)
def test_an_orchestrator_that_does_not_answer_is_broken(stack: Stack, error: CliError, check: Check) -> None:
    stack.orchestrator = error
    assert stack.checks() == [RUNNING, check, CURRENT]


def test_a_deployment_that_was_cut_short_is_finished(stack: Stack) -> None:
    stack.running = replace(UP, complete=False)
    assert stack.checks() == [
        RUNNING,
        ANSWERS,
        broken("program", "the last up did not finish", "orchestra local up"),
    ]


@pytest.mark.parametrize(
    ("steps", "found", "mend"),
    [
        ((CHANGED,), "is not what stands: task-a would change", "orchestra local up"),
        ((SAME, CHANGED, CHANGED), "is not what stands: task-a and 1 more would change", "orchestra local up"),
        (LocalError("services/x: is not a folder"), "services/x: is not a folder", "see: orchestra local preview"),
    ],
)
def test_a_stack_that_is_not_what_the_program_says_is_broken(stack: Stack, steps: Any, found: str, mend: str) -> None:
    stack.steps = steps
    assert stack.checks() == [RUNNING, ANSWERS, broken("program", found, mend)]


@pytest.mark.parametrize("name", ["dev", "org/orchestra/dev"])
def test_a_stack_on_aws_is_asked_only_if_that_was_asked_for(stack: Stack, name: str) -> None:
    stack.emulator = stack.running = None
    assert [check.name for check in stack.checks(name)] == ["stack"]
    assert stack.checks(name, for_aws=True)[1:] == [ANSWERS]
