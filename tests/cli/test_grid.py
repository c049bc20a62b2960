from __future__ import annotations

import pytest
from rich.text import Text

from cli.grid import Column, Row, grid
from cli.look import ASCII, UNICODE, Look

COLUMNS = (
    Column("NAME", keep=0),
    Column("STATE", keep=2),
    Column("TIME", keep=1, right=True),
    Column("NOTE", keep=3, most=6),
    Column("EMPTY", keep=4),
)
ROWS: list[Row] = [
    tuple(map(Text, ("alpha-beta", "running", "9ms", "a long note", ""))),
    Text("one line across, as long as it likes"),
    tuple(map(Text, ("日本", "ok", "12.3s", "", ""))),
]


def lines(width: int | None, look: Look = UNICODE, *, titles: bool = False) -> list[str]:
    return [line.plain for line in grid(COLUMNS, ROWS, width=width, look=look, titles=titles)[0]]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            None,
            [
                "alpha-beta  running    9ms  a lon…",
                "one line across, as long as it likes",
                "日本        ok       12.3s",
            ],
        ),
        (
            34,
            ["alpha-beta  running    9ms  a lon…", "one line across, as long as it li…", "日本        ok       12.3s"],
        ),
        (33, ["alpha-beta  running    9ms", "one line across, as long as it l…", "日本        ok       12.3s"]),
        (20, ["alpha-beta    9ms", "one line across, as…", "日本        12.3s"]),
        (14, ["alpha-…    9ms", "one line acro…", "日本     12.3s"]),
        (9, ["alpha-be…", "one line…", "日本"]),
        (1, ["…", "…", "…"]),
    ],
)
def test_what_matters_least_gives_way(width: int | None, expected: list[str]) -> None:
    assert lines(width) == expected


def test_titles_and_a_look_without_unicode() -> None:
    assert lines(34, ASCII, titles=True) == [
        "NAME        STATE     TIME  NOTE",
        "alpha-beta  running    9ms  a long",
        "one line across, as long as it lik",
        "日本        ok       12.3s",
    ]


def test_the_first_is_not_cut_below_what_it_must_have() -> None:
    columns, row = (Column("ID", least=10), Column("RUN", keep=1)), (Text("0123456789"), Text("run"))
    shown = {width: grid(columns, [row], width=width, look=UNICODE, titles=False)[0][0].plain for width in (15, 14, 9)}
    assert shown == {15: "0123456789  run", 14: "0123456789", 9: "01234567…"}


def test_the_width_that_is_taken() -> None:
    assert grid(COLUMNS, ROWS, width=34, look=UNICODE, titles=False)[1] == 34
    assert grid(COLUMNS, ROWS, width=20, look=UNICODE, titles=False)[1] == 17
    assert grid(COLUMNS, [], width=20, look=UNICODE, titles=True)[0][0].plain == ""


@pytest.mark.parametrize("width", range(1, 60))
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    assert all(Text(line).cell_len <= width for line in lines(width, titles=True))
