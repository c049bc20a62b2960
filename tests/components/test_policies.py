"""Every document, whole: a reviewer sees in the diff what a role gains."""

from __future__ import annotations

from components import policies

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-dev-worker"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/runs"
STREAM = f"{TABLE}/stream/2026-01-01T00:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:work"
FAILED = "arn:aws:sqs:us-east-1:123456789012:failed"
DEAD = "arn:aws:sqs:us-east-1:123456789012:dead"
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
