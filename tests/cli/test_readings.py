"""Metrics out of log lines, as CloudWatch would take them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.errors import BadInput
from cli.readings import Reading, from_lines, ordered, span_s
from orchestration.metrics import Kind

HERE = "Orchestra/orchestra-local"


def line(name: str, value: Any, *sets: list[str], namespace: str = HERE, **dimensions: str) -> str:
    metrics = [{"Name": name, "Unit": "Count"}]
    directive = {"Namespace": namespace, "Dimensions": list(sets), "Metrics": metrics}
    return json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, name: value, **dimensions})


def test_values_are_added_up_for_each_set_of_dimensions() -> None:
    lines = [
        line("RunsFailed", [1.0], [], ["workflow"], workflow="abc"),
        line("RunsFailed", [2.0], [], ["workflow"], workflow="nightly"),
        line("RunDuration", [300], [], ["workflow"], workflow="abc"),
        line("RunDuration", 700, [], ["workflow"], workflow="abc"),
    ]
    assert from_lines(lines, HERE) == [
        Reading("RunsFailed", {}, 2, 3.0, 2.0),
        Reading("RunsFailed", {"workflow": "abc"}, 1, 1.0, 1.0),
        Reading("RunsFailed", {"workflow": "nightly"}, 1, 2.0, 2.0),
        Reading("RunDuration", {}, 2, 1000.0, 700.0),
        Reading("RunDuration", {"workflow": "abc"}, 2, 1000.0, 700.0),
    ]


@pytest.mark.parametrize(
    "other",
    [
        "START RequestId: 1",
        '{"level": "INFO", "message": "\\"CloudWatchMetrics\\""}',
        '"CloudWatchMetrics" {',
        '{"_aws": {"CloudWatchMetrics": 7}}',
        '{"_aws": {"CloudWatchMetrics": [{}]}}',
        line("RunsFailed", 1, [], namespace="Orchestra/orchestra-dev"),
        line("RunsFailed", 1, ["workflow"]),
    ],
    ids=["text", "log", "broken", "number", "empty", "another stack's", "no content"],
)
def test_what_is_none_of_the_engine_s_is_passed_over(other: str) -> None:
    known = line("RunsFailed", 1, [])
    assert from_lines([other, known], HERE) == [Reading("RunsFailed", {}, 1, 1.0, 1.0)]


def test_they_are_in_the_order_of_the_list_and_what_is_not_in_it_comes_last() -> None:
    mixed = [Reading(name, {}, 1, 1, 1) for name in ("Unheard", "QueueWait", "RunsStarted", "OpenRuns")]
    assert [reading.name for reading in ordered(mixed)] == ["RunsStarted", "QueueWait", "OpenRuns", "Unheard"]
    assert [reading.kind for reading in ordered(mixed)] == [Kind.COUNTER, Kind.DURATION, Kind.GAUGE, Kind.GAUGE]


def test_a_document_has_what_a_program_needs() -> None:
    assert Reading("QueueWait", {"service": "a"}, 4, 1000, 700).document() == {
        "name": "QueueWait",
        "dimensions": {"service": "a"},
        "unit": "Milliseconds",
        "samples": 4,
        "sum": 1000,
        "average": 250.0,
        "maximum": 700,
    }
    assert Reading("Unheard", {}, 1, 1, 1).document()["unit"] is None


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("90s", 90), ("15m", 900), ("2h", 7200), ("14d", 1_209_600)])
def test_a_span_is_what_it_says(text: str, seconds: int) -> None:
    assert span_s(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "0m", "-1h", "15 m", "1.5h", "15d", "9999999s", "1w", "٣m", "1m\n"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        span_s(text)
    assert str(refused.value).startswith("--since: ")
    assert str(refused.value).endswith(" is not a span of time up to 14d, such as 90s, 15m, 2h or 7d")
