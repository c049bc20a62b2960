"""Which task a stream record is about."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration import codec
from orchestration.errors import OrchestraError
from orchestration.stream import task_of
from tests.support.events import event

RECORDS = event("dynamodb_stream")["Records"]


def record(keys: Any, name: str = "MODIFY") -> dict[str, Any]:
    return {"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {"Keys": keys, "SequenceNumber": "1"}}


def test_the_records_of_a_batch() -> None:
    assert [task_of(r) for r in RECORDS] == [("run-1", "A"), ("run-1", "B1"), None, None]


@pytest.mark.parametrize(
    ("key", "task"),
    [
        (codec.task_key("r", "t"), ("r", "t")),
        (codec.run_key("r"), None),
        (codec.input_key("r", "d"), None),
        (codec.definition_key("w", "v"), None),
        (codec.registration_key("w"), None),
    ],
)
@pytest.mark.parametrize("name", ["INSERT", "MODIFY"])
def test_by_key(key: dict[str, Any], task: tuple[str, str] | None, name: str) -> None:
    assert task_of(record(key, name)) == task


def test_what_is_removed_asks_for_nothing() -> None:
    assert task_of(record(codec.task_key("r", "t"), "REMOVE")) is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "text",
        [],
        {},
        {"eventName": "MODIFY"},
        {"eventName": "MODIFY", "dynamodb": None},
        record({}),
        record({"pk": {"S": "RUN#r"}}),
        record({"pk": {"S": "RUN#r"}, "sk": {"N": "1"}}),
        record({"pk": {"B": "UlVOI3I="}, "sk": {"S": "TASK#t"}}),
        record({"pk": "RUN#r", "sk": "TASK#t"}),
    ],
)
def test_what_is_no_record_of_the_table(broken: Any) -> None:
    with pytest.raises(OrchestraError, match=r"^not a stream record of the table: "):
        task_of(broken)


def test_an_error_tells_nothing_of_a_record_s_content() -> None:
    broken = {"eventID": "e-1", "dynamodb": {"NewImage": {"output": {"S": "CANARY"}}, "Keys": {}}}
    with pytest.raises(OrchestraError) as error:
        task_of(broken)
    assert str(error.value) == "not a stream record of the table: 'e-1'"


def test_an_error_is_short_whatever_its_record_s_id_is() -> None:
    with pytest.raises(OrchestraError) as error:
        task_of({"eventID": "x" * 1_000})
    assert len(str(error.value)) < 120
