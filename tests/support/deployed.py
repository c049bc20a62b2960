"""The functions as they are deployed, on moto: their environment, their context, and what they write to their log."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration import invariants, orchestrator, sweeper, worker
from orchestration.clock import SystemClock
from orchestration.dead_letters import Origin
from orchestration.metrics import METRICS
from orchestration.model import Run
from orchestration.payload import Json
from tests.support import history
from tests.support.events import event
from tests.support.memory import FakeServices

TABLE = "orchestra"
QUEUES = {"QUEUE_URL": "worker", "DEAD_LETTERS_URL": "dead-letters", "FAILED_RECORDS_URL": "failed-records"}
"""The queues, by the variables that tell the functions where they are."""
CANARY = "CANARY"
"""What is in every payload of these tests, and may be in no line that is logged."""


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function about its invocation."""

    function_name: str = "orchestra"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:orchestra"
    aws_request_id: str = "da658bd3-2d6f-4e7b-8ec2-937234644fdc"
    remaining_ms: Callable[[], int] = lambda: 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms()


@dataclass
class Clock:
    """The time of the functions: true, or later by as much as a test says."""

    ahead_ms: int = 0
    true: SystemClock = field(default_factory=SystemClock)

    def now(self) -> int:
        return self.true.now() + self.ahead_ms


@dataclass(frozen=True)
class Output:
    """What a function wrote: its log's lines and its metrics, each as it is counted."""

    text: str
    lines: list[dict[str, Any]]
    metrics: list[tuple[str, str, float, dict[str, str]]]  # each value once, with all of its dimensions

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
        dimensions = {name for names in directive["Dimensions"] for name in names}
        for metric in directive["Metrics"]:
            known = METRICS[metric["Name"]]
            assert [tuple(names) for names in directive["Dimensions"]] == list(known.dimensions)
            assert metric["Unit"] == known.unit
            value = line[metric["Name"]]
            (number,) = value if isinstance(value, list) else [value]
            found.append((metric["Name"], metric["Unit"], number, {name: line[name] for name in dimensions}))
    return found


class System:
    """The functions over one table and the queues of moto's, and what AWS does between them."""

    def __init__(
        self,
        client: Callable[[str], Any],
        services: FakeServices,
        clock: Clock,
        images: Sequence[Mapping[str, Any]],
        written: Callable[[], str],
    ) -> None:
        self.dynamodb = client("dynamodb")
        self.sqs = client("sqs")
        self.services = services
        self.clock = clock
        self._images = images
        self._written = written

    def ask(self, **request: Json) -> dict[str, Any]:
        return self.advance(request)

    def work(self, batch: Json) -> dict[str, Any]:
        answer: dict[str, Any] = worker.handler(batch, Context())
        return answer

    def advance(self, batch: Json) -> dict[str, Any]:
        answer: dict[str, Any] = orchestrator.handler(batch, Context())
        return answer

    def sweep(self, context: Context | None = None) -> dict[str, int]:
        answer: dict[str, int] = sweeper.handler({}, context or Context())
        return answer

    def received(self) -> dict[str, Any]:
        """Return the batch that the queue has for a worker, having deleted it there."""
        record = event("sqs_batch")["Records"][0]
        return {
            "Records": [
                {**record, "messageId": message["MessageId"], "body": message["Body"]}
                for message in self._emptied("worker")
            ]
        }

    def set_aside(self, origin: Origin) -> list[tuple[str, str | None]]:
        """Return the body and the reason of each dead letter, having deleted it."""
        messages = self._emptied("dead-letters" if origin is Origin.WORKER else "failed-records")
        notes = (message.get("MessageAttributes", {}).get("reason", {}) for message in messages)
        return [(m["Body"], note.get("StringValue")) for m, note in zip(messages, notes, strict=True)]

    def _emptied(self, queue: str) -> list[dict[str, Any]]:
        url = self.url(queue)
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

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
                self._check_histories()
                return
            if messages["Records"]:
                assert self.work(messages) == {"batchItemFailures": []}
            if records["Records"]:
                assert self.advance(records) == {"batchItemFailures": []}
        raise AssertionError("still not settled")

    def _check_histories(self) -> None:
        """Check every write of every run."""
        found = history.writes(self._images)
        assert found, "nothing was written"
        for written in found.values():
            run = next(new for _, new in written if isinstance(new, Run))
            invariants.check(written, orchestrator.requests().engine.catalog.pinned(run.workflow, run.definition))

    def output(self) -> Output:
        """Return what the functions have written since the last call."""
        return read(self._written())

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])
