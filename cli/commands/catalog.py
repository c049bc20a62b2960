"""`orchestra workflows` and `register`: what can be run, and on which engine."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli import state_machine
from cli.deployment import Choice
from cli.errors import EXIT_OK
from cli.grid import Column, Row
from cli.options import STEPFUNCTIONS, Arn, EngineName, JsonFlag, Region, Stack
from cli.ports import ports
from cli.terminal import terminal
from cli.text import clean

_WORKFLOWS = (
    Column("WORKFLOW", keep=0),
    Column("TASKS", keep=1, right=True),
    Column("SOURCE", keep=3),
    Column("VERSION", keep=4),
    Column("ENGINES", keep=2),
)


def workflows(
    ctx: typer.Context,
    *,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """List the workflows that can be run: those that the program declares, and those that were registered.

    ENGINES says on which: one that was registered for dynamodb only has no state machine.
    """
    choice = Choice(stack, orchestrator_arn, region)
    found = ports(ctx).connect(choice).workflows()
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
        return EXIT_OK
    rows: list[Row] = [
        (
            Text(clean(item.get("name")), "bold"),
            Text(clean(item.get("tasks"))),
            Text(clean(item.get("source"))),
            Text(clean(item.get("version"))[:12], "dim"),
            Text(clean(", ".join(map(str, item.get("engines") or ())))),
        )
        for item in found["workflows"]
    ]
    if not rows:
        screen.say(f"No workflows. Register one with: orchestra register FILE{choice.flags}")
        return EXIT_OK
    screen.say_table(_WORKFLOWS, rows)
    return EXIT_OK


def register(
    ctx: typer.Context,
    *,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON, or YAML in a .yaml or .yml file; - is JSON on standard input.")
    ],
    engine: Annotated[
        EngineName | None,
        typer.Option("--engine", help="With stepfunctions, also create or update its state machine."),
    ] = None,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Register a workflow definition, so that it can be run without a deployment.

    The file is {"name": ..., "timeout_s": ..., "tasks": {ID: {"service": ..., "after": [ID, ...], "params": {...},
    "timeout_s": ..., "total_timeout_s": ..., "at_most_once": ..., "retry": {...}}}}; all but name, tasks and service
    may be left out. A definition is named by its content: to register the same one again changes nothing.

    YAML is read as JSON is: only true, false, null and JSON's numbers are not strings, so that an id such as no, on
    or 2026-11-23 stays what it says; no key twice, no anchors, no tags.

    With --engine stepfunctions the definition can be run on both engines. The setting registerFlows allows it; where it
    is off, state machines are created by a deployment only, for the workflows that the program declares.
    """
    from cli import definition  # noqa: PLC0415 - YAML, which no other command needs

    choice = Choice(stack, orchestrator_arn, region)
    value = definition.read(file)
    found = ports(ctx).connect(choice).register(value, engine)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
        return EXIT_OK
    name = clean(found["name"])
    what = "Registered" if found["created"] else "Already registered:"
    screen.say(Text.assemble(f"{what} ", (name, "bold"), ("  version " + clean(found["version"])[:12], "dim")))
    if found.get("state_machine_arn"):
        screen.say(Text.assemble("State machine ", (clean(found["state_machine_arn"]), "dim")))
        for line in state_machine.remarks(found):
            screen.say(line)
    on = f" --engine {STEPFUNCTIONS}" if engine == STEPFUNCTIONS else ""
    screen.say(f"Run it: orchestra run {name}{on}{choice.flags}")
    return EXIT_OK
