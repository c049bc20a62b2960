"""The dashboard: what the system does, how both engines do, and how it is. Pure.

Source of its shape: docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html;
of SEARCH: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html (2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.alarms import OPERATIONS, System
from orchestration import metrics
from orchestration.metrics import Metric

Row = list[Any]
"""One line of a graph: a metric, or an expression."""
Widget = dict[str, Any]

COLUMNS = 24
WIDTH = 8
HEIGHT = 6
PERIOD_S = 300

ENDS = (metrics.RUNS_STARTED, metrics.RUNS_SUCCEEDED, metrics.RUNS_FAILED, metrics.RUNS_CANCELED)
EXECUTIONS = ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut")


def body(system: System, region: pulumi.Input[str]) -> dict[str, Any]:
    """Return the dashboard's body, which PutDashboard takes as JSON."""
    sections = [
        ("## Both engines", _engines(system)),
        ("## Tasks of the dynamodb engine", _tasks(system)),
        ("## Health", _health(system)),
    ]
    widgets: list[Widget] = []
    y = 0
    for title, graphs in sections:
        widgets.append(_text(title, y))
        y += 1
        for number, (name, rows) in enumerate(graphs):
            place = {"x": number % (COLUMNS // WIDTH) * WIDTH, "y": y + number // (COLUMNS // WIDTH) * HEIGHT}
            widgets.append({"type": "metric", **place, **_size(), "properties": _properties(name, rows, region)})
        y += -(-len(graphs) // (COLUMNS // WIDTH)) * HEIGHT
    return {"widgets": widgets}


Graph = tuple[str, Sequence[Row]]
"""A title, and what it shows."""


def _engines(system: System) -> list[Graph]:
    machines = system.machines.values()
    runs = [_own(system, metric) for metric in ENDS]
    flows = [["AWS/States", name, "StateMachineArn", arn] for name in EXECUTIONS for arn in machines]
    times = [["AWS/States", "ExecutionTime", "StateMachineArn", arn, {"stat": "p50"}] for arn in machines]
    slow = [["AWS/States", "ExecutionTime", "StateMachineArn", arn, {"stat": "p95"}] for arn in machines]
    graphs: list[Graph] = [
        ("Runs: dynamodb", runs),
        ("Time of a run: dynamodb (ms)", _spread(system, metrics.RUN_DURATION)),
        ("Open runs: dynamodb", [[*_own(system, metrics.OPEN_RUNS), {"stat": "Maximum"}]]),
    ]
    if machines:
        graphs += [
            ("Runs: Step Functions", flows),
            ("Time of a run: Step Functions (ms)", [*times, *slow]),
            ("Runs failed, by workflow: dynamodb", [_search(system, metrics.RUNS_FAILED, "Sum")]),
        ]
    return graphs


def _tasks(system: System) -> list[Graph]:
    ended = (metrics.ATTEMPTS_SUCCEEDED, metrics.ATTEMPTS_RETRIED, metrics.ATTEMPTS_FAILED, metrics.ATTEMPTS_RELEASED)
    return [
        ("Attempts, by service", [_search(system, metric, "Sum") for metric in ended]),
        ("Time of an attempt, 95th percentile (ms)", [_search(system, metrics.ATTEMPT_DURATION, "p95")]),
        ("Wait in the queue, 95th percentile (ms)", [_search(system, metrics.QUEUE_WAIT, "p95")]),
    ]


def _health(system: System) -> list[Graph]:
    functions = [*system.functions.values(), *system.services.values()]
    table = ["TableName", system.table]
    consumed = [["AWS/DynamoDB", f"Consumed{what}CapacityUnits", *table] for what in ("Read", "Write")]
    throttled = [["AWS/DynamoDB", "ThrottledRequests", *table, "Operation", name] for name in OPERATIONS]
    letters = [_queue("ApproximateNumberOfMessagesVisible", name) for name in system.dead_letters.values()]
    waiting = [_queue("ApproximateAgeOfOldestMessage", system.queue)]
    age = ["AWS/Lambda", "IteratorAge", "FunctionName", system.functions["orchestrator"], {"stat": "Maximum"}]
    lag = [*_own(system, metrics.SWEEP_LAG), {"stat": "Maximum"}]
    failures = _own(system, metrics.SWEEP_FAILURES)
    set_aside = (metrics.MESSAGES_QUARANTINED, metrics.RECORDS_QUARANTINED, metrics.QUARANTINE_FAILURES)
    return [
        ("Errors of functions", [["AWS/Lambda", "Errors", "FunctionName", name] for name in functions]),
        ("Throttles of functions", [["AWS/Lambda", "Throttles", "FunctionName", name] for name in functions]),
        ("Behind: stream and Sweeper (ms)", [age, lag]),
        ("Age of the oldest message (s)", waiting),
        ("Dead letters", letters),
        ("Set aside", [_own(system, metric) for metric in set_aside]),
        ("Units of the table", consumed),
        ("Throttled requests to the table", throttled),
        ("Repairs of the Sweeper", [_search(system, metrics.SWEEPER_REPAIRS, "Sum"), failures]),
    ]


def _own(system: System, metric: Metric) -> Row:
    assert () in metric.dimensions, f"{metric.name} has no metric without dimensions"
    return [system.namespace, metric.name]


def _spread(system: System, metric: Metric) -> list[Row]:
    return [[*_own(system, metric), {"stat": stat, "label": stat}] for stat in ("p50", "p95", "Maximum")]


def _search(system: System, metric: Metric, stat: str) -> Row:
    """Return a line for each content of the metric's dimension, also of those that come later."""
    (names,) = [names for names in metric.dimensions if names]
    schema = ",".join([f'"{system.namespace}"', *names])
    expression = f"SEARCH('{{{schema}}} MetricName=\"{metric.name}\"', '{stat}', {PERIOD_S})"
    return [{"expression": expression, "label": f"{metric.name} ${{PROP('Dim.{names[0]}')}}"}]


def _queue(name: str, queue: pulumi.Input[str]) -> Row:
    return ["AWS/SQS", name, "QueueName", queue, {"stat": "Maximum"}]


def _properties(title: str, rows: Sequence[Row], region: pulumi.Input[str]) -> dict[str, Any]:
    common = {"view": "timeSeries", "stat": "Sum", "period": PERIOD_S, "region": region}
    return {"title": title, "metrics": list(rows), **common}


def _text(markdown: str, y: int) -> Widget:
    place = {"x": 0, "y": y, "width": COLUMNS, "height": 1}
    return {"type": "text", **place, "properties": {"markdown": markdown}}


def _size() -> dict[str, int]:
    return {"width": WIDTH, "height": HEIGHT}
