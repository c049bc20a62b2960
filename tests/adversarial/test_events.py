"""Messages and records that want to do harm: forged, malformed, of another release. Each is dealt with by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import codec
from orchestration.dead_letters import Origin
from orchestration.errors import InvalidRequest
from orchestration.model import SCHEMA
from orchestration.queue import Message
from tests.adversarial.product import settled
from tests.support import shapes
from tests.support.deployed import TABLE, System
from tests.support.events import event
from tests.support.memory import FakeServices
from tests.support.world import World

RECORD = event("dynamodb_stream")["Records"][0]
MESSAGE = event("sqs_batch")["Records"][0]


def started(system: System, *run_ids: str) -> None:
    for run_id in run_ids:
        system.ask(action="start", workflow="abc", run_id=run_id)
    system.work(system.received())
    system.output()


def items(system: System) -> dict[tuple[str, str], Mapping[str, Any]]:
    found = system.dynamodb.scan(TableName=TABLE)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}


# -- group 22: worker messages -----------------------------------------------------------------------------------------

ids = st.sampled_from(["r", "s", "A", "B1", "C"]) | st.text(max_size=4)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "run_id": ids | st.none() | st.integers(),
        "task_id": ids | st.lists(st.none(), max_size=1),
        "version": st.integers(-(10**30), 10**30) | st.booleans() | st.floats(),
        "status": st.just("READY"),
        "attempt": st.integers(),
        "owner": st.text(),
        "output": st.text(),
    },
)


def parsed(body: str) -> Message | None:
    """Return the message of a body, or None if it is refused in one line."""
    try:
        return Message.parse(body)
    except InvalidRequest as error:
        refused = str(error)
    assert refused.isprintable()
    return None


@given(bodies.map(json.dumps) | st.text())
def test_no_message_changes_a_run_that_has_ended(body: str) -> None:
    product = settled()
    before = product.trace()
    message = parsed(body)
    if message is not None:
        product.world.engine().execute(message, product.world.services)
    assert product.trace() == before


@given(bodies.map(json.dumps))
def test_a_message_says_where_to_look_and_nothing_else(body: str) -> None:
    """Whatever it claims of a task, only one that is READY is executed, once, as the table has it."""
    world = World(services=FakeServices())
    world.start(shapes.diamond())
    message = parsed(body)
    if message is None:
        return
    world.engine().execute(message, world.services)
    world.engine().execute(message, world.services)
    calls = [(event["task_id"], event["attempt"]) for _, event, _ in world.services.calls]
    assert calls == ([("A", 1)] if (message.run_id, message.task_id) == ("r", "A") else [])


def record(sequence: int, run_id: str, task_id: str) -> dict[str, Any]:
    stream = {**RECORD["dynamodb"], "Keys": codec.task_key(run_id, task_id), "SequenceNumber": str(sequence)}
    return {**RECORD, "eventID": f"e-{sequence}", "dynamodb": stream}


# -- group 23: items ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"schema": {"N": str(SCHEMA + 1)}},
        {"status": {"S": "PAUSED"}},
        {"version": {"S": "3"}},
        {"version": None},
        {"schema": None},
        {"status": None},
    ],
    ids=str,
)
def test_an_item_that_cannot_be_read_is_left_alone_and_the_rest_is_dealt_with(
    system: System, change: dict[str, Any]
) -> None:
    started(system, "r", "s")
    ((name, value),) = change.items()
    item = {k: v for k, v in items(system)["RUN#r", "TASK#A"].items() if k != name}
    system.dynamodb.put_item(TableName=TABLE, Item={**item, **({name: value} if value else {})})
    before = {key: item for key, item in items(system).items() if key[0] == "RUN#r"}
    batch = {"Records": [record(1, "r", "A"), record(2, "s", "A")]}
    assert system.advance(batch) == {"batchItemFailures": []}
    ((body, _),) = system.set_aside(Origin.RECORDS)
    assert json.loads(body)["reason"].startswith("OrchestraError: RUN#r/TASK#A: ")
    after = items(system)
    assert {key: item for key, item in after.items() if key[0] == "RUN#r"} == before
    assert after["RUN#s", "TASK#B1"]["status"] == {"S": "READY"}
    message = {**MESSAGE, "body": json.dumps({"run_id": "r", "task_id": "A", "version": 1})}
    assert system.work({"Records": [message]}) == {"batchItemFailures": []}
    assert system.set_aside(Origin.WORKER) == [(message["body"], json.loads(body)["reason"])]
    assert {key: item for key, item in items(system).items() if key[0] == "RUN#r"} == before
