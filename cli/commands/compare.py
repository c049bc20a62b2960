"""`orchestra compare`: one workflow on both engines, side by side."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli import comparison
from cli import input as run_input
from cli.commands.run import suggest
from cli.comparison import Comparison
from cli.deployment import Choice
from cli.errors import EXIT_FAILED, EXIT_OK
from cli.execution import Session
from cli.measure import measure, plan
from cli.options import Arn, JsonFlag, Region, Stack, exit_codes
from cli.ports import ports
from cli.run_id import require_id
from cli.terminal import terminal
from cli.text import clean
from cli.view import problems, summary

COMPARE_EXIT_CODES = exit_codes(
    "every run has SUCCEEDED, and their outputs are equal", "a run has not SUCCEEDED, outputs differ"
)


def compare(
    ctx: typer.Context,
    *,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow's name.")],
    argument: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="The runs' input, as run takes it."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="How many runs on each engine.")] = 3,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Run a workflow on both engines by turns, and show what each took.

    Measured are the wall time of a run, and its overhead: the part of it in which no task runs. The first run after a
    deployment has cold starts in it, so the median of a few says more.

    Modelled, since no run can read its bill, are the units that it is billed in and their price: from its graph, its
    attempts, how long its tasks took and how large its outputs are. The model is that of a deployment with little to
    do, in which every message has a Worker of its own; under load they share, and it is cheaper.

    Outputs that hold a time or the run's id differ in every run.

    With --json the document is {"workflow", "version", "equal", "difference", "engines": {ENGINE: {"runs", "wall_ms",
    "overhead_ms", "units", "requests", "usd_per_million_runs"}}, "barriers", "local", "prices"}.
    """
    require_id("WORKFLOW", workflow)
    value = run_input.resolve(argument)
    choice = Choice(stack, orchestrator_arn, region)
    outside = ports(ctx)
    session = Session(outside.connect(choice), terminal(as_json=as_json), outside.clock, choice.flags)
    planned = plan(session, workflow)
    with session.terminal.progress("Comparing") as tell:
        found = measure(session, planned, value, runs, outside.token, tell)
    if as_json:
        session.terminal.answer(comparison.document(found))
    else:
        show(session, found)
    return exit_code(found)


def exit_code(found: Comparison) -> int:
    return EXIT_FAILED if found.ended_badly or found.difference is not None else EXIT_OK


def show(session: Session, found: Comparison) -> None:
    """Print the comparison, or which run has ended otherwise than it should."""
    screen = session.terminal
    if found.ended_badly:
        for run in found.ended_badly:
            screen.say(Text.assemble("On ", (clean(run.engine), "bold"), "  ", (clean(run.run_id), "cyan")))
            for line in [summary(run, screen.frame(session.clock.now_ms())), *problems(run, screen.look)]:
                screen.say(line)
            suggest(session, run)
        return
    screen.say(comparison.verdict(found))
    if found.difference is not None:
        screen.say(Text.assemble(("first difference: ", "red"), found.difference))
        screen.say(Text("An output that holds a time or the run's id differs in every run.", "dim"))
    screen.say()
    screen.say_table(*comparison.table(found))
    screen.say()
    for remark in comparison.remarks(found):
        screen.say(Text(remark, "dim"))
