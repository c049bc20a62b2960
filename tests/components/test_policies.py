"""Every document, whole: a reviewer sees in the diff what a role gains."""

from __future__ import annotations

import pytest

from components import policies

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-dev-worker"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/runs"
STREAM = f"{TABLE}/stream/2026-01-01T00:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:work"
FAILED = "arn:aws:sqs:us-east-1:123456789012:failed"
DEAD = "arn:aws:sqs:us-east-1:123456789012:dead"
MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-dev-"
EXECUTIONS = "arn:aws:states:us-east-1:123456789012:execution:orchestra-dev-"
TASKS = [f"arn:aws:lambda:us-east-1:123456789012:function:{name}" for name in ("b", "a")]


def test_lambda_alone_assumes_a_role_and_for_this_account_alone() -> None:
    assert policies.lambda_trust("123456789012") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            }
        ],
    }


def test_the_scheduler_alone_assumes_the_role_of_a_schedule_and_for_one_group_alone() -> None:
    group = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/sweeper"
    assert policies.scheduler_trust(account_id="123456789012", group_arn=group) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": group}},
            }
        ],
    }


@pytest.mark.parametrize("machine", ["orchestra-dev-abc", "orchestra-dev-*"])
def test_step_functions_alone_assumes_the_role_of_a_state_machine_and_for_those_of_one_name_or_pattern(
    machine: str,
) -> None:
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"
    assert policies.states_trust(account_id="123456789012", machine_arn=arn) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {"aws:SourceArn": arn},
                },
            }
        ],
    }


def test_a_state_machine_invokes_its_services_logs_and_sends_traces() -> None:
    assert policies.state_machine(function_arns=TASKS) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Invoke", "Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": sorted(TASKS)},
            {
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
            },
            {
                "Sid": "Trace",
                "Effect": "Allow",
                "Action": [
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                    "xray:PutTelemetryRecords",
                    "xray:PutTraceSegments",
                ],
                "Resource": "*",
            },
        ],
    }


def test_a_schedule_invokes_one_function() -> None:
    assert policies.invocation(TASKS[0]) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Invoke", "Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [TASKS[0]]}
        ],
    }


def test_a_function_logs_to_its_own_group_and_sends_traces() -> None:
    own = {"Sid": "Own", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/k"]}
    logs = {
        "Sid": "Log",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [f"{GROUP}:*"],
    }
    traces = {
        "Sid": "Trace",
        "Effect": "Allow",
        "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
        "Resource": "*",
    }
    assert policies.function(log_group_arn=GROUP) == {"Version": "2012-10-17", "Statement": [logs, traces]}
    assert policies.function(log_group_arn=GROUP, statements=[own])["Statement"] == [logs, traces, own]


def test_the_orchestrator() -> None:
    assert policies.orchestrator(
        table_arn=TABLE, stream_arn=STREAM, worker_queue_arn=QUEUE, dead_letters_arn=DEAD, failed_records_arn=FAILED
    ) == [
        {
            "Sid": "Runs",
            "Effect": "Allow",
            "Action": [
                "dynamodb:BatchGetItem",
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            "Resource": [TABLE],
        },
        {
            "Sid": "ListRuns",
            "Effect": "Allow",
            "Action": ["dynamodb:Query"],
            "Resource": [f"{TABLE}/index/open_runs", f"{TABLE}/index/runs"],
        },
        {
            "Sid": "Stream",
            "Effect": "Allow",
            "Action": [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            "Resource": [STREAM],
        },
        {"Sid": "Dispatch", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [QUEUE]},
        {"Sid": "SetAside", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [FAILED]},
        {
            "Sid": "DeadLetters",
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            "Resource": [DEAD, FAILED],
        },
    ]


def test_the_orchestrator_and_state_machines() -> None:
    assert policies.flows([f"{MACHINES}b", f"{MACHINES}a"]) == [
        {
            "Sid": "Flows",
            "Effect": "Allow",
            "Action": ["states:DescribeStateMachine", "states:ListExecutions", "states:StartExecution"],
            "Resource": [f"{MACHINES}a", f"{MACHINES}b"],
        },
        {
            "Sid": "Executions",
            "Effect": "Allow",
            "Action": [
                "states:DescribeExecution",
                "states:DescribeStateMachineForExecution",
                "states:GetExecutionHistory",
                "states:RedriveExecution",
                "states:StopExecution",
            ],
            "Resource": [f"{EXECUTIONS}a:*", f"{EXECUTIONS}b:*"],
        },
    ]


def test_the_orchestrator_makes_state_machines_with_one_role_and_leaves_the_declared_ones_alone() -> None:
    role = "arn:aws:iam::123456789012:role/registered-flows"
    declared = [f"{MACHINES}b", f"{MACHINES}a"]
    register = {
        "Sid": "Register",
        "Effect": "Allow",
        "Action": ["states:CreateStateMachine", "states:UpdateStateMachine", "states:TagResource"],
        "Resource": [f"{MACHINES}*"],
    }
    others = [
        {
            "Sid": "PassRole",
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": [role],
            "Condition": {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}},
        },
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
    own = {
        "Sid": "Declared",
        "Effect": "Deny",
        "Action": ["states:CreateStateMachine", "states:UpdateStateMachine"],
        "Resource": sorted(declared),
    }
    machines = f"{MACHINES}*"
    assert policies.flow_registration(machines=machines, role_arn=role, declared_arns=declared) == [
        register,
        own,
        *others,
    ]
    assert policies.flow_registration(machines=machines, role_arn=role, declared_arns=[]) == [register, *others]


def test_the_worker() -> None:
    assert policies.worker(table_arn=TABLE, queue_arn=QUEUE, dead_letters_arn=DEAD, task_function_arns=TASKS) == [
        {
            "Sid": "Claim",
            "Effect": "Allow",
            "Action": ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:UpdateItem"],
            "Resource": [TABLE],
        },
        {
            "Sid": "Queue",
            "Effect": "Allow",
            "Action": [
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
            "Resource": [QUEUE],
        },
        {"Sid": "SetAside", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [DEAD]},
        {
            "Sid": "Invoke",
            "Effect": "Allow",
            "Action": ["lambda:InvokeFunction"],
            "Resource": sorted(TASKS),  # in one order, so that a deploy without changes has none
        },
    ]


def test_the_sweeper() -> None:
    assert policies.sweeper(table_arn=TABLE, worker_queue_arn=QUEUE) == [
        {
            "Sid": "Find",
            "Effect": "Allow",
            "Action": ["dynamodb:Query"],
            "Resource": [f"{TABLE}/index/open_runs"],
        },
        {
            "Sid": "Repair",
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"],
            "Resource": [TABLE],
        },
        {"Sid": "Dispatch", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [QUEUE]},
    ]


def test_a_queue_is_reached_over_tls_alone() -> None:
    assert policies.tls_only(QUEUE) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": QUEUE,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def test_alarms_of_this_account_ring_on_the_topic_over_tls_alone() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:alarms"
    assert policies.alarm_topic(topic_arn=topic, account_id="123456789012") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Ring",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
