"""IAM documents from plain values: exactly what each role does, on exactly what it does it to. Pure.

Pulumi's Outputs are resolved before they come here, so that every document can be read, and tested, as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components import arns

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

# What a state machine needs to send traces. Source: docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html (2026).
STATES_XRAY: Statement = {
    "Sid": "Trace",
    "Effect": "Allow",
    "Action": [
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ],
    "Resource": "*",
}

# What a state machine needs to log. None of these actions supports a resource.
# Source: docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html, "IAM policies for logging" (2026).
LOG_DELIVERY: Statement = {
    "Sid": "Log",
    "Effect": "Allow",
    "Action": [
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
    ],
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


def states_trust(*, account_id: str, machine_arn: str) -> Document:
    """Return the trust of a state machine's role: Step Functions alone, and only for the machines of this ARN.

    The ARN may be a pattern, for machines that are not there yet.
    Source: docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html, on the confused deputy (2026).
    """
    return _trust("states.amazonaws.com", {"aws:SourceAccount": account_id}, source_arn=machine_arn)


def state_machine(*, function_arns: Sequence[str]) -> Document:
    """Return what a state machine may do: invoke these functions, deliver its log, and send traces."""
    invoke = _allow("Invoke", ["lambda:InvokeFunction"], sorted(function_arns))
    return _document(invoke, LOG_DELIVERY, STATES_XRAY)


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


def flows(machine_arns: Sequence[str]) -> list[Statement]:
    """Return what the Orchestrator may do with state machines, whose ARNs may be patterns, and with their executions.

    Source: the Service Authorization Reference, "Actions defined by AWS Step Functions" (2026).
    """
    machines = sorted(machine_arns)
    return [
        _allow("Flows", ["states:DescribeStateMachine", "states:ListExecutions", "states:StartExecution"], machines),
        _allow(
            "Executions",
            [
                "states:DescribeExecution",
                "states:DescribeStateMachineForExecution",
                "states:GetExecutionHistory",
                "states:RedriveExecution",
                "states:StopExecution",
            ],
            [arns.executions(arn) for arn in machines],
        ),
    ]


def flow_registration(*, machines: str, role_arn: str, declared_arns: Sequence[str]) -> list[Statement]:
    """Return what the Orchestrator needs to make state machines of registered workflows, with the role of them all.

    `machines` is the pattern of their ARNs. The program's own machines match it too, and are the program's alone.
    To set up a log delivery, or to change it, is up to whoever makes the machine as well as to the machine's role.
    Source: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html (2026).
    """
    make = ["states:CreateStateMachine", "states:UpdateStateMachine"]
    pass_role = _allow("PassRole", ["iam:PassRole"], [role_arn])
    own = [{"Sid": "Declared", "Effect": "Deny", "Action": make, "Resource": sorted(declared_arns)}]
    return [
        _allow("Register", [*make, "states:TagResource"], [machines]),
        *(own if declared_arns else []),
        {**pass_role, "Condition": {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}},
        {
            "Sid": "DeliverLogs",
            "Effect": "Allow",
            "Action": [
                "logs:CreateLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:PutResourcePolicy",
            ],
            "Resource": "*",
        },
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


def alarm_topic(*, topic_arn: str, account_id: str) -> Document:
    """Return the policy of the topic that alarms ring on: those of this account alone, and over TLS.

    Whom in the account IAM lets publish or subscribe may do so too.
    Source: repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger (2026).
    """
    return _document(
        {
            "Sid": "Ring",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )


def _trust(service: str, source: dict[str, str], *, source_arn: str | None = None) -> Document:
    """Return who may assume a role: a service, as long as it acts for this source, and for an ARN of this pattern."""
    condition = {"StringEquals": source, **({"ArnLike": {"aws:SourceArn": source_arn}} if source_arn else {})}
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }
    )


def _allow(sid: str, actions: list[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
