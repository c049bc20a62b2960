from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.look import ASCII, UNICODE
from cli.report import report

FOUND = {
    "summary": "not shown",
    "sha256": "ab" * 32,
    "counts": {"bytes": 1462, "longest_line": 12.5, "empty": False, "title": None},
    "frequencies": {"distinct_words": 138, "top": [{"word": "that", "count": 13}, {"word": "the", "count": 11}]},
    "compressibility": {"zstd": {"bytes": 812, "ratio": 0.55}},
    "hostile\x1b[31m": "\x1b]0;x\x07[red]text",
    "many": list(range(20)),
    "nested": [[1], {"a": {"b": 1}}],
    "empty": {},
}


def shown(value: dict[str, Any], width: int, look: Any = UNICODE) -> list[str]:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    console.print(report(value, look, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_report_groups_facts_by_key() -> None:
    assert shown(FOUND, 80) == [
        "sha256           abababababababab...",
        "counts           bytes 1,462 · longest line 12.5 · empty no · title -",
        "frequencies      distinct words 138 · top that 13, the 11",
        "compressibility  zstd bytes 812 · zstd ratio 0.55",
        "hostile          [red]text",
        "many             0, 1, 2, 3, 4, 5, 6, 7, and 12 more",
        "nested           ..., ...",
        "empty",
    ]


def test_lines_break_between_facts_as_far_as_they_fit() -> None:
    assert shown({"counts": {"bytes": 1462, "words": 268, "longest line of all": 400}, "x": "y"}, 32) == [
        "counts  bytes 1,462 · words 268",
        "        longest line of all 400",
        "x       y",
    ]


@pytest.mark.parametrize("width", [1, 10, 20, 40])
def test_a_report_of_any_width_is_no_wider(width: int) -> None:
    assert all(len(line) <= width for line in shown(FOUND, width))


def test_a_report_without_unicode() -> None:
    assert shown({"a": {"x": 1, "y": 2}}, 80, ASCII) == ["a  x 1 | y 2"]
