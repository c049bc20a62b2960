from __future__ import annotations

import json

import pytest

from components import policies
from tests.components.examples import QUEUE_ARN, QUEUE_URL, TABLE_ARN, sweeper
from tests.snapshot import Snapshot, snapshot

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:sweeper-1234567"
GROUP = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/sweeper-1234567"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(sweeper)


def test_the_function(snap: Snapshot) -> None:
    inputs = dict(snap.one("aws:lambda/function:Function").inputs)
    code = inputs.pop("code")
    variables = inputs.pop("environment")["variables"]
    assert inputs == {
        "description": "Orchestra: finds runs that got stuck, and repairs them",
        "architectures": ["arm64"],
        "packageType": "Zip",
        "handler": "orchestration.sweeper.handler",
        "runtime": "python3.13",
        "role": "arn:aws:iam::123456789012:role/sweeper-1234567",
        "memorySize": 512,
        "timeout": 300,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
            "logGroup": "/aws/lambda/orchestra-test-sweeper",
        },
    }
    assert variables == {
        "TABLE_NAME": "runs",
        "QUEUE_URL": QUEUE_URL,
        "GRACE_S": "90",
        "LEASE_SLACK_S": "20",
        "SERVICES": '{"a": "task-a-7654321", "b": "task-b-7654321"}',
        "POWERTOOLS_SERVICE_NAME": "sweeper",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra/orchestra-test",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    assert code.files["orchestration/workflow.py"] == "orchestration/workflow.py"
    assert code.texts == {}


def test_its_role(snap: Snapshot) -> None:
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-test-sweeper"
    statements = policies.sweeper(table_arn=TABLE_ARN, worker_queue_arn=QUEUE_ARN)
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy", "sweeper").inputs["policy"])
    assert document == policies.function(log_group_arn=group, statements=statements)


def test_it_is_invoked_every_minute_and_not_again_if_that_fails(snap: Snapshot) -> None:
    schedule = snap.one("aws:scheduler/schedule:Schedule")
    assert schedule.inputs == {
        "description": "Orchestra: sweeps",
        "groupName": "sweeper-1234567",
        "scheduleExpression": "rate(1 minute)",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": FUNCTION,
            "roleArn": "arn:aws:iam::123456789012:role/sweeper-schedule-1234567",
            "retryPolicy": {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60},
        },
    }
    assert snap.one("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig").inputs == {
        "functionName": "sweeper-1234567",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 60,
    }
    assert snap.one("aws:iam/rolePolicy:RolePolicy", "sweeper-schedule").urn in schedule.dependencies


def test_the_schedule_may_invoke_this_function_alone_and_nobody_else_may_use_its_role(snap: Snapshot) -> None:
    role = snap.one("aws:iam/role:Role", "sweeper-schedule").inputs
    assert json.loads(role["assumeRolePolicy"]) == policies.scheduler_trust(account_id="123456789012", group_arn=GROUP)
    policy = snap.one("aws:iam/rolePolicy:RolePolicy", "sweeper-schedule").inputs
    assert policy["role"] == "sweeper-schedule-1234567"
    assert json.loads(policy["policy"]) == policies.invocation(FUNCTION)


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:Sweeper").outputs == {"sweeper_arn": FUNCTION}
