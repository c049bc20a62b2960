"""`orchestra demo`: the whole thing on this machine, on both engines, in one command."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import typer
from rich.text import Text

from cli import comparison
from cli import input as run_input
from cli.client import Response
from cli.commands.compare import exit_code, show
from cli.commands.run import close
from cli.comparison import SUCCEEDED
from cli.deployment import DEFAULT_STACK, Choice
from cli.errors import EXIT_FAILED
from cli.execution import Session, document
from cli.grid import Column
from cli.measure import measure, plan
from cli.options import DYNAMODB, ENGINES, STEPFUNCTIONS, JsonFlag
from cli.ports import Ports, ports
from cli.report import report
from cli.run_id import new_run_id
from cli.terminal import Terminal, terminal
from cli.text import clean, duration
from orchestration.payload import Json

WORKFLOW = "abc"
RUNS = 3
"""On each engine, after the two that are shown: those had to start every process first."""
ABOUT = {
    DYNAMODB: "a table, its stream and workers:",
    STEPFUNCTIONS: "the same definition as a state machine:",
}
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gettysburg.txt"


def demo(ctx: typer.Context, *, as_json: JsonFlag = False) -> int:
    """Run A -> (B1, B2, B3) -> C on a real text, on this machine: no AWS account, no Docker, no network.

    Brings the local stack up if it is not (stop it with: orchestra local down), runs the reference workflow abc on
    examples/gettysburg.txt, on both engines, shows what it found, and ends with what each engine took in a few runs
    more. With --json the document is {"runs": [two of run], "comparison": that of compare, null if a run failed}.
    """
    screen, outside = terminal(as_json=as_json), ports(ctx)
    text = run_input.parse(run_input.read_file(EXAMPLE, EXAMPLE.name), name=EXAMPLE.name, what=EXAMPLE.name)
    screen.say(
        Text.assemble(("Orchestra", "bold"), "  A -> (B1, B2, B3) -> C on the Gettysburg Address, on this machine")
    )
    screen.say()
    _bring_up(screen, outside)
    # The demo has a stack of its own to show, whatever ORCHESTRA_STACK says.
    session = Session(outside.connect(Choice(stack=DEFAULT_STACK)), screen, outside.clock, "")
    planned = plan(session, WORKFLOW)
    ended = [_run(replace(session, engine=engine), text, outside) for engine in ENGINES]
    found = None
    if all(run["status"] == SUCCEEDED for run, _ in ended):
        _show_report(screen, ended[0][1])
        with screen.progress(f"Measuring {RUNS} runs more on each engine") as tell:
            found = measure(session, planned, text, RUNS, outside.token, tell)
        show(session, found)
    if as_json:
        documents = [document(described, output) for described, output in ended]
        screen.answer({"runs": documents, "comparison": None if found is None else comparison.document(found)})
    else:
        screen.say()
        _next_steps(screen, clean(ended[0][0]["run_id"]))
    return EXIT_FAILED if found is None else exit_code(found)


def _run(session: Session, text: Json, outside: Ports) -> tuple[Response, Json]:
    """Run it once on one engine, and show that. Return the run and its output."""
    screen = session.terminal
    screen.say(Text.assemble("On ", (session.engine or "", "bold"), f", {ABOUT[session.engine or '']}"))
    run_id = new_run_id(WORKFLOW, outside.clock.now_ms(), outside.token())
    described = session.follow(session.start(WORKFLOW, text, run_id))
    if not screen.as_json:
        close(session, described)
    screen.say()
    return described, session.output_of(described)


def _bring_up(screen: Terminal, outside: Ports) -> None:
    began = outside.clock.now_ms()
    with screen.progress("Starting the local stack") as say:
        outside.bring_up(say)
    took = duration(outside.clock.now_ms() - began)
    mark = screen.look.symbol(SUCCEEDED)
    screen.say(Text.assemble((f"{mark} ", "green"), "Local stack is up", (f"  {took}", "dim")))
    screen.say()


def _show_report(screen: Terminal, output: Json) -> None:
    if screen.as_json or not isinstance(output, dict):
        return
    screen.say(Text(clean(output.get("summary", "Output")), "bold"))
    screen.say()
    screen.console.print(report(output, screen.look, screen.console.width))
    screen.say()


def _next_steps(screen: Terminal, run_id: str) -> None:
    screen.say(Text("Try next", "bold"))
    rows = [
        (Text(f"  {command}"), Text(why, "dim"))
        for command, why in (
            *_on_the_path(),
            (f"orchestra status {run_id}", "every task and its times"),
            ("orchestra run abc --input @FILE.txt", "the same on a text of yours"),
            ("orchestra asl abc", "the same as a state machine"),
            ("orchestra register examples/fan-out.json", "a workflow of your own"),
            ("orchestra local down", "remove the stack and its runs"),
        )
    ]
    columns = (Column("command", keep=0), Column("why", keep=1))
    screen.say_table(columns, rows, titles=False)


def _on_the_path() -> list[tuple[str, str]]:
    """Return the step that makes the others work, where it is needed: `make demo` needs no environment active."""
    if shutil.which("orchestra"):
        return []
    return [(f". {os.path.relpath(Path(sys.prefix, 'bin', 'activate'))}", "puts orchestra on the path")]
