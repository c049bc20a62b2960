"""The Worker function over moto: a batch of messages, side by side, each with its own result."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from orchestration import worker
from orchestration.payload import Json
from tests.support.deployed import CANARY, TABLE, System
from tests.support.events import event

BAD_ID = event("sqs_batch")["Records"][1]["messageId"]


def started(system: System, *run_ids: str) -> None:
    """Start runs, and take their messages off the queue: the recorded batch has the same ones."""
    system.services.run = lambda event: f"{CANARY}-output"
    for run_id in run_ids:
        system.ask(action="start", workflow="abc", run_id=run_id, input=f"{CANARY}-input")
    system.received()
    system.output()


def status(system: System, run_id: str, task_id: str = "A") -> str:
    return str(system.ask(action="describe", run_id=run_id)["tasks"][task_id]["status"])


def test_a_message_that_is_none_does_not_stop_the_others(system: System) -> None:
    started(system, "run-1", "run-3")
    assert system.work(event("sqs_batch")) == {"batchItemFailures": [{"itemIdentifier": BAD_ID}]}
    output = system.output()
    assert (status(system, "run-1"), status(system, "run-3")) == ("SUCCEEDED", "SUCCEEDED")
    said = output.said("level", "message", "run_id", "task_id", "status", "attempt")
    assert sorted(said, key=str) == sorted(
        [
            ("INFO", "executed", "run-1", "A", "SUCCEEDED", 1),
            ("ERROR", "failed; the message stays in the queue", None, None, None, None),
            ("INFO", "executed", "run-3", "A", "SUCCEEDED", 1),
        ],
        key=str,
    )
    assert CANARY not in output.text


def test_what_an_attempt_is_counted_as(system: System) -> None:
    started(system, "run-1", "run-3")
    system.work(event("sqs_batch"))
    metrics = system.output().metrics
    assert sorted((name, unit, dimensions["service"]) for name, unit, _, dimensions in metrics) == sorted(
        [
            ("AttemptsSucceeded", "Count", "a"),
            ("AttemptDuration", "Milliseconds", "a"),
            ("QueueWait", "Milliseconds", "a"),
        ]
        * 2
    )
    assert all(set(dimensions) == {"service"} for _, _, _, dimensions in metrics)
    assert all(value >= 0 for _, _, value, _ in metrics)


def test_a_batch_again_invokes_nothing(system: System) -> None:
    started(system, "run-1", "run-3")
    system.work(event("sqs_batch"))
    system.output()
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    assert system.work(event("sqs_batch")) == {"batchItemFailures": [{"itemIdentifier": BAD_ID}]}
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before
    assert len(system.services.calls) == 2
    output = system.output()
    assert output.metrics == []
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
    record = event("sqs_batch")["Records"][0]
    batch = [
        {**record, "messageId": f"m-{run}", "body": json.dumps({"run_id": run, "task_id": "A", "version": 1})}
        for run in runs
    ]
    assert system.work({"Records": batch}) == {"batchItemFailures": []}
    for run in runs:
        assert system.ask(action="output", run_id=run, task_id="A")["output"] == run
    output = system.output()
    executed = [line for line in output.said("message", "run_id", "task_id") if line[0] == "executed"]
    assert sorted(executed) == [("executed", run, "A") for run in runs], "each line has its own run"
    assert len(output.metrics) == 30


def test_one_message_twice_in_a_batch_is_one_attempt(system: System) -> None:
    started(system, "run-1")
    record = event("sqs_batch")["Records"][0]
    batch = {"Records": [record, {**record, "messageId": "again"}]}
    assert system.work(batch) == {"batchItemFailures": []}
    assert len(system.services.calls) == 1
    assert status(system, "run-1") == "SUCCEEDED"


def test_a_failed_task_is_no_failed_message(system: System) -> None:
    started(system, "run-1", "run-3")

    def task(event: Mapping[str, Json]) -> Json:
        raise ValueError(CANARY)

    system.services.run = task
    assert system.work(event("sqs_batch")) == {"batchItemFailures": [{"itemIdentifier": BAD_ID}]}
    output = system.output()
    assert (status(system, "run-1"), status(system, "run-3")) == ("FAILED", "FAILED")
    failed = [line for line in output.said("message", "run_id", "status", "error") if line[0] == "executed"]
    assert sorted(failed) == [
        ("executed", "run-1", "FAILED", "ValueError"),
        ("executed", "run-3", "FAILED", "ValueError"),
    ]
    assert [name for name, unit, _, _ in output.metrics if unit == "Count"] == ["AttemptsFailed"] * 2
    assert CANARY not in output.text


def test_a_message_whose_work_breaks_stays_in_the_queue(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    started(system, "run-1", "run-3")
    real = worker.ports()[0].store.get_run_and_task

    def broken(run_id: str, task_id: str) -> Any:
        if run_id == "run-1":
            raise RuntimeError("the table is gone")
        return real(run_id, task_id)

    monkeypatch.setattr(worker.ports()[0].store, "get_run_and_task", broken)
    first, bad, _ = (record["messageId"] for record in event("sqs_batch")["Records"])
    failures = system.work(event("sqs_batch"))["batchItemFailures"]
    assert sorted(failure["itemIdentifier"] for failure in failures) == [first, bad]
    assert status(system, "run-3") == "SUCCEEDED"
    broken_lines = [line for line in system.output().lines if line["level"] == "ERROR" and "run_id" in line]
    assert [(line["run_id"], line["task_id"]) for line in broken_lines] == [("run-1", "A")]


def test_a_batch_of_which_nothing_could_be_done_is_an_error_of_the_function(system: System) -> None:
    batch = event("sqs_batch")
    batch["Records"] = batch["Records"][1:2]
    with pytest.raises(BatchProcessingError):
        system.work(batch)


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
