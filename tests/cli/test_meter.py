"""The metrics of a deployment, read in moto's CloudWatch and in its logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from cli import meter
from cli.deployment import Target
from cli.errors import RemoteError
from cli.readings import Reading
from orchestration.clock import SystemClock
from tests.cli.test_readings import HERE, line

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orchestrator"
AWAY = Target(ARN, "us-east-1")
LOCAL = Target(ARN, "us-east-1", credentials=("test", "test"))
NOON = SystemClock().now() // 3_600_000 * 3_600_000  # a whole hour, and not so long ago that a log takes it no more
GROUP = "/aws/lambda/orchestra-local-"


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield


@pytest.fixture
def cloudwatch() -> Any:
    return boto3.client("cloudwatch", "us-east-1")


def put(cloudwatch: Any, name: str, values: list[float], ago_s: int = 60, namespace: str = HERE, **of: str) -> None:
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in of.items()],
                "Timestamp": NOON / 1000 - ago_s,
                "Value": value,
            }
            for value in values
        ],
    )


def read(cloudwatch: Any, span_s: int) -> list[Reading]:
    return meter.from_cloudwatch(cloudwatch, HERE, NOON - span_s * 1000, NOON)


def test_every_metric_of_the_namespace_is_added_up(cloudwatch: Any) -> None:
    put(cloudwatch, "RunsFailed", [2])  # once: moto lists one without dimensions as often as it was put
    put(cloudwatch, "RunDuration", [100, 300], workflow="abc")
    put(cloudwatch, "RunDuration", [200], ago_s=300, workflow="abc")
    put(cloudwatch, "QueueWait", [40, 60], service="a")
    put(cloudwatch, "QueueWait", [7000], ago_s=20_000, service="a")
    put(cloudwatch, "RunsFailed", [9], namespace="Orchestra/orchestra-dev")

    assert read(cloudwatch, 900) == [
        Reading("RunsFailed", {}, 1, 2, 2),
        Reading("RunDuration", {"workflow": "abc"}, 3, 600, 300),
        Reading("QueueWait", {"service": "a"}, 2, 100, 60),
    ]
    assert read(cloudwatch, 7 * 3600)[-1] == Reading("QueueWait", {"service": "a"}, 3, 7100, 7000)
    assert read(cloudwatch, 3 * 86_400)[-1] == Reading("QueueWait", {"service": "a"}, 3, 7100, 7000)
    assert read(cloudwatch, 30) == []


def test_more_metrics_than_one_request_takes_are_several(cloudwatch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_MAX_QUERIES", 6)
    for number in range(5):
        put(cloudwatch, "RunsStarted", [number + 1], workflow=f"w{number}")

    found = [(dict(reading.dimensions), reading.total) for reading in read(cloudwatch, 900)]
    assert found == [({"workflow": f"w{number}"}, number + 1) for number in range(5)]


def answer(monkeypatch: pytest.MonkeyPatch, configuration: dict[str, Any] | None) -> None:
    """Let Lambda answer so, or deny access; moto's functions want Docker."""
    stubbed = boto3.client("lambda", "us-east-1")
    stubber = Stubber(stubbed)
    if configuration is None:
        stubber.add_client_error("get_function_configuration", "AccessDeniedException", "no")
    else:
        stubber.add_response("get_function_configuration", configuration, {"FunctionName": ARN})
    stubber.activate()
    others = {service: boto3.client(service, "us-east-1") for service in ("logs", "cloudwatch")}
    monkeypatch.setattr(meter, "clients", lambda _target: {"lambda": stubbed, **others}.__getitem__)


CONFIGURATION = {
    "Environment": {"Variables": {"POWERTOOLS_METRICS_NAMESPACE": HERE}},
    "LoggingConfig": {"LogGroup": f"{GROUP}orchestrator"},
}


def test_on_aws_it_is_cloudwatch_that_is_asked(cloudwatch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, CONFIGURATION)
    put(cloudwatch, "RunsFailed", [1])

    found = meter.meter(AWAY)(NOON - 900_000, NOON)
    assert found == meter.Metered(HERE, "cloudwatch", [Reading("RunsFailed", {}, 1, 1, 1)])


def test_on_the_local_stack_it_is_the_logs_of_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, CONFIGURATION)
    logs = boto3.client("logs", "us-east-1")
    for name, at, text in (
        ("orchestra-local-orchestrator", NOON - 1000, line("RunsStarted", 1, [])),
        ("orchestra-local-worker", NOON - 2000, line("QueueWait", 40, ["service"], service="a")),
        ("orchestra-local-worker", NOON - 2000, "START RequestId: 1"),
        ("orchestra-local-worker", NOON - 901_000, line("QueueWait", 9, ["service"], service="a")),
        ("orchestra-other-worker", NOON - 2000, line("QueueWait", 9, ["service"], service="a")),
    ):
        group = f"/aws/lambda/{name}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            logs.create_log_group(logGroupName=group)
        stream = f"s{at}{len(text)}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": at, "message": text}])

    found = meter.meter(LOCAL)(NOON - 900_000, NOON)
    assert found == meter.Metered(
        HERE, "logs", [Reading("RunsStarted", {}, 1, 1, 1), Reading("QueueWait", {"service": "a"}, 1, 40, 40)]
    )


class OldestOnly:
    """Logs as the emulator answers: the oldest events of a span, so many at most, and no token."""

    def __init__(self, times: list[int]) -> None:
        self.events: list[dict[str, Any]] = [{"timestamp": at, "message": f"{n}"} for n, at in enumerate(times)]

    def get_paginator(self, name: str) -> OldestOnly:
        assert name == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, startTime: int, endTime: int) -> list[dict[str, Any]]:  # noqa: N803
        assert logGroupName == "group"
        found = [event for event in self.events if startTime <= event["timestamp"] <= endTime]
        return [{"events": found[: meter.MOST_EVENTS]}]


@pytest.mark.parametrize("times", [[], [1], [1, 2, 3], [1, 1, 2, 2, 3, 3, 4], [1, 2, 2, 3, 3, 3, 4, 5, 6, 6]])
def test_more_events_than_the_emulator_answers_at_once_are_all_read(
    times: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "MOST_EVENTS", 4)
    logs: Any = OldestOnly(times)
    assert [int(event["message"]) for event in meter.events(logs, "group", 1, 9)] == list(range(len(times)))


def test_a_function_that_is_not_the_orchestrator_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"FunctionName": "other"})
    with pytest.raises(RemoteError, match="has no POWERTOOLS_METRICS_NAMESPACE; is it Orchestra's Orchestrator"):
        meter.meter(AWAY)(NOON - 900_000, NOON)


def test_an_error_of_aws_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, None)
    with pytest.raises(RemoteError) as denied:
        meter.meter(AWAY)(NOON - 900_000, NOON)
    assert str(denied.value) == (
        "AWS denied access: no; ask for lambda:GetFunctionConfiguration, cloudwatch:ListMetrics and"
        " cloudwatch:GetMetricData"
    )
