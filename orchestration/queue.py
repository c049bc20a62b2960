"""The worker queue: the port, and its adapter for SQS.

A message says which task to look at; state never travels in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from orchestration import payload
from orchestration.errors import InvalidRequest, Retryable
from orchestration.model import TaskState
from orchestration.workflow import require_id

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""Messages of one request. Source: docs.aws.amazon.com/AWSSimpleQueueService, SendMessageBatch (2026)."""
MAX_DELAY_S = 900
"""The longest that a message is delayed. Source: the same, DelaySeconds (2026)."""


@dataclass(frozen=True)
class Message:
    """A task that was READY at this version."""

    run_id: str
    task_id: str
    version: int

    @classmethod
    def of(cls, task: TaskState) -> Message:
        return cls(task.run_id, task.task_id, task.version)

    @classmethod
    def parse(cls, body: str) -> Message:
        """Return the message of a body. Raises InvalidRequest if it is none of ours."""
        try:
            match payload.parse(body, what="message"):
                case {"run_id": run_id, "task_id": task_id, "version": int(version)} if not isinstance(version, bool):
                    require_id("run_id", run_id)
                    require_id("task_id", task_id)
                    return cls(run_id, task_id, version)
        except InvalidRequest:
            pass  # its line quotes what is wrong, and nobody knows what is in a message of somebody else
        raise InvalidRequest("message: is not JSON with the run_id, the task_id and the version of a task")


class Queue(Protocol):
    def send(self, messages: Sequence[Message], delay_s: int = 0) -> None:
        """Send every message, or raise Retryable. A message may be delivered more than once, and in any order."""


class SqsQueue:
    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Sequence[Message], delay_s: int = 0) -> None:
        for start in range(0, len(messages), BATCH):
            reply = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(i), "MessageBody": json.dumps(asdict(message)), "DelaySeconds": delay_s}
                    for i, message in enumerate(messages[start : start + BATCH])
                ],
            )
            if failed := reply.get("Failed"):
                raise Retryable(f"the queue refused {len(failed)} messages: {failed[0].get('Message')}")
