"""`orchestra cancel` and `redrive`: end a run, or let one that has ended go on."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.run import close, finish, leave
from cli.deployment import Choice
from cli.errors import EXIT_FAILED, EXIT_OK, Ended
from cli.execution import Session, document
from cli.options import Arn, Engine, EngineName, JsonFlag, NoWait, Region, RunId, Stack, exit_codes
from cli.ports import ports
from cli.run_id import require_id
from cli.terminal import note, terminal

CANCEL_EXIT_CODES = exit_codes(
    "the run is CANCELED, or with --no-wait is going to be", "the run has SUCCEEDED or FAILED, and cannot be canceled"
)


def cancel(
    ctx: typer.Context,
    *,
    run_id: RunId,
    engine: Engine = None,
    no_wait: NoWait = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """End a run, and watch it until it has ended.

    No task of it starts any more. A task that runs is not interrupted: its result is recorded, and nothing follows from
    it. To cancel a run that is CANCELED already changes nothing, and is no error.

    On stepfunctions the execution is stopped: the run is CANCELED at once. A task that runs is not interrupted either,
    but what it returns is recorded nowhere, and a redrive runs it again.

    With --json the document is that of run.
    """
    require_id("RUN", run_id)
    session = _session(ctx, Choice(stack, orchestrator_arn, region), engine, as_json=as_json)
    described = session.cancel(run_id)
    _require_cancelable(described["status"], run_id, session.flags)
    if no_wait:
        return leave(session, described, "Canceled" if described["status"] == "CANCELED" else "Canceling")
    described = session.follow(described)
    if as_json:
        session.terminal.answer(document(described, None))
    else:
        close(session, described)
    return EXIT_OK if described["status"] == "CANCELED" else EXIT_FAILED


def redrive(
    ctx: typer.Context,
    *,
    run_id: RunId,
    from_task: Annotated[
        str | None,
        typer.Option("--from", metavar="TASK", help="Only if no task has FAILED but this one and what comes after it."),
    ] = None,
    engine: Engine = None,
    no_wait: NoWait = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Let a run that is FAILED or CANCELED go on from where it ended, and watch it to its end.

    What has SUCCEEDED stays and does not run again; every other task runs, with its attempts counted anew. The run
    keeps its id, its input and its definition; the code of the services is that which is deployed now.

    On stepfunctions the execution is redriven, which Step Functions allows for 14 days after its end, and only if it is
    a Standard one. It goes on from where it stopped, so --from can only name the task that failed.

    With --json the document is that of run.
    """
    require_id("RUN", run_id)
    if from_task is not None:
        require_id("--from", from_task)
    session = _session(ctx, Choice(stack, orchestrator_arn, region), engine, as_json=as_json)
    described = session.redrive(run_id, from_task)
    if no_wait:
        return leave(session, described, "Redriven")
    return finish(session, session.follow(described))


def _session(ctx: typer.Context, choice: Choice, engine: EngineName | None, *, as_json: bool) -> Session:
    outside = ports(ctx)
    return Session(outside.connect(choice), terminal(as_json=as_json), outside.clock, choice.flags, engine)


def _require_cancelable(status: object, run_id: str, flags: str) -> None:
    match status:
        case "SUCCEEDED":
            raise Ended(f"run {run_id} has SUCCEEDED already; its output: orchestra output {run_id}{flags}")
        case "FAILED":
            raise Ended(f"run {run_id} has FAILED already; to let it go on: orchestra redrive {run_id}{flags}")
        case "FAILING":
            note("note: ", "yellow", f"run {run_id} is FAILING already; it ends when the tasks that run have ended")
