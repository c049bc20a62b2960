"""`orchestra run`: start a run and watch it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli import input as run_input
from cli.deployment import Choice
from cli.errors import EXIT_OK
from cli.execution import Session, document, exit_code, show_output
from cli.model import TERMINAL, Run, run_of
from cli.options import Arn, EngineName, JsonFlag, NoWait, Region, Stack
from cli.ports import ports
from cli.run_id import new_run_id, require_id
from cli.terminal import terminal
from cli.text import clean
from cli.view import problems, summary

HELP = """\
Start a run of a workflow and watch it to its end.

What `--input` takes:

- JSON as it stands: `-i '{"text": "hello"}'`, `-i '"hello"'`

- `@FILE`: a .json file must be JSON; a .txt or .md file is always text (one JSON string); any other file is JSON
if it parses as JSON, and else text

- `-`: standard input, JSON if it parses as JSON, and else text

JSON is strict (no NaN, no key twice, no lone surrogate), everything is UTF-8 (a byte order mark is dropped), and
the limit is 262144 bytes (256 KiB) as compact JSON. Without `--input` the input is null.

What `--engine` takes: `dynamodb`, the table and its workers; or `stepfunctions`, the same definition as a Step
Functions state machine (`orchestra asl WORKFLOW` shows it). The tasks are given the same, and the run ends the same;
`orchestra compare WORKFLOW` shows what each takes.

With `--json` the document is {"run_id", "workflow", "engine", "status", "output", "error", "started_at",
"finished_at", "tasks"}; with `--no-wait` its output is null.

Ctrl-C stops the watching, never the run.
"""

_MOST_PROBLEMS = 5


def run(
    ctx: typer.Context,
    *,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow's name.")],
    argument: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="The run's input; see above. Without it: null."),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The run's id. Started again with the same input, it is the same run."),
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option("--engine", help="What runs it; see above. Without it: dynamodb.")
    ] = None,
    no_wait: NoWait = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Start a run and watch it; HELP says it to the user."""
    require_id("WORKFLOW", workflow)
    if run_id is not None:
        require_id("--run-id", run_id)
    value = run_input.resolve(argument)
    choice = Choice(stack, orchestrator_arn, region)
    outside = ports(ctx)
    session = Session(outside.connect(choice), terminal(as_json=as_json), outside.clock, choice.flags, engine)
    chosen = run_id or new_run_id(workflow, outside.clock.now_ms(), outside.token())
    described = session.start(workflow, value, chosen)
    if no_wait:
        return leave(session, described, "Started")
    return finish(session, session.follow(described))


def finish(session: Session, described: dict[str, object]) -> int:
    """Answer with a run that has ended, and return the exit code."""
    output = session.output_of(described)
    status = described["status"]
    if session.terminal.as_json:
        session.terminal.answer(document(described, output))
        return exit_code(status)
    close(session, described)
    if status == "SUCCEEDED":
        show_output(session, str(described["run_id"]), output)
    return exit_code(status)


def close(session: Session, described: dict[str, object]) -> None:
    """Say how a run ended."""
    run = run_of(described)
    if not session.terminal.live:  # a screen has the summary already, under the graph
        session.terminal.say(summary(run, session.terminal.frame(session.clock.now_ms())))
    found = problems(run, session.terminal.look)
    for line in found[:_MOST_PROBLEMS]:
        session.terminal.say(line)
    if len(found) > _MOST_PROBLEMS:
        see = f"orchestra status {clean(run.run_id)}{session.flags}"
        session.terminal.say(Text(f"and {len(found) - _MOST_PROBLEMS} more errors: {see}", "dim"))
    suggest(session, run)


def suggest(session: Session, run: Run) -> None:
    """Say what can be done about a run that has failed."""
    if run.status == "FAILED":
        again = f"orchestra redrive {clean(run.run_id)}{session.flags}"
        session.terminal.say(Text(f"Go on once it is mended: {again}", "dim"))


def leave(session: Session, described: dict[str, object], what: str) -> int:
    """Answer with a run that is not watched; `what` was done to it."""
    if session.terminal.as_json:
        session.terminal.answer(document(described, None))
    else:
        run_id = clean(described["run_id"])
        session.terminal.say(Text.assemble(f"{what} ", (run_id, "cyan")))
        if log_group := described.get("log_group"):  # an Express execution, which nobody can be asked about
            session.terminal.say(f"Nothing is kept of it but its log, in the log group {clean(log_group)}")
        elif described["status"] in TERMINAL:
            session.terminal.say(f"See it: orchestra status {run_id}{session.flags}")
        else:
            session.terminal.say(f"Follow it: orchestra status {run_id} --follow{session.flags}")
    return EXIT_OK
