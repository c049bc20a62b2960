"""The Worker function over moto: a batch of messages, side by side, each with its own result."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from orchestration import worker
from orchestration.dead_letters import Origin
from orchestration.errors import IllegalTransition, OrchestraError, Retryable
from orchestration.model import Failure
from orchestration.payload import Json
from orchestration.tasks import NotRun
from tests.support.deployed import CANARY, TABLE, System
from tests.support.events import event

DONE: dict[str, Any] = {"batchItemFailures": []}
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchGetItem")


def started(system: System, *run_ids: str) -> None:
    """Start runs, and take their messages off the queue: the recorded batch has the same ones."""
    system.services.run = lambda event: f"{CANARY}-output"
    for run_id in run_ids:
        system.ask(action="start", workflow="abc", run_id=run_id, input=f"{CANARY}-input")
    system.received()
    system.output()


def status(system: System, run_id: str, task_id: str = "A") -> str:
    return str(system.ask(action="describe", run_id=run_id)["tasks"][task_id]["status"])


def break_reads(monkeypatch: pytest.MonkeyPatch, errors: Mapping[str, Exception]) -> None:
    """Let the table fail for some runs."""
    real = worker.ports()[0].store.get_run_and_task

    def broken(run_id: str, task_id: str) -> Any:
        if run_id in errors:
            raise errors[run_id]
        return real(run_id, task_id)

    monkeypatch.setattr(worker.ports()[0].store, "get_run_and_task", broken)


def batch(*runs: str) -> dict[str, Any]:
    """Return a batch with a message for the task A of each run; the messages' ids are `m-` and the run's."""
    record = event("sqs_batch")["Records"][0]
    return {
        "Records": [
            {**record, "messageId": f"m-{run}", "body": json.dumps({"run_id": run, "task_id": "A", "version": 1})}
            for run in runs
        ]
    }


def failed(*runs: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": f"m-{run}"} for run in runs]}


def test_a_message_that_is_none_does_not_stop_the_others(system: System) -> None:
    started(system, "run-1", "run-3")
    assert system.work(event("sqs_batch")) == DONE
    output = system.output()
    assert (status(system, "run-1"), status(system, "run-3")) == ("SUCCEEDED", "SUCCEEDED")
    said = output.said("level", "message", "run_id", "task_id", "status", "attempt")
    assert sorted(said, key=str) == sorted(
        [
            ("INFO", "executed", "run-1", "A", "SUCCEEDED", 1),
            ("ERROR", "cannot be handled, and has been set aside", None, None, None, None),
            ("INFO", "executed", "run-3", "A", "SUCCEEDED", 1),
        ],
        key=str,
    )
    assert ("MessagesQuarantined", "Count", 1, {}) in output.metrics
    assert CANARY not in output.text
    line = "InvalidRequest: message: is not JSON with the run_id, the task_id and the version of a task"
    assert system.set_aside(Origin.WORKER) == [("not JSON", line)]


def test_what_an_attempt_is_counted_as(system: System) -> None:
    started(system, "run-1", "run-3")
    system.work(event("sqs_batch"))
    metrics = system.output().metrics
    assert sorted((name, unit, dimensions.get("service", "")) for name, unit, _, dimensions in metrics) == sorted(
        [
            ("AttemptsSucceeded", "Count", "a"),
            ("AttemptDuration", "Milliseconds", "a"),
            ("QueueWait", "Milliseconds", "a"),
        ]
        * 2
        + [("MessagesQuarantined", "Count", "")]
    )
    assert all(value >= 0 for _, _, value, _ in metrics)


def test_a_batch_again_invokes_nothing(system: System) -> None:
    started(system, "run-1", "run-3")
    system.work(event("sqs_batch"))
    system.output()
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    assert system.work(event("sqs_batch")) == DONE
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before
    assert len(system.services.calls) == 2
    output = system.output()
    assert [name for name, _, _, _ in output.metrics] == ["MessagesQuarantined"]
    reasons = [line for line in output.said("message", "run_id", "reason") if line[0] == "skipped"]
    assert sorted(reasons) == [
        ("skipped", "run-1", "the task is SUCCEEDED"),
        ("skipped", "run-3", "the task is SUCCEEDED"),
    ]


def test_the_messages_of_a_batch_run_side_by_side(system: System) -> None:
    """Each of ten tasks waits for all the others to have begun: one after the other, none would end."""
    runs = [f"run-{i}" for i in range(10)]
    started(system, *runs)
    all_there = threading.Barrier(10, timeout=30)

    def task(event: Mapping[str, Json]) -> Json:
        all_there.wait()
        return event["run_id"]

    system.services.run = task
    assert system.work(batch(*runs)) == DONE
    for run in runs:
        assert system.ask(action="output", run_id=run, task_id="A")["output"] == run
    output = system.output()
    executed = [line for line in output.said("message", "run_id", "task_id") if line[0] == "executed"]
    assert sorted(executed) == [("executed", run, "A") for run in runs], "each line has its own run"
    assert len(output.metrics) == 30


def test_one_message_twice_in_a_batch_is_one_attempt(system: System) -> None:
    started(system, "run-1")
    assert system.work(batch("run-1", "run-1")) == DONE
    assert len(system.services.calls) == 1
    assert status(system, "run-1") == "SUCCEEDED"


def test_a_failed_task_is_no_failed_message(system: System) -> None:
    started(system, "run-1", "run-3")

    def task(event: Mapping[str, Json]) -> Json:
        raise ValueError(CANARY)

    system.services.run = task
    assert system.work(batch("run-1", "run-3")) == DONE
    output = system.output()
    assert (status(system, "run-1"), status(system, "run-3")) == ("FAILED", "FAILED")
    failed = [line for line in output.said("message", "run_id", "status", "error") if line[0] == "executed"]
    assert sorted(failed) == [
        ("executed", "run-1", "FAILED", "ValueError"),
        ("executed", "run-3", "FAILED", "ValueError"),
    ]
    assert [name for name, unit, _, _ in output.metrics if unit == "Count"] == ["AttemptsFailed"] * 2
    assert CANARY not in output.text


@pytest.mark.parametrize(
    "error", [THROTTLED, EndpointConnectionError(endpoint_url="https://x"), Retryable("busy"), OSError("reset")]
)
def test_what_another_try_can_mend_stays_in_the_queue(
    system: System, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    started(system, "run-1", "run-3")
    break_reads(monkeypatch, {"run-1": error})
    assert system.work(batch("run-1", "run-3")) == failed("run-1")
    assert status(system, "run-3") == "SUCCEEDED"
    assert system.set_aside(Origin.WORKER) == []
    output = system.output()
    assert [line for line in output.said("level", "message", "run_id", "task_id") if line[0] == "ERROR"] == [
        ("ERROR", "failed; it will be delivered again", "run-1", "A")
    ]
    assert "MessagesQuarantined" not in [name for name, _, _, _ in output.metrics]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (IllegalTransition("run-1/A: a bug"), "IllegalTransition: run-1/A: a bug"),
        (OrchestraError("RUN#run-1/RUN: schema 9 is newer"), "OrchestraError: RUN#run-1/RUN: schema 9 is newer"),
        (KeyError(CANARY), "KeyError at engine.py:"),
        (ParamValidationError(report=CANARY), "ParamValidationError at engine.py:"),
        (
            ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "GetItem"),
            "ClientError: An error occurred (ValidationException) when calling the GetItem operation: no",
        ),
    ],
)
def test_what_no_other_try_can_mend_is_set_aside(
    system: System, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    started(system, "run-1", "run-3")
    break_reads(monkeypatch, {"run-1": error})
    messages = batch("run-1", "run-3")
    assert system.work(messages) == DONE
    assert status(system, "run-3") == "SUCCEEDED"
    ((body, noted),) = system.set_aside(Origin.WORKER)
    assert body == messages["Records"][0]["body"], "as it was, so that it can be sent again"
    assert noted is not None
    assert noted.startswith(reason)
    output = system.output()
    (line,) = [line for line in output.lines if line["level"] == "ERROR"]
    assert (line["run_id"], line["task_id"], line["reason"]) == ("run-1", "A", noted)
    assert line["trace"][0].startswith("quarantine.py:")
    assert CANARY not in output.text


def test_what_cannot_be_set_aside_stays_in_the_queue(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    started(system, "run-1", "run-3")
    break_reads(monkeypatch, {"run-1": KeyError(CANARY)})
    system.sqs.delete_queue(QueueUrl=system.url("dead-letters"))
    assert system.work(batch("run-1", "run-3")) == failed("run-1")
    output = system.output()
    assert ("QuarantineFailures", "Count", 1, {}) in output.metrics
    assert [line for line in output.said("level", "message", "run_id") if line[0] == "ERROR"] == [
        ("ERROR", "cannot be handled, and cannot be set aside; it will be delivered again", "run-1"),
        ("ERROR", "the quarantine failed", "run-1"),
    ]
    assert CANARY not in output.text


def test_a_batch_of_which_nothing_could_be_done_is_an_error_of_the_function(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(system, "run-1", "run-3")
    break_reads(monkeypatch, {"run-1": THROTTLED, "run-3": THROTTLED})
    with pytest.raises(BatchProcessingError):
        system.work(batch("run-1", "run-3"))


def test_whatever_a_message_is_none_of_it_gets_lost(system: System) -> None:
    bodies = ["not JSON", "null", "[]", '{"run_id":"r"}', "x" * 70_000, '{"run_id":"a b","task_id":"A","version":1}']
    record = event("sqs_batch")["Records"][0]
    assert system.work({"Records": [{**record, "body": body} for body in bodies]}) == DONE
    assert sorted(body for body, _ in system.set_aside(Origin.WORKER)) == sorted(body[:60_000] for body in bodies)
    assert len(system.output().metrics) == len(bodies)


def test_a_claim_that_was_given_back_is_counted_as_such(system: System) -> None:
    started(system, "run-1")
    system.services.run = lambda event: NotRun(Failure("Lambda.TooManyRequestsException", "busy"))
    assert system.work(batch("run-1")) == DONE
    output = system.output()
    assert [name for name, unit, _, _ in output.metrics if unit == "Count"] == ["AttemptsReleased"]
    assert output.said("message", "status", "attempt", "error") == [
        ("executed", "READY", 1, "Lambda.TooManyRequestsException")
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"run_id": "run-9", "task_id": "A", "version": 1},
        {"run_id": "run-1", "task_id": "stranger", "version": 1},
        {"run_id": "run-1", "task_id": "C", "version": 1},
        {"run_id": "run-1", "task_id": "C", "version": 1, "status": "READY", "attempt": 9},
    ],
)
def test_a_forged_message_changes_nothing(system: System, body: dict[str, Json]) -> None:
    started(system, "run-1")
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    record = {**event("sqs_batch")["Records"][0], "body": json.dumps(body)}
    assert system.work({"Records": [record]}) == {"batchItemFailures": []}
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before
    assert system.services.calls == []
