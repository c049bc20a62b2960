from __future__ import annotations

import json

import pytest

from components import policies
from components.worker_pool import WorkerPool
from tests.components.examples import ENGINE, FUNCTION_ARNS, TABLE_ARN, worker_pool
from tests.snapshot import Snapshot, snapshot

SQS = "arn:aws:sqs:us-east-1:123456789012:"
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(worker_pool)


def test_the_queue(snap: Snapshot) -> None:
    inputs = dict(snap.one("aws:sqs/queue:Queue", "worker").inputs)
    assert json.loads(inputs.pop("redrivePolicy")) == {
        "deadLetterTargetArn": f"{SQS}worker-dead-letters-1234567",
        "maxReceiveCount": 5,
    }
    assert inputs == {
        "visibilityTimeoutSeconds": 6 * snap.one("aws:lambda/function:Function").inputs["timeout"],
        "messageRetentionSeconds": 14 * 24 * 60 * 60,
        "sqsManagedSseEnabled": True,
    }
    assert inputs["visibilityTimeoutSeconds"] == 5400


def test_the_dead_letters_are_kept_for_14_days_and_come_from_this_queue_alone(snap: Snapshot) -> None:
    assert snap.one("aws:sqs/queue:Queue", "worker-dead-letters").inputs == {
        "visibilityTimeoutSeconds": 30,
        "messageRetentionSeconds": 14 * 24 * 60 * 60,
        "sqsManagedSseEnabled": True,
    }
    allowed = snap.one("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy").inputs
    assert allowed["queueUrl"] == f"{URL}worker-dead-letters-1234567"
    assert json.loads(allowed["redriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"{SQS}worker-1234567"],
    }


def test_both_queues_are_reached_over_tls_alone(snap: Snapshot) -> None:
    found = {r.inputs["queueUrl"]: r.inputs["policy"] for r in snap.all("aws:sqs/queuePolicy:QueuePolicy")}
    assert {url: json.loads(text) for url, text in found.items()} == {
        f"{URL}{name}": policies.tls_only(f"{SQS}{name}") for name in ("worker-1234567", "worker-dead-letters-1234567")
    }


def test_the_function(snap: Snapshot) -> None:
    inputs = dict(snap.one("aws:lambda/function:Function").inputs)
    code = inputs.pop("code")
    variables = inputs.pop("environment")["variables"]
    assert inputs == {
        "description": "Orchestra: claims tasks and invokes their services",
        "architectures": ["arm64"],
        "packageType": "Zip",
        "handler": "orchestration.worker.handler",
        "runtime": "python3.13",
        "role": "arn:aws:iam::123456789012:role/worker-1234567",
        "memorySize": 512,
        "timeout": 900,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
            "logGroup": "/aws/lambda/orchestra-test-worker",
        },
    }
    assert variables == {
        "TABLE_NAME": "runs",
        "QUEUE_URL": f"{URL}worker-1234567",
        "DEAD_LETTERS_URL": f"{URL}worker-dead-letters-1234567",
        "GRACE_S": "90",
        "LEASE_SLACK_S": "20",
        "SERVICES": '{"a": "task-a-7654321", "b": "task-b-7654321"}',
        "POWERTOOLS_SERVICE_NAME": "worker",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra/orchestra-test",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    assert code.files["orchestration/workflow.py"] == "orchestration/workflow.py"
    assert code.texts == {}


def test_its_role(snap: Snapshot) -> None:
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-test-worker"
    statements = policies.worker(
        table_arn=TABLE_ARN,
        queue_arn=f"{SQS}worker-1234567",
        dead_letters_arn=f"{SQS}worker-dead-letters-1234567",
        task_function_arns=[FUNCTION_ARNS["a"], FUNCTION_ARNS["b"]],
    )
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert document == policies.function(log_group_arn=group, statements=statements)


def test_the_mapping(snap: Snapshot) -> None:
    mapping = snap.one("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert mapping.inputs == {
        "eventSourceArn": f"{SQS}worker-1234567",
        "functionName": "arn:aws:lambda:us-east-1:123456789012:function:worker-1234567",
        "batchSize": 10,
        "maximumBatchingWindowInSeconds": 0,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "metricsConfig": {"metrics": ["EventCount"]},
    }
    assert snap.one("aws:iam/rolePolicy:RolePolicy").urn in mapping.dependencies


def test_the_number_of_workers_can_be_limited() -> None:
    limited = snapshot(lambda: WorkerPool("worker", {**ENGINE, "function_arns": FUNCTION_ARNS, "max_workers": 7}))
    mapping = limited.one("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert mapping.inputs["scalingConfig"] == {"maximumConcurrency": 7}


def test_a_worker_may_send_to_the_queue_that_it_reads(snap: Snapshot) -> None:
    recursion = snap.one("aws:lambda/functionRecursionConfig:FunctionRecursionConfig")
    assert recursion.inputs == {"functionName": "worker-1234567", "recursiveLoop": "Allow"}


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:WorkerPool").outputs == {
        "queue_url": f"{URL}worker-1234567",
        "queue_arn": f"{SQS}worker-1234567",
        "worker_arn": "arn:aws:lambda:us-east-1:123456789012:function:worker-1234567",
        "dead_letters_url": f"{URL}worker-dead-letters-1234567",
        "dead_letters_arn": f"{SQS}worker-dead-letters-1234567",
    }
