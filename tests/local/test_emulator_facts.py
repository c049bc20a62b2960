"""What Orchestra relies on in the emulator, as it is on AWS; where it is not, the test says what to expect instead."""

from __future__ import annotations

import json
import os
import time
import urllib.request
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import deployment
from tests.emulator import RunningEmulator
from tests.local.conftest import ROLE, Deployed, Sample, eventually
from tests.support.table import create_table

pytestmark = pytest.mark.e2e


@pytest.fixture
def table(emulator: RunningEmulator) -> str:
    return create_table(emulator.client("dynamodb"), f"table-{uuid.uuid4().hex}")


def put(emulator: RunningEmulator, table: str, **item: Any) -> None:
    emulator.client("dynamodb").put_item(TableName=table, Item=item)


def test_a_failed_condition_returns_the_stored_item(emulator: RunningEmulator, table: str) -> None:
    dynamodb = emulator.client("dynamodb")
    put(emulator, table, pk={"S": "a"}, sk={"S": "b"}, version={"N": "1"})
    with pytest.raises(ClientError) as error:
        dynamodb.update_item(
            TableName=table,
            Key={"pk": {"S": "a"}, "sk": {"S": "b"}},
            UpdateExpression="SET version = :new",
            ConditionExpression="version = :old",
            ExpressionAttributeValues={":new": {"N": "3"}, ":old": {"N": "2"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert error.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    item: Any = dict(error.value.response)["Item"]
    assert item == {"pk": {"S": "a"}, "sk": {"S": "b"}, "version": {"N": "1"}}


def test_a_number_set_takes_each_number_once(emulator: RunningEmulator, table: str) -> None:
    dynamodb = emulator.client("dynamodb")

    def arrive(index: int) -> dict[str, Any]:
        answer: dict[str, Any] = dynamodb.update_item(
            TableName=table,
            Key={"pk": {"S": "a"}, "sk": {"S": "join"}},
            UpdateExpression="ADD arrived :one",
            ConditionExpression="NOT contains(arrived, :index)",
            ExpressionAttributeValues={":one": {"NS": [str(index)]}, ":index": {"N": str(index)}},
            ReturnValues="ALL_NEW",
        )
        return answer

    arrive(0)
    assert sorted(arrive(10)["Attributes"]["arrived"]["NS"]) == ["0", "10"]
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        arrive(10)


def test_begins_with_queries_go_on_where_they_stopped(emulator: RunningEmulator, table: str) -> None:
    for number in range(7):
        put(emulator, table, pk={"S": "run"}, sk={"S": f"TASK#{number}"})
    put(emulator, table, pk={"S": "run"}, sk={"S": "RUN"})
    query: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": "run"}, ":prefix": {"S": "TASK#"}},
        "ConsistentRead": True,
        "Limit": 3,
    }
    pages: list[list[str]] = []
    last = None
    while last is not None or not pages:
        answer = emulator.client("dynamodb").query(**query, **({"ExclusiveStartKey": last} if last else {}))
        pages.append([item["sk"]["S"] for item in answer["Items"]])
        last = answer.get("LastEvaluatedKey")
    assert [sk for page in pages for sk in page] == [f"TASK#{number}" for number in range(7)]
    assert [len(page) for page in pages][:2] == [3, 3]


def test_an_index_of_keys_holds_only_keys_and_only_items_that_have_them(emulator: RunningEmulator, table: str) -> None:
    for number in range(5):
        put(
            emulator,
            table,
            pk={"S": f"RUN#{number}"},
            sk={"S": "RUN"},
            runs_pk={"S": "abc"},
            runs_sk={"S": f"{number}"},
            status={"S": "RUNNING"},
        )
    put(emulator, table, pk={"S": "RUN#x"}, sk={"S": "INPUT"})
    query: dict[str, Any] = {
        "TableName": table,
        "IndexName": "runs",
        "KeyConditionExpression": "runs_pk = :name",
        "ExpressionAttributeValues": {":name": {"S": "abc"}},
        "ScanIndexForward": False,
        "Limit": 3,
    }
    first = emulator.client("dynamodb").query(**query)
    assert [set(item) for item in first["Items"]] == [{"pk", "sk", "runs_pk", "runs_sk"}] * 3
    second = emulator.client("dynamodb").query(**query, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["runs_sk"]["S"] for item in first["Items"] + second["Items"]] == ["4", "3", "2", "1", "0"]


def test_an_item_leaves_the_index_with_its_keys_and_times_are_in_the_order_of_numbers(
    emulator: RunningEmulator, table: str
) -> None:
    dynamodb = emulator.client("dynamodb")
    for check_at in (9, 10, 11):
        put(
            emulator,
            table,
            pk={"S": f"RUN#{check_at}"},
            sk={"S": "RUN"},
            open_pk={"S": "0"},
            check_at={"N": f"{check_at}"},
        )

    def due(now: int) -> list[str]:
        answer = dynamodb.query(
            TableName=table,
            IndexName="open_runs",
            KeyConditionExpression="open_pk = :pk AND check_at <= :now",
            ExpressionAttributeValues={":pk": {"S": "0"}, ":now": {"N": str(now)}},
        )
        return [item["pk"]["S"] for item in answer["Items"]]

    assert due(10) == ["RUN#9", "RUN#10"]
    dynamodb.update_item(
        TableName=table, Key={"pk": {"S": "RUN#9"}, "sk": {"S": "RUN"}}, UpdateExpression="REMOVE open_pk, check_at"
    )
    assert due(11) == ["RUN#10", "RUN#11"]


def test_a_consistent_batch_read_finds_what_is_there(emulator: RunningEmulator, table: str) -> None:
    for number in range(3):
        put(emulator, table, pk={"S": "run"}, sk={"S": f"{number}"})
    keys = [{"pk": {"S": "run"}, "sk": {"S": f"{number}"}} for number in (0, 2, 9)]
    answer = emulator.client("dynamodb").batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    assert sorted(item["sk"]["S"] for item in answer["Responses"][table]) == ["0", "2"]
    assert answer["UnprocessedKeys"] == {}


def test_an_item_has_the_size_limit_of_aws(emulator: RunningEmulator, table: str) -> None:
    put(emulator, table, pk={"S": "a"}, sk={"S": "fits"}, output={"S": "x" * (399 * 1024)})
    with pytest.raises(ClientError, match="ValidationException"):
        put(emulator, table, pk={"S": "a"}, sk={"S": "large"}, output={"S": "x" * (401 * 1024)})


def test_a_message_is_held_back_for_its_delay(emulator: RunningEmulator) -> None:
    sqs = emulator.client("sqs")
    url = sqs.create_queue(QueueName=f"delay-{uuid.uuid4().hex}")["QueueUrl"]
    sent = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    eventually(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    assert time.monotonic() - sent >= 0.95


def test_a_message_that_fails_too_often_goes_to_the_dead_letters(emulator: RunningEmulator) -> None:
    sqs, name = emulator.client("sqs"), uuid.uuid4().hex
    dead = sqs.create_queue(QueueName=f"dead-{name}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert sqs.receive_message(QueueUrl=url)["Messages"]
    eventually(
        lambda: (
            not sqs.receive_message(QueueUrl=url).get("Messages") and sqs.receive_message(QueueUrl=dead).get("Messages")
        )
    )


SCHEDULED = (
    ROLE
    + """
import pulumi_aws as aws

seen = aws.sqs.Queue("seen")
allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": seen.arn}
iam.RolePolicy("may", role=role.name, policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [allow]}))
code = '''
import os
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["SEEN"], MessageBody="fired")
'''
function = aws.lambda_.Function(
    "function",
    role=role.arn,
    runtime="python3.13",
    handler="handler.handler",
    code=pulumi.AssetArchive({"handler.py": pulumi.StringAsset(code)}),
    environment={"variables": {"SEEN": seen.url}},
)
nothing = aws.iam.Role("nothing", assume_role_policy="{}")
aws.scheduler.Schedule(
    "schedule",
    schedule_expression="at(2020-01-01T00:00:00)",
    flexible_time_window={"mode": "OFF"},
    target={"arn": function.arn, "role_arn": nothing.arn},
)
pulumi.export("seen", seen.url)
"""
)


def test_a_schedule_invokes_its_function_which_has_its_own_role_and_the_role_of_the_schedule_is_not_asked(
    sample: Sample,
) -> None:
    """A time that has passed is now. On AWS the schedule's role decides: see the tests of the Sweeper's policies."""
    sample.program(SCHEDULED)
    up = Deployed(sample, deployment.up(project=sample.root))
    sqs, url = up.client("sqs"), up.deployment.outputs["seen"]
    [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert message["Body"] == "fired"


def test_it_listens_on_loopback_only(emulator: RunningEmulator) -> None:
    with urllib.request.urlopen(f"{emulator.endpoint_url}/_ministack/health", timeout=5) as answer:
        assert json.loads(answer.read())["auth"] == "enabled"
    if os.path.exists("/proc/net/tcp"):  # noqa: PTH110
        port = int(emulator.endpoint_url.rsplit(":", 1)[1])
        with open("/proc/net/tcp", encoding="ascii") as sockets:  # noqa: PTH123
            listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
