"""Run one workflow on both engines, and print both results.

    .venv/bin/python tools/invoke_all.py abc --input @examples/gettysburg.txt --stack dev
    .venv/bin/python tools/invoke_all.py abc --orchestrator-arn ARN --region REGION --json

`orchestra compare` runs it several times, and says what each engine took; this shows what came out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.text import Text
from typer.main import get_command

from cli import input as run_input
from cli.boundary import guarded
from cli.client import Response
from cli.commands.run import close
from cli.comparison import SUCCEEDED, first_difference
from cli.deployment import Choice
from cli.errors import EXIT_FAILED, EXIT_OK
from cli.execution import Session, document, show_output
from cli.measure import plan
from cli.options import ENGINES, Arn, JsonFlag, Region, Stack, exit_codes
from cli.ports import ports
from cli.run_id import new_run_id, require_id
from cli.terminal import terminal, tolerate_any_text
from cli.text import clean
from orchestration.payload import Json

EXIT_CODES = exit_codes("both runs have SUCCEEDED, with equal outputs", "a run has not SUCCEEDED, outputs differ")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command(epilog=EXIT_CODES)
def invoke_all(
    ctx: typer.Context,
    *,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow's name.")],
    argument: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="The runs' input, as orchestra run takes it."),
    ] = None,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> None:
    """Run one workflow on both engines at the same time, and print both results.

    With --json the document is {"workflow", "equal", "difference", "runs": [two of orchestra run]}.
    """
    require_id("WORKFLOW", workflow)
    value = run_input.resolve(argument)
    choice = Choice(stack, orchestrator_arn, region)
    outside = ports(ctx)
    session = Session(outside.connect(choice), terminal(as_json=as_json), outside.clock, choice.flags)
    plan(session, workflow)  # refuses what has no state machine, before anything is started
    sessions = [replace(session, engine=engine) for engine in ENGINES]
    ids = [new_run_id(workflow, outside.clock.now_ms(), outside.token()) for _ in sessions]
    started = [on.start(workflow, value, run_id) for on, run_id in zip(sessions, ids, strict=True)]
    ended = [on.wait(described) for on, described in zip(sessions, started, strict=True)]
    outputs = [on.output_of(described) for on, described in zip(sessions, ended, strict=True)]
    succeeded = all(described["status"] == SUCCEEDED for described in ended)
    difference = first_difference(*outputs) if succeeded else None
    equal = succeeded and difference is None
    if as_json:
        runs = [document(described, output) for described, output in zip(ended, outputs, strict=True)]
        session.terminal.answer({"workflow": workflow, "equal": equal, "difference": difference, "runs": runs})
    else:
        for on, described, output in zip(sessions, ended, outputs, strict=True):
            _show(on, described, output)
        if succeeded:
            session.terminal.say("Outputs are equal" if equal else f"Outputs differ, first in {difference}")
    raise typer.Exit(EXIT_OK if equal else EXIT_FAILED)


def _show(session: Session, described: Response, output: Json) -> None:
    screen = session.terminal
    run_id = clean(described["run_id"])
    screen.say(Text.assemble("On ", (session.engine or "", "bold"), "  ", (run_id, "cyan")))
    close(session, described)
    if described["status"] == SUCCEEDED:
        show_output(session, run_id, output)
    screen.say()


def main(arguments: Sequence[str]) -> int:
    tolerate_any_text()
    command = get_command(app)
    return guarded(
        lambda: command.main(list(arguments), "invoke_all.py", standalone_mode=False), as_json="--json" in arguments
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
