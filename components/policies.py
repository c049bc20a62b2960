"""IAM documents from plain values: exactly what each role does, on exactly what it does it to. Pure.

Pulumi's Outputs are resolved before they come here, so that every document can be read, and tested, as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Statement = dict[str, Any]
Document = dict[str, Any]

VERSION = "2012-10-17"

# X-Ray's write actions support no resource: "*" is the only one that AWS accepts for them.
# Source: the Service Authorization Reference, "Actions defined by AWS X-Ray" (2026).
XRAY: Statement = {
    "Sid": "Trace",
    "Effect": "Allow",
    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    "Resource": "*",
}


def lambda_trust(account_id: str) -> Document:
    """Return the trust of an execution role: Lambda alone, and only on behalf of this account.

    Source: docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html, on `aws:SourceAccount` (2026).
    """
    return _trust("lambda.amazonaws.com", {"aws:SourceAccount": account_id})


def scheduler_trust(*, account_id: str, group_arn: str) -> Document:
    """Return the trust of a schedule's role: EventBridge Scheduler alone, and only for one group of schedules.

    The service names the group, and not the schedule, as the source.
    Source: docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html (2026).
    """
    return _trust("scheduler.amazonaws.com", {"aws:SourceAccount": account_id, "aws:SourceArn": group_arn})


def function(*, log_group_arn: str, statements: Sequence[Statement] = ()) -> Document:
    """Return what a function may do: write its own logs, send traces, and `statements`."""
    logs = _allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"])
    return _document(logs, XRAY, *statements)


def orchestrator(
    *, table_arn: str, stream_arn: str, worker_queue_arn: str, dead_letters_arn: str, failed_records_arn: str
) -> list[Statement]:
    """Return what the Orchestrator may do with the runs, their stream and the queues."""
    return [
        _allow(
            "Runs",
            [
                "dynamodb:BatchGetItem",
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            [table_arn],
        ),
        _allow("ListRuns", ["dynamodb:Query"], [f"{table_arn}/index/open_runs", f"{table_arn}/index/runs"]),
        _allow(
            "Stream",
            [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            [stream_arn],
        ),
        _allow("Dispatch", ["sqs:SendMessage"], [worker_queue_arn]),
        _allow("SetAside", ["sqs:SendMessage"], [failed_records_arn]),
        _allow(
            "DeadLetters",
            ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            [dead_letters_arn, failed_records_arn],
        ),
    ]


def worker(
    *, table_arn: str, queue_arn: str, dead_letters_arn: str, task_function_arns: Sequence[str]
) -> list[Statement]:
    """Return what the Worker may do with the runs, its queues and the task functions."""
    return [
        _allow("Claim", ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"], [table_arn]),
        _allow(
            "Queue",
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"],
            [queue_arn],
        ),
        _allow("SetAside", ["sqs:SendMessage"], [dead_letters_arn]),
        _allow("Invoke", ["lambda:InvokeFunction"], sorted(task_function_arns)),
    ]


def sweeper(*, table_arn: str, worker_queue_arn: str) -> list[Statement]:
    """Return what the Sweeper may do with the runs and the worker queue."""
    return [
        _allow("Find", ["dynamodb:Query"], [f"{table_arn}/index/open_runs"]),
        _allow(
            "Repair", ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"], [table_arn]
        ),
        _allow("Dispatch", ["sqs:SendMessage"], [worker_queue_arn]),
    ]


def invocation(function_arn: str) -> Document:
    """Return the permission to invoke one function, and nothing else."""
    return _document(_allow("Invoke", ["lambda:InvokeFunction"], [function_arn]))


def tls_only(queue_arn: str) -> Document:
    """Return a queue policy that grants nothing, and refuses whoever does not come over TLS."""
    return _document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def _trust(service: str, source: dict[str, str]) -> Document:
    """Return who may assume a role: a service, as long as it acts for this source."""
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": source},
        }
    )


def _allow(sid: str, actions: list[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
