"""Messages, and how they are sent to SQS: in batches, and none is lost unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from orchestration.errors import InvalidRequest, Retryable
from orchestration.model import TaskState
from orchestration.queue import Message, SqsQueue


def messages(count: int) -> list[Message]:
    return [Message("r", f"t{i}", i) for i in range(count)]


@pytest.fixture
def queue(client: Callable[..., Any]) -> tuple[SqsQueue, Callable[[], list[Message]]]:
    """A queue of moto's, and a function that receives and deletes all that is in it."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="worker")["QueueUrl"]

    def received() -> list[Message]:
        found: list[Message] = []
        while replies := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for reply in replies:
                found.append(Message.parse(reply["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=reply["ReceiptHandle"])
        return found

    return SqsQueue(sqs, url), received


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_every_message_is_sent(queue: tuple[SqsQueue, Callable[[], list[Message]]], count: int) -> None:
    sender, received = queue
    sender.send(messages(count))
    assert sorted(received(), key=lambda m: m.version) == messages(count)


def batch(first: int, last: int, delay_s: int) -> dict[str, Any]:
    return {
        "QueueUrl": "https://queue",
        "Entries": [
            {
                "Id": str(i - first),
                "MessageBody": json.dumps({"run_id": "r", "task_id": f"t{i}", "version": i}),
                "DelaySeconds": delay_s,
            }
            for i in range(first, last)
        ],
    }


def sent(*ids: str) -> list[dict[str, str]]:
    return [{"Id": id_, "MessageId": f"m{id_}", "MD5OfMessageBody": "x"} for id_ in ids]


def test_batches_of_ten_with_their_delay(client: Callable[..., Any]) -> None:
    sqs = client("sqs")
    with Stubber(sqs) as stub:
        for first, last in ((0, 10), (10, 20), (20, 21)):
            reply = {"Successful": sent(*(str(i) for i in range(last - first))), "Failed": []}
            stub.add_response("send_message_batch", reply, batch(first, last, 7))
        SqsQueue(sqs, "https://queue").send(messages(21), 7)
        stub.assert_no_pending_responses()


def test_a_message_that_the_queue_refuses_is_an_error(client: Callable[..., Any]) -> None:
    """The caller's work is done again then, and sends them all again."""
    sqs = client("sqs")
    failed = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "try again"}
    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", {"Successful": sent("0"), "Failed": [failed]}, batch(0, 2, 0))
        with pytest.raises(Retryable) as error:
            SqsQueue(sqs, "https://queue").send(messages(2))
    assert str(error.value) == "the queue refused 1 messages: try again"


def test_a_message_says_what_was_ready() -> None:
    assert Message.of(TaskState(run_id="r", task_id="t", version=4)) == Message("r", "t", 4)
    assert Message.parse('{"run_id":"r","task_id":"t","version":4,"more":[]}') == Message("r", "t", 4)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "null",
        "[]",
        "{}",
        '{"run_id":"r","task_id":"t"}',
        '{"run_id":1,"task_id":"t","version":1}',
        '{"run_id":"r","task_id":null,"version":1}',
        '{"run_id":"r","task_id":"t","version":"1"}',
        '{"run_id":"r","task_id":"t","version":true}',
        '{"run_id":"r","run_id":"q","task_id":"t","version":1}',
        '{"run_id":"a/b","task_id":"t","version":1}',
        '{"run_id":"r","task_id":"","version":1}',
        '{"run_id":"r","task_id":"' + "t" * 65 + '","version":1}',
    ],
)
def test_a_body_that_is_no_message(body: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        Message.parse(body)
    assert str(error.value) == "message: is not JSON with the run_id, the task_id and the version of a task"
