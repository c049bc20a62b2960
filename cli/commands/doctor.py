"""`orchestra doctor`: what is missing or broken, and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from cli.deployment import DEFAULT_STACK
from cli.errors import EXIT_FAILED, EXIT_OK
from cli.health import Check, State
from cli.look import UNICODE
from cli.options import JsonFlag, Stack, exit_codes
from cli.ports import Ports, ports
from cli.terminal import Terminal, terminal
from cli.text import clean, counted

DOCTOR_EXIT_CODES = exit_codes("nothing that is needed is broken", "something that is needed is broken")

_LOOKS = {State.FINE: "SUCCEEDED", State.BROKEN: "FAILED"}
_STYLES = {State.FINE: "green", State.BROKEN: "bold red", State.LEFT_OUT: "dim"}
_NAME = 13  # cells, for the longest of them


def doctor(
    ctx: typer.Context,
    *,
    for_aws: Annotated[
        bool, typer.Option("--aws", help="Look at what a deployment to AWS needs, too; asks AWS who you are.")
    ] = False,
    stack: Stack = None,
    as_json: JsonFlag = False,
) -> int:
    """Check this machine and the stack, and say how to mend what is broken.

    Looked at are Python, the packages and environments against their locks, uv, Node, Pulumi, Docker, and of the stack
    on this machine whether it is up, answers, and is what the program says now. Without --aws nothing is asked beyond
    this machine, and only what the local target needs counts; a stack that is not up is nothing broken. With --aws and
    --stack NAME the Orchestrator of that stack is asked, too.

    With --json the document is {"healthy": ..., "checks": [{"name", "state": "fine"|"broken"|"left out", "found",
    "mend"}]}.
    """
    screen = terminal(as_json=as_json)
    chosen = stack or os.environ.get("ORCHESTRA_STACK") or DEFAULT_STACK
    found = []
    with screen.progress("Looking") as tell:
        for check in _checks(chosen, ports(ctx), for_aws=for_aws):
            tell(check.name)
            found.append(check)
    faults = sum(check.state is State.BROKEN for check in found)
    if as_json:
        screen.answer({"healthy": not faults, "checks": [check.document() for check in found]})
    else:
        _show(screen, found, faults, for_aws=for_aws)
    return EXIT_FAILED if faults else EXIT_OK


def _checks(stack: str, outside: Ports, *, for_aws: bool) -> Iterator[Check]:
    from cli import machine, stack_health  # noqa: PLC0415 - botocore and YAML, which other commands need not

    yield from machine.this_machine().checks(stack, for_aws=for_aws)
    yield from stack_health.checks(stack, outside.connect, for_aws=for_aws)


def _show(screen: Terminal, found: list[Check], faults: int, *, for_aws: bool) -> None:
    for check in found:
        style = _STYLES[check.state]
        line = Text.assemble((f"{_symbol(screen, check.state)} ", style), f"{check.name:<{_NAME}}", clean(check.found))
        screen.say(line)
        if check.mend:
            screen.say(
                Text(f"{' ' * (_NAME + 2)}{clean(check.mend)}", "bold" if check.state is State.BROKEN else "dim")
            )
    screen.say()
    use = "a deployment to AWS" if for_aws else "the local target"
    screen.say(f"{counted(faults, 'fault')}" if faults else f"All that {use} needs is here")


def _symbol(screen: Terminal, state: State) -> str:
    if state in _LOOKS:
        return screen.look.symbol(_LOOKS[state])
    return "–" if screen.look is UNICODE else "-"  # noqa: RUF001 - a dash
