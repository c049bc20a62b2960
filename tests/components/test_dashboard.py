from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from components import dashboard
from components.alarms import OPERATIONS
from orchestration.metrics import METRICS
from tests.components.test_alarms import ALARMS, MACHINE, SYSTEM

BODY = dashboard.body(SYSTEM, "us-east-1")
GRAPHS = {w["properties"]["title"]: w["properties"] for w in BODY["widgets"] if w["type"] == "metric"}

# What AWS's own services emit, with exactly these dimensions; the sources are named in components/alarms.py.
OF_AWS: dict[str, set[tuple[tuple[str, ...], str]]] = {
    "AWS/Lambda": {(("FunctionName",), name) for name in ("Errors", "Throttles", "IteratorAge", "Invocations")},
    "AWS/DynamoDB": {
        *((("TableName",), f"Consumed{what}CapacityUnits") for what in ("Read", "Write")),
        *((("TableName", "Operation"), name) for name in ("ThrottledRequests", "SystemErrors")),
    },
    "AWS/SQS": {
        (("QueueName",), name) for name in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible")
    },
    "AWS/States": {(("StateMachineArn",), name) for name in (*dashboard.EXECUTIONS, "ExecutionTime")}
    | {(("StateMachineArn",), "ExecutionThrottled")},
}


def named() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield namespace, dimensions and name of each metric that a graph names, by itself or in a search."""
    for graph in GRAPHS.values():
        for row in graph["metrics"]:
            if isinstance(row[0], dict):
                match = re.fullmatch(
                    r"""SEARCH\('\{"(.+)",(.+)\} MetricName="(\w+)"', '\w+', 300\)""", row[0]["expression"]
                )
                assert match, row
                yield match[1], tuple(match[2].split(",")), match[3]
            else:
                namespace, name, *rest = [item for item in row if not isinstance(item, dict)]
                yield namespace, tuple(rest[::2]), name


def test_every_metric_of_the_graphs_is_one_that_is_emitted_with_exactly_these_dimensions() -> None:
    found = set(named())
    own = {(dimensions, name) for namespace, dimensions, name in found if namespace == SYSTEM.namespace}
    assert {name for _, name in own} >= {"RunsStarted", "RunDuration", "AttemptDuration", "QueueWait", "SweeperRepairs"}
    assert [one for one in own if one[0] not in METRICS[one[1]].dimensions] == []
    others = {namespace for namespace, _, _ in found} - {SYSTEM.namespace}
    assert others == set(OF_AWS)
    assert [(n, d, name) for n, d, name in found if n in OF_AWS and (d, name) not in OF_AWS[n]] == []


def test_every_metric_of_the_alarms_is_one_that_is_emitted_with_exactly_these_dimensions() -> None:
    sources = [s for alarm in ALARMS.values() for s in alarm.sources if s.namespace != SYSTEM.namespace]
    assert [s for s in sources if (tuple(s.dimensions), s.name) not in OF_AWS[s.namespace]] == []


def test_every_metric_of_the_engine_that_counts_is_on_it() -> None:
    shown = {name for namespace, _, name in named() if namespace == SYSTEM.namespace}
    assert METRICS.keys() - shown == {"RunsCancelAsked", "RunsRedriven", "RunsSwept", "AttemptsCanceled"}


def test_both_engines_are_side_by_side() -> None:
    places = {w["properties"]["title"]: (w["x"], w["y"]) for w in BODY["widgets"] if w["type"] == "metric"}
    for what in ("Runs", "Time of a run"):
        suffix = " (ms)" if what == "Time of a run" else ""
        x, y = places[f"{what}: dynamodb{suffix}"]
        assert places[f"{what}: Step Functions{suffix}"] == (x, y + dashboard.HEIGHT)
    assert GRAPHS["Runs: Step Functions"]["metrics"] == [
        ["AWS/States", name, "StateMachineArn", MACHINE] for name in dashboard.EXECUTIONS
    ]


def test_nothing_lies_upon_anything_else() -> None:
    cells = [
        (x, y)
        for w in BODY["widgets"]
        for x in range(w["x"], w["x"] + w["width"])
        for y in range(w["y"], w["y"] + w["height"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(dashboard.COLUMNS))


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_graph_is_whole(graph: dict[str, Any]) -> None:
    assert sorted(graph) == ["metrics", "period", "region", "stat", "title", "view"]
    assert (graph["view"], graph["period"], graph["region"]) == ("timeSeries", 300, "us-east-1")
    assert graph["metrics"]


def test_the_limits_of_a_dashboard_are_kept() -> None:
    assert len(BODY["widgets"]) <= 500
    assert len(GRAPHS["Throttled requests to the table"]["metrics"]) == len(OPERATIONS)


def test_a_stack_without_state_machines_shows_one_engine() -> None:
    body = dashboard.body(type(SYSTEM)(**{**vars(SYSTEM), "machines": {}}), "us-east-1")
    assert "AWS/States" not in str(body)
    assert "Step Functions" not in str(body)
