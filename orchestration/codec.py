"""Records to DynamoDB items and back. The only module that knows keys, attribute names and types.

An attribute is named as the record's field. Items are read tolerantly (a field that this release does not know is
ignored), but an item of a newer schema, or in a state that this release does not know, is an error: it must not be
decided on.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from orchestration.errors import OrchestraError, WorkflowError
from orchestration.model import SCHEMA, Failure, Run, TaskState

Value: TypeAlias = Mapping[str, Any]
"""A typed attribute value, e.g. {"S": "abc"}."""
Item: TypeAlias = Mapping[str, Value]

RUNS_INDEX = "runs"
OPEN_RUNS_INDEX = "open_runs"
RUN_SHARDS = 4
"""Over how many partitions of an index runs are spread: of `runs` those of one workflow, of `open_runs` all. Each takes
1,000 starts a second."""
MAX_DEFINITION_BYTES = 390_000
"""Below an item's 400 KB. Source: docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html."""
PLAIN_DEFINITION_BYTES = 100_000
"""Up to here a definition is stored as readable JSON, above it is compressed."""

KEY = ("pk", "sk")
REGISTRATIONS = "WORKFLOWS"
RUN = "RUN#"
TASK = "TASK#"

R = TypeVar("R", TaskState, Run)
E = TypeVar("E", bound=StrEnum)


def run_pk(run_id: str) -> str:
    return f"{RUN}{run_id}"


def run_key(run_id: str) -> dict[str, Any]:
    return _key(run_pk(run_id), "RUN")


def input_key(run_id: str, digest: str) -> dict[str, Any]:
    return _key(run_pk(run_id), f"INPUT#{digest}")


def task_key(run_id: str, task_id: str) -> dict[str, Any]:
    return _key(run_pk(run_id), f"{TASK}{task_id}")


def definition_key(name: str, version: str) -> dict[str, Any]:
    return _key(f"WORKFLOW#{name}", f"VERSION#{version}")


def registration_key(name: str) -> dict[str, Any]:
    return _key(REGISTRATIONS, f"NAME#{name}")


def key_of(record: TaskState | Run) -> dict[str, Any]:
    if isinstance(record, Run):
        return run_key(record.run_id)
    return task_key(record.run_id, record.task_id)


def task_of_key(keys: Item) -> tuple[str, str] | None:
    """Return the run and task that an item's key addresses, or None if it is not a task's."""
    pk, sk = keys["pk"]["S"], keys["sk"]["S"]
    if not pk.startswith(RUN) or not sk.startswith(TASK):
        return None
    return pk.removeprefix(RUN), sk.removeprefix(TASK)


def run_of_key(keys: Item) -> str:
    """Return the run whose item, or whose task's item, a key addresses."""
    return str(keys["pk"]["S"]).removeprefix(RUN)


def encode(record: TaskState | Run) -> dict[str, Any]:
    """Return the whole item. What is None or empty has no attribute; the ids are in the key."""
    values = {name: _encoded(getattr(record, name)) for name in _attributes(type(record))}
    present = {name: value for name, value in values.items() if value is not None}
    return {**key_of(record), **_index_keys(record), "schema": {"N": str(SCHEMA)}, **present}


def guards(record: TaskState | Run) -> dict[str, Any]:
    """Return what a write that was decided on this record is conditional on: its version, and its owner and attempt.

    A task that was never claimed has neither: its item may be one that only arrivals have written.
    """
    item = encode(record)
    claimed = isinstance(record, TaskState) and record.attempt > 0
    return {name: item[name] for name in (("version", "owner", "attempt") if claimed else ("version",)) if name in item}


def decode(item: Item, record: type[R]) -> R:
    """Return the record of an item. Raises OrchestraError if it is of a newer schema, or is not one that we write."""
    where = f"{item['pk']['S']}/{item['sk']['S']}"
    values: dict[str, Any] = {}
    name = "schema"
    try:
        schema = _plain(item[name], int)
        if schema > SCHEMA:
            raise OrchestraError(f"{where}: schema {schema} is newer than {SCHEMA}, the newest that this release knows")
        for name, type_ in _TYPES[record].items():
            if name in item or name in _REQUIRED[record]:
                values[name] = _plain(item[name], type_)
    except KeyError as exc:
        raise OrchestraError(f"{where}: {exc.args[0]} is missing") from None
    except ValueError as exc:
        raise OrchestraError(f"{where}: {name}: {exc}") from None
    if not values["version"]:
        raise OrchestraError(f"{where}: version: 0 is that of an item that there is not")
    values["run_id"] = item["pk"]["S"].removeprefix(RUN)
    if record is TaskState:
        values["task_id"] = item["sk"]["S"].removeprefix(TASK)
    return record(**values)


def runs_pk(workflow: str, shard: int) -> str:
    return f"{workflow}#{shard}"


def encode_input(run_id: str, digest: str, text: str) -> dict[str, Any]:
    return {**input_key(run_id, digest), "schema": {"N": str(SCHEMA)}, "input": {"S": text}}


def encode_definition(name: str, version: str, canonical: str) -> dict[str, Any]:
    """Return the item of a definition. Raises WorkflowError if none can hold it."""
    item = {**definition_key(name, version), "schema": {"N": str(SCHEMA)}}
    data = canonical.encode()
    if len(data) <= PLAIN_DEFINITION_BYTES:
        return {**item, "definition": {"S": canonical}}
    packed = zlib.compress(data, 9)
    if len(packed) > MAX_DEFINITION_BYTES:
        raise WorkflowError(
            "tasks", f"the definition is {len(packed)} bytes compressed, and the limit is {MAX_DEFINITION_BYTES}"
        )
    return {**item, "definition_zlib": {"B": packed}}


def decode_definition(item: Item) -> str:
    if "definition" in item:
        return str(item["definition"]["S"])
    return zlib.decompress(item["definition_zlib"]["B"]).decode()


def encode_registration(name: str, version: str, tasks: int, flow: str | None = None) -> dict[str, Any]:
    """Return the item that says which version a registered name means now, and which its state machine has."""
    values = {"name": {"S": name}, "version": {"S": version}, "tasks": {"N": str(tasks)}}
    machine = {} if flow is None else {"flow": {"S": flow}}
    return {**registration_key(name), "schema": {"N": str(SCHEMA)}, **values, **machine}


def decode_registration(item: Item) -> tuple[str, str, int, str | None]:
    flow = item["flow"]["S"] if "flow" in item else None
    return item["name"]["S"], item["version"]["S"], int(item["tasks"]["N"]), flow


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _encoded(value: object) -> Value | None:
    match value:
        case str():
            return {"S": str(value)}
        case int():
            return {"N": str(value)}
        case frozenset():
            return {"NS": [str(n) for n in sorted(value)]} if value else None
        case Failure():
            parts = {"name": value.name, "message": value.message, "task": value.task}
            return {"M": {name: {"S": part} for name, part in parts.items() if part is not None}}
        case None:
            return None
    raise TypeError(f"no attribute type for {type(value).__name__}")


def _attributes(record: type[TaskState | Run]) -> list[str]:
    return [f.name for f in fields(record) if f.name not in {"run_id", "task_id"}]


def _index_keys(record: TaskState | Run) -> dict[str, Any]:
    """Return the attributes that put a run into the index `runs`, and while it is open into `open_runs`."""
    if not isinstance(record, Run):
        return {}
    shard = zlib.crc32(record.run_id.encode()) % RUN_SHARDS
    keys = {"runs_pk": {"S": runs_pk(record.workflow, shard)}, "runs_sk": {"S": record.position}}
    return keys if record.check_at is None else {**keys, "open_pk": {"S": str(shard)}}


def _plain(value: Value, type_: type[Any]) -> Any:
    """Return an attribute's value. Raises ValueError if it is not of this type as we write it."""
    ((kind, content),) = value.items()
    if kind != _KINDS.get(type_, "S"):
        raise ValueError(f"is of the type {kind}, and ours is {_KINDS.get(type_, 'S')}")
    if type_ is int:
        return _whole(content)
    if type_ is frozenset:
        return frozenset(map(_whole, content))
    if type_ is Failure:
        parts = [f.name for f in fields(Failure) if f.name in content or f.default is MISSING]
        return Failure(**{name: _plain(content[name], str) for name in parts})
    return content if type_ is str else _known(type_, content)


def _whole(digits: str) -> int:
    if not digits.isdecimal():  # none of ours is negative, or a fraction
        raise ValueError("is not a whole number")
    return int(digits)


def _known(kind: type[E], value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a {kind.__name__} that this release knows") from None


def _type_of(hint: Any) -> Any:
    """Return `int` of `int | None`, and `frozenset` of `frozenset[int]`."""
    if isinstance(hint, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
    return get_origin(hint) or hint


def _types(record: type[TaskState | Run]) -> dict[str, Any]:
    hints = get_type_hints(record)
    return {name: _type_of(hints[name]) for name in _attributes(record)}


_KINDS = {int: "N", frozenset: "NS", Failure: "M"}  # text, and what is one of several texts, is S
_TYPES: dict[Any, dict[str, Any]] = {record: _types(record) for record in (TaskState, Run)}
_REQUIRED = {
    record: {"status", "version", *(f.name for f in fields(record) if f.default is MISSING)} - {"run_id", "task_id"}
    for record in (TaskState, Run)
}
TASK_ATTRIBUTES = (*KEY, "schema", *_attributes(TaskState))
