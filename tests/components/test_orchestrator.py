from __future__ import annotations

import json
from typing import Any

import pytest

from components import policies
from components.errors import ProgramError
from components.orchestrator import read_workflows
from orchestration.workflow import Task, Workflow
from tests.components.examples import (
    DEAD_LETTERS_ARN,
    DEAD_LETTERS_URL,
    LINE,
    QUEUE_ARN,
    QUEUE_URL,
    STREAM_ARN,
    TABLE_ARN,
    orchestrator,
)
from tests.snapshot import Snapshot, snapshot

FAILED = "orchestrator-failed-records-1234567"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(orchestrator)


def test_the_function(snap: Snapshot) -> None:
    inputs = dict(snap.one("aws:lambda/function:Function").inputs)
    code = inputs.pop("code")
    variables = inputs.pop("environment")["variables"]
    assert inputs == {
        "description": "Orchestra: starts runs and moves them on",
        "architectures": ["arm64"],
        "packageType": "Zip",
        "handler": "orchestration.orchestrator.handler",
        "runtime": "python3.13",
        "role": "arn:aws:iam::123456789012:role/orchestrator-1234567",
        "memorySize": 512,
        "timeout": 300,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
            "logGroup": "/aws/lambda/orchestra-test-orchestrator",
        },
    }
    assert variables == {
        "TABLE_NAME": "runs",
        "QUEUE_URL": QUEUE_URL,
        "DEAD_LETTERS_URL": DEAD_LETTERS_URL,
        "FAILED_RECORDS_URL": f"https://sqs.us-east-1.amazonaws.com/123456789012/{FAILED}",
        "GRACE_S": "90",
        "LEASE_SLACK_S": "20",
        "SERVICES": '{"a": "task-a-7654321", "b": "task-b-7654321"}',
        "POWERTOOLS_SERVICE_NAME": "orchestrator",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    assert code.files["orchestration/workflow.py"] == "orchestration/workflow.py"
    assert {path: json.loads(text) for path, text in code.texts.items()} == {"orchestration/workflows.json": [LINE]}


def test_its_role(snap: Snapshot) -> None:
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-test-orchestrator"
    statements = policies.orchestrator(
        table_arn=TABLE_ARN,
        stream_arn=STREAM_ARN,
        worker_queue_arn=QUEUE_ARN,
        dead_letters_arn=DEAD_LETTERS_ARN,
        failed_records_arn=f"arn:aws:sqs:us-east-1:123456789012:{FAILED}",
    )
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert document == policies.function(log_group_arn=group, statements=statements)


def test_every_knob_of_the_stream_is_set(snap: Snapshot) -> None:
    mapping = snap.one("aws:lambda/eventSourceMapping:EventSourceMapping")
    inputs = dict(mapping.inputs)
    [entry] = inputs.pop("filterCriteria")["filters"]
    assert inputs == {
        "eventSourceArn": STREAM_ARN,
        "functionName": "arn:aws:lambda:us-east-1:123456789012:function:orchestrator-1234567",
        "startingPosition": "TRIM_HORIZON",
        "batchSize": 100,
        "maximumBatchingWindowInSeconds": 0,
        "parallelizationFactor": 10,
        "maximumRetryAttempts": 10,
        "maximumRecordAgeInSeconds": 3600,
        "bisectBatchOnFunctionError": True,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "metricsConfig": {"metrics": ["EventCount"]},
        "destinationConfig": {"onFailure": {"destinationArn": f"arn:aws:sqs:us-east-1:123456789012:{FAILED}"}},
    }
    # The contract with the store: the write says in itself who acts on it.
    assert json.loads(entry["pattern"]) == {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"NewImage": {"handoff": {"S": ["stream"]}}},
    }
    assert snap.one("aws:iam/rolePolicy:RolePolicy").urn in mapping.dependencies


def test_what_failed_is_kept_for_14_days(snap: Snapshot) -> None:
    assert snap.one("aws:sqs/queue:Queue").inputs == {
        "visibilityTimeoutSeconds": 30,
        "messageRetentionSeconds": 14 * 24 * 60 * 60,
        "sqsManagedSseEnabled": True,
    }
    policy = snap.one("aws:sqs/queuePolicy:QueuePolicy").inputs["policy"]
    assert json.loads(policy) == policies.tls_only(f"arn:aws:sqs:us-east-1:123456789012:{FAILED}")


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:Orchestrator").outputs == {
        "orchestrator_arn": "arn:aws:lambda:us-east-1:123456789012:function:orchestrator-1234567",
        "failed_records_url": f"https://sqs.us-east-1.amazonaws.com/123456789012/{FAILED}",
    }


def test_definitions_are_written_whole_and_in_one_order() -> None:
    one = Workflow("one", {"T": Task("a")}).to_json()
    two = {"tasks": {"T": {"service": "b"}}, "name": "two"}
    text = read_workflows([two, one], {"a": "", "b": ""})
    assert text == read_workflows([one, two], {"b": "", "a": ""})
    assert json.loads(text) == [one, Workflow.from_json(two).to_json()]


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (
            [{"name": "w", "tasks": {"T": {"service": "absent"}}}],
            "workflow 'w': task T names the service 'absent', which is not deployed; the services are a, b",
        ),
        (
            [{"name": "w", "tasks": {"T": {"service": "a"}}}, {"name": "w", "tasks": {"U": {"service": "a"}}}],
            "workflow 'w': is declared twice",
        ),
        (
            [{"name": "w", "tasks": {"T": {"service": "a", "after": ["U"]}}}],
            "workflow 'w': tasks.T.after: names 'U', which is not a task",
        ),
    ],
)
def test_a_definition_that_could_not_run_stops_the_program(definitions: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ProgramError) as refused:
        read_workflows(definitions, {"b": "", "a": ""})
    assert str(refused.value) == message
    assert "\n" not in message
