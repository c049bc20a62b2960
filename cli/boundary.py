"""The edge of the program: whatever a command raises becomes one line and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_group

from cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, BadInput, CliError, Interrupted, LocalTarget
from cli.terminal import report, report_bug, tolerate_any_text
from local.errors import LocalError


class Boundary(TyperGroup):
    """The root command. A command returns its exit code (None: 0), or raises CliError."""

    LAZY: ClassVar[Mapping[str, str]] = {"local": "cli.local"}
    """Groups whose module (with a Typer app named `app`) is imported when they are called: it imports Pulumi."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.LAZY:
            command = get_group(import_module(self.LAZY[name]).app)
            command.name = name
        return name, command, rest

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        tolerate_any_text()
        run = super().main
        code = guarded(
            # Not "standalone", whatever is asked: typer's own handling prints boxes, and has other exit codes.
            lambda: run(arguments, prog_name, complete_var, False, windows_expand_args, **extra),
            as_json="--json" in arguments,
        )
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None


def guarded(command: Callable[[], Any], *, as_json: bool) -> int:
    """Return the exit code of a command, having reported whatever it raised."""
    try:
        code = _outcome(command, as_json=as_json)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader went away, which needs no words
        _close_quietly()
        return EXIT_FAILED
    except OSError as exc:
        _report_system_error(exc, as_json=as_json)
        return EXIT_FAILED
    return code


def _outcome(command: Callable[[], Any], *, as_json: bool) -> int:
    try:
        returned = command()
    except OSError:
        raise
    except Exception as exc:  # noqa: BLE001 - the last line of defence
        if type(exc).__name__ == "NoArgsIsHelpError":  # a command without arguments, which has printed its help
            return EXIT_USAGE
        error = _expected(exc)
        if error is None:
            report_bug(exc, as_json=as_json)
            return EXIT_FAILED
        report(error, as_json=as_json)
        return error.exit_code
    return returned if isinstance(returned, int) else EXIT_OK


def _expected(exc: Exception) -> CliError | None:
    """Return what the user is told, or None if the error is a bug."""
    match exc:
        case CliError():
            return exc
        case typer.TyperException():  # an argument that does not parse
            return BadInput(_with_help_hint(exc))
        case LocalError():
            return LocalTarget(str(exc))
        case typer.Abort():
            return Interrupted("interrupted")
        case _:
            return None


def _report_system_error(exc: OSError, *, as_json: bool) -> None:
    """Report an error of the system, of which the most likely is that standard output takes no more: a full disk."""
    error = CliError(f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror or str(exc))
    if as_json:
        try:
            report(error, as_json=True)
        except OSError:
            as_json = False
    if not as_json:
        _close_quietly()
        report(error, as_json=False)


def _with_help_hint(exc: typer.TyperException) -> str:
    context = getattr(exc, "ctx", None)
    message = exc.format_message().replace("Value error, ", "").strip().rstrip(".")
    return f"{message} (see: {context.command_path} --help)" if context is not None else message


def _close_quietly() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
