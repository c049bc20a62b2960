"""Where runs and tasks are kept: the port that the engine sees, and its adapter for DynamoDB.

A write says which record it was decided on (`old`) and what follows from it (`new`). It is carried out if the stored
version is still `old`'s, and answered with `Saved`; else nothing is written, and `Stale` brings what is stored.

A reply can get lost after the write was carried out, and botocore then sends the write again, which fails its own
condition. So a failed condition asks for the stored item (ALL_OLD): if that is what we wanted to write, we wrote it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from botocore.exceptions import ClientError

from orchestration import codec
from orchestration.errors import Missing, OrchestraError, PayloadTooLarge, Retryable
from orchestration.model import SCHEMA, Run, RunStatus, TaskState, TaskStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

R = TypeVar("R", TaskState, Run)
T = TypeVar("T")
U = TypeVar("U")

PARALLEL_CALLS = 16
"""How many requests of one bulk operation are under way at a time."""
BATCH_GET_LIMIT = 100
PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""The waits before asking again for items of which a reply brought none."""


@dataclass(frozen=True)
class Change(Generic[R]):
    """A write that was decided on `old`; version 0 of it means that there was no item."""

    old: R
    new: R


@dataclass(frozen=True)
class Saved(Generic[R]):
    record: R


@dataclass(frozen=True)
class Stale(Generic[R]):
    """The condition did not hold. `stored` is what is there; None: the item is gone, or was never there."""

    stored: R | None


@dataclass(frozen=True)
class OpenRuns:
    """How many runs have not ended, and the earliest time at which one of them is due; None: there is none."""

    count: int
    first_due_at: int | None


Outcome: TypeAlias = Saved[R] | Stale[R]


@dataclass(frozen=True)
class Page:
    """Some runs, the newest first."""

    runs: Sequence[Run]
    cursor: str | None = None  # the position after which there are more
    unreadable: Mapping[str, str] = field(
        default_factory=dict
    )  # the runs among them that this release cannot read: why


class Store(Protocol):
    """Every read is strongly consistent, but for `list_runs`, `overdue` and `open_runs`, which go by an index."""

    def get_run(self, run_id: str) -> Run | None: ...

    def get_run_and_task(self, run_id: str, task_id: str) -> tuple[Run | None, TaskState]:
        """Return a run and one of its tasks; a task without an item is version 0."""

    def get_tasks(self, run_id: str) -> Mapping[str, TaskState]:
        """Return the tasks of a run that have an item, by id, without their outputs."""

    def get_outputs(self, run_id: str, task_ids: Sequence[str], max_bytes: int) -> Mapping[str, str]:
        """Return the outputs of tasks that have one, as JSON text, by id.

        Raises PayloadTooLarge if they are more than `max_bytes` of UTF-8 together: there is room for no more.
        """

    def get_input(self, run: Run) -> str:
        """Return the run's input as JSON text. Raises Missing."""

    def put_input(self, run_id: str, digest: str, text: str) -> None: ...

    def delete_input(self, run_id: str, digest: str) -> None: ...

    def save(self, changes: Sequence[Change[R]]) -> Sequence[Outcome[R]]:
        """Carry out writes, each by itself, and return their outcomes in the same order."""

    def arrive(self, joins: Sequence[R], index: int) -> Sequence[Outcome[R]]:
        """Add an index to what has arrived at each join, on condition that it is not there yet.

        The join must be PENDING (a task; one without an item is created) or RUNNING (a run). Only its key is used.
        """

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        """Return up to `limit` runs of some workflows.

        `before` is such a position; None begins with the newest.
        """

    def overdue(self, now: int) -> Iterator[str]:
        """Find the runs whose `check_at` has come, in no particular order. The index may lag."""

    def open_runs(self) -> OpenRuns:
        """Count the runs that have not ended. The index may lag."""


class DynamoStore:
    """The table. One request for each call, but for bulk operations and pages."""

    def __init__(self, client: DynamoDBClient, table: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def get_run(self, run_id: str) -> Run | None:
        item = self._client.get_item(TableName=self._table, Key=codec.run_key(run_id), ConsistentRead=True).get("Item")
        return codec.decode(item, Run) if item else None

    def get_run_and_task(self, run_id: str, task_id: str) -> tuple[Run | None, TaskState]:
        items = list(self._get_items([codec.run_key(run_id), codec.task_key(run_id, task_id)]))
        run = next((codec.decode(i, Run) for i in items if codec.task_of_key(i) is None), None)
        task = next((codec.decode(i, TaskState) for i in items if codec.task_of_key(i)), None)
        return run, task or TaskState(run_id=run_id, task_id=task_id)

    def get_tasks(self, run_id: str) -> Mapping[str, TaskState]:
        # The outputs are billed all the same, but stay out of the network and out of memory.
        names = [name for name in codec.TASK_ATTRIBUTES if name != "output"]
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :task)",
            ExpressionAttributeValues={":pk": {"S": codec.run_pk(run_id)}, ":task": {"S": codec.TASK}},
            ProjectionExpression=", ".join(f"#{n}" for n in names),
            ExpressionAttributeNames={f"#{n}": n for n in names},
            ConsistentRead=True,
        )
        tasks = (codec.decode(item, TaskState) for page in pages for item in page["Items"])
        return {task.task_id: task for task in tasks}

    def get_outputs(self, run_id: str, task_ids: Sequence[str], max_bytes: int) -> Mapping[str, str]:
        outputs: dict[str, str] = {}
        room = max_bytes
        for item in self._get_items([codec.task_key(run_id, task_id) for task_id in task_ids]):
            task = codec.decode(item, TaskState)
            if task.output is not None:
                outputs[task.task_id] = task.output
                room -= len(task.output.encode())
            if room < 0:
                raise PayloadTooLarge(f"the outputs of {len(task_ids)} tasks are more than {max_bytes} bytes together")
        return outputs

    def get_input(self, run: Run) -> str:
        key = codec.input_key(run.run_id, run.input_digest)
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            raise Missing(f"{run.run_id}: the run's input is missing")
        return item["input"]["S"]

    def put_input(self, run_id: str, digest: str, text: str) -> None:
        self._client.put_item(TableName=self._table, Item=codec.encode_input(run_id, digest, text))

    def delete_input(self, run_id: str, digest: str) -> None:
        self._client.delete_item(TableName=self._table, Key=codec.input_key(run_id, digest))

    def save(self, changes: Sequence[Change[R]]) -> Sequence[Outcome[R]]:
        return in_parallel(self._save, changes)

    def arrive(self, joins: Sequence[R], index: int) -> Sequence[Outcome[R]]:
        return in_parallel(lambda join: self._arrive(join, index), joins)

    def list_runs(self, workflows: Sequence[str], limit: int, before: str | None) -> Page:
        shards = [codec.runs_pk(workflow, shard) for workflow in workflows for shard in range(codec.RUN_SHARDS)]
        rows = [row for page in in_parallel(lambda pk: self._shard(pk, limit, before), shards) for row in page]
        newest = sorted(rows, key=lambda row: row["runs_sk"]["S"], reverse=True)[:limit]
        runs: list[Run] = []
        unreadable: dict[str, str] = {}
        for item in self._get_items([{name: row[name] for name in codec.KEY} for row in newest]):
            try:
                runs.append(codec.decode(item, Run))
            except OrchestraError as exc:
                unreadable[codec.run_of_key(item)] = str(exc)
        runs.sort(key=lambda run: run.position, reverse=True)
        return Page(runs, newest[-1]["runs_sk"]["S"] if len(newest) == limit else None, unreadable)

    def overdue(self, now: int) -> Iterator[str]:
        for shard in range(codec.RUN_SHARDS):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=codec.OPEN_RUNS_INDEX,
                KeyConditionExpression="open_pk = :pk AND check_at <= :now",
                ExpressionAttributeValues={":pk": {"S": str(shard)}, ":now": {"N": str(now)}},
            )
            for page in pages:
                yield from (codec.run_of_key(item) for item in page["Items"])

    def open_runs(self) -> OpenRuns:
        count, first = 0, []
        for shard in range(codec.RUN_SHARDS):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=codec.OPEN_RUNS_INDEX,
                KeyConditionExpression="open_pk = :pk",
                ExpressionAttributeValues={":pk": {"S": str(shard)}},
                ProjectionExpression="check_at",
            )
            for number, page in enumerate(pages):
                count += page["Count"]
                if number == 0 and page["Items"]:  # in the order of `check_at`
                    first.append(int(page["Items"][0]["check_at"]["N"]))
        return OpenRuns(count, min(first, default=None))

    def _shard(self, pk: str, limit: int, before: str | None) -> Sequence[Mapping[str, Any]]:
        condition, values = "runs_pk = :pk", {":pk": {"S": pk}}
        if before is not None:
            condition += " AND runs_sk < :before"
            values[":before"] = {"S": before}
        reply = self._client.query(
            TableName=self._table,
            IndexName=codec.RUNS_INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
        return reply["Items"]

    def _get_items(self, keys: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the items that exist, in no order, holding one reply at a time.

        DynamoDB may leave keys for another request: since a reply holds no more, or since it has no capacity left.
        """
        for start in range(0, len(keys), BATCH_GET_LIMIT):
            request: Any = {self._table: {"Keys": keys[start : start + BATCH_GET_LIMIT], "ConsistentRead": True}}
            pauses = iter(PAUSES_S)
            while request:
                reply = self._client.batch_get_item(RequestItems=request)
                found = reply["Responses"].get(self._table, [])
                yield from found
                request = reply["UnprocessedKeys"]
                if request and not found:
                    pause_s = next(pauses, None)
                    if pause_s is None:
                        raise Retryable(f"{self._table}: no capacity to read {len(request[self._table]['Keys'])} items")
                    self._sleep(pause_s)

    def _save(self, change: Change[R]) -> Outcome[R]:
        old, new = change.old, change.new
        try:
            if old.version == 0:
                self._put(new)
            else:
                self._update(old, new)
        except ClientError as exc:
            stored = _stored(exc, new)
            return Saved(new) if stored == new else Stale(stored)
        return Saved(new)

    def _put(self, new: TaskState | Run) -> None:
        self._client.put_item(
            TableName=self._table,
            Item=codec.encode(new),
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def _update(self, old: TaskState | Run, new: TaskState | Run) -> None:
        before = codec.encode(old)
        after = codec.encode(new)
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        removed = [name for name in before if name not in after]
        update = "SET " + ", ".join(f"#{n} = :{n}" for n in changed)
        if removed:
            update += " REMOVE " + ", ".join(f"#{n}" for n in removed)
        guards = codec.guards(old)
        self._client.update_item(
            TableName=self._table,
            Key=codec.key_of(old),
            UpdateExpression=update,
            ConditionExpression=" AND ".join(f"#{n} = :was_{n}" for n in guards),
            ExpressionAttributeNames={f"#{n}": n for n in {*changed, *removed, *guards}},
            ExpressionAttributeValues={
                **{f":{n}": v for n, v in changed.items()},
                **{f":was_{n}": v for n, v in guards.items()},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def _arrive(self, join: R, index: int) -> Outcome[R]:
        """One write, whoever else arrives at the same time: it reads no version, so none can be stale."""
        waiting = RunStatus.RUNNING if isinstance(join, Run) else TaskStatus.PENDING
        absent = "" if isinstance(join, Run) else "attribute_not_exists(pk) OR "
        waits = f"({absent}#status = :waiting AND #schema <= :schema)"
        try:
            reply = self._client.update_item(
                TableName=self._table,
                Key=codec.key_of(join),
                UpdateExpression="SET #status = :waiting, #schema = :schema ADD #version :one, #arrived :index",
                ConditionExpression=f"{waits} AND NOT contains(#arrived, :member)",
                ExpressionAttributeNames={f"#{n}": n for n in ("status", "schema", "version", "arrived")},
                ExpressionAttributeValues={
                    ":waiting": {"S": waiting},
                    ":schema": {"N": str(SCHEMA)},
                    ":one": {"N": "1"},
                    ":index": {"NS": [str(index)]},
                    ":member": {"N": str(index)},
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as exc:
            return Stale(_stored(exc, join))
        return Saved(codec.decode(reply["Attributes"], type(join)))


def _stored(exc: ClientError, record: R) -> R | None:
    """Return what is stored where a condition failed. Any other error is raised again."""
    if exc.response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise exc
    item: Any = exc.response.get("Item")
    return codec.decode(item, type(record)) if item else None


def in_parallel(call: Callable[[T], U], things: Sequence[T]) -> list[U]:
    if len(things) <= 1:
        return [call(thing) for thing in things]
    with ThreadPoolExecutor(min(PARALLEL_CALLS, len(things))) as pool:
        return list(pool.map(call, things))
