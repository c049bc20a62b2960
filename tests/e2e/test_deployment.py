"""Deploying again: what is the same is left alone, what has changed is all that changes, and IAM is in force."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import deployment
from local.plan import Operation
from tests.e2e.conftest import ROOT, System

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_services(system: System) -> Iterator[Path]:
    """The project with its own copy of the services, until the test is over."""
    services = system.project / "services"
    services.unlink()
    shutil.copytree(ROOT / "services", services)
    yield services
    shutil.rmtree(services)
    services.symlink_to(ROOT / "services")
    deployment.up(project=system.project)


def test_a_second_up_changes_nothing(system: System) -> None:
    result = deployment.deploy(project=system.project)

    assert {step.operation for step in result.steps} == {Operation.SAME}
    assert result.outputs == system.deployment.outputs


def test_changed_code_updates_that_one_function(system: System, own_services: Path) -> None:
    source = own_services / "b2" / "handler.py"
    source.write_text(source.read_text("utf-8") + "\n# changed\n", "utf-8")
    (own_services / "a" / "README.md").write_text("what is not packaged changes nothing")

    result = deployment.deploy(project=system.project)

    changed = [(step.operation, step.type, step.name) for step in result.steps if step.operation is not Operation.SAME]
    assert changed == [(Operation.UPDATE, "aws:lambda/function:Function", "task-b2")]


NOWHERE = {"pk": {"S": "NOBODY"}, "sk": {"S": "NOTHING"}}
QUEUES = {"work": "worker_queue_url", "dead": "dead_letters_url", "failed": "failed_records_url"}


def attempts(system: System) -> dict[str, Callable[[], object]]:
    """Return a way to try each action that has no effect even where it is allowed."""
    outputs = system.deployment.outputs
    table: dict[str, Any] = {"TableName": outputs["table_name"]}
    absent = {**table, "ConditionExpression": "attribute_exists(pk)"}
    dynamodb, sqs, functions = (system.client(service) for service in ("dynamodb", "sqs", "lambda"))

    def query(index: str, key: str) -> object:
        return dynamodb.query(
            **table,
            IndexName=index,
            KeyConditionExpression=f"{key} = :nobody",
            ExpressionAttributeValues={":nobody": {"S": "NOBODY"}},
        )

    tries: dict[str, Callable[[], object]] = {
        "batch get": lambda: dynamodb.batch_get_item(RequestItems={table["TableName"]: {"Keys": [NOWHERE]}}),
        "delete": lambda: dynamodb.delete_item(**absent, Key=NOWHERE),
        "get": lambda: dynamodb.get_item(**table, Key=NOWHERE),
        "put": lambda: dynamodb.put_item(**absent, Item=NOWHERE),
        "query": lambda: dynamodb.query(
            **table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": NOWHERE["pk"]}
        ),
        "query open_runs": lambda: query("open_runs", "open_pk"),
        "query runs": lambda: query("runs", "runs_pk"),
        "scan": lambda: dynamodb.scan(**table, Limit=1),
        "update": lambda: dynamodb.update_item(**absent, Key=NOWHERE, UpdateExpression="REMOVE nothing"),
    }
    for name, output in QUEUES.items():
        url = outputs[output]
        receipt = {"QueueUrl": url, "ReceiptHandle": "none"}
        tries |= {
            f"count {name}": partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["QueueArn"]),
            f"receive {name}": partial(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11),
            f"release {name}": partial(sqs.change_message_visibility, **receipt, VisibilityTimeout=0),
            f"remove {name}": partial(sqs.delete_message, **receipt),
            f"send {name}": partial(sqs.send_message, QueueUrl=url, MessageBody="none", DelaySeconds=901),
        }
    targets = {name: outputs[f"{name}_arn"] for name in ("orchestrator", "sweeper", "worker")}
    for name, arn in {**targets, "probe": outputs["task_function_arns"]["probe"]}.items():
        tries[f"invoke {name}"] = partial(functions.invoke, FunctionName=arn, InvocationType="DryRun")
    return tries


LETTERS = {f"{verb} {queue}" for verb in ("count", "receive", "release", "remove") for queue in ("dead", "failed")}
READ = {"batch get", "get"}
SWEEP = {"get", "put", "query", "query open_runs", "update", "send work"}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("orchestrator", READ | SWEEP | LETTERS | {"delete", "query runs", "send failed"}),
        ("sweeper", SWEEP),
        ("sweeper-schedule", {"invoke sweeper"}),
        ("task-probe", set()),
        (
            "worker",
            READ | {"update", "count work", "receive work", "remove work", "send work", "send dead", "invoke probe"},
        ),
    ],
)
def test_a_role_may_do_what_it_needs_and_no_more(system: System, role: str, allowed: set[str]) -> None:
    """Each action on each thing that there is. The Worker waits for its queue in Lambda, which acts by its role."""

    def may(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except ClientError as refusal:
            return refusal.response["Error"]["Code"] not in {"AccessDenied", "AccessDeniedException"}
        return True

    assert {name for name, attempt in attempts(allowed_as(system, role)).items() if may(attempt)} == allowed


def allowed_as(system: System, role_name: str) -> System:
    """Return the system as a new user sees it who may do what a role may.

    The role itself can be assumed by Lambda only.
    """
    iam = system.client("iam")
    (role,) = (r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].rsplit("-", 1)[0] == role_name)
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    iam.create_user(UserName=f"as-{role}")
    iam.put_user_policy(UserName=f"as-{role}", PolicyName=policy, PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=f"as-{role}")["AccessKey"]
    access = replace(system.deployment, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])
    return replace(system, deployment=access)
