"""The Orchestrator function over moto: requests and stream batches, and what it tells of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.exceptions import ClientError

from orchestration import orchestrator
from orchestration.dead_letters import Origin
from orchestration.errors import Retryable
from orchestration.payload import Json
from tests.support.deployed import CANARY, TABLE, System
from tests.support.events import event

ACTIONS = (
    "start, register, describe, output, list, workflows, asl, cancel, redrive, verify,"
    " dead_letters, dead_letter, redrive_dead_letters, drop_dead_letter"
)
DONE: dict[str, Any] = {"batchItemFailures": []}
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchGetItem")
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
    assert output.metrics == [("RunsStarted", "Count", 1, {"workflow": "abc"})]
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


def test_what_step_functions_runs_is_counted_by_step_functions(system: System, client: Callable[..., Any]) -> None:
    definition = system.ask(action="asl", workflow="abc")["definition"]
    client("stepfunctions").create_state_machine(
        name="orchestra-test-abc", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/flow"
    )
    request = {"action": "start", "workflow": "abc", "run_id": "run-1", "input": CANARY, "engine": "stepfunctions"}
    assert system.ask(**request)["created"] is True
    assert system.ask(action="cancel", run_id="run-1")["run"]["status"] == "CANCELED"
    output = system.output()
    assert output.metrics == []
    assert output.said("action", "run_id", "message") == [
        ("asl", None, "answered"),
        ("start", "run-1", "answered"),
        ("cancel", "run-1", "answered"),
    ]
    assert CANARY not in output.text
    assert system.dynamodb.scan(TableName=TABLE)["Count"] == 1, "its definition"


def test_a_cancel_is_counted_once_and_so_is_the_end_of_the_run(system: System) -> None:
    system.ask(action="start", workflow="abc", run_id="run-1", input=CANARY)
    system.output()
    answer = system.ask(action="cancel", run_id="run-1")
    assert (answer["run"]["status"], answer["changed"]) == ("CANCELED", True)
    assert system.ask(action="cancel", run_id="run-1") == {**answer, "changed": False}
    output = system.output()
    assert [(name, dimensions["workflow"]) for name, unit, _, dimensions in output.metrics if unit == "Count"] == [
        ("RunsCanceled", "abc"),
        ("RunsCancelAsked", "abc"),
    ]
    assert output.said("message", "action", "run_id") == [("answered", "cancel", "run-1")] * 2


def test_a_redrive_is_counted_once(system: System) -> None:
    def task(event: Mapping[str, Json]) -> Any:
        raise ValueError(CANARY)

    system.services.run = task
    system.ask(action="start", workflow="abc", run_id="run-1")
    system.settle()
    system.output()
    system.services.run = lambda event: CANARY
    answer = system.ask(action="redrive", run_id="run-1")
    assert (answer["run"]["status"], answer["run"]["epoch"], answer["changed"]) == ("RUNNING", 2, True)
    assert system.ask(action="redrive", run_id="run-1") == {**answer, "changed": False}
    output = system.output()
    assert [name for name, _, _, _ in output.metrics] == ["RunsRedriven"]
    system.settle()
    assert system.ask(action="describe", run_id="run-1")["status"] == "SUCCEEDED"
    assert CANARY not in system.output().text


# -- stream batches ----------------------------------------------------------------------------------------------------


def records(*runs: str) -> dict[str, Any]:
    """Return a batch with the record of the end of A of each run; their sequence numbers are the runs' ids."""
    record = event("dynamodb_stream")["Records"][0]
    batch = []
    for run in runs:
        one = copy.deepcopy(record)
        one["dynamodb"] |= {"Keys": {"pk": {"S": f"RUN#{run}"}, "sk": {"S": "TASK#A"}}, "SequenceNumber": run}
        batch.append(one)
    return {"Records": batch}


def failed(*runs: str) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": run} for run in runs]}


def break_reads(monkeypatch: pytest.MonkeyPatch, errors: Mapping[str, Exception]) -> None:
    """Let the table fail for some runs."""
    store = orchestrator.requests().engine.store
    real = store.get_run_and_task

    def broken(run_id: str, task_id: str) -> Any:
        if run_id in errors:
            raise errors[run_id]
        return real(run_id, task_id)

    monkeypatch.setattr(store, "get_run_and_task", broken)


def has_followed(system: System, run_id: str) -> bool:
    return bool(system.ask(action="describe", run_id=run_id)["tasks"]["B1"]["status"] == "READY")


def test_a_batch_of_records(system: System) -> None:
    """Of A's end follow three tasks; of the others (a task that has not begun, a run, a removal) follows nothing."""
    ready(system, "run-1")
    assert system.advance(event("dynamodb_stream")) == DONE
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
    assert system.advance(batch) == DONE
    assert has_followed(system, "run-1")
    assert has_followed(system, "run-3")
    output = system.output()
    assert output.said("level", "message", "run_id")[:3] == [
        ("INFO", "advanced", "run-1"),
        ("ERROR", "cannot be handled, and has been set aside", None),
        ("INFO", "advanced", "run-3"),
    ]
    reason = f"OrchestraError: not a stream record of the table: {batch['Records'][1]['eventID']!r}"
    assert output.lines[1]["reason"] == reason
    assert output.metrics == [("RecordsQuarantined", "Count", 1, {})]
    assert CANARY not in output.text
    ((body, _),) = system.set_aside(Origin.RECORDS)
    assert json.loads(body) == {"run_id": None, "task_id": None, "reason": reason}


@pytest.mark.parametrize(
    "broken",
    [
        None,
        5,
        "text",
        [],
        {},
        {"eventName": "MODIFY", "dynamodb": {}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "RUN#run-1"}}, "SequenceNumber": "1"}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"S": "RUN#run-1"}, "sk": {"N": "1"}}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": {"B": "UlVO"}, "sk": {"S": "TASK#A"}}}},
        {"eventName": "MODIFY", "dynamodb": {"Keys": {"pk": "RUN#run-1", "sk": "TASK#A"}, "NewImage": {"x": CANARY}}},
    ],
)
def test_whatever_is_no_record_is_set_aside(system: System, broken: Json) -> None:
    ready(system, "run-1")
    assert system.advance({"Records": [broken, *records("run-1")["Records"]]}) == DONE
    assert has_followed(system, "run-1")
    ((body, _),) = system.set_aside(Origin.RECORDS)
    assert json.loads(body)["run_id"] is None
    assert CANARY not in body + system.output().text


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"pk": {"S": "RUN#run-1"}, "sk": {"S": "SOMETHING#A"}}, "MODIFY"),
        ({"pk": {"S": "TENANT#t"}, "sk": {"S": "TASK#A"}}, "INSERT"),
        ({"pk": {"S": "RUN#run-9"}, "sk": {"S": "TASK#A"}}, "MODIFY"),
        ({"pk": {"S": "RUN#run-1"}, "sk": {"S": "TASK#stranger"}}, "MODIFY"),
        ({"pk": {"S": "RUN#run-1"}, "sk": {"S": "TASK#A"}}, "REMOVE"),
        ({}, "REMOVE"),
    ],
)
def test_of_what_is_unknown_or_gone_follows_nothing(system: System, keys: Json, name: str) -> None:
    ready(system, "run-1")
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    record = {"eventName": name, "dynamodb": {"Keys": keys, "SequenceNumber": "1"}}
    assert system.advance({"Records": [record]}) == DONE
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before
    assert system.set_aside(Origin.RECORDS) == []


@pytest.mark.parametrize("image", [None, {}, {"status": 5}, {"version": {"N": 3}, "schema": {"S": "two"}}])
def test_the_image_of_a_record_is_not_read(system: System, image: Json) -> None:
    ready(system, "run-1")
    batch = records("run-1")
    batch["Records"][0]["dynamodb"]["NewImage"] = image
    assert system.advance(batch) == DONE
    assert has_followed(system, "run-1")


def test_an_item_of_a_newer_release_is_set_aside(system: System) -> None:
    ready(system, "run-1", "run-2")
    key = {"pk": {"S": "RUN#run-1"}, "sk": {"S": "RUN"}}
    system.dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET #s = :s",
        ExpressionAttributeNames={"#s": "schema"},
        ExpressionAttributeValues={":s": {"N": "9"}},
    )
    assert system.advance(records("run-1", "run-2")) == DONE
    assert has_followed(system, "run-2")
    ((body, _),) = system.set_aside(Origin.RECORDS)
    line = "OrchestraError: RUN#run-1/RUN: schema 9 is newer than 1, the newest that this release knows"
    assert json.loads(body) == {"run_id": "run-1", "task_id": "A", "reason": line}


def test_a_run_whose_definition_is_missing_is_set_aside(system: System) -> None:
    ready(system, "run-1", "run-2")
    system.ask(action="register", definition={"name": "other", "tasks": {"A": {"service": "a"}}})
    system.ask(action="start", workflow="other", run_id="run-3")
    system.work(system.received())
    (item,) = [i for i in system.dynamodb.scan(TableName=TABLE)["Items"] if i["pk"]["S"] == "WORKFLOW#other"]
    system.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})
    orchestrator.requests.cache_clear()  # a fresh process has not seen it
    assert system.advance(records("run-3", "run-2")) == DONE
    assert has_followed(system, "run-2")
    ((body, _),) = system.set_aside(Origin.RECORDS)
    letter = json.loads(body)
    assert (letter["run_id"], letter["task_id"]) == ("run-3", "A")
    assert letter["reason"].startswith("OrchestraError: other: the definition ")


@pytest.mark.parametrize("error", [THROTTLED, Retryable("the queue refused 1 messages"), OSError("reset")])
def test_what_another_try_can_mend_is_reported_and_the_others_go_on(
    system: System, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    runs = [f"run-{i}" for i in range(1, 6)]
    ready(system, *runs)
    with monkeypatch.context() as patched:
        break_reads(patched, {"run-2": error, "run-4": error})
        assert system.advance(records(*runs)) == failed("run-2", "run-4")
    assert [has_followed(system, run) for run in runs] == [True, False, True, False, True]
    assert system.set_aside(Origin.RECORDS) == []
    output = system.output()
    lines = [line for line in output.said("level", "message", "run_id", "task_id") if line[0] == "ERROR"]
    assert lines == [("ERROR", "failed; it will be delivered again", run, "A") for run in ("run-2", "run-4")]
    # Lambda delivers again from the first that was reported on: also what had succeeded.
    assert system.advance(records(*runs[1:])) == DONE
    assert all(has_followed(system, run) for run in runs)
    assert len(system.services.calls) == 5


def test_a_bug_is_set_aside_and_its_text_is_told_nowhere(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(system, "run-1", "run-2")
    break_reads(monkeypatch, {"run-1": KeyError(CANARY)})
    assert system.advance(records("run-1", "run-2")) == DONE
    assert has_followed(system, "run-2")
    ((body, _),) = system.set_aside(Origin.RECORDS)
    letter = json.loads(body)
    assert (letter["run_id"], letter["task_id"]) == ("run-1", "A")
    assert letter["reason"].startswith("KeyError at engine.py:")
    assert CANARY not in body + system.output().text


def test_what_cannot_be_set_aside_comes_again(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(system, "run-1", "run-2")
    break_reads(monkeypatch, {"run-1": KeyError(CANARY)})
    system.sqs.delete_queue(QueueUrl=system.url("failed-records"))
    assert system.advance(records("run-1", "run-2")) == failed("run-1")
    assert has_followed(system, "run-2")
    output = system.output()
    assert output.metrics == [("QuarantineFailures", "Count", 1, {})]
    assert CANARY not in output.text


def test_a_record_without_a_number_that_cannot_be_set_aside_fails_the_whole_batch(system: System) -> None:
    """There is nothing to report it by; after an error of the function Lambda delivers all of them again."""
    ready(system, "run-1")
    system.sqs.delete_queue(QueueUrl=system.url("failed-records"))
    with pytest.raises(Exception, match="sequence_number"):
        system.advance({"Records": [{"eventName": "MODIFY"}, *records("run-1")["Records"]]})


def test_a_batch_again_changes_nothing(system: System) -> None:
    ready(system, "run-1")
    system.advance(event("dynamodb_stream"))
    before = system.dynamodb.scan(TableName=TABLE)["Items"]
    assert system.advance(event("dynamodb_stream")) == DONE
    assert system.dynamodb.scan(TableName=TABLE)["Items"] == before


def test_an_empty_batch_is_done(system: System) -> None:
    assert system.advance({"Records": []}) == DONE


def test_a_batch_of_which_nothing_could_be_done_is_an_error_of_the_function(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda delivers all of it again, halved, and counts an error, for whoever watches the function."""
    ready(system, "run-1", "run-2")
    break_reads(monkeypatch, {"run-1": THROTTLED, "run-2": THROTTLED})
    with pytest.raises(BatchProcessingError):
        system.advance(records("run-1", "run-2"))
    assert CANARY not in system.output().text


def test_a_batch_of_very_many_records(system: System) -> None:
    ready(system, "run-1")
    (record,) = records("run-1")["Records"]
    foreign = {**record, "dynamodb": {**record["dynamodb"], "Keys": {"pk": {"S": "OTHER#x"}, "sk": {"S": "OTHER"}}}}
    many = [foreign] * 10_000
    many[5_000] = {"eventName": "MODIFY"}
    many[9_999] = record
    assert system.advance({"Records": many}) == DONE
    assert has_followed(system, "run-1")
    assert len(system.set_aside(Origin.RECORDS)) == 1


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
            ("RunsStarted", "Count", 1.0, {"workflow": "abc"}),
            ("RunsSucceeded", "Count", 1.0, {"workflow": "abc"}),
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
    assert ("RunsFailed", "Count", 1.0, {"workflow": "abc"}) in output.metrics
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
