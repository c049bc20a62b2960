from __future__ import annotations

import json
from typing import Any

import pytest

from components import dashboard, policies
from components.alarms import System, alarms
from components.settings import Settings
from tests.components.examples import MACHINE_ARN, mailing_monitoring, monitoring
from tests.snapshot import Snapshot, snapshot

TOPIC = "arn:aws:sns:us-east-1:123456789012:monitoring-1234567"
SYSTEM = System(
    namespace="Orchestra/orchestra-test",
    functions={"orchestrator": "orchestrator-7654321", "worker": "worker-7654321", "sweeper": "sweeper-7654321"},
    services={"a": "task-a-7654321", "b": "task-b-7654321"},
    table="runs",
    queue="work",
    dead_letters={"dead-letters": "dead", "failed-records": "records"},
    machines={"line": MACHINE_ARN},
)
"""What is watched, as it is known after the deploy."""
ALARMS = {alarm.name: alarm for alarm in alarms(SYSTEM, Settings().thresholds)}


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(monitoring)


def alarm(snap: Snapshot, name: str) -> dict[str, Any]:
    return dict(snap.one("aws:cloudwatch/metricAlarm:MetricAlarm", f"monitoring-{name}").inputs)


def test_there_is_a_resource_for_each_alarm_and_all_of_them_ring_on_the_topic(snap: Snapshot) -> None:
    found = {r.name: r.inputs for r in snap.all("aws:cloudwatch/metricAlarm:MetricAlarm")}
    assert sorted(found) == sorted(f"monitoring-{name}" for name in ALARMS)
    for name, expected in ALARMS.items():
        inputs = found[f"monitoring-{name}"]
        assert inputs["name"] == f"orchestra-test-{name}"
        assert inputs["alarmDescription"] == expected.description
        assert (inputs["alarmActions"], inputs["okActions"]) == ([TOPIC], [TOPIC])
        assert (inputs["threshold"], inputs["evaluationPeriods"]) == (expected.limit, expected.periods)
        assert inputs["treatMissingData"] == expected.missing
        assert "insufficientDataActions" not in inputs


def test_an_alarm_on_one_metric(snap: Snapshot) -> None:
    found = alarm(snap, "orchestrator-stream-age")
    assert {key: found[key] for key in ("namespace", "metricName", "dimensions", "statistic", "period")} == {
        "namespace": "AWS/Lambda",
        "metricName": "IteratorAge",
        "dimensions": {"FunctionName": "orchestrator-7654321"},
        "statistic": "Maximum",
        "period": 60,
    }
    assert found["comparisonOperator"] == "GreaterThanThreshold"
    assert "metricQueries" not in found
    assert alarm(snap, "sweeper-silent")["comparisonOperator"] == "LessThanThreshold"


def test_an_alarm_on_a_metric_of_the_engine_has_no_dimensions(snap: Snapshot) -> None:
    found = alarm(snap, "runs-failed")
    assert (found["namespace"], found["metricName"]) == ("Orchestra/orchestra-test", "RunsFailed")
    assert "dimensions" not in found


def test_an_alarm_on_the_sum_of_several(snap: Snapshot) -> None:
    found = alarm(snap, "flow-line-failed")
    read = {"namespace": "AWS/States", "dimensions": {"StateMachineArn": MACHINE_ARN}, "stat": "Sum", "period": 300}
    assert found["metricQueries"] == [
        {
            "id": "total",
            "expression": "SUM([FILL(m0, 0), FILL(m1, 0)])",
            "label": "ExecutionsFailed",
            "returnData": True,
        },
        {"id": "m0", "metric": {**read, "metricName": "ExecutionsFailed"}},
        {"id": "m1", "metric": {**read, "metricName": "ExecutionsTimedOut"}},
    ]
    assert not {"namespace", "metricName", "dimensions", "statistic", "period"} & found.keys()
    assert len(alarm(snap, "table-throttles")["metricQueries"]) == 7


def test_the_topic_has_a_policy(snap: Snapshot) -> None:
    inputs = snap.one("aws:sns/topicPolicy:TopicPolicy").inputs
    assert inputs["arn"] == TOPIC
    assert json.loads(inputs["policy"]) == policies.alarm_topic(topic_arn=TOPIC, account_id="123456789012")


def test_somebody_is_mailed_only_if_the_stack_says_who(snap: Snapshot) -> None:
    assert snap.all("aws:sns/topicSubscription:TopicSubscription") == []
    found = snapshot(mailing_monitoring).one("aws:sns/topicSubscription:TopicSubscription").inputs
    assert found == {"topic": TOPIC, "protocol": "email", "endpoint": "ops@example.com"}


def test_the_dashboard_is_of_what_was_deployed(snap: Snapshot) -> None:
    inputs = snap.one("aws:cloudwatch/dashboard:Dashboard").inputs
    assert inputs["dashboardName"] == "orchestra-test"
    assert json.loads(inputs["dashboardBody"]) == dashboard.body(SYSTEM, "us-east-1")


def test_the_outputs(snap: Snapshot) -> None:
    component = snap.one("orchestra:components:Monitoring")
    assert component.outputs == {"topic_arn": TOPIC, "dashboard_name": "orchestra-test"}
