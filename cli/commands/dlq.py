"""`orchestra dlq`: the messages and stream records that could not be handled, and are kept aside."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli.client import Response
from cli.deployment import Choice
from cli.errors import EXIT_FAILED, EXIT_OK, BadInput
from cli.grid import Column, Row
from cli.options import EXIT_CODES, Arn, JsonFlag, Region, Stack, exit_codes
from cli.ports import ports
from cli.run_id import require_id
from cli.terminal import Terminal, confirmed, terminal
from cli.text import clean, clean_lines, counted, duration, moment
from orchestration import payload
from orchestration.errors import PayloadError

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")

LetterId = Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as list shows it.")]

_LETTERS = (
    Column("ID", keep=0, least=36),  # it is there to be copied
    Column("QUEUE", keep=4),
    Column("AGE", keep=3, right=True),
    Column("RECEIVES", keep=5, right=True),
    Column("RUN", keep=1),
    Column("TASK", keep=2),
)


@app.command("list", epilog=EXIT_CODES)
def list_letters(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many letters to list.")] = 20,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """List the dead letters, each with what it is about, and why it is there if that is known."""
    choice = Choice(stack, orchestrator_arn, region)
    outside = ports(ctx)
    found = outside.connect(choice).dead_letters(limit)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
    else:
        _show_letters(found, limit, screen, outside.clock.now_ms())
    return EXIT_OK


@app.command("show", epilog=EXIT_CODES)
def show_letter(
    ctx: typer.Context,
    *,
    letter_id: LetterId,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Show a dead letter whole. It stays where it is."""
    require_id("ID", letter_id)
    choice = Choice(stack, orchestrator_arn, region)
    found = ports(ctx).connect(choice).dead_letter(letter_id)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
        return EXIT_OK
    _show_letter(found["letter"], screen)
    screen.say()
    screen.say(Text(f"Handle it once more: orchestra dlq redrive {clean(letter_id)}{choice.flags}", "dim"))
    return EXIT_OK


@app.command("redrive", epilog=exit_codes("done", "a letter cannot be redriven"))
def redrive_letters(
    ctx: typer.Context,
    *,
    letter_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The letter's id, as list shows it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Handle all of them once more.")] = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Handle a dead letter, or all of them, once more. Do so when the cause is mended.

    To handle a letter twice does no harm: what it asks for is done once. One that is refused stays where it is. With
    --all it is the first 1,000 letters of each queue.

    With --json the document is {"redriven": [ID], "refused": [{"id", "reason"}]}.
    """
    if (letter_id is None) != every:
        raise BadInput("ID: give the id of a letter, or --all")
    if letter_id is not None:
        require_id("ID", letter_id)
    found = ports(ctx).connect(Choice(stack, orchestrator_arn, region)).redrive_dead_letters(letter_id)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
    else:
        _show_redriven(found, screen)
    return EXIT_FAILED if found["refused"] else EXIT_OK


@app.command("drop", epilog=EXIT_CODES)
def drop_letter(
    ctx: typer.Context,
    *,
    letter_id: LetterId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal it is required.")] = False,
    stack: Stack = None,
    orchestrator_arn: Arn = None,
    region: Region = None,
    as_json: JsonFlag = False,
) -> int:
    """Delete a dead letter that cannot be redriven, and print it once more.

    A run loses nothing by it: what the message or record asked for, the Sweeper does.

    With --json the document is that of show.
    """
    require_id("ID", letter_id)
    if not yes:
        _require_confirmed(letter_id)
    found = ports(ctx).connect(Choice(stack, orchestrator_arn, region)).drop_dead_letter(letter_id)
    screen = terminal(as_json=as_json)
    if as_json:
        screen.answer(found)
        return EXIT_OK
    screen.say("Dropped 1 letter")
    _show_letter(found["letter"], screen)
    return EXIT_OK


def _require_confirmed(letter_id: str) -> None:
    match confirmed(f"Drop the letter {letter_id}? It cannot be brought back"):
        case None:
            raise BadInput("--yes: is required where there is no terminal to ask on; nothing was dropped")
        case False:
            raise BadInput("not confirmed; nothing was dropped")


def _show_letters(found: Response, limit: int, screen: Terminal, now_ms: int) -> None:
    letters = found["letters"]
    waiting = sum(int(queue.get("messages") or 0) for queue in found["queues"])
    rows: list[Row] = []
    for letter in letters:
        rows.append(_cells(letter, now_ms))
        if letter.get("reason"):
            rows += screen.beneath(clean(letter["reason"]))
    if rows:
        screen.say_table(_LETTERS, rows)
    elif not waiting:
        screen.say("No dead letters.")
    if waiting > len(letters):
        why = "a higher --limit shows more" if len(letters) >= limit else "another request looks at the others now"
        screen.say(Text(f"{len(letters)} of about {waiting:,}: {why}", "dim"))


def _cells(letter: Response, now_ms: int) -> Row:
    sent_at = letter.get("sent_at")
    return (
        Text(clean(letter.get("id")), "cyan"),
        Text(clean(letter.get("queue"))),
        Text("" if sent_at is None else duration(now_ms - sent_at)),
        Text(clean(letter.get("receives"))),
        Text(clean(letter.get("run_id") or "")),
        Text(clean(letter.get("task_id") or "")),
    )


def _show_redriven(found: Response, screen: Terminal) -> None:
    redriven, refused = found["redriven"], found["refused"]
    if not redriven and not refused:
        screen.say("No dead letters.")
    if redriven:
        screen.say(f"Redriven {counted(len(redriven), 'letter')}")
    for letter_id in redriven:
        screen.say(Text(f"  {clean(letter_id)}", "cyan"))
    if refused:
        screen.say(
            Text.assemble((f"Refused {counted(len(refused), 'letter')}", "red"), "; what is refused stays where it is")
        )
    for letter in refused:
        screen.say(Text.assemble("  ", (clean(letter.get("id")), "cyan"), f"  {clean(letter.get('reason'))}"))


def _show_letter(letter: Response, screen: Terminal) -> None:
    for name in ("id", "queue", "sent_at", "receives", "run_id", "task_id", "reason"):
        value = letter.get(name)
        shown = moment(value) if name == "sent_at" else "-" if value is None else clean(value)
        screen.say(Text.assemble((f"{name.removesuffix('_at').removesuffix('_id'):<9} ", "dim"), shown))
    screen.say()
    _show_body(str(letter.get("body")), screen)


def _show_body(body: str, screen: Terminal) -> None:
    try:
        value = payload.parse(body, what="body")  # strictly, for what is wrong with it must not be tidied away
    except PayloadError:
        screen.say(clean_lines(body))
    else:
        screen.say_json(value, whole=True, rest="")
