"""A way to try each action on each real thing that has no effect even where it is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from tests.support.stack import System

Attempt = Callable[[], object]
Key = tuple[str, str]
"""An action, and what it is tried on, as tests/security/roles.json names both."""

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
NOWHERE = {"pk": {"S": "NOBODY"}, "sk": {"S": "NOTHING"}}
QUEUES = {
    "sqs:worker": "worker_queue_url",
    "sqs:worker-dead-letters": "dead_letters_url",
    "sqs:orchestrator-failed-records": "failed_records_url",
}
MACHINES = ("orchestra-local-abc", "orchestra-local-nothing", "another")


def user_like(system: System, role_name: str, document: Mapping[str, Any] | None = None) -> System:
    """Return the system as a user sees it who may do what a role may, or what `document` says.

    The role itself can be assumed by its service only. A user is made once; what it may do, and its key, are new.
    """
    iam, name = system.client("iam"), f"as-{role_name}"
    if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName=name)
    policy = json.dumps(document or document_of(system, role_name))
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    access = iam.create_access_key(UserName=name)["AccessKey"]
    deployment = replace(system.deployment, access_key=access["AccessKeyId"], secret_key=access["SecretAccessKey"])
    return replace(system, deployment=deployment)


def forget(system: System) -> None:
    """Take away the users, and the one thing that a try may leave behind: the emulator takes any resource policy."""
    iam, logs = system.client("iam"), system.client("logs")
    for name in (user["UserName"] for user in iam.list_users()["Users"] if user["UserName"].startswith("as-")):
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="own")
        iam.delete_user(UserName=name)
    for policy in logs.describe_resource_policies()["resourcePolicies"]:
        logs.delete_resource_policy(policyName=policy["policyName"])


def document_of(system: System, role_name: str) -> dict[str, Any]:
    iam = system.client("iam")
    names = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"]]
    (role,) = (name for name in names if name.rsplit("-", 1)[0] == role_name)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: dict[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    return document


def is_allowed(attempt: Attempt) -> bool:
    """Return whether it was not denied; what is allowed mostly fails of something else, as it should."""
    try:
        attempt()
    except ClientError as refusal:
        return refusal.response["Error"]["Code"] not in DENIED
    return True


def attempts(system: System) -> dict[Key, Attempt]:
    return {**_of_table(system), **_of_stream(system), **_of_queues(system), **_of_functions(system)} | {
        **_of_machines(system),
        **_of_logs(system),
    }


def _of_table(system: System) -> dict[Key, Attempt]:
    dynamodb = system.client("dynamodb")
    table: dict[str, Any] = {"TableName": system.deployment.outputs["table_name"]}
    absent = {**table, "ConditionExpression": "attribute_exists(pk)"}
    on = "dynamodb:table/table"

    def query(key: str, **index: str) -> Attempt:
        values = {":nobody": {"S": "NOBODY"}}
        condition = {"KeyConditionExpression": f"{key} = :nobody", "ExpressionAttributeValues": values}
        return partial(dynamodb.query, **table, **index, **condition)

    return {
        ("dynamodb:BatchGetItem", on): lambda: dynamodb.batch_get_item(
            RequestItems={table["TableName"]: {"Keys": [NOWHERE]}}
        ),
        ("dynamodb:DeleteItem", on): lambda: dynamodb.delete_item(**absent, Key=NOWHERE),
        ("dynamodb:DescribeTable", on): lambda: dynamodb.describe_table(**table),
        ("dynamodb:GetItem", on): lambda: dynamodb.get_item(**table, Key=NOWHERE),
        ("dynamodb:PutItem", on): lambda: dynamodb.put_item(**absent, Item=NOWHERE),
        ("dynamodb:Query", on): query("pk"),
        ("dynamodb:Query", f"{on}/index/open_runs"): query("open_pk", IndexName="open_runs"),
        ("dynamodb:Query", f"{on}/index/runs"): query("runs_pk", IndexName="runs"),
        ("dynamodb:Scan", on): lambda: dynamodb.scan(**table, Limit=1),
        ("dynamodb:UpdateItem", on): lambda: dynamodb.update_item(
            **absent, Key=NOWHERE, UpdateExpression="REMOVE nothing"
        ),
    }


def _of_stream(system: System) -> dict[Key, Attempt]:
    streams, arn = system.client("dynamodbstreams"), system.deployment.outputs["table_stream_arn"]
    on = "dynamodb:table/table/stream"
    iterator = {"ShardId": "shardId-00000000000000000000", "ShardIteratorType": "LATEST"}
    return {
        ("dynamodb:DescribeStream", on): lambda: streams.describe_stream(StreamArn=arn),
        ("dynamodb:GetRecords", on): lambda: streams.get_records(ShardIterator=f"{arn}|1|none"),
        ("dynamodb:GetShardIterator", on): lambda: streams.get_shard_iterator(StreamArn=arn, **iterator),
        ("dynamodb:ListStreams", on): streams.list_streams,
    }


def _of_queues(system: System) -> dict[Key, Attempt]:
    sqs = system.client("sqs")
    tries: dict[Key, Attempt] = {}
    for on, output in QUEUES.items():
        url = system.deployment.outputs[output]
        receipt = {"QueueUrl": url, "ReceiptHandle": "none"}
        tries |= {
            ("sqs:ChangeMessageVisibility", on): partial(sqs.change_message_visibility, **receipt, VisibilityTimeout=0),
            ("sqs:DeleteMessage", on): partial(sqs.delete_message, **receipt),
            ("sqs:GetQueueAttributes", on): partial(
                sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"]
            ),
            ("sqs:ReceiveMessage", on): partial(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11),
            ("sqs:SendMessage", on): partial(sqs.send_message, QueueUrl=url, MessageBody=""),
            ("sqs:SetQueueAttributes", on): partial(sqs.set_queue_attributes, QueueUrl=url, Attributes={"None": "0"}),
        }
    return tries


def _of_functions(system: System) -> dict[Key, Attempt]:
    client = system.client("lambda")
    return {
        ("lambda:InvokeFunction", f"lambda:function:{name}"): partial(
            client.invoke, FunctionName=arn, InvocationType="DryRun"
        )
        for name, arn in _functions(system).items()
    }


def _functions(system: System) -> dict[str, str]:
    """Return the ARN of every function, by the program's name of it."""
    outputs = system.deployment.outputs
    engine = {name: outputs[f"{name}_arn"] for name in ("orchestrator", "sweeper", "worker")}
    return engine | {f"task-{name}": arn for name, arn in outputs["task_function_arns"].items()}


def _of_machines(system: System) -> dict[Key, Attempt]:
    states = system.client("stepfunctions")
    tries: dict[Key, Attempt] = {}
    [declared] = system.deployment.outputs["state_machine_arns"].values()
    prefix = declared.removesuffix(MACHINES[0])
    for name in MACHINES:
        machine, execution = f"{prefix}{name}", f"{prefix.replace('stateMachine', 'execution')}{name}:nobody"
        on, of = f"states:stateMachine:{name}", f"states:execution:{name}:nobody"
        tries |= {
            ("states:CreateStateMachine", on): partial(
                states.create_state_machine, name=name, definition="{", roleArn="arn:aws:iam::000000000000:role/none"
            ),
            ("states:DeleteStateMachine", f"{on}-none"): partial(
                states.delete_state_machine, stateMachineArn=f"{machine}-none"
            ),
            ("states:DescribeStateMachine", on): partial(states.describe_state_machine, stateMachineArn=machine),
            ("states:ListExecutions", on): partial(states.list_executions, stateMachineArn=machine),
            ("states:StartExecution", on): partial(
                states.start_execution, stateMachineArn=machine, name="none", input="no JSON"
            ),
            ("states:TagResource", on): partial(states.tag_resource, resourceArn=machine, tags=[]),
            ("states:UpdateStateMachine", on): partial(states.update_state_machine, stateMachineArn=machine),
        }
        for action, operation in (
            ("states:DescribeExecution", states.describe_execution),
            ("states:DescribeStateMachineForExecution", states.describe_state_machine_for_execution),
            ("states:GetExecutionHistory", states.get_execution_history),
            ("states:RedriveExecution", states.redrive_execution),
            ("states:StopExecution", states.stop_execution),
        ):
            tries[action, of] = partial(operation, executionArn=execution)
    return tries


def _of_logs(system: System) -> dict[Key, Attempt]:
    logs = system.client("logs")
    tries: dict[Key, Attempt] = {
        ("logs:DescribeLogGroups", "*"): partial(logs.describe_log_groups, limit=1),
        ("logs:DescribeResourcePolicies", "*"): logs.describe_resource_policies,
        ("logs:PutResourcePolicy", "*"): partial(logs.put_resource_policy, policyName="none", policyDocument="{"),
    }
    for function in _functions(system):
        group = f"/aws/lambda/orchestra-local-{function}"
        on = f"logs:log-group:{group}:*"
        tries |= {
            ("logs:CreateLogStream", on): partial(logs.create_log_stream, logGroupName=group, logStreamName="*:*"),
            ("logs:PutLogEvents", on): partial(
                logs.put_log_events,
                logGroupName=group,
                logStreamName="none",
                logEvents=[{"timestamp": 0, "message": "-"}],
            ),
            ("logs:FilterLogEvents", on): partial(logs.filter_log_events, logGroupName=group, limit=1),
        }
    return tries
