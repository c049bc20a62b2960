"""`orchestra local`: the whole system on this machine."""

from __future__ import annotations

from typing import Annotated, Any, Self

import typer
from rich.text import Text

from cli.errors import EXIT_FAILED, EXIT_OK, Interrupted
from cli.options import JsonFlag
from cli.terminal import Terminal, terminal
from cli.text import clean, duration
from local import deployment
from local.deployment import Event, Result
from local.plan import SYMBOLS, Operation, Step, count, short_type

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")

Stack = Annotated[
    str, typer.Option("--stack", envvar="ORCHESTRA_LOCAL_STACK", metavar="NAME", help="The stack: Pulumi.NAME.yaml.")
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1024, max=65535, help="The emulator's port on 127.0.0.1; else a free one."),
]

_STYLES = {
    Operation.CREATE: "green",
    Operation.UPDATE: "yellow",
    Operation.REPLACE: "magenta",
    Operation.DELETE: "red",
}
_DONE = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.REPLACE: "replaced",
    Operation.DELETE: "deleted",
    Operation.SAME: "unchanged",
}
_PLANNED = {
    Operation.CREATE: "to create",
    Operation.UPDATE: "to update",
    Operation.REPLACE: "to replace",
    Operation.DELETE: "to delete",
    Operation.SAME: "unchanged",
}


@app.command()
def up(*, stack: Stack = "local", port: Port = None, as_json: JsonFlag = False) -> int:
    """Deploy the Pulumi program to this machine, or bring what stands up to date.

    Starts an AWS emulator on 127.0.0.1 if none runs for the stack, and creates in it what the program says; nothing
    leaves this machine. An `up` that was interrupted is finished by the next one. If the very first one fails before
    anything stands, the emulator is stopped again.
    """
    screen = terminal(as_json=as_json)
    try:
        with _Progress(screen) as progress:
            result = deployment.deploy(stack, progress.hear, port=port)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the next `orchestra local up` goes on from what stands") from None
    return _report(screen, "up", result, _DONE)


@app.command()
def preview(
    *,
    stack: Stack = "local",
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit with 1 if there is anything to change.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """Show what `up` would change. Writes nothing and starts nothing."""
    screen = terminal(as_json=as_json)
    with _Progress(screen) as progress:
        result = deployment.preview(stack, progress.hear)
    _report(screen, "preview", result, _PLANNED)
    return EXIT_FAILED if expect_no_changes and result.changes else EXIT_OK


@app.command()
def down(*, stack: Stack = "local", as_json: JsonFlag = False) -> int:
    """Stop the stack and remove all that it held: resources, runs and logs. The program and its settings stay."""
    screen = terminal(as_json=as_json)
    stopped = deployment.down(stack)
    if as_json:
        screen.answer({"operation": "down", "stack": stack, "stopped": stopped})
    screen.say(f"Stack {stack} is down" if stopped else f"Stack {stack} was not up")
    return EXIT_OK


@app.command()
def reset(*, stack: Stack = "local", as_json: JsonFlag = False) -> int:
    """Empty the stack, runs included, and deploy it anew on the same port.

    The program is checked first: one that cannot be deployed leaves everything as it is.
    """
    screen = terminal(as_json=as_json)
    with _Progress(screen) as progress:
        result = deployment.reset(stack, progress.hear)
    return _report(screen, "reset", result, _DONE)


@app.command()
def status(*, stack: Stack = "local", as_json: JsonFlag = False) -> int:
    """Say whether the stack is up, and how to reach it; exit with 1 if it is not."""
    screen = terminal(as_json=as_json)
    found = deployment.running(stack)
    if found is None:
        if as_json:
            screen.answer({"operation": "status", "stack": stack, "up": False})
        which = "" if stack == "local" else f" --stack {stack}"
        screen.say(f"Stack {stack} is not up; start it with: orchestra local up{which}")
        return EXIT_FAILED
    outputs = _shown(found.outputs, found.secrets)
    if as_json:
        screen.answer({
            "operation": "status", "stack": stack, "up": True, "complete": found.complete,
            "endpoint_url": found.endpoint_url, "region": found.region, "outputs": outputs,
        })  # fmt: skip
    screen.say(Text.assemble(f"Stack {stack} is up at ", (found.endpoint_url, "bold"), f" ({found.region})"))
    if not found.complete:
        screen.say("The last up did not finish; run it again: orchestra local up")
    _say_outputs(screen, outputs)
    return EXIT_OK


class _Progress:
    """Prints each change as it happens, and on a screen what goes on in between."""

    def __init__(self, screen: Terminal) -> None:
        self._screen = screen
        self._status = screen.console.status("Reading the program") if screen.live and not screen.as_json else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._status:
            self._status.stop()

    def hear(self, event: Event) -> None:
        if event.step is None:
            if self._status:
                self._status.update(Text(event.text))
        elif event.step.operation is not Operation.SAME:
            self._screen.say(_line(event.step))


def _line(step: Step) -> Text:
    style = _STYLES[step.operation]
    line = Text.assemble(
        (f" {SYMBOLS[step.operation]:<2} ", style), f"{short_type(step.type):<37} ", (step.name, "bold")
    )
    if step.changed:
        line.append(f"  [diff: {', '.join('~' + name for name in step.changed)}]", "dim")
    return line


def _report(screen: Terminal, operation: str, result: Result, words: dict[Operation, str]) -> int:
    totals = {kind: number for kind, number in count(result.steps).items() if number}
    outputs = _shown(result.outputs, result.secrets)
    if screen.as_json:
        screen.answer({
            "operation": operation,
            "stack": result.stack,
            "counts": {kind.value: number for kind, number in totals.items()},
            "steps": [_document(step) for step in result.steps if step.operation is not Operation.SAME],
            "outputs": outputs,
            "endpoint_url": result.deployment.endpoint_url if result.deployment else None,
            "duration_s": round(result.duration_s, 3),
        })  # fmt: skip
        return EXIT_OK
    if result.deployment and result.changes:
        _say_outputs(screen, outputs)
        screen.say()
    counts = ", ".join(f"{SYMBOLS[kind]} {number} {words[kind]}".strip() for kind, number in totals.items())
    screen.say(Text.assemble((counts or "no resources", "bold"), (f"  {duration(result.duration_s * 1000)}", "dim")))
    if result.deployment:
        screen.say(f"Stack {result.stack} is up at {result.deployment.endpoint_url}")
    return EXIT_OK


def _document(step: Step) -> dict[str, Any]:
    return {
        "operation": step.operation.value,
        "urn": step.urn,
        "type": step.type,
        "name": step.name,
        "changed": list(step.changed),
    }


def _say_outputs(screen: Terminal, outputs: dict[str, Any]) -> None:
    if not outputs:
        return
    screen.say()
    screen.say(Text("Outputs", "bold"))
    width = max(len(name) for name in outputs)
    for name, value in sorted(outputs.items()):
        if isinstance(value, dict):
            screen.say(f"  {clean(name)}")
            for key, item in sorted(value.items()):
                screen.say(f"    {clean(key)}: {clean(item)}")
        else:
            screen.say(f"  {clean(name):<{width}}  {clean(value)}")


def _shown(outputs: dict[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """Return the outputs as they may be shown: secrets masked, and what is not known yet said so."""
    masked = {name: "[secret]" if name in secrets else value for name, value in outputs.items()}
    return {name: _known(value) for name, value in sorted(masked.items())}


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    return "[not known yet]" if value == deployment.UNKNOWN else value
