"""docs/parity.md shows the scenarios as they are."""

from __future__ import annotations

import re

from tests.parity import scenario, table
from tests.parity.__main__ import Report


def test_the_docs_show_every_scenario_and_how_it_comes_out() -> None:
    text = table.PAGE.read_text("utf-8")

    assert table.page(text) == text, "python -m tests.parity.table mends it"


def test_what_is_printed_says_how_each_came_out() -> None:
    first, *others = scenario.read()
    excused = next(s for s in others if s.not_implemented)
    report = Report({first.name: {"dynamodb": 0, "stepfunctions": 2}})

    lines = report.lines()

    assert lines[0].split() == ["scenario", "dynamodb", "stepfunctions"]
    assert lines[1].split() == [first.name, "passed", "FAILED"]
    assert next(line for line in lines if line.startswith(f"{excused.name} ")).split()[1:] == [
        "NOT",
        "RUN",
        "not",
        "implemented",
    ]
    assert len([line for line in lines if ": not implemented, since " in line]) == sum(
        len(s.not_implemented) for s in [first, *others]
    )
    assert max(map(len, lines[: len(others) + 2])) <= 80


def test_every_file_that_the_page_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", table.PAGE.read_text("utf-8"))

    assert links
    assert [link for link in links if not (table.PAGE.parent / link).exists()] == []
    named = re.findall(r"`(tests/[^`]+)`", table.PAGE.read_text("utf-8"))
    assert [name for name in named if not (table.PAGE.parents[1] / name).exists()] == []
