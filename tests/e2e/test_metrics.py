"""What the functions tell of their work is read again, and the alarms stand, on the system as it is deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.metrics import METRICS
from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e

NAME = "metered"
DEFINITION = {
    "name": NAME,
    "tasks": {
        "first": {"service": "probe"},
        "second": {"service": "probe", "after": ["first"], "params": {"fail": "Broken"}},
    },
}


def told(system: System) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what `orchestra metrics` prints, by name and content of the dimension."""
    called = system.orchestra("metrics", "--since", "1h", "--json")
    assert (called.returncode, called.stderr) == (0, "")
    document = json.loads(called.stdout)
    assert (document["namespace"], document["source"]) == ("Orchestra/orchestra-local", "logs")
    return {(m["name"], "".join(m["dimensions"].values())): m for m in document["metrics"]}


def test_a_run_is_counted_and_measured(system: System) -> None:
    before = told(system)
    run = system.run(DEFINITION, "metered-1")
    found = told(system)

    assert {name for name, _ in found} <= METRICS.keys()
    assert run["status"] == "FAILED"
    assert [found[name, NAME]["sum"] for name in ("RunsStarted", "RunsFailed")] == [1, 1]
    duration = found["RunDuration", NAME]
    assert (duration["samples"], duration["unit"]) == (1, "Milliseconds")
    assert duration["sum"] == run["finished_at"] - run["started_at"]
    for name, unit in (("RunsStarted", "Count"), ("RunDuration", "Milliseconds")):
        everything = sum(m["samples"] for (each, of), m in found.items() if each == name and of)
        assert (found[name, ""]["samples"], found[name, ""]["unit"]) == (everything, unit)
    attempts = sum(task["attempts"] for task in run["tasks"].values())
    for name in ("AttemptDuration", "QueueWait"):
        earlier = before.get((name, "probe"), {"samples": 0})["samples"]
        assert found[name, "probe"]["samples"] >= earlier + attempts  # other runs of the system may go on


def test_an_alarm_rings_on_the_topic_when_it_begins_and_when_it_is_over(system: System) -> None:
    """CloudWatch is told that the alarm's state is another; the emulator does not work it out as CloudWatch does."""
    sqs, sns, cloudwatch = (system.client(service) for service in ("sqs", "sns", "cloudwatch"))
    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = system.deployment.outputs["alarm_topic_arn"]
    may_send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**may_send, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=heard, Attributes={"Policy": json.dumps(policy)})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName="orchestra-local-runs-stuck", StateValue=state, StateReason="a drill")
        (message,) = sqs.receive_message(QueueUrl=heard, WaitTimeSeconds=10)["Messages"]
        sqs.delete_message(QueueUrl=heard, ReceiptHandle=message["ReceiptHandle"])
        rung = json.loads(json.loads(message["Body"])["Message"])
        assert (rung["AlarmName"], rung["NewStateValue"]) == ("orchestra-local-runs-stuck", state)
        assert 'docs/operations.md, "A run does not go on"' in rung["AlarmDescription"]
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=heard)


def test_people_get_a_table(system: System) -> None:
    called = system.orchestra("metrics", "--since", "1h")
    assert called.returncode == 0
    titles, *rows = called.stdout.splitlines()
    assert titles.split() == ["METRIC", "OF", "VALUES", "SUM", "AVERAGE", "MAXIMUM"]
    assert rows


def test_the_alarms_and_the_dashboard_stand(system: System) -> None:
    client, outputs = system.client("cloudwatch"), system.deployment.outputs
    alarms = {
        alarm["AlarmName"]: alarm
        for page in client.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
    }
    assert {name for name in alarms if not name.startswith("orchestra-local-")} == set()
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms.values()} == {(outputs["alarm_topic_arn"],)}
    failed = alarms["orchestra-local-runs-failed"]
    assert (failed["Namespace"], failed["MetricName"]) == ("Orchestra/orchestra-local", "RunsFailed")
    assert "docs/operations.md" in failed["AlarmDescription"]
    body = client.get_dashboard(DashboardName=outputs["dashboard_name"])["DashboardBody"]
    assert outputs["state_machine_arns"]["abc"] in body
