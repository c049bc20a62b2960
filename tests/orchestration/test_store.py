"""One suite for every store: what the engine relies on is the same in memory, in moto, and in the emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.core.models import botocore_stubber

from orchestration import codec, decide, payload
from orchestration.errors import OrchestraError, PayloadTooLarge, Retryable
from orchestration.model import Failure, Handoff, Run, RunStatus, TaskState, TaskStatus
from orchestration.store import PAUSES_S, Change, DynamoStore, OpenRuns, Outcome, Page, Saved, Stale, Store
from tests.support.deployed import TABLE
from tests.support.memory import MemoryStore
from tests.support.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


ROOM = 10_000_000
ABSENT = TaskState(run_id="r", task_id="t")
READY = decide.ready(ABSENT, 1000)
CLAIMED = decide.claim(READY, owner="me", lease_until=92_000, now=2000)
NEW_RUN = Run(run_id="r", workflow="abc", definition="f" * 64, input_digest="d" * 64, started_at=1000)
STARTED = decide.start_run(NEW_RUN, 5000)


@pytest.fixture(params=["memory", "moto", pytest.param("emulator", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest) -> Store:
    match request.param:
        case "memory":
            return MemoryStore()
        case "moto":
            return DynamoStore(request.getfixturevalue("dynamodb"), TABLE)
        case _:
            client: DynamoDBClient = request.getfixturevalue("emulator").client("dynamodb")
            return DynamoStore(client, create_table(client, f"store-{abs(hash(request.node.nodeid))}"))


def write(store: Store, *steps: TaskState) -> TaskState:
    """Write a task's records one after the other, and return the last."""
    for old, new in zip((ABSENT, *steps), steps, strict=False):
        assert store.save([Change(old, new)]) == [Saved(new)]
    return steps[-1]


def stored_task(store: Store) -> TaskState:
    return store.get_run_and_task("r", "t")[1]


# -- what is not there -------------------------------------------------------------------------------------------------


def test_what_is_not_stored_is_a_pending_task_of_no_run(store: Store) -> None:
    assert store.get_run("r") is None
    assert store.get_run_and_task("r", "t") == (None, ABSENT)
    assert store.get_tasks("r") == {}
    assert store.get_outputs("r", ["t"], ROOM) == {}
    assert store.get_outputs("r", [], ROOM) == {}
    assert store.save([]) == []
    assert store.arrive([], 0) == []


def test_a_run_and_its_task_are_read_together(store: Store) -> None:
    store.save([Change(NEW_RUN, STARTED)])
    write(store, READY)
    store.save([Change(replace(ABSENT, task_id="other"), replace(READY, task_id="other"))])

    assert store.get_run("r") == STARTED
    assert store.get_run_and_task("r", "t") == (STARTED, READY)
    assert store.get_run_and_task("r", "absent") == (STARTED, TaskState(run_id="r", task_id="absent"))
    assert store.get_run_and_task("other", "t") == (None, TaskState(run_id="other", task_id="t"))


# -- save --------------------------------------------------------------------------------------------------------------


def test_a_put_needs_that_there_is_no_item(store: Store) -> None:
    assert store.save([Change(ABSENT, READY)]) == [Saved(READY)]
    other = replace(READY, ready_at=7777)
    assert store.save([Change(ABSENT, other)]) == [Stale(READY)]
    assert stored_task(store) == READY


def test_a_put_of_a_run_needs_that_there_is_none(store: Store) -> None:
    assert store.save([Change(NEW_RUN, STARTED)]) == [Saved(STARTED)]
    other = replace(STARTED, input_digest="e" * 64)
    assert store.save([Change(NEW_RUN, other)]) == [Stale(STARTED)]
    assert store.get_run("r") == STARTED


def test_a_write_that_was_decided_on_an_older_version_changes_nothing(store: Store) -> None:
    write(store, READY, CLAIMED)
    late = decide.claim(READY, owner="somebody else", lease_until=92_000, now=2000)
    assert store.save([Change(READY, late)]) == [Stale(CLAIMED)]
    assert stored_task(store) == CLAIMED


def test_a_write_to_an_item_that_is_gone_changes_nothing(store: Store) -> None:
    assert store.save([Change(READY, CLAIMED)]) == [Stale(None)]
    assert stored_task(store) == ABSENT


def test_the_same_write_again_is_saved_once(store: Store) -> None:
    write(store, READY, CLAIMED)
    assert store.save([Change(READY, CLAIMED)]) == [Saved(CLAIMED)]
    assert stored_task(store).version == 2


def test_every_move_of_a_task_is_stored_whole(store: Store) -> None:
    failed = Failure("Boom", "it broke")
    again = decide.retry(CLAIMED, failed, due_at=8000, now=3000)
    claimed_again = decide.claim(again, owner="you", lease_until=99_000, now=9000)
    succeeded = decide.succeed(claimed_again, '{"a":1}', 9500)
    previous = ABSENT
    for step in (READY, CLAIMED, again, claimed_again, succeeded):
        assert store.save([Change(previous, step)]) == [Saved(step)]
        assert stored_task(store) == step
        previous = step


def test_a_failed_and_a_canceled_task_are_stored_whole(store: Store) -> None:
    write(store, READY, CLAIMED, failed := decide.fail(CLAIMED, Failure("Boom", ""), 3000))
    assert stored_task(store) == failed
    canceled = decide.cancel(TaskState(run_id="r", task_id="u"), 4000, Handoff.STREAM)
    store.save([Change(TaskState(run_id="r", task_id="u"), canceled)])
    assert store.get_run_and_task("r", "u")[1] == canceled


def test_every_move_of_a_run_is_stored_whole(store: Store) -> None:
    failing = decide.fail_run(STARTED, Failure("Boom", "it broke", task="t"), 6000)
    previous = NEW_RUN
    for step in (STARTED, failing, decide.settle_run(failing, 5000)):
        assert store.save([Change(previous, step)]) == [Saved(step)]
        assert store.get_run("r") == step
        previous = step


def test_many_changes_are_each_decided_by_themselves_and_answered_in_order(store: Store) -> None:
    absent = [TaskState(run_id="r", task_id=f"t{i:03d}") for i in range(40)]
    ready = [decide.ready(task, 1000) for task in absent]
    store.save([Change(old, new) for old, new in list(zip(absent, ready, strict=True))[::2]])

    late = [decide.ready(task, 2000) for task in absent]
    outcomes = store.save([Change(old, new) for old, new in zip(absent, late, strict=True)])

    assert outcomes == [Stale(ready[i]) if i % 2 == 0 else Saved(late[i]) for i in range(40)]


# -- fencing -----------------------------------------------------------------------------------------------------------


def reclaimed(store: Store, by: str) -> TaskState:
    """Store a task that was taken from `me` and claimed again; return its record."""
    expired = decide.retry(CLAIMED, Failure("Lease", "expired"), due_at=90_000, now=90_000)
    return write(store, READY, CLAIMED, expired, decide.claim(expired, owner=by, lease_until=181_000, now=91_000))


def test_a_worker_that_was_given_up_cannot_complete_the_task(store: Store) -> None:
    current = reclaimed(store, "you")
    assert store.save([Change(CLAIMED, decide.succeed(CLAIMED, '"late"', 95_000))]) == [Stale(current)]
    assert store.save([Change(CLAIMED, decide.fail(CLAIMED, Failure("E", ""), 95_000))]) == [Stale(current)]
    assert stored_task(store) == current


@pytest.mark.parametrize("field", ["owner", "attempt"])
def test_owner_and_attempt_fence_even_where_the_version_agrees(store: Store, field: str) -> None:
    current = reclaimed(store, "you")
    claim = replace(current, **{field: {"owner": "me", "attempt": 1}[field]})  # type: ignore[arg-type]
    assert store.save([Change(claim, decide.succeed(claim, '"late"', 95_000))]) == [Stale(current)]
    assert stored_task(store) == current


# -- arrive ------------------------------------------------------------------------------------------------------------


def test_the_first_arrival_creates_the_item(store: Store) -> None:
    joined = replace(ABSENT, version=1, arrived=frozenset({3}))
    assert store.arrive([ABSENT], 3) == [Saved(joined)]
    assert stored_task(store) == joined


def test_arrivals_add_up_whatever_record_they_come_with(store: Store) -> None:
    store.arrive([ABSENT], 3)
    joined = replace(ABSENT, version=2, arrived=frozenset({0, 3}))
    assert store.arrive([replace(ABSENT, version=17)], 0) == [Saved(joined)]
    assert stored_task(store) == joined


def test_an_index_arrives_once(store: Store) -> None:
    store.arrive([ABSENT], 3)
    joined = replace(ABSENT, version=1, arrived=frozenset({3}))
    assert store.arrive([ABSENT], 3) == [Stale(joined)]
    assert stored_task(store) == joined


def test_a_join_that_is_complete_becomes_ready_and_runs(store: Store) -> None:
    store.arrive([ABSENT], 0)
    (arrived,) = store.arrive([ABSENT], 1)
    assert isinstance(arrived, Saved)
    ready = decide.ready(arrived.record, 1000)
    assert store.save([Change(arrived.record, ready)]) == [Saved(ready)]
    claimed = decide.claim(ready, owner="me", lease_until=92_000, now=2000)
    assert store.save([Change(ready, claimed)]) == [Saved(claimed)]
    assert stored_task(store) == claimed


def test_a_join_can_be_canceled(store: Store) -> None:
    (arrived,) = store.arrive([ABSENT], 0)
    assert isinstance(arrived, Saved)
    canceled = decide.cancel(arrived.record, 1000)
    assert store.save([Change(arrived.record, canceled)]) == [Saved(canceled)]


def test_nothing_arrives_at_a_task_that_no_longer_waits(store: Store) -> None:
    write(store, READY)
    assert store.arrive([ABSENT], 3) == [Stale(READY)]
    write_canceled = decide.cancel(READY, 2000)
    store.save([Change(READY, write_canceled)])
    assert store.arrive([ABSENT], 3) == [Stale(write_canceled)]


def test_sinks_arrive_at_a_run(store: Store) -> None:
    store.save([Change(NEW_RUN, STARTED)])
    first = replace(STARTED, version=2, arrived=frozenset({5}))
    second = replace(STARTED, version=3, arrived=frozenset({5, 6}))
    assert store.arrive([STARTED], 5) == [Saved(first)]
    assert store.arrive([STARTED], 5) == [Stale(first)]
    assert store.arrive([STARTED], 6) == [Saved(second)]
    done = decide.succeed_run(second, 9000)
    assert store.save([Change(second, done)]) == [Saved(done)]
    assert store.get_run("r") == done


def test_nothing_arrives_at_a_run_that_is_absent_or_fails(store: Store) -> None:
    nothing: Sequence[Outcome[Run]] = [Stale(None)]
    assert store.arrive([STARTED], 5) == nothing
    assert store.get_run("r") is None
    store.save([Change(NEW_RUN, STARTED)])
    failing = decide.fail_run(STARTED, Failure("Boom", "", task="t"), 6000)
    store.save([Change(STARTED, failing)])
    assert store.arrive([STARTED], 5) == [Stale(failing)]


def test_many_joins_are_each_decided_by_themselves_and_answered_in_order(store: Store) -> None:
    joins = [TaskState(run_id="r", task_id=f"t{i:03d}") for i in range(40)]
    store.arrive(joins[::2], 7)
    first = [replace(join, version=1, arrived=frozenset({7})) for join in joins]
    assert store.arrive(joins, 7) == [Stale(first[i]) if i % 2 == 0 else Saved(first[i]) for i in range(40)]


# -- reads of many -----------------------------------------------------------------------------------------------------


def succeed_many(store: Store, ids: Sequence[str], output: str) -> None:
    absent = [TaskState(run_id="r", task_id=i) for i in ids]
    done = [replace(task, status=TaskStatus.SUCCEEDED, version=1, output=output) for task in absent]
    store.save([Change(old, new) for old, new in zip(absent, done, strict=True)])


def test_outputs_of_more_tasks_than_one_request_reads(store: Store) -> None:
    ids = [f"t{i:03d}" for i in range(101)]
    succeed_many(store, ids, '"out"')
    store.save([Change(replace(ABSENT, task_id="ready"), replace(READY, task_id="ready"))])
    found = store.get_outputs("r", [*ids, "ready", "absent"], ROOM)
    assert found == dict.fromkeys(ids, '"out"')


def test_outputs_for_which_there_is_no_room(store: Store) -> None:
    ids = [f"t{i}" for i in range(3)]
    succeed_many(store, ids, '"é"')  # four bytes
    assert store.get_outputs("r", ids, 12) == dict.fromkeys(ids, '"é"')
    with pytest.raises(PayloadTooLarge, match=r"^the outputs of 3 tasks are more than 11 bytes together$"):
        store.get_outputs("r", ids, 11)


def test_outputs_of_more_bytes_than_one_reply_holds(store: Store) -> None:
    text = payload.dump("x" * (payload.LIMIT_BYTES - 2), what="output")
    ids = [f"t{i}" for i in range(6)]
    succeed_many(store, ids, text)
    assert store.get_outputs("r", ids, ROOM) == dict.fromkeys(ids, text)
    tasks = store.get_tasks("r")  # the query pages at 1 MB of what it reads
    assert {task_id: (task.status, task.output) for task_id, task in tasks.items()} == dict.fromkeys(
        ids, (TaskStatus.SUCCEEDED, None)
    )


def test_the_tasks_of_a_run_are_its_own(store: Store) -> None:
    store.save([Change(NEW_RUN, STARTED)])
    store.put_input("r", STARTED.input_digest, "1")
    write(store, READY, CLAIMED)
    store.arrive([TaskState(run_id="r", task_id="join")], 2)
    neighbour = TaskState(run_id="r2", task_id="t")
    store.save([Change(neighbour, decide.ready(neighbour, 1000))])
    assert store.get_tasks("r") == {
        "join": TaskState(run_id="r", task_id="join", version=1, arrived=frozenset({2})),
        "t": CLAIMED,
    }


# -- input -------------------------------------------------------------------------------------------------------------


def test_the_input_that_the_run_names_is_read(store: Store) -> None:
    store.put_input("r", STARTED.input_digest, '{"a":"\\u00e9"}')
    store.put_input("r", "e" * 64, '"another"')
    assert store.get_input(STARTED) == '{"a":"\\u00e9"}'
    store.delete_input("r", "e" * 64)
    store.delete_input("r", "e" * 64)
    assert store.get_input(STARTED) == '{"a":"\\u00e9"}'
    store.put_input("r", STARTED.input_digest, '{"a":"\\u00e9"}')
    assert store.get_input(STARTED) == '{"a":"\\u00e9"}'


# -- list --------------------------------------------------------------------------------------------------------------


def start_many(store: Store, count: int, workflow: str = "abc", at: Callable[[int], int] = lambda i: 1000 + i) -> None:
    """Start runs <workflow>-000, ... whose order of start is not that of their ids' shards."""
    absent = [replace(NEW_RUN, run_id=f"{workflow}-{i:03d}", workflow=workflow, started_at=at(i)) for i in range(count)]
    store.save([Change(run, decide.start_run(run, 5000)) for run in absent])


def pages(store: Store, workflows: Sequence[str], limit: int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = store.list_runs(workflows, limit, cursor)
        yield [run.run_id for run in page.runs]
        cursor = page.cursor
        if cursor is None:
            return


def test_runs_are_listed_newest_first_page_by_page(store: Store) -> None:
    start_many(store, 25)
    expected = [f"abc-{i:03d}" for i in reversed(range(25))]
    for limit in (3, 10):  # fewer than a shard of the index has, and more
        assert list(pages(store, ["abc"], limit)) == [expected[i : i + limit] for i in range(0, 25, limit)]


def test_a_full_last_page_is_followed_by_an_empty_one(store: Store) -> None:
    start_many(store, 4)
    assert list(pages(store, ["abc"], 2)) == [["abc-003", "abc-002"], ["abc-001", "abc-000"], []]
    assert store.list_runs(["abc"], 2, None).cursor == "0000000001002#abc-002"


def test_runs_that_start_at_the_same_time_are_ordered_by_id(store: Store) -> None:
    start_many(store, 7, at=lambda i: 1000)
    assert [run for page in pages(store, ["abc"], 3) for run in page] == [f"abc-{i:03d}" for i in reversed(range(7))]


def test_the_runs_of_several_workflows_are_merged_and_others_left_out(store: Store) -> None:
    start_many(store, 3, "abc", at=lambda i: 1000 + 2 * i)
    start_many(store, 3, "xyz", at=lambda i: 1001 + 2 * i)
    start_many(store, 3, "other")
    assert list(pages(store, ["abc", "xyz"], 10)) == [
        ["xyz-002", "abc-002", "xyz-001", "abc-001", "xyz-000", "abc-000"]
    ]
    assert store.list_runs([], 10, None) == Page([])


def test_a_listed_run_is_shown_as_it_is_now(store: Store) -> None:
    store.save([Change(NEW_RUN, STARTED)])
    done = decide.succeed_run(STARTED, 5000)
    store.save([Change(STARTED, done)])
    assert store.list_runs(["abc"], 10, None) == Page([done])
    assert done.status is RunStatus.SUCCEEDED


# -- only DynamoDB -----------------------------------------------------------------------------------------------------


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore try again at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


def lose_reply(client: DynamoDBClient, operation: str) -> list[str]:
    """Carry out the next request of an operation, and lose its reply. Return the list of what was sent, as it grows."""
    sent: list[str] = []

    def hook(request: Any, event_name: str, **_: Any) -> Any:
        sent.append(event_name)
        if len(sent) > 1:
            return None
        reply = botocore_stubber(event_name, request)
        assert reply is not None
        assert reply.status_code == 200, reply.content
        raise ReadTimeoutError(endpoint_url=request.url)

    client.meta.events.register_first(f"before-send.dynamodb.{operation}", hook)
    return sent


@pytest.mark.usefixtures("unhurried")
class TestLostReply:
    """botocore sends a write again whose reply was lost, and its condition then fails on our own write."""

    def test_of_a_put(self, dynamodb: DynamoDBClient) -> None:
        store = DynamoStore(dynamodb, TABLE)
        sent = lose_reply(dynamodb, "PutItem")
        assert store.save([Change(ABSENT, READY)]) == [Saved(READY)]
        assert len(sent) == 2
        assert stored_task(store) == READY

    def test_of_a_put_of_a_run(self, dynamodb: DynamoDBClient) -> None:
        store = DynamoStore(dynamodb, TABLE)
        sent = lose_reply(dynamodb, "PutItem")
        assert store.save([Change(NEW_RUN, STARTED)]) == [Saved(STARTED)]
        assert len(sent) == 2

    def test_of_a_claim(self, dynamodb: DynamoDBClient) -> None:
        store = DynamoStore(dynamodb, TABLE)
        write(store, READY)
        sent = lose_reply(dynamodb, "UpdateItem")
        assert store.save([Change(READY, CLAIMED)]) == [Saved(CLAIMED)]
        assert len(sent) == 2
        assert stored_task(store) == CLAIMED

    def test_of_a_claim_that_somebody_else_made(self, dynamodb: DynamoDBClient) -> None:
        store = DynamoStore(dynamodb, TABLE)
        write(store, READY, CLAIMED)
        mine = decide.claim(READY, owner="another", lease_until=92_000, now=2000)
        assert store.save([Change(READY, mine)]) == [Stale(CLAIMED)]

    def test_of_an_arrival(self, dynamodb: DynamoDBClient) -> None:
        """Whoever wrote it, the index is there: the caller goes on from what is stored."""
        store = DynamoStore(dynamodb, TABLE)
        sent = lose_reply(dynamodb, "UpdateItem")
        joined = replace(ABSENT, version=1, arrived=frozenset({3}))
        assert store.arrive([ABSENT], 3) == [Stale(joined)]
        assert len(sent) == 2
        assert stored_task(store) == joined


def test_keys_that_a_request_leaves_are_asked_for_again(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DynamoStore(dynamodb, TABLE)
    ids = [f"t{i}" for i in range(5)]
    succeed_many(store, ids, '"out"')
    real: Any = dynamodb.batch_get_item
    asked: list[int] = []

    def two_at_a_time(RequestItems: Any) -> Any:  # noqa: N803 - as boto3 names it
        ((table, wanted),) = RequestItems.items()
        asked.append(len(wanted["Keys"]))
        assert wanted["ConsistentRead"] is True
        reply = real(RequestItems={table: {**wanted, "Keys": wanted["Keys"][:2]}})
        left = wanted["Keys"][2:]
        return {**reply, "UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {}}

    monkeypatch.setattr(dynamodb, "batch_get_item", two_at_a_time)
    assert store.get_outputs("r", ids, ROOM) == dict.fromkeys(ids, '"out"')
    assert asked == [5, 3, 1]


def test_a_read_for_which_there_is_no_capacity_is_asked_again_and_then_given_up(
    dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    store = DynamoStore(dynamodb, TABLE, pauses.append)
    succeed_many(store, ["A"], '"out"')
    real = dynamodb.batch_get_item
    throttled = [True] * 3

    def now_and_then(RequestItems: Any) -> Any:  # noqa: N803 - as boto3 names it
        if throttled and throttled.pop():
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        return real(RequestItems=RequestItems)

    monkeypatch.setattr(dynamodb, "batch_get_item", now_and_then)
    assert store.get_outputs("r", ["A"], ROOM) == {"A": '"out"'}
    assert pauses == list(PAUSES_S[:3])
    throttled += [True] * 99
    with pytest.raises(Retryable, match=rf"^{TABLE}: no capacity to read 1 items$"):
        store.get_outputs("r", ["A"], ROOM)
    assert pauses[3:] == list(PAUSES_S)


def test_another_error_than_a_failed_condition_is_raised(dynamodb: DynamoDBClient) -> None:
    store = DynamoStore(dynamodb, "no-such-table")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        store.save([Change(ABSENT, READY)])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        store.arrive([ABSENT], 0)


def test_a_missing_input_is_an_error_that_names_the_run(dynamodb: DynamoDBClient) -> None:
    with pytest.raises(OrchestraError, match=r"^r: the run's input is missing$"):
        DynamoStore(dynamodb, TABLE).get_input(STARTED)


def test_an_item_of_a_newer_release_is_not_decided_on(dynamodb: DynamoDBClient) -> None:
    dynamodb.put_item(TableName=TABLE, Item={**codec.encode(READY), "schema": {"N": "2"}})
    store = DynamoStore(dynamodb, TABLE)
    with pytest.raises(OrchestraError, match="schema 2 is newer than 1"):
        store.get_run_and_task("r", "t")
    with pytest.raises(OrchestraError, match="schema 2 is newer than 1"):
        store.save([Change(ABSENT, READY)])


def test_nothing_arrives_at_an_item_of_a_newer_release(dynamodb: DynamoDBClient) -> None:
    pending = {**codec.encode(TaskState(run_id="r", task_id="t", version=1)), "schema": {"N": "2"}}
    dynamodb.put_item(TableName=TABLE, Item=pending)
    with pytest.raises(OrchestraError, match="schema 2 is newer than 1"):
        DynamoStore(dynamodb, TABLE).arrive([ABSENT], 0)
    assert dynamodb.get_item(TableName=TABLE, Key=codec.task_key("r", "t"))["Item"] == pending


def test_what_a_newer_release_added_survives_a_write(dynamodb: DynamoDBClient) -> None:
    dynamodb.put_item(TableName=TABLE, Item={**codec.encode(READY), "colour": {"S": "blue"}})
    assert DynamoStore(dynamodb, TABLE).save([Change(READY, CLAIMED)]) == [Saved(CLAIMED)]
    item = dynamodb.get_item(TableName=TABLE, Key=codec.task_key("r", "t"))["Item"]
    assert item == {**codec.encode(CLAIMED), "colour": {"S": "blue"}}


def test_a_run_that_this_release_cannot_read_keeps_no_other_out_of_a_list(dynamodb: DynamoDBClient) -> None:
    store = DynamoStore(dynamodb, TABLE)
    start_many(store, 3)
    dynamodb.update_item(
        TableName=TABLE,
        Key=codec.run_key("abc-001"),
        UpdateExpression="SET #schema = :two",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":two": {"N": "2"}},
    )
    page = store.list_runs(["abc"], 10, None)
    assert [run.run_id for run in page.runs] == ["abc-002", "abc-000"]
    assert page.unreadable == {
        "abc-001": "RUN#abc-001/RUN: schema 2 is newer than 1, the newest that this release knows"
    }


# -- the runs that are open --------------------------------------------------------------------------------------------


def test_open_runs_are_found_from_the_time_of_their_check(store: Store) -> None:
    absent = [replace(NEW_RUN, run_id=f"run-{i:02d}") for i in range(12)]
    started = [decide.start_run(run, 1000 * i) for i, run in enumerate(absent)]
    store.save([Change(run, new) for run, new in zip(absent, started, strict=True)])
    assert sorted(store.overdue(3000)) == ["run-00", "run-01", "run-02", "run-03"]
    assert sorted(store.overdue(-1)) == []
    assert len(list(store.overdue(99_999))) == 12
    assert store.open_runs() == OpenRuns(12, 0)

    store.save([Change(started[0], decide.check_run(started[0], 50_000, 4000))])
    store.save([Change(started[1], decide.succeed_run(started[1], 4000))])
    failing = decide.fail_run(started[2], Failure("Boom", ""), 2500)
    store.save([Change(started[2], failing)])
    assert sorted(store.overdue(3000)) == ["run-02", "run-03"]
    store.save([Change(failing, decide.settle_run(failing, 4000))])
    assert sorted(store.overdue(3000)) == ["run-03"]
    assert store.open_runs() == OpenRuns(10, 3000)


def test_a_redriven_run_is_open_again(store: Store) -> None:
    store.save([Change(NEW_RUN, STARTED)])
    failing = decide.fail_run(STARTED, Failure("Boom", ""), 2500)
    failed = decide.settle_run(failing, 4000)
    again = decide.redrive_run(failed, arrived=frozenset({3}), deadline_at=None, check_at=9000)
    store.save([Change(STARTED, failing)])
    store.save([Change(failing, failed)])
    assert list(store.overdue(99_999)) == []
    assert store.open_runs() == OpenRuns(0, None)
    store.save([Change(failed, again)])
    assert store.get_run("r") == again
    assert list(store.overdue(9000)) == ["r"]
