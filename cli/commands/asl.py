"""`orchestra asl`: a workflow as the state machine that Step Functions runs."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import state_machine
from cli.client import Response
from cli.deployment import Choice
from cli.errors import EXIT_OK, BadInput
from cli.options import Arn, JsonFlag, Region, Stack
from cli.ports import ports
from cli.terminal import aside, terminal
from orchestration.asl import compile_workflow
from orchestration.errors import WorkflowError
from orchestration.workflow import ID, Workflow

PLACEHOLDER = "arn:aws:lambda:us-east-1:123456789012:function:"
"""Before the name of a service: valid in form, and nobody's."""


def asl(
    ctx: typer.Context,
    *,
    workflow: Annotated[
        str,
        typer.Argument(
            metavar="WORKFLOW|FILE|-",
            help="The name of a deployed workflow; or a definition, as register takes it (a name has no . or /).",
        ),
    ],
    summary: Annotated[
        bool, typer.Option("--summary", help="Print only what the state machine takes, without its definition.")
    ] = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Print the Step Functions state machine of a workflow, in Amazon States Language.

    The definition goes to standard output, and nothing else does: `orchestra asl abc > abc.asl.json`. What it takes
    goes to standard error: state transitions, where it gives up parallelism and what that costs, and what Step
    Functions does otherwise than the definition says.

    A file is compiled here, without a deployment; the ARNs of its functions are placeholders then.

    With --json the document is {"name", "version", "definition", "transitions", "barriers", "notes", "bytes"}.
    """
    found = (
        _asked(ctx, workflow, Choice(stack, orchestrator_arn, region)) if _is_name(workflow) else _compiled(workflow)
    )
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
        return EXIT_OK
    lines = state_machine.summary(found)
    if summary:
        for line in lines:
            screen.say(line)
        return EXIT_OK
    screen.say_json(found["definition"], whole=True, rest="")
    for line in lines:
        aside(line)
    return EXIT_OK


def _is_name(argument: str) -> bool:
    return argument != "-" and ID.fullmatch(argument) is not None


def _asked(ctx: typer.Context, workflow: str, choice: Choice) -> Response:
    return ports(ctx).connect(choice).asl(workflow)


def _compiled(file: str) -> Response:
    from cli import definition  # noqa: PLC0415 - YAML, which few commands need

    value = definition.read(file)
    try:
        workflow = Workflow.from_json(value)
        compiled = compile_workflow(workflow, {name: PLACEHOLDER + name for name in workflow.services})
    except WorkflowError as exc:
        raise BadInput(f"{'standard input' if file == '-' else file}: {exc}") from None
    return compiled.to_json()
