"""What there is an alarm for: the metric, when it is too much, and what whoever is alarmed shall do. Pure.

Of a metric that is told only when something happens, no data is good news: `notBreaching`. The one exception is a
function that has to run every minute.

Sources, all of 2026: docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html,
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.settings import AlarmThresholds
from orchestration import metrics

# What the engine asks of the table. DynamoDB counts each operation by itself, and there is no metric of all of them.
OPERATIONS = ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")

PAGE = "docs/operations.md"


@dataclass(frozen=True)
class Source:
    """One metric of CloudWatch."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Sum"


@dataclass(frozen=True)
class Alarm:
    """It rings when the sum of `sources` is above `limit` (or below, if `below`) in each of `periods` in a row."""

    name: str
    means: str
    heading: str  # of docs/operations.md, which says what to do
    sources: Sequence[Source]
    limit: int
    period_s: int = 300
    periods: int = 1
    below: bool = False

    @property
    def description(self) -> str:
        return f'{self.means} What to do: {PAGE}, "{self.heading}".'

    @property
    def missing(self) -> str:
        """Return what no data counts as."""
        return "breaching" if self.below else "notBreaching"


@dataclass(frozen=True)
class System:
    """What is watched, by the names that CloudWatch's dimensions have. Most are not known before the deploy."""

    namespace: str  # of the engine's own metrics
    functions: Mapping[str, pulumi.Input[str]]  # of the engine: the function's name by what it is called here
    services: Mapping[str, pulumi.Input[str]]  # the function's name by service
    table: pulumi.Input[str]
    queue: pulumi.Input[str]
    dead_letters: Mapping[str, pulumi.Input[str]]  # the queue's name by what is in it
    machines: Mapping[str, pulumi.Input[str]]  # the state machine's ARN by workflow


def alarms(system: System, limits: AlarmThresholds) -> list[Alarm]:
    """Return every alarm of a system, each with a name of its own."""
    return [
        *_of_functions(system, limits),
        *_of_table(system),
        *_of_queues(system, limits),
        *_of_runs(system, limits),
        *_of_machines(system, limits),
    ]


def _of_functions(system: System, limits: AlarmThresholds) -> Iterator[Alarm]:
    for name, function in system.functions.items():
        yield Alarm(
            f"{name}-errors",
            f"The {name.capitalize()} ends with errors: it crashed, ran out of time or memory, or could not reach what"
            " it needs. Its log says where.",
            "A function of the engine fails",
            [_lambda("Errors", function)],
            limit=0,
        )
        yield _throttled(name, f"The {name.capitalize()}", function, "There is more to do than may run")
    for service, function in system.services.items():
        yield Alarm(
            f"task-{service}-errors",
            f"The service {service} failed more than {limits['task_failures']} times in 5 minutes. Failures that its"
            " retry policy mends count too.",
            "A run has failed",
            [_lambda("Errors", function)],
            limit=limits["task_failures"],
        )
        yield _throttled(f"task-{service}", f"The service {service}", function, "A service is busy")
    yield Alarm(
        "orchestrator-stream-age",
        f"The Orchestrator is more than {limits['stream_age_s']} s behind the table's stream: runs go on late.",
        "A run does not go on",
        [_lambda("IteratorAge", system.functions["orchestrator"], "Maximum")],
        limit=limits["stream_age_s"] * 1000,
        period_s=60,
        periods=5,
    )
    yield Alarm(
        "sweeper-silent",
        "The Sweeper was not invoked for 10 minutes: what gets lost now is not repaired.",
        "A run does not go on",
        [_lambda("Invocations", system.functions["sweeper"])],
        limit=1,
        periods=2,
        below=True,
    )


def _throttled(name: str, whose: str, function: pulumi.Input[str], heading: str) -> Alarm:
    return Alarm(
        f"{name}-throttles",
        f"{whose} has been throttled for 15 minutes: more is to be done than its concurrency, or the account's, lets"
        " run.",
        heading,
        [_lambda("Throttles", function)],
        limit=0,
        periods=3,
    )


def _of_table(system: System) -> Iterator[Alarm]:
    for name, metric, means in (
        ("table-throttles", "ThrottledRequests", "DynamoDB has throttled requests to the table for 15 minutes."),
        ("table-errors", "SystemErrors", "DynamoDB itself has failed requests to the table for 15 minutes."),
    ):
        yield Alarm(
            name,
            f"{means} Nothing is lost, and runs go on late.",
            "The table is throttled",
            [Source("AWS/DynamoDB", metric, {"TableName": system.table, "Operation": o}) for o in OPERATIONS],
            limit=0,
            periods=3,
        )


def _of_queues(system: System, limits: AlarmThresholds) -> Iterator[Alarm]:
    yield Alarm(
        "worker-queue-age",
        f"A message of the worker queue is older than {limits['queue_age_s']} s: no Worker takes it, or one has failed"
        " with it.",
        "A run does not go on",
        [_sqs("ApproximateAgeOfOldestMessage", system.queue)],
        limit=limits["queue_age_s"],
    )
    for name, queue in system.dead_letters.items():
        yield Alarm(
            name,
            f"There are dead letters in the queue of {name}: something could not be handled, and was set aside.",
            "There are dead letters",
            [_sqs("ApproximateNumberOfMessagesVisible", queue)],
            limit=0,
        )
    yield Alarm(
        "quarantine-failures",
        "Something could not be handled, and could not be set aside either: it comes again and again.",
        "There are dead letters",
        [_own(system, metrics.QUARANTINE_FAILURES)],
        limit=0,
    )


def _of_runs(system: System, limits: AlarmThresholds) -> Iterator[Alarm]:
    yield Alarm(
        "runs-failed",
        f"More than {limits['runs_failed']} runs of the dynamodb engine failed in 5 minutes.",
        "A run has failed",
        [_own(system, metrics.RUNS_FAILED)],
        limit=limits["runs_failed"],
    )
    yield Alarm(
        "runs-stuck",
        f"A run has been due for more than {limits['stuck_minutes']} minutes, and the Sweeper does not get to it, or"
        " fails in it.",
        "A run does not go on",
        [_own(system, metrics.SWEEP_LAG, "Maximum")],
        limit=limits["stuck_minutes"] * 60_000,
    )


def _of_machines(system: System, limits: AlarmThresholds) -> Iterator[Alarm]:
    for workflow, arn in system.machines.items():
        yield Alarm(
            f"flow-{workflow}-failed",
            f"More than {limits['runs_failed']} runs of {workflow} on Step Functions failed or timed out in 5 minutes.",
            "A run has failed",
            [_states("ExecutionsFailed", arn), _states("ExecutionsTimedOut", arn)],
            limit=limits["runs_failed"],
        )
        yield Alarm(
            f"flow-{workflow}-throttled",
            f"Step Functions has throttled the runs of {workflow} for 15 minutes: they go on late.",
            "There is more to do than may run",
            [_states("ExecutionThrottled", arn)],
            limit=0,
            periods=3,
        )


def _lambda(name: str, function: pulumi.Input[str], statistic: str = "Sum") -> Source:
    return Source("AWS/Lambda", name, {"FunctionName": function}, statistic)


def _sqs(name: str, queue: pulumi.Input[str]) -> Source:
    return Source("AWS/SQS", name, {"QueueName": queue}, "Maximum")


def _states(name: str, arn: pulumi.Input[str]) -> Source:
    return Source("AWS/States", name, {"StateMachineArn": arn})


def _own(system: System, metric: metrics.Metric, statistic: str = "Sum") -> Source:
    assert () in metric.dimensions, f"{metric.name} has no metric without dimensions"
    return Source(system.namespace, metric.name, {}, statistic)
