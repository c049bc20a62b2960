"""Items: whole, by hand; then that every record comes back as it went."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from orchestration import codec
from orchestration.errors import OrchestraError, WorkflowError
from orchestration.model import Failure, Handoff, Run, RunStatus, TaskState, TaskStatus

TASK = TaskState(
    run_id="r-1",
    task_id="B1",
    status=TaskStatus.FAILED,
    version=4,
    epoch=3,
    attempt=2,
    released=1,
    owner="me",
    lease_until=9_000,
    arrived=frozenset({10, 2}),
    handoff=Handoff.STREAM,
    output='{"a":1}',
    error=Failure("Boom", "it broke"),
    first_ready_at=500,
    ready_at=1_000,
    due_at=1_500,
    started_at=2_000,
    finished_at=3_000,
)
TASK_ITEM: dict[str, Any] = {
    "pk": {"S": "RUN#r-1"},
    "sk": {"S": "TASK#B1"},
    "schema": {"N": "1"},
    "status": {"S": "FAILED"},
    "version": {"N": "4"},
    "epoch": {"N": "3"},
    "attempt": {"N": "2"},
    "released": {"N": "1"},
    "owner": {"S": "me"},
    "lease_until": {"N": "9000"},
    "arrived": {"NS": ["2", "10"]},
    "handoff": {"S": "stream"},
    "output": {"S": '{"a":1}'},
    "error": {"M": {"name": {"S": "Boom"}, "message": {"S": "it broke"}}},
    "first_ready_at": {"N": "500"},
    "ready_at": {"N": "1000"},
    "due_at": {"N": "1500"},
    "started_at": {"N": "2000"},
    "finished_at": {"N": "3000"},
}
RUN = Run(
    run_id="r-1",
    workflow="abc",
    definition="f" * 64,
    input_digest="d" * 64,
    status=RunStatus.FAILED,
    version=3,
    arrived=frozenset({4}),
    error=Failure("Boom", "", task="B1"),
    started_at=1_700_000_000_000,
    finished_at=1_700_000_009_999,
)
RUN_ITEM: dict[str, Any] = {
    "pk": {"S": "RUN#r-1"},
    "sk": {"S": "RUN"},
    "schema": {"N": "1"},
    "runs_pk": {"S": "abc#1"},
    "runs_sk": {"S": "1700000000000#r-1"},
    "workflow": {"S": "abc"},
    "definition": {"S": "f" * 64},
    "input_digest": {"S": "d" * 64},
    "engine": {"S": "dynamodb"},
    "epoch": {"N": "1"},
    "status": {"S": "FAILED"},
    "version": {"N": "3"},
    "arrived": {"NS": ["4"]},
    "error": {"M": {"name": {"S": "Boom"}, "message": {"S": ""}, "task": {"S": "B1"}}},
    "started_at": {"N": "1700000000000"},
    "finished_at": {"N": "1700000009999"},
}


def test_a_whole_task() -> None:
    assert codec.encode(TASK) == TASK_ITEM
    assert codec.decode(TASK_ITEM, TaskState) == TASK


def test_a_whole_run() -> None:
    assert codec.encode(RUN) == RUN_ITEM
    assert codec.decode(RUN_ITEM, Run) == RUN


def test_what_is_empty_has_no_attribute() -> None:
    assert codec.encode(TaskState(run_id="r", task_id="t")) == {
        "pk": {"S": "RUN#r"},
        "sk": {"S": "TASK#t"},
        "schema": {"N": "1"},
        "status": {"S": "PENDING"},
        "version": {"N": "0"},
        "epoch": {"N": "1"},
        "attempt": {"N": "0"},
        "released": {"N": "0"},
    }


def test_an_item_that_only_arrivals_have_written() -> None:
    item: dict[str, Any] = {
        "pk": {"S": "RUN#r"},
        "sk": {"S": "TASK#t"},
        "schema": {"N": "1"},
        "status": {"S": "PENDING"},
        "version": {"N": "2"},
        "arrived": {"NS": ["1", "0"]},
    }
    expected = TaskState(run_id="r", task_id="t", version=2, arrived=frozenset({0, 1}))
    assert codec.decode(item, TaskState) == expected


@pytest.mark.parametrize(("item", "record"), [(TASK_ITEM, TASK), (RUN_ITEM, RUN)])
def test_what_this_release_does_not_know_is_ignored(item: dict[str, Any], record: TaskState | Run) -> None:
    error = {"M": {**item["error"]["M"], "stack": {"L": []}}}
    more = {**item, "colour": {"S": "blue"}, "list": {"L": [{"BOOL": True}]}, "error": error}
    kind: Any = type(record)
    assert codec.decode(more, kind) == record


@pytest.mark.parametrize(("item", "kind"), [(TASK_ITEM, TaskState), (RUN_ITEM, Run)])
def test_a_newer_schema_is_refused(item: dict[str, Any], kind: Any) -> None:
    with pytest.raises(OrchestraError) as error:
        codec.decode({**item, "schema": {"N": "2"}}, kind)
    where = f"RUN#r-1/{item['sk']['S']}"
    assert str(error.value) == f"{where}: schema 2 is newer than 1, the newest that this release knows"


@pytest.mark.parametrize(
    ("item", "kind", "changed", "line"),
    [
        (TASK_ITEM, TaskState, {"status": {"S": "PAUSED"}}, "status: 'PAUSED' is not a TaskStatus"),
        (TASK_ITEM, TaskState, {"status": {"S": "FAILING"}}, "status: 'FAILING' is not a TaskStatus"),
        (RUN_ITEM, Run, {"status": {"S": "READY"}}, "status: 'READY' is not a RunStatus"),
        (TASK_ITEM, TaskState, {"handoff": {"S": "pigeon"}}, "handoff: 'pigeon' is not a Handoff"),
    ],
)
def test_an_unknown_state_is_refused(item: dict[str, Any], kind: Any, changed: dict[str, Any], line: str) -> None:
    with pytest.raises(OrchestraError) as error:
        codec.decode({**item, **changed}, kind)
    assert str(error.value) == f"RUN#r-1/{item['sk']['S']}: {line} that this release knows"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"schema": None}, "schema is missing"),
        ({"schema": {"S": "1"}}, "schema: is of the type S, and ours is N"),
        ({"status": None}, "status is missing"),
        ({"version": None}, "version is missing"),
        ({"version": {"N": "0"}}, "version: 0 is that of an item that there is not"),
        ({"version": {"N": "-1"}}, "version: is not a whole number"),
        ({"version": {"S": "4"}}, "version: is of the type S, and ours is N"),
        ({"output": {"B": b"x"}}, "output: is of the type B, and ours is S"),
        ({"arrived": {"SS": ["1"]}}, "arrived: is of the type SS, and ours is NS"),
        ({"error": {"M": {"name": {"S": "Boom"}}}}, "message is missing"),
        ({"error": {"M": {"name": {"N": "1"}, "message": {"S": ""}}}}, "error: is of the type N, and ours is S"),
    ],
)
def test_an_item_of_another_shape_is_refused(changed: dict[str, Any], line: str) -> None:
    item = {name: value for name, value in {**TASK_ITEM, **changed}.items() if value is not None}
    with pytest.raises(OrchestraError) as error:
        codec.decode(item, TaskState)
    assert str(error.value) == f"RUN#r-1/TASK#B1: {line}"


VALUES: list[dict[str, Any]] = [
    {"S": "x"}, {"S": ""}, {"N": "1.5"}, {"N": "-1"}, {"N": "1E3"}, {"B": b"1"}, {"BOOL": True}, {"NULL": True},
    {"L": []}, {"M": {}}, {"SS": ["1"]}, {"NS": ["1"]},
]  # fmt: skip


@pytest.mark.parametrize("whole", [TASK, RUN], ids=["task", "run"])
def test_whatever_an_item_has_it_is_a_record_of_the_right_types_or_refused(whole: TaskState | Run) -> None:
    """Each attribute in turn is left out, and is of every other type: on a wrong one would be decided wrongly."""
    item = codec.encode(whole)
    kind: Any = type(whole)
    types = {name: type(value) for name, value in vars(whole).items() if value is not None}
    for name in item.keys() - codec.KEY:
        without = {other: value for other, value in item.items() if other != name}
        for changed in (without, *({**item, name: value} for value in VALUES)):
            with suppress(OrchestraError):
                found = vars(codec.decode(changed, kind))
                wrong = {n: v for n, v in found.items() if v is not None and type(v) is not types.get(n, type(v))}
                assert not wrong, (name, changed.get(name))


def test_keys() -> None:
    assert codec.run_key("r") == {"pk": {"S": "RUN#r"}, "sk": {"S": "RUN"}}
    assert codec.task_key("r", "t") == {"pk": {"S": "RUN#r"}, "sk": {"S": "TASK#t"}}
    assert codec.input_key("r", "d") == {"pk": {"S": "RUN#r"}, "sk": {"S": "INPUT#d"}}
    assert codec.definition_key("w", "v") == {"pk": {"S": "WORKFLOW#w"}, "sk": {"S": "VERSION#v"}}
    assert codec.registration_key("w") == {"pk": {"S": "WORKFLOWS"}, "sk": {"S": "NAME#w"}}
    assert codec.key_of(TASK) == codec.task_key("r-1", "B1")
    assert codec.key_of(RUN) == codec.run_key("r-1")


@pytest.mark.parametrize("record", [TASK, RUN, replace(TASK, owner=None), replace(TASK, attempt=0, owner=None)])
def test_guards_are_what_the_stored_item_has(record: TaskState | Run) -> None:
    claimed = isinstance(record, TaskState) and record.attempt > 0
    owned = claimed and record.owner is not None  # type: ignore[union-attr]
    item = codec.encode(record)
    names = ["version", *(["owner"] if owned else []), *(["attempt"] if claimed else [])]
    assert codec.guards(record) == {name: item[name] for name in names}


@pytest.mark.parametrize(
    ("key", "task"),
    [
        (codec.task_key("r", "t"), ("r", "t")),
        (codec.task_key("RUN", "TASK"), ("RUN", "TASK")),
        (codec.run_key("r"), None),
        (codec.input_key("r", "d"), None),
        (codec.definition_key("w", "v"), None),
        (codec.registration_key("w"), None),
    ],
)
def test_the_task_that_a_key_addresses(key: dict[str, Any], task: tuple[str, str] | None) -> None:
    assert codec.task_of_key(key) == task


ids = st.text("abcXYZ019_-", min_size=1, max_size=64)
times = st.none() | st.integers(0, 10**15)
texts = st.text(st.characters(exclude_categories=["Cs"]))
failures = st.none() | st.builds(Failure, texts, texts, st.none() | ids)
numbers = st.integers(0, 10**6)
tasks = st.builds(
    TaskState,
    run_id=ids,
    task_id=ids,
    status=st.sampled_from(TaskStatus),
    version=st.integers(1, 10**6),
    attempt=numbers,
    owner=st.none() | texts,
    lease_until=times,
    arrived=st.frozensets(st.integers(0, 9_999)),
    handoff=st.sampled_from([None, *Handoff]),
    output=st.none() | texts,
    error=failures,
    ready_at=times,
    due_at=times,
    started_at=times,
    finished_at=times,
)
runs = st.builds(
    Run,
    run_id=ids,
    workflow=ids,
    definition=ids,
    input_digest=ids,
    engine=st.sampled_from(["dynamodb", "stepfunctions"]),
    epoch=numbers,
    status=st.sampled_from(RunStatus),
    version=st.integers(1, 10**6),
    arrived=st.frozensets(st.integers(0, 9_999)),
    error=failures,
    started_at=st.integers(0, 10**13 - 1),
    finished_at=times,
)


@given(tasks | runs)
def test_every_record_comes_back_as_it_went(record: TaskState | Run) -> None:
    item = codec.encode(record)
    kind: Any = type(record)
    assert codec.decode(item, kind) == record
    deserialize = TypeDeserializer().deserialize
    assert {name: deserialize(value) for name, value in item.items()}, "and is an item as DynamoDB has it"


@given(ids, ids, ids, ids)
def test_no_two_ids_address_one_item(run: str, task: str, other_run: str, other_task: str) -> None:
    keys = [
        codec.run_key(run),
        codec.task_key(run, task),
        codec.input_key(run, task),
        codec.definition_key(run, task),
        codec.registration_key(run),
    ]
    assert len({str(key) for key in keys}) == len(keys)
    same = codec.task_key(run, task) == codec.task_key(other_run, other_task)
    assert same == ((run, task) == (other_run, other_task))
    assert codec.task_of_key(codec.task_key(run, task)) == (run, task)


def test_runs_are_spread_over_the_shards_of_their_workflow() -> None:
    shards = {codec.encode(replace(RUN, run_id=f"run-{i}"))["runs_pk"]["S"] for i in range(100)}
    assert shards == {f"abc#{shard}" for shard in range(codec.RUN_SHARDS)}


def test_a_run_is_in_the_index_of_open_runs_until_it_has_ended() -> None:
    index = {"open_pk", "check_at"}
    assert not index & codec.encode(RUN).keys()
    item = codec.encode(replace(RUN, check_at=5_000, deadline_at=9_000))
    assert {name: item[name] for name in (*index, "deadline_at")} == {
        "open_pk": {"S": "1"},
        "check_at": {"N": "5000"},
        "deadline_at": {"N": "9000"},
    }
    shards = {codec.encode(replace(RUN, run_id=f"run-{i}", check_at=1))["open_pk"]["S"] for i in range(100)}
    assert shards == {str(shard) for shard in range(codec.RUN_SHARDS)}


def test_a_position_orders_as_text_as_runs_do_in_time() -> None:
    early, late = replace(RUN, started_at=999), replace(RUN, started_at=1_700_000_000_000)
    assert early.position == "0000000000999#r-1"
    assert early.position < late.position
    assert replace(late, run_id="r-2").position > late.position


def test_a_projection_names_every_attribute_of_a_task() -> None:
    assert set(codec.TASK_ATTRIBUTES) == set(TASK_ITEM)
    assert {f.name for f in fields(TaskState)} - {"run_id", "task_id"} <= set(codec.TASK_ATTRIBUTES)


# -- definitions -------------------------------------------------------------------------------------------------------


def test_a_definition_is_readable() -> None:
    item = codec.encode_definition("w", "v", '{"a":1}')
    assert item == {
        "pk": {"S": "WORKFLOW#w"},
        "sk": {"S": "VERSION#v"},
        "schema": {"N": "1"},
        "definition": {"S": '{"a":1}'},
    }
    assert codec.decode_definition(item) == '{"a":1}'


@pytest.mark.parametrize(
    ("size", "attribute"), [(99_999, "definition"), (100_000, "definition"), (100_001, "definition_zlib")]
)
def test_a_large_definition_is_compressed(size: int, attribute: str) -> None:
    text = "é" + "x" * (size - 2)
    item = codec.encode_definition("w", "v", text)
    assert set(item) == {"pk", "sk", "schema", attribute}
    assert codec.decode_definition(item) == text


def test_a_definition_that_no_item_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "PLAIN_DEFINITION_BYTES", 10)
    size = len(codec.encode_definition("w", "v", "x" * 5_000)["definition_zlib"]["B"])
    monkeypatch.setattr(codec, "MAX_DEFINITION_BYTES", size)
    codec.encode_definition("w", "v", "x" * 5_000)
    monkeypatch.setattr(codec, "MAX_DEFINITION_BYTES", size - 1)
    with pytest.raises(WorkflowError) as error:
        codec.encode_definition("w", "v", "x" * 5_000)
    assert str(error.value) == f"tasks: the definition is {size} bytes compressed, and the limit is {size - 1}"


def test_a_registration() -> None:
    item = codec.encode_registration("w", "v", 5)
    assert item == {
        "pk": {"S": "WORKFLOWS"},
        "sk": {"S": "NAME#w"},
        "schema": {"N": "1"},
        "name": {"S": "w"},
        "version": {"S": "v"},
        "tasks": {"N": "5"},
    }
    assert codec.decode_registration(item) == ("w", "v", 5, None)


def test_a_registration_that_has_a_state_machine() -> None:
    item = codec.encode_registration("w", "v", 5, "v0")
    assert item == {**codec.encode_registration("w", "v", 5), "flow": {"S": "v0"}}
    assert codec.decode_registration(item) == ("w", "v", 5, "v0")


def test_an_input() -> None:
    assert codec.encode_input("r", "d", "[1]") == {
        **codec.input_key("r", "d"),
        "schema": {"N": "1"},
        "input": {"S": "[1]"},
    }
