"""Dead letters: what no worker could do, and stream records that could not be handled. The port, and its SQS adapter.

There is a queue for either. SQS itself moves to the one a message that was received too often; Lambda writes to the
other where it gave up in the stream, and tells only the place. The engine sets aside in both what it cannot handle, and
tells the reason.

A queue cannot be looked into: a letter that is read is out of sight for a short time, and is put back as soon as it is
not needed any more. SQS counts that as a receive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from orchestration import payload
from orchestration.errors import InvalidRequest, PayloadError, Refused
from orchestration.queue import BATCH, Message
from orchestration.workflow import require_id

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MAX_LETTERS = 1_000
"""How many letters of a queue one request goes through."""
OUT_OF_SIGHT_S = 60
"""Longer than one page of letters takes, also if one of them asks for a sweep (orchestrator.SWEEP_S)."""
MAX_REPEATS = 3
"""How many pages in a row may hold nothing new before the rest is left: SQS gives letters in no order."""
WAIT_S = 1
"""Not 0: SQS then asks all of its servers, and not some, which may have none of a few letters."""
MAX_BODY_CHARS = 60_000
"""Of a body that is set aside: below what a message may hold, whatever its characters are."""


class Origin(StrEnum):
    """What a queue of dead letters is for."""

    WORKER = "worker"  # messages of the worker queue
    RECORDS = "records"  # records of the table's stream


@dataclass(frozen=True)
class Letter:
    id: str
    origin: Origin
    body: str
    sent_at: int
    receives: int
    reason: str | None = None  # as the engine noted it on a message
    receipt: str = ""  # what it is deleted or put back by


@dataclass(frozen=True)
class Record:
    """A stream record of a task, which the engine has set aside."""

    run_id: str
    task_id: str


@dataclass(frozen=True)
class Unknown:
    """Stream records of which nobody knows the tasks: Lambda tells only their place in the stream."""


Content: TypeAlias = Message | Record | Unknown


class DeadLetters(Protocol):
    def put(self, origin: Origin, body: str, reason: str | None = None) -> None:
        """Set something aside."""

    def take(self, origin: Origin, most: int) -> Sequence[Letter]:
        """Return up to `most` letters, at most ten, out of sight of others for a short time; none if there are none."""

    def put_back(self, letters: Sequence[Letter]) -> None:
        """Let others see letters again. What fails here comes back by itself."""

    def delete(self, letter: Letter) -> None: ...

    def counts(self) -> Mapping[Origin, int]:
        """Return how many letters are in each queue, about."""


def record_body(task: tuple[str, str] | None, reason: str) -> str:
    """Return what is set aside of a stream record: which task it is about, if that is known, and why."""
    run_id, task_id = task or (None, None)
    return json.dumps({"run_id": run_id, "task_id": task_id, "reason": reason})


def content(letter: Letter) -> Content:
    """Return what a letter is about. Raises InvalidRequest if it is nothing that the engine or Lambda has written."""
    if letter.origin is Origin.WORKER:
        return Message.parse(letter.body)
    match _json(letter.body):
        case {"run_id": str(run_id), "task_id": str(task_id)}:
            require_id("run_id", run_id)
            require_id("task_id", task_id)
            return Record(run_id, task_id)
        case {"run_id": None, "task_id": None, "reason": str()} | {"DDBStreamBatchInfo": dict()}:
            return Unknown()
    raise InvalidRequest("message: is about no stream record")


def summary(letter: Letter) -> dict[str, Any]:
    """Return a letter as a person asks to see it, without its body."""
    try:
        about = content(letter)
    except Refused:
        about = Unknown()
    run_id, task_id = (None, None) if isinstance(about, Unknown) else (about.run_id, about.task_id)
    return {
        "id": letter.id,
        "queue": letter.origin,
        "sent_at": letter.sent_at,
        "receives": letter.receives,
        "run_id": run_id,
        "task_id": task_id,
        "reason": letter.reason or (_noted(letter.body) if letter.origin is Origin.RECORDS else None),
    }


def read(letters: DeadLetters, limit: int) -> list[Letter]:
    """Return up to `limit` letters of each queue, and leave them where they are."""
    with _held(letters) as held:
        return list(_taken(letters, held, limit))


def find(letters: DeadLetters, letter_id: str) -> Letter | None:
    """Return a letter, and leave it where it is. It looks at the first MAX_LETTERS of each queue."""
    with _held(letters) as held:
        return _find(letters, held, letter_id)


def drop(letters: DeadLetters, letter_id: str) -> Letter | None:
    """Delete a letter, and return it. It looks at the first MAX_LETTERS of each queue."""
    with _held(letters) as held:
        letter = _find(letters, held, letter_id)
        if letter is not None:
            letters.delete(letter)
            del held[letter.id]
        return letter


def redrive(
    letters: DeadLetters, act: Callable[[Letter], None], letter_id: str | None = None
) -> tuple[list[str], dict[str, str]]:
    """Do again what letters are about, each by `act`, and delete it then: after a crash in between it is done again.

    Return the ids of those that are done, and of those that `act` refused, with the reason; they stay. `letter_id`
    chooses one; without it, all of the first MAX_LETTERS of each queue are.
    """
    redriven: list[str] = []
    refused: dict[str, str] = {}
    with _held(letters) as held:
        for letter in _taken(letters, held, MAX_LETTERS):
            if letter_id not in {None, letter.id}:
                continue
            try:
                act(letter)
            except Refused as exc:
                refused[letter.id] = str(exc)
            else:
                letters.delete(letter)
                del held[letter.id]
                redriven.append(letter.id)
            if letter.id == letter_id:
                break
    return redriven, refused


@contextmanager
def _held(letters: DeadLetters) -> Iterator[dict[str, Letter]]:
    """Put back whatever is held at the end, by id."""
    held: dict[str, Letter] = {}
    try:
        yield held
    finally:
        letters.put_back(list(held.values()))


def _find(letters: DeadLetters, held: dict[str, Letter], letter_id: str) -> Letter | None:
    return next((letter for letter in _taken(letters, held, MAX_LETTERS) if letter.id == letter_id), None)


def _taken(letters: DeadLetters, held: dict[str, Letter], most: int) -> Iterator[Letter]:
    """Take up to `most` letters of each queue, and hold them. Each comes once, also if it comes into sight again."""
    for origin in Origin:
        seen: set[str] = set()
        repeats = 0
        while len(seen) < most and repeats < MAX_REPEATS:
            page = letters.take(origin, min(BATCH, most - len(seen)))
            if not page:
                break
            held |= {letter.id: letter for letter in page}  # one that came again is put back by its new receipt
            new = [letter for letter in page if letter.id not in seen]
            repeats = 0 if new else repeats + 1
            seen.update(letter.id for letter in new)
            yield from new


def _json(body: str) -> payload.Json:
    try:
        return payload.parse(body, what="message")
    except PayloadError:
        return None


def _noted(body: str) -> str | None:
    """Return why a stream record was set aside, as the engine or Lambda has noted it."""
    match _json(body):
        case {"reason": str(reason)} | {"requestContext": {"condition": str(reason)}}:
            return reason
    return None


class SqsDeadLetters:
    """The queues of some origins, by their URLs."""

    def __init__(self, client: SQSClient, urls: Mapping[Origin, str]) -> None:
        self._client = client
        self._urls = urls

    def put(self, origin: Origin, body: str, reason: str | None = None) -> None:
        note: Any = {} if reason is None else {"reason": {"DataType": "String", "StringValue": reason}}
        self._client.send_message(
            QueueUrl=self._urls[origin], MessageBody=body[:MAX_BODY_CHARS], MessageAttributes=note
        )

    def take(self, origin: Origin, most: int) -> Sequence[Letter]:
        reply = self._client.receive_message(
            QueueUrl=self._urls[origin],
            MaxNumberOfMessages=most,
            VisibilityTimeout=OUT_OF_SIGHT_S,
            WaitTimeSeconds=WAIT_S,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            MessageAttributeNames=["reason"],
        )
        return [_letter(origin, message) for message in reply.get("Messages", [])]

    def put_back(self, letters: Sequence[Letter]) -> None:
        for origin, url in self._urls.items():
            receipts = [letter.receipt for letter in letters if letter.origin is origin]
            for start in range(0, len(receipts), BATCH):
                entries: Any = [
                    {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for i, receipt in enumerate(receipts[start : start + BATCH])
                ]
                self._client.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    def delete(self, letter: Letter) -> None:
        self._client.delete_message(QueueUrl=self._urls[letter.origin], ReceiptHandle=letter.receipt)

    def counts(self) -> Mapping[Origin, int]:
        return {origin: self._count(url) for origin, url in self._urls.items()}

    def _count(self, url: str) -> int:
        """Return how many there are, also those that somebody is looking at."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)


def _letter(origin: Origin, message: MessageTypeDef) -> Letter:
    attributes = message.get("Attributes", {})
    note = message.get("MessageAttributes", {}).get("reason")
    return Letter(
        id=message["MessageId"],
        origin=origin,
        body=message["Body"],
        sent_at=int(attributes.get("SentTimestamp", 0)),
        receives=int(attributes.get("ApproximateReceiveCount", 0)),
        reason=note.get("StringValue") if note else None,
        receipt=message["ReceiptHandle"],
    )
