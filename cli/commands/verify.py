"""`orchestra verify`: whether what is stored of a run can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from rich.text import Text

from cli.client import Client, Response
from cli.deployment import Choice
from cli.errors import EXIT_FAILED, EXIT_OK, BadInput, Interrupted, RemoteError
from cli.grid import Column, Row
from cli.options import Arn, JsonFlag, Region, Stack, exit_codes
from cli.ports import ports
from cli.run_id import require_id
from cli.terminal import Terminal, terminal
from cli.text import clean, counted

VERIFY_EXIT_CODES = exit_codes("all that was checked is as it must be", "there are violations")

_PAGE = 20  # runs
_VIOLATIONS = (
    Column("RUN", keep=0),
    Column("RULE", keep=1),
    Column("ITEM", keep=2),
)


def verify(
    ctx: typer.Context,
    *,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run's id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Check every run.")] = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Check that what is stored of a run, or of every run, breaks none of the engine's rules. Only reads.

    A violation is a bug of Orchestra, or an item that somebody else has written; docs/reliability.md lists the rules.

    With --json the document is {"checked", "violations": [{"run_id", "invariant", "item", "what"}]}.
    """
    if (run_id is None) != every:
        raise BadInput("RUN: give the id of a run, or --all")
    if run_id is not None:
        require_id("RUN", run_id)
    client = ports(ctx).connect(Choice(stack, orchestrator_arn, region))
    screen = terminal(as_json=as_json)
    with screen.progress("Checking") as tell:
        found = _checked(client, run_id, tell)
    if as_json:
        screen.answer(found)
    else:
        _show(found, screen)
    return EXIT_FAILED if found["violations"] else EXIT_OK


def _checked(client: Client, run_id: str | None, tell: Callable[[str], None]) -> Response:
    """Return what all pages together say."""
    found: Response = {"checked": 0, "violations": []}
    cursor: str | None = None
    limit = None if run_id else _PAGE
    while True:
        try:
            page = client.verify(run_id=run_id, cursor=cursor, limit=limit)
        except KeyboardInterrupt:
            raise Interrupted(f"interrupted; {_so_far(found)}") from None
        except RemoteError as exc:
            if exc.passing and limit and limit > 1:  # a page of large runs may take more time than there is
                limit = max(1, limit // 5)
                continue
            raise RemoteError(f"{exc}; {_so_far(found)}", passing=exc.passing) from None
        found["checked"] += page["checked"]
        found["violations"] += page["violations"]
        cursor = page["cursor"]
        if cursor is None:
            return found
        tell(_so_far(found))


def _so_far(found: Response) -> str:
    return f"{counted(found['checked'], 'run')} checked so far, {_verdict(found)}"


def _verdict(found: Response) -> str:
    return counted(len(found["violations"]), "violation") if found["violations"] else "no violations"


def _show(found: Response, screen: Terminal) -> None:
    rows: list[Row] = []
    for violation in found["violations"]:
        names = [clean(violation.get(key)) for key in ("run_id", "invariant", "item")]
        rows.append([Text(name, style) for name, style in zip(names, ("cyan", "bold red", ""), strict=True)])
        rows += screen.beneath(clean(violation.get("what")))
    if rows:
        screen.say_table(_VIOLATIONS, rows)
        screen.say()
    status, style = ("FAILED", "bold red") if rows else ("SUCCEEDED", "green")
    screen.say(
        Text.assemble(
            (f"{screen.look.symbol(status)} ", style), f"{counted(found['checked'], 'run')} checked, {_verdict(found)}"
        )
    )
