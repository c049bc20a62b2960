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

from tests.emulator import RunningEmulator
from tests.local.conftest import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
def table(emulator: RunningEmulator) -> str:
    name = f"table-{uuid.uuid4().hex}"
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    index = [{"AttributeName": "runs_pk", "KeyType": "HASH"}, {"AttributeName": "runs_sk", "KeyType": "RANGE"}]
    emulator.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "runs_pk", "runs_sk")],
        GlobalSecondaryIndexes=[
            {"IndexName": "runs", "KeySchema": index, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return name


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


def test_it_listens_on_loopback_only(emulator: RunningEmulator) -> None:
    with urllib.request.urlopen(f"{emulator.endpoint_url}/_ministack/health", timeout=5) as answer:
        assert json.loads(answer.read())["auth"] == "enabled"
    if os.path.exists("/proc/net/tcp"):  # noqa: PTH110
        port = int(emulator.endpoint_url.rsplit(":", 1)[1])
        with open("/proc/net/tcp", encoding="ascii") as sockets:  # noqa: PTH123
            listening = [line.split()[1] for line in sockets if line.split()[3] == "0A"]
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
