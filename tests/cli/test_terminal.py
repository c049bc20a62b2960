from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.text import Text

from cli.grid import Column
from cli.look import UNICODE
from cli.terminal import Terminal, confirmed


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (io.StringIO(), ["A", "one", "  two three four five six seven"]),
        (Tty(), ["A", "one", "  two three four", "  five six seven"]),
    ],
)
def test_what_is_too_long_for_a_column_stands_below(file: io.StringIO, expected: list[str]) -> None:
    terminal = Terminal(Console(file=file, width=17, color_system=None), UNICODE, as_json=False)

    terminal.say_table([Column("A")], [[Text("one")], *terminal.beneath("two three four five six seven")])

    assert [line.rstrip() for line in file.getvalue().splitlines()] == expected


@pytest.mark.parametrize(
    ("typed", "answer"), [("y\n", True), ("YES \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_a_person_on_the_terminal_is_asked(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, answer: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Tty(typed))

    assert confirmed("Drop it?") is answer
    assert capsys.readouterr() == ("", "Drop it? [y/N] ")


def test_who_is_not_there_is_not_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    assert confirmed("Drop it?") is None
    assert capsys.readouterr() == ("", "")
