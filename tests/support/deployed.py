"""The functions as they are deployed, on moto: their environment, their context, and what they write to their log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration import orchestrator, worker
from orchestration.payload import Json
from tests.support.events import event
from tests.support.memory import FakeServices

TABLE = "orchestra"
CANARY = "CANARY"
"""What is in every payload of these tests, and may be in no line that is logged."""


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "orchestra"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:orchestra"
    aws_request_id: str = "da658bd3-2d6f-4e7b-8ec2-937234644fdc"


@dataclass(frozen=True)
class Output:
    """What a function wrote: its log's lines and its metrics, each as it is counted."""

    text: str
    lines: list[dict[str, Any]]
    metrics: list[tuple[str, str, float, dict[str, str]]]

    def said(self, *fields: str) -> list[tuple[Any, ...]]:
        """Return these fields of each line; None where a line has not one."""
        return [tuple(line.get(name) for name in fields) for line in self.lines]


def read(text: str) -> Output:
    """Return what is in a function's standard output."""
    parsed = [json.loads(line) for line in text.splitlines() if line.strip()]
    return Output(
        text,
        [line for line in parsed if "_aws" not in line],
        [metric for line in parsed if "_aws" in line for metric in _metrics(line)],
    )


def _metrics(line: Mapping[str, Any]) -> list[tuple[str, str, float, dict[str, str]]]:
    """Return name, unit, value and dimensions of what a line in the embedded metric format counts.

    Source: docs.aws.amazon.com/AmazonCloudWatch, Embedded metric format specification.
    """
    found = []
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == "Orchestra"
        (dimensions,) = directive["Dimensions"]
        for metric in directive["Metrics"]:
            value = line[metric["Name"]]
            (number,) = value if isinstance(value, list) else [value]
            found.append((metric["Name"], metric["Unit"], number, {name: line[name] for name in dimensions}))
    return found


class System:
    """Both functions over one table and one queue of moto's, and what AWS does between them."""

    def __init__(self, client: Callable[[str], Any], services: FakeServices, written: Callable[[], str]) -> None:
        self.dynamodb = client("dynamodb")
        self.sqs = client("sqs")
        self.services = services
        self._written = written

    def ask(self, **request: Json) -> dict[str, Any]:
        return self.advance(request)

    def work(self, batch: Json) -> dict[str, Any]:
        answer: dict[str, Any] = worker.handler(batch, Context())
        return answer

    def advance(self, batch: Json) -> dict[str, Any]:
        answer: dict[str, Any] = orchestrator.handler(batch, Context())
        return answer

    def received(self) -> dict[str, Any]:
        """Return the batch that the queue has for a worker, having deleted it there."""
        batch = event("sqs_batch")
        record = batch["Records"][0]
        found = []
        while replies := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for reply in replies:
                found.append({**record, "messageId": reply["MessageId"], "body": reply["Body"]})
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=reply["ReceiptHandle"])
        return {"Records": found}

    def handed_to_the_stream(self, seen: set[str]) -> dict[str, Any]:
        """Return the batch of the stream's records that the filter passes, of what was not seen yet."""
        record = event("dynamodb_stream")["Records"][0]
        found = []
        for item in self.dynamodb.scan(TableName=TABLE)["Items"]:
            key = item["pk"]["S"] + item["sk"]["S"]
            if item.get("handoff") == {"S": "stream"} and key not in seen:
                seen.add(key)
                keys = {name: item[name] for name in ("pk", "sk")}
                found.append({**record, "dynamodb": {**record["dynamodb"], "Keys": keys, "NewImage": item}})
        return {"Records": found}

    def settle(self) -> None:
        """Carry messages and records to the functions until there are no more."""
        seen: set[str] = set()
        for _ in range(100):
            messages, records = self.received(), self.handed_to_the_stream(seen)
            if not messages["Records"] and not records["Records"]:
                return
            if messages["Records"]:
                assert self.work(messages) == {"batchItemFailures": []}
            if records["Records"]:
                assert self.advance(records) == {"batchItemFailures": []}
        raise AssertionError("still not settled")

    def output(self) -> Output:
        """Return what the functions have written since the last call."""
        return read(self._written())

    @property
    def url(self) -> str:
        return str(self.sqs.get_queue_url(QueueName="worker")["QueueUrl"])
