"""The Orchestrator function over moto: requests and stream batches, and what it tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from orchestration import orchestrator
from orchestration.payload import Json
from tests.support.deployed import CANARY, TABLE, System
from tests.support.events import event

ACTIONS = "start, register, describe, output, list, workflows"
Metric = tuple[str, str, float, dict[str, str]]


def ready(system: System, *run_ids: str) -> None:
    """Start runs whose task A has ended."""
    system.services.run = lambda event: f"{CANARY}-output"
    for run_id in run_ids:
        system.ask(action="start", workflow="abc", run_id=run_id, input=f"{CANARY}-input")
    system.work(system.received())
    system.output()


# -- requests ----------------------------------------------------------------------------------------------------------


def test_a_start_is_answered_counted_and_logged(system: System) -> None:
    answer = system.ask(action="start", workflow="abc", run_id="run-1", input=f"{CANARY}-input")
    assert (answer["created"], answer["run"]["run_id"], answer["run"]["status"]) == (True, "run-1", "RUNNING")
    again = system.ask(action="start", workflow="abc", run_id="run-1", input=f"{CANARY}-input")
    assert again == {**answer, "created": False}
    output = system.output()
    assert output.metrics == [("RunsStarted", "Count", 1, {"workflow": "abc", "service": "engine"})]
    assert output.said("level", "message", "action", "run_id") == [("INFO", "answered", "start", "run-1")] * 2
    assert CANARY not in output.text


def test_a_run_that_was_given_its_id_is_logged_by_it(system: System) -> None:
    run_id = system.ask(action="start", workflow="abc")["run"]["run_id"]
    assert system.output().said("action", "run_id") == [("start", run_id)]
    assert run_id.startswith("abc-")


def test_a_refusal_is_an_answer(system: System) -> None:
    line = "run_id: 'no id' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"
    refused = {"error": {"code": "InvalidRequest", "message": line}}
    assert system.ask(action="describe", run_id="no id") == refused
    assert system.ask(action="describe", run_id="run-9") == {
        "error": {"code": "NotFound", "message": "run_id: there is no run 'run-9'"}
    }
    system.ask(action="start", workflow="abc", run_id="run-1", input=1)
    assert system.ask(action="start", workflow="abc", run_id="run-1", input=2) == {
        "error": {"code": "Conflict", "message": "run_id: 'run-1' is a run with another input already; use another id"}
    }
    output = system.output()
    assert output.said("message", "action", "run_id", "code") == [
        ("refused", "describe", None, "InvalidRequest"),
        ("refused", "describe", "run-9", "NotFound"),
        ("answered", "start", "run-1", None),
        ("refused", "start", "run-1", "Conflict"),
    ]


def test_what_is_refused_is_in_no_table(system: System) -> None:
    system.ask(action="start", workflow="abc", run_id="a/b", input=1)
    system.ask(action="start", workflow="abd", run_id="run-1", input=1)
    system.ask(action="register", definition={"name": "w", "tasks": {"t": {"service": "z"}}})
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == []
    assert system.received() == {"Records": []}


@pytest.mark.parametrize("request_", [None, [], "start", 5, True, {}, {"action": None}, {"action": {"a": CANARY}}])
def test_whatever_is_no_request_is_refused(system: System, request_: Json) -> None:
    line = f"action: is missing; the actions are {ACTIONS}"
    assert system.advance(request_) == {"error": {"code": "InvalidRequest", "message": line}}
    assert CANARY not in system.output().text


def test_a_field_that_is_no_id_is_not_logged(system: System) -> None:
    system.ask(action="describe", run_id={"secret": CANARY * 1000})
    system.ask(action="describe", run_id="run-1", input=CANARY)
    output = system.output()
    assert output.said("action", "run_id") == [("describe", None), ("describe", "run-1")]
    assert len(output.text) < 2_000


def test_another_error_is_raised(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the table is gone")

    monkeypatch.setattr("orchestration.store.DynamoStore.get_run", broken)
    with pytest.raises(RuntimeError, match="the table is gone"):
        system.ask(action="describe", run_id="run-1")


# -- stream batches ----------------------------------------------------------------------------------------------------


def test_a_batch_of_records(system: System) -> None:
    """Of A's end follow three tasks; of the others (a task that has not begun, a run, a removal) follows nothing."""
    ready(system, "run-1")
    assert system.advance(event("dynamodb_stream")) == {"batchItemFailures": []}
    tasks = system.ask(action="describe", run_id="run-1")["tasks"]
    assert {task_id: task["status"] for task_id, task in tasks.items()} == {
        "A": "SUCCEEDED",
        "B1": "READY",
        "B2": "READY",
        "B3": "READY",
        "C": "PENDING",
    }
    output = system.output()
    assert output.said("message", "run_id", "task_id")[:2] == [
        ("advanced", "run-1", "A"),
        ("advanced", "run-1", "B1"),
    ]
    assert output.metrics == []
    assert CANARY not in output.text


def test_a_record_that_is_malformed_does_not_stop_the_others(system: System) -> None:
    ready(system, "run-1", "run-3")
    batch = event("dynamodb_stream_malformed")
    sequence = batch["Records"][1]["dynamodb"]["SequenceNumber"]
    assert system.advance(batch) == {"batchItemFailures": [{"itemIdentifier": sequence}]}
    for run_id in ("run-1", "run-3"):
        assert system.ask(action="describe", run_id=run_id)["tasks"]["B1"]["status"] == "READY"
    output = system.output()
    assert output.said("level", "message", "run_id")[:3] == [
        ("INFO", "advanced", "run-1"),
        ("ERROR", "failed; the record will be delivered again", None),
        ("INFO", "advanced", "run-3"),
    ]
    assert "OrchestraError" in output.lines[1]["exception"]
    assert CANARY not in output.text


def test_a_batch_again_changes_nothing(system: System) -> None:
    ready(system, "run-1")
    system.advance(event("dynamodb_stream"))
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    assert system.advance(event("dynamodb_stream")) == {"batchItemFailures": []}
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before


def test_a_batch_of_which_nothing_could_be_done_is_an_error_of_the_function(system: System) -> None:
    batch = event("dynamodb_stream_malformed")
    batch["Records"] = batch["Records"][1:2]
    with pytest.raises(BatchProcessingError):
        system.advance(batch)
    assert CANARY not in system.output().text


# -- whole runs --------------------------------------------------------------------------------------------------------


def test_a_run_from_its_start_to_its_end(system: System) -> None:
    system.services.run = lambda event: {"of": event["task_id"], "text": CANARY}
    started = system.ask(action="start", workflow="abc", run_id="run-1", input={"text": CANARY})
    assert started["created"]
    system.settle()
    described = system.ask(action="describe", run_id="run-1")
    assert {task["status"] for task in described["tasks"].values()} == {"SUCCEEDED"}
    assert described["status"] == "SUCCEEDED"
    assert system.ask(action="output", run_id="run-1") == {"run_id": "run-1", "output": {"of": "C", "text": CANARY}}
    upstream = system.services.calls[-1][1]["upstream"]
    assert upstream == {task_id: {"of": task_id, "text": CANARY} for task_id in ("B1", "B2", "B3")}
    assert sorted(str(event["task_id"]) for _, event, _ in system.services.calls) == ["A", "B1", "B2", "B3", "C"]

    output = system.output()
    assert CANARY not in output.text
    counts = [metric for metric in output.metrics if metric[1] == "Count"]
    assert sorted(counts, key=str) == sorted(
        [
            *(("AttemptsSucceeded", "Count", 1.0, {"service": name}) for name in ("a", "b1", "b2", "b3", "c")),
            ("RunsStarted", "Count", 1.0, {"workflow": "abc", "service": "engine"}),
            ("RunsSucceeded", "Count", 1.0, {"workflow": "abc", "service": "engine"}),
        ],
        key=str,
    )
    durations = [(name, unit) for name, unit, _, _ in output.metrics if unit != "Count"]
    assert sorted(durations) == sorted(
        [("AttemptDuration", "Milliseconds"), ("QueueWait", "Milliseconds")] * 5 + [("RunDuration", "Milliseconds")]
    )
    assert ("advanced", "run-1", "C", "SUCCEEDED") in output.said("message", "run_id", "task_id", "run_ended")


def test_a_run_that_fails_from_its_start_to_its_end(system: System) -> None:
    def task(event: Mapping[str, Json]) -> Any:
        if event["task_id"] == "B2":
            raise ValueError(f"{CANARY} broke")
        return CANARY

    system.services.run = task
    system.ask(action="start", workflow="abc", run_id="run-1", input=CANARY)
    system.settle()
    described = system.ask(action="describe", run_id="run-1")
    assert described["status"] == "FAILED"
    assert described["error"] == {"name": "ValueError", "message": f"{CANARY} broke", "task": "B2"}
    assert described["tasks"]["C"]["status"] == "CANCELED"
    output = system.output()
    assert CANARY not in output.text, "also the message of an error is the task's own"
    assert ("RunsFailed", "Count", 1.0, {"workflow": "abc", "service": "engine"}) in output.metrics
    assert ("AttemptsFailed", "Count", 1.0, {"service": "b2"}) in output.metrics
    assert ("executed", "B2", "FAILED", 1, "ValueError") in output.said(
        "message", "task_id", "status", "attempt", "error"
    )


def test_a_join_of_many_on_the_table(system: System) -> None:
    middle = [f"m{i}" for i in range(12)]
    tasks: dict[str, Json] = {
        "first": {"service": "a"},
        **{name: {"service": "b1", "after": ["first"]} for name in middle},
        "last": {"service": "c", "after": middle},
        "aside": {"service": "c", "after": middle[:2]},
    }
    assert system.ask(action="register", definition={"name": "many", "tasks": tasks})["created"]
    system.ask(action="start", workflow="many", run_id="run-1")
    system.settle()
    described = system.ask(action="describe", run_id="run-1")
    assert described["status"] == "SUCCEEDED"
    assert system.ask(action="output", run_id="run-1")["output"] == {"aside": "aside", "last": "last"}
    assert len(system.services.calls) == 15
    listed = system.ask(action="list", workflow="many")
    assert [run["run_id"] for run in listed["runs"]] == ["run-1"]


# -- settings ----------------------------------------------------------------------------------------------------------


def test_what_is_declared_is_offered(system: System) -> None:
    (shown,) = system.ask(action="workflows")["workflows"]
    assert (shown["name"], shown["tasks"], shown["source"]) == ("abc", 5, "declared")


def test_its_state_is_made_once(system: System) -> None:
    system.ask(action="workflows")
    assert orchestrator.requests() is orchestrator.requests()
