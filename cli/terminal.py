"""Where a command writes: stdout for its answer, stderr for what went wrong; JSON or for people, never both."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from cli.errors import CliError
from cli.grid import Column, Row, grid
from cli.look import UNICODE, Look, look_for
from cli.text import clean, clean_lines, pretty_json
from cli.view import Frame
from orchestration.payload import Json

_INDENT = 2
_LONGEST_ON_SCREEN = 60  # lines of a run's output; a file or a pipe gets all of them


@dataclass(frozen=True)
class Terminal:
    """One command's standard output, and what it can show."""

    console: Console
    look: Look
    as_json: bool

    @property
    def live(self) -> bool:
        """Say whether lines that were written can be drawn again."""
        return bool(self.console.file.isatty()) and not self.console.is_dumb_terminal

    def frame(self, now_ms: int, *, tick: int = 0) -> Frame:
        width = self.console.width if self.console.file.isatty() else None
        return Frame(now_ms=now_ms, look=self.look, width=width, height=self.console.height, tick=tick)

    def say(self, text: Text | str = "") -> None:
        """Print for people; nothing with --json. Text from outside must be clean."""
        if not self.as_json:
            self.console.print(text, soft_wrap=True)

    def answer(self, value: Json) -> None:
        """Print the one JSON document."""
        self.console.print(Text(self.json_text(value)), soft_wrap=True)

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[str], None]]:
        """Give what shows how far a command is: a line that changes, or nothing where none can."""
        if self.as_json or not self.live:
            yield lambda _step: None
            return

        def line(step: str = "") -> Text:
            return Text(f"{title}  {clean(step)}", overflow="ellipsis", no_wrap=True)

        with self.console.status(line()) as status:
            yield lambda step: status.update(line(step))

    def say_table(self, columns: Sequence[Column], rows: Sequence[Row], *, titles: bool = True) -> None:
        for line in grid(columns, rows, width=self.frame(0).width, look=self.look, titles=titles)[0]:
            self.say(line)

    def beneath(self, text: str) -> list[Row]:
        """Return a text that is too long for a column as rows of its own, to stand below another."""
        width = self.frame(0).width
        whole = Text(text, "dim")
        lines = [whole] if width is None else whole.wrap(self.console, max(1, width - _INDENT))
        return [Text(" " * _INDENT).append_text(line) for line in lines]

    def say_json(self, value: Json, *, whole: bool, rest: str) -> None:
        """Print JSON for people: coloured, and on a screen no more than fits to be read; `rest` says how to get all."""
        lines = self.json_text(value).split("\n")
        left_out = 0 if whole or not self.console.file.isatty() else max(0, len(lines) - _LONGEST_ON_SCREEN)
        text = Text("\n".join(lines[: len(lines) - left_out]))
        JSONHighlighter().highlight(text)
        self.say(text)
        if left_out:
            self.say(Text(f"{self.look.ellipsis} {left_out} more lines: {rest}", "dim"))

    def say_raw(self, text: str) -> None:
        """Print a string as it is; on a screen without what the screen would act on."""
        shown = clean_lines(text) if self.console.file.isatty() else text
        self.console.file.write(shown if shown.endswith("\n") else shown + "\n")

    def json_text(self, value: Json) -> str:
        return pretty_json(value, ascii_only=self.look is not UNICODE)


def terminal(*, as_json: bool) -> Terminal:
    console = plain_console()
    return Terminal(console, look_for(console.encoding), as_json)


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that takes no text for markup, emoji or anything but text."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def report(exc: CliError, *, as_json: bool) -> None:
    """Print an error as one line on stderr, and with --json as the document on stdout."""
    if as_json:
        terminal(as_json=True).answer({"error": {"code": exc.code, "message": clean(exc)}})
    note("error: ", "bold red", clean(exc))


def note(label: str, style: str, message: str) -> None:
    plain_console(stderr=True).print(Text.assemble((label, style), clean(message)), soft_wrap=True)


def aside(line: Text) -> None:
    """Print a line on stderr for people, beside what is on stdout. Text from outside must be clean."""
    plain_console(stderr=True).print(line, soft_wrap=True)


def confirmed(question: str) -> bool | None:
    """Ask a person on the terminal, and return the answer; None if there is nobody to ask.

    On stderr, since stdout is for the answer of the command.
    """
    if not sys.stdin.isatty():
        return None
    plain_console(stderr=True).print(f"{clean(question)} [y/N] ", end="", soft_wrap=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def report_bug(exc: Exception, *, as_json: bool) -> None:
    """Print an error that nobody foresaw as one line; its traceback is for those who ask for it."""
    if os.environ.get("ORCHESTRA_DEBUG") == "1":
        traceback.print_exception(exc, file=sys.stderr)
    said = f"{type(exc).__name__}: {clean(exc)}"
    report(CliError(f"unexpected {said} (a bug; ORCHESTRA_DEBUG=1 shows where)"), as_json=as_json)


def tolerate_any_text() -> None:
    """Let stdout and stderr escape what their encoding lacks, rather than fail (LANG=C, a Latin-1 pipe)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
