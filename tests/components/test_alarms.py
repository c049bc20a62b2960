from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.alarms import OPERATIONS, Alarm, System, alarms
from components.settings import THRESHOLDS, AlarmThresholds, Settings
from orchestration.metrics import METRICS
from tests.test_readme import anchors

ROOT = Path(__file__).parents[2]
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-line"
SYSTEM = System(
    namespace="Orchestra/orchestra-test",
    functions={"orchestrator": "orchestrator-1", "worker": "worker-1", "sweeper": "sweeper-1"},
    services={"a": "task-a-1"},
    table="table-1",
    queue="worker-1",
    dead_letters={"dead-letters": "dead-1", "failed-records": "records-1"},
    machines={"line": MACHINE},
)
LIMITS: AlarmThresholds = {
    "runs_failed": 3,
    "task_failures": 7,
    "stream_age_s": 90,
    "queue_age_s": 2000,
    "stuck_minutes": 15,
}
ALARMS = {alarm.name: alarm for alarm in alarms(SYSTEM, LIMITS)}

Watched = tuple[str, str, dict[str, object], str]


def watched(alarm: Alarm) -> list[Watched]:
    return [(s.namespace, s.name, dict(s.dimensions), s.statistic) for s in alarm.sources]


def of(function: str, metric: str, statistic: str = "Sum") -> list[Watched]:
    return [("AWS/Lambda", metric, {"FunctionName": function}, statistic)]


def of_queue(name: str, metric: str) -> list[Watched]:
    return [("AWS/SQS", metric, {"QueueName": name}, "Maximum")]


def of_table(metric: str) -> list[Watched]:
    return [("AWS/DynamoDB", metric, {"TableName": "table-1", "Operation": o}, "Sum") for o in OPERATIONS]


def of_engine(metric: str, statistic: str = "Sum") -> list[Watched]:
    return [("Orchestra/orchestra-test", metric, {}, statistic)]


def of_machine(*metrics: str) -> list[Watched]:
    return [("AWS/States", metric, {"StateMachineArn": MACHINE}, "Sum") for metric in metrics]


def test_what_is_watched_and_when_it_is_too_much() -> None:
    found = {name: (watched(a), a.limit, a.period_s, a.periods, a.below, a.missing) for name, a in ALARMS.items()}
    once, lasting = (300, 1, False, "notBreaching"), (300, 3, False, "notBreaching")
    assert found == {
        "orchestrator-errors": (of("orchestrator-1", "Errors"), 0, *once),
        "orchestrator-throttles": (of("orchestrator-1", "Throttles"), 0, *lasting),
        "worker-errors": (of("worker-1", "Errors"), 0, *once),
        "worker-throttles": (of("worker-1", "Throttles"), 0, *lasting),
        "sweeper-errors": (of("sweeper-1", "Errors"), 0, *once),
        "sweeper-throttles": (of("sweeper-1", "Throttles"), 0, *lasting),
        "task-a-errors": (of("task-a-1", "Errors"), 7, *once),
        "task-a-throttles": (of("task-a-1", "Throttles"), 0, *lasting),
        "orchestrator-stream-age": (
            of("orchestrator-1", "IteratorAge", "Maximum"),
            90_000,
            *(60, 5, False, "notBreaching"),
        ),
        "sweeper-silent": (of("sweeper-1", "Invocations"), 1, 300, 2, True, "breaching"),
        "table-throttles": (of_table("ThrottledRequests"), 0, *lasting),
        "table-errors": (of_table("SystemErrors"), 0, *lasting),
        "worker-queue-age": (of_queue("worker-1", "ApproximateAgeOfOldestMessage"), 2000, *once),
        "dead-letters": (of_queue("dead-1", "ApproximateNumberOfMessagesVisible"), 0, *once),
        "failed-records": (of_queue("records-1", "ApproximateNumberOfMessagesVisible"), 0, *once),
        "quarantine-failures": (of_engine("QuarantineFailures"), 0, *once),
        "runs-failed": (of_engine("RunsFailed"), 3, *once),
        "runs-stuck": (of_engine("SweepLag", "Maximum"), 15 * 60_000, *once),
        "flow-line-failed": (of_machine("ExecutionsFailed", "ExecutionsTimedOut"), 3, *once),
        "flow-line-throttled": (of_machine("ExecutionThrottled"), 0, *lasting),
    }


def test_every_alarm_has_a_name_of_its_own() -> None:
    assert len(ALARMS) == len(alarms(SYSTEM, LIMITS))


@pytest.mark.parametrize("alarm", ALARMS.values(), ids=ALARMS)
def test_every_alarm_says_what_it_means_and_where_it_is_told_what_to_do(alarm: Alarm) -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert f"## {alarm.heading}\n" in page
    assert alarm.heading.lower().replace(" ", "-") in anchors(page)
    assert alarm.description == f'{alarm.means} What to do: docs/operations.md, "{alarm.heading}".'
    assert len(alarm.description) < 1024  # CloudWatch's limit
    assert re.fullmatch(r"[A-Z][^\n]+\.", alarm.means)
    assert 1 <= alarm.means.count(". ") + 1 <= 2, "one or two sentences"


def test_the_engine_emits_what_its_alarms_watch_with_exactly_these_dimensions() -> None:
    own = [s for alarm in ALARMS.values() for s in alarm.sources if s.namespace == SYSTEM.namespace]
    assert len(own) == 3
    assert [s.name for s in own if tuple(s.dimensions) not in METRICS[s.name].dimensions] == []


def test_the_operations_are_those_that_the_roles_allow() -> None:
    policies = (ROOT / "components" / "policies.py").read_text()
    actions = set(re.findall(r'"dynamodb:(\w+)"', policies))
    of_the_stream = {"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"}
    assert actions - of_the_stream == set(OPERATIONS)


def test_an_alarm_on_one_number_adds_up_no_more_than_cloudwatch_can() -> None:
    assert max(len(alarm.sources) for alarm in ALARMS.values()) <= 9  # ten metrics, and the sum is one


def test_without_state_machines_there_are_no_alarms_for_them() -> None:
    found = alarms(System(**{**vars(SYSTEM), "machines": {}}), LIMITS)
    assert [alarm.name for alarm in found if alarm.name.startswith("flow-")] == []


def test_by_default_a_run_that_fails_rings() -> None:
    assert Settings().thresholds == {
        "runs_failed": 0,
        "task_failures": 5,
        "stream_age_s": 60,
        "queue_age_s": 1800,
        "stuck_minutes": 10,
    }
    assert sorted(Settings().thresholds) == sorted(AlarmThresholds.__annotations__)
    assert [key for key, (default, allowed) in THRESHOLDS.items() if default not in allowed] == []
