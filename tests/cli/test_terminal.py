from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from cli.grid import Column
from cli.look import UNICODE
from cli.terminal import Terminal


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
