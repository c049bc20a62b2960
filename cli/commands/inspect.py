"""`orchestra status`, `list` and `output`: look at runs."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from cli.client import Client, Response
from cli.commands.run import finish, suggest
from cli.deployment import Choice
from cli.errors import EXIT_OK
from cli.execution import Session, exit_code
from cli.grid import Column, Row
from cli.look import style
from cli.model import run_of
from cli.options import Arn, Engine, EngineName, JsonFlag, Region, RunId, Stack
from cli.ports import ports
from cli.run_id import require_id
from cli.terminal import Terminal, terminal
from cli.text import clean, duration, moment
from cli.view import details
from orchestration.payload import Json

_RUNS = (
    Column("RUN", keep=0),
    Column("WORKFLOW", keep=3, most=32),
    Column("ENGINE", keep=4),
    Column("STATE", keep=1),
    Column("STARTED", keep=5),
    Column("TIME", keep=2, right=True),
    Column("ERROR", keep=6, most=60),
)


class RunStatus(StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILING = "FAILING"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


def status(
    ctx: typer.Context,
    *,
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch the run to its end, as run does.")] = False,
    engine: Engine = None,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Show every task of a run: state, attempts, times and errors.

    Exit code 1 if the run is FAILED or CANCELED, 0 if it is SUCCEEDED or still open.
    """
    require_id("RUN", run_id)
    choice = Choice(stack, orchestrator_arn, region)
    outside = ports(ctx)
    session = Session(outside.connect(choice), terminal(as_json=as_json), outside.clock, choice.flags, engine)
    described = session.describe(run_id)
    if follow:
        return finish(session, session.follow(described))
    run = run_of(described)
    if as_json:
        session.terminal.answer(described)
    else:
        session.terminal.say(details(run, session.terminal.frame(outside.clock.now_ms())))
        suggest(session, run)
    return exit_code(run.status)


def list_runs(
    ctx: typer.Context,
    *,
    workflow: Annotated[str | None, typer.Option("--workflow", "-w", help="Only runs of this workflow.")] = None,
    run_status: Annotated[
        RunStatus | None, typer.Option("--status", "-s", case_sensitive=False, help="Only runs in this state.")
    ] = None,
    engine: Annotated[EngineName | None, typer.Option("--engine", help="Only runs of this engine.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many runs to list.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where an earlier list ended.")] = None,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """List runs, the newest first, of both engines."""
    if workflow is not None:
        require_id("--workflow", workflow)
    client, now_ms = _connected(ctx, Choice(stack, orchestrator_arn, region))
    found = client.list_runs(workflow=workflow, status=run_status, limit=limit, cursor=cursor, engine=engine)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
    else:
        _show_runs(found, screen, now_ms)
    return EXIT_OK


def output(
    ctx: typer.Context,
    *,
    run_id: RunId,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="A task's id; without it, the run's output.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", "-r", help="Print a string as it is, not as JSON.")] = False,
    engine: Engine = None,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Print the output of a run, or of one of its tasks, as JSON.

    With --json the document is {"run_id", "output"}.
    """
    require_id("RUN", run_id)
    if task is not None:
        require_id("TASK", task)
    client, _ = _connected(ctx, Choice(stack, orchestrator_arn, region))
    found = client.output(run_id, task, engine)
    screen = terminal(as_json=as_json)
    value: Json = found["output"]
    if as_json:
        screen.answer(found)
    elif raw and isinstance(value, str):
        screen.say_raw(value)
    else:
        screen.say_json(value, whole=True, rest="")
    return EXIT_OK


def _connected(ctx: typer.Context, choice: Choice) -> tuple[Client, int]:
    outside = ports(ctx)
    return outside.connect(choice), outside.clock.now_ms()


def _show_runs(found: Response, screen: Terminal, now_ms: int) -> None:
    rows = [_cells(run, now_ms) for run in found["runs"]]
    if not rows:
        screen.say("No runs.")
        return
    screen.say_table(_RUNS, rows)
    if found.get("cursor"):
        screen.say(Text(f"There are more: --cursor {shlex.quote(clean(found['cursor']))}", "dim"))


def _cells(run: Response, now_ms: int) -> Row:
    state = clean(run.get("status"))
    begun, ended = run.get("started_at"), run.get("finished_at")
    error = run.get("error") or {}
    said = [clean(error[key]) for key in ("task", "name", "message") if error.get(key)]
    return (
        Text(clean(run.get("run_id")), "cyan"),
        Text(clean(run.get("workflow"))),
        Text(clean(run.get("engine") or "")),
        Text(state, style(state)),
        Text(moment(begun), "dim"),
        Text("" if begun is None else duration((now_ms if ended is None else ended) - begun)),
        Text(": ".join(said)),
    )
