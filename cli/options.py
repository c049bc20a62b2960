"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

DYNAMODB = "dynamodb"
STEPFUNCTIONS = "stepfunctions"
ENGINES = (DYNAMODB, STEPFUNCTIONS)


class EngineName(StrEnum):
    """What --engine takes."""

    dynamodb = DYNAMODB
    stepfunctions = STEPFUNCTIONS


JsonFlag = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]
Stack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="The stack to talk to; else $ORCHESTRA_STACK, else local.",
        rich_help_panel="Deployment",
    ),
]
Arn = Annotated[
    str | None,
    typer.Option(
        "--orchestrator-arn",
        metavar="ARN",
        help="The Orchestrator function itself; needs no Pulumi. $AWS_ENDPOINT_URL is honoured.",
        rich_help_panel="Deployment",
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="REGION", help="The region, for --orchestrator-arn.", rich_help_panel="Deployment"
    ),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]

Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", help="Where to look for the run; without it, in the table and then in Step Functions."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not watch the run to its end: return at once.")]


def exit_codes(done: str, failed: str) -> str:
    """Return what each exit code of a command means, in Markdown, as every help text is."""
    return f"""
Exit codes:

- 0: {done}

- 1: {failed}, or the remote system failed

- 2: bad input or usage, no deployment, or the request was refused: nothing was done

- 130: interrupted with Ctrl-C; a run that was started goes on
"""


EXIT_CODES = exit_codes("done; a run that was waited for has SUCCEEDED", "the run is FAILED or CANCELED")
