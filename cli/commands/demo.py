"""`orchestra demo`: the whole thing on this machine, in one command."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.text import Text

from cli import input as run_input
from cli.client import Response
from cli.commands.run import close
from cli.deployment import DEFAULT_STACK, Choice
from cli.execution import Session, document, exit_code
from cli.grid import Column
from cli.options import JsonFlag
from cli.ports import Ports, ports
from cli.report import report
from cli.run_id import new_run_id
from cli.terminal import Terminal, terminal
from cli.text import clean, duration
from orchestration.payload import Json

WORKFLOW = "abc"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gettysburg.txt"


def demo(ctx: typer.Context, *, as_json: JsonFlag = False) -> int:
    """Run A -> (B1, B2, B3) -> C on a real text, on this machine: no AWS account, no Docker, no network.

    Brings the local stack up if it is not (stop it with: orchestra local down), runs the reference workflow abc on
    examples/gettysburg.txt, and shows what it found. With --json the document is that of run.
    """
    screen, outside = terminal(as_json=as_json), ports(ctx)
    text = run_input.parse(run_input.read_file(EXAMPLE, EXAMPLE.name), name=EXAMPLE.name, what=EXAMPLE.name)
    screen.say(
        Text.assemble(("Orchestra", "bold"), "  A -> (B1, B2, B3) -> C on the Gettysburg Address, on this machine")
    )
    screen.say()
    _bring_up(screen, outside)
    # The demo has a stack of its own to show, whatever ORCHESTRA_STACK says.
    client = outside.connect(Choice(stack=DEFAULT_STACK))
    session = Session(client, screen, outside.clock, "")
    run_id = new_run_id(WORKFLOW, outside.clock.now_ms(), outside.token())
    described = session.follow(session.start(WORKFLOW, text, run_id))
    output = session.output_of(described)
    if as_json:
        screen.answer(document(described, output))
    else:
        _show(session, described, output)
    return exit_code(described["status"])


def _bring_up(screen: Terminal, outside: Ports) -> None:
    began = outside.clock.now_ms()
    with _progress(screen) as say:
        outside.bring_up(say)
    took = duration(outside.clock.now_ms() - began)
    mark = screen.look.symbol("SUCCEEDED")
    screen.say(Text.assemble((f"{mark} ", "green"), "Local stack is up", (f"  {took}", "dim")))
    screen.say()


@contextmanager
def _progress(screen: Terminal) -> Iterator[Callable[[str], None]]:
    """Give what shows a step: a line that changes, or nothing where none can."""
    if screen.as_json or not screen.live:
        yield lambda _step: None
        return
    with screen.console.status(Text("Starting the local stack")) as status:
        yield lambda step: status.update(
            Text(f"Starting the local stack  {clean(step)}", overflow="ellipsis", no_wrap=True)
        )


def _show(session: Session, described: Response, output: Json) -> None:
    screen = session.terminal
    close(session, described)
    if described["status"] == "SUCCEEDED" and isinstance(output, dict):
        screen.say()
        screen.say(Text(clean(output.get("summary", "Output")), "bold"))
        screen.say()
        screen.console.print(report(output, screen.look, screen.console.width))
    screen.say()
    _next_steps(screen, clean(described["run_id"]))


def _next_steps(screen: Terminal, run_id: str) -> None:
    screen.say(Text("Try next", "bold"))
    rows = [
        (Text(f"  {command}"), Text(why, "dim"))
        for command, why in (
            *_on_the_path(),
            (f"orchestra status {run_id}", "every task and its times"),
            ("orchestra run abc --input @FILE.txt", "the same on a text of yours"),
            ("orchestra register examples/fan-out.json", "a workflow of your own"),
            ("orchestra local down", "stop the local stack"),
        )
    ]
    columns = (Column("command", keep=0), Column("why", keep=1))
    screen.say_table(columns, rows, titles=False)


def _on_the_path() -> list[tuple[str, str]]:
    """Return the step that makes the others work, where it is needed: `make demo` needs no environment active."""
    if shutil.which("orchestra"):
        return []
    return [(f". {os.path.relpath(Path(sys.prefix, 'bin', 'activate'))}", "puts orchestra on the path")]
