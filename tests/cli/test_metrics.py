"""`orchestra metrics`: what it reads, prints and exits with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.deployment import Choice
from cli.errors import RemoteError
from cli.meter import Metered
from cli.readings import Reading
from tests.cli.fake import NOW, Called, call

FOUND = Metered(
    "Orchestra/orchestra-local",
    "logs",
    [
        Reading("RunsSucceeded", {"workflow": "abc"}, 12, 1200, 100),
        Reading("RunDuration", {}, 4, 9200, 4100),
        Reading("OpenRuns", {}, 2, 5, 3),
        Reading("QueueWait", {"service": "\x1b[31ma"}, 1, 40, 40),
    ],
)


def metrics(*arguments: str, found: Any = FOUND) -> tuple[Called, list[Any]]:
    asked: list[Any] = []

    def meter(choice: Choice) -> Any:
        def read(begin_ms: int, end_ms: int) -> Metered:
            asked.append((choice, begin_ms, end_ms))
            if isinstance(found, Exception):
                raise found
            assert isinstance(found, Metered)
            return found

        return read

    return call("metrics", *arguments, meter=meter), asked


def test_it_is_a_table_of_what_each_kind_says() -> None:
    called, asked = metrics()

    assert (called.exit_code, called.stderr) == (0, "")
    assert asked == [(Choice(), NOW - 900_000, NOW)]
    assert called.stdout.splitlines() == [
        "METRIC         OF            VALUES    SUM  AVERAGE  MAXIMUM",
        "RunsSucceeded  workflow abc      12  1,200",
        "RunDuration                       4            2.3s     4.1s",
        "OpenRuns                          2             2.5        3",
        "QueueWait      service a          1            40ms     40ms",
    ]


def test_json_is_all_of_it() -> None:
    called, asked = metrics("--json", "--since", "2h", "--stack", "dev")

    assert asked == [(Choice(stack="dev"), NOW - 7_200_000, NOW)]
    document = called.document
    assert document.pop("metrics") == [reading.document() for reading in FOUND.readings]
    assert document == {
        "namespace": "Orchestra/orchestra-local",
        "source": "logs",
        "since": NOW - 7_200_000,
        "until": NOW,
    }


def test_nothing_is_said_to_be_nothing() -> None:
    called, _ = metrics("--since", "90s", found=Metered("Orchestra/x", "cloudwatch", []))

    assert (called.exit_code, called.stdout) == (0, "Nothing was counted in the last 90s.\n")


def test_a_span_that_is_none_asks_nobody() -> None:
    called, asked = metrics("--since", "soon")

    assert (called.exit_code, asked) == (2, [])
    assert called.stderr == ("error: --since: 'soon' is not a span of time up to 14d, such as 90s, 15m, 2h or 7d\n")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_an_error_is_one_line(arguments: tuple[str, ...]) -> None:
    called, _ = metrics(*arguments, found=RemoteError("AWS denied access"))

    assert (called.exit_code, called.stderr) == (1, "error: AWS denied access\n")
