"""Where the metrics of a deployment are read: on AWS in CloudWatch, on the local stack in the functions' logs.

Both are read with the caller's own credentials, and nothing goes through the Orchestrator but the question what its
namespace is. The emulator makes no metrics of the lines that functions print, so the lines themselves are read there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from cli.aws import clients
from cli.aws_errors import explain
from cli.errors import RemoteError
from cli.readings import Reading, from_lines, ordered

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

    from cli.deployment import Target

_NAMESPACE = "POWERTOOLS_METRICS_NAMESPACE"
NEEDS = "lambda:GetFunctionConfiguration, cloudwatch:ListMetrics and cloudwatch:GetMetricData"
_STATISTICS = ("SampleCount", "Sum", "Maximum")
# Source: docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html (2026).
_MAX_QUERIES = 500
# What was told of in the last three hours alone can be listed by itself.
# Source: docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html, "RecentlyActive" (2026).
_RECENT_S = 3 * 3600
MOST_EVENTS = 10_000
"""What the emulator answers at most, without a token to go on with: then it is asked from the last one's time on."""


@dataclass(frozen=True)
class Metered:
    """The metrics of a span of time, and where they were read."""

    namespace: str
    source: str  # "cloudwatch" or "logs"
    readings: Sequence[Reading]


Meter = Callable[[int, int], Metered]
"""Returns the metrics between two times, in epoch milliseconds. Raises CliError."""


def meter(target: Target) -> Meter:
    """Return a function that reads the metrics of the target. Raises CliError."""

    def read(begin_ms: int, end_ms: int) -> Metered:
        functions, store = _client("lambda", target), _client("logs" if target.local else "cloudwatch", target)
        try:
            namespace, group = _told_by(functions, target)
            if target.local:
                return Metered(namespace, "logs", from_lines(_lines(store, group, begin_ms, end_ms), namespace))
            return Metered(namespace, "cloudwatch", from_cloudwatch(store, namespace, begin_ms, end_ms))
        except (aws.BotoCoreError, aws.ClientError) as exc:
            raise explain(exc, target, NEEDS) from None

    return read


def _client(service: str, target: Target) -> Any:
    try:
        return clients(target)(service)
    except (aws.BotoCoreError, ValueError) as exc:  # ValueError: an endpoint or region that is not one
        raise explain(exc, target) from None


def _told_by(client: LambdaClient, target: Target) -> tuple[str, str]:
    """Return the namespace of the metrics, and the log group of the Orchestrator."""
    found = client.get_function_configuration(FunctionName=target.orchestrator_arn)
    namespace = found.get("Environment", {}).get("Variables", {}).get(_NAMESPACE)
    if not namespace:
        raise RemoteError(f"{target.orchestrator_arn} has no {_NAMESPACE}; is it Orchestra's Orchestrator?")
    return namespace, found.get("LoggingConfig", {}).get("LogGroup", "")


def _lines(client: CloudWatchLogsClient, group: str, begin_ms: int, end_ms: int) -> Iterator[str]:
    """Yield what the stack's functions have printed: their groups are named alike, but for the function."""
    prefix = group.rpartition("-")[0]
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"{prefix}-"):
        for found in page["logGroups"]:
            yield from (event["message"] for event in events(client, found["logGroupName"], begin_ms, end_ms))


def events(client: CloudWatchLogsClient, group: str, begin_ms: int, end_ms: int) -> Iterator[FilteredLogEventTypeDef]:
    """Yield the events of a log group on the local stack, the oldest first."""
    told = 0  # how many of those at the first instant have been yielded
    while True:
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=begin_ms, endTime=end_ms
        )
        found = [event for page in pages for event in page["events"]]
        yield from found[told:]
        if len(found) < MOST_EVENTS or len(found) == told:
            return
        begin_ms = found[-1]["timestamp"]
        told = sum(event["timestamp"] == begin_ms for event in found)


def from_cloudwatch(client: Any, namespace: str, begin_ms: int, end_ms: int) -> list[Reading]:
    """Return every metric of a namespace. Times are cut to whole periods, the shortest of which is a minute."""
    recent: dict[str, Any] = {"RecentlyActive": "PT3H"} if end_ms - begin_ms <= _RECENT_S * 1000 else {}
    pages = client.get_paginator("list_metrics").paginate(Namespace=namespace, **recent)
    metrics = [metric for page in pages for metric in page["Metrics"]]
    at_once = _MAX_QUERIES // len(_STATISTICS)
    readings: list[Reading] = []
    for start in range(0, len(metrics), at_once):
        readings += _data(client, metrics[start : start + at_once], begin_ms, end_ms)
    return ordered(readings)


def _data(client: Any, metrics: Sequence[Any], begin_ms: int, end_ms: int) -> Iterator[Reading]:
    period_s = _period_s((end_ms - begin_ms) // 1000)
    queries = [
        {
            "Id": f"{statistic.lower()}_{number}",
            "MetricStat": {"Metric": metric, "Period": period_s, "Stat": statistic},
        }
        for number, metric in enumerate(metrics)
        for statistic in _STATISTICS
    ]
    found: dict[str, list[float]] = {}
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=begin_ms / 1000, EndTime=end_ms / 1000
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(result["Values"])
    for number, metric in enumerate(metrics):
        samples, total, maximum = (found.get(f"{statistic.lower()}_{number}") or [] for statistic in _STATISTICS)
        if samples:
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            yield Reading(metric["MetricName"], dimensions, round(sum(samples)), sum(total), max(maximum))


def _period_s(span_s: int) -> int:
    """Return the length of the pieces that are added up: short enough for the span, and not too many."""
    if span_s <= _RECENT_S:
        return 60
    return 300 if span_s <= 86_400 else 3600
