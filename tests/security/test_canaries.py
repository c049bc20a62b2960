"""Whatever goes through a run stays in the run: no log, no metric and no dead letter holds what a payload said. C11.

A canary is a word that is nowhere else in the world. Each place of a run that can hold data has its own.

What may hold a canary, and where:

- The message of an error that a task raised: in the log group of the task's own function, since Lambda writes there
  what a function ended with, and in that of the state machine, whose log says the cause of what failed
  (`includeExecutionData: false` leaves out inputs and outputs alone). An error's message is for people: a service that
  quotes its input in one has put it there.
- The name of what was asked for, in the Orchestrator's log: of an action, a workflow or a run, even of one that is
  none, and a field of a definition where a number or a name belongs. Input and params are quoted in no refusal.
- The run's record, where it belongs: the table, the history of an execution, and what the Orchestrator answers.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from cli.meter import events
from tests.support.stack import POLL_S, TERMINAL, System

pytestmark = pytest.mark.e2e

PLACES = ["input", "params", "output", "wrong", "quoted", "refused", "named", "letter"]
ENGINES = ["dynamodb", "stepfunctions"]
QUEUES = ["worker_queue_url", "dead_letters_url", "failed_records_url"]


def finished(system: System, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    while (run := system.ask(action="describe", run_id=run_id))["status"] not in TERMINAL:
        assert time.monotonic() < deadline, run
        time.sleep(POLL_S)  # between two looks
    return run


def lines(system: System) -> dict[str, list[str]]:
    """Return every line of every log group; metrics are among them, as lines that CloudWatch reads."""
    logs = system.client("logs")
    groups = [g["logGroupName"] for p in logs.get_paginator("describe_log_groups").paginate() for g in p["logGroups"]]
    now_ms = time.time_ns() // 1_000_000
    return {group: [event["message"] for event in events(logs, group, 0, now_ms)] for group in groups}


class Aviary:
    """Runs through which canaries went, on both engines, and all that was told of them."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.tag = uuid.uuid4().hex[:12]
        self.canaries = {place: f"canary{self.tag}{place}" for place in PLACES}
        self.runs: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, Any] = {}

    def fly(self) -> None:
        said = self.canaries
        whole = {
            "says": {"service": "probe", "params": {"return": {"secret": said["output"]}, "note": said["params"]}},
            "hears": {"service": "probe", "after": ["says"], "params": {"note": said["params"]}},
        }
        broken = {
            "says": whole["says"],
            "fails": {
                "service": "probe",
                "after": ["says"],
                "params": {"fail": {"name": "Broken", "message": said["quoted"]}},
                "retry": {"max_attempts": 2, "delay_s": 0},
            },
        }
        for name, tasks in (("canary-whole", whole), ("canary-broken", broken)):
            self.ask(action="register", engine="stepfunctions", definition={"name": name, "tasks": tasks})
        for engine in ENGINES:
            given: dict[str, Any] = {"canary-whole": {"text": said["input"]}, "canary-broken": [said["input"]]}
            given["abc"] = f"{said['input']} sings\n"  # of every runtime: Node, Python and a container
            for workflow, run_input in [*given.items(), ("abc", {"song": said["wrong"]})]:
                run_id = f"{workflow}-{engine}-{len(self.runs)}-{self.tag}"
                self.ask(action="start", engine=engine, workflow=workflow, run_id=run_id, input=run_input)
                name = f"{workflow} {engine}" + (" wrong" if said["wrong"] in str(run_input) else "")
                self.runs[name] = finished(self.system, run_id)
                self.outputs[name] = self.system.ask(action="output", run_id=run_id)
        again = {"workflow": "abc", "run_id": f"abc-dynamodb-2-{self.tag}"}
        task = {"service": "probe", "params": {"note": said["refused"]}, "after": ["nobody"]}
        for refused in (
            {"action": "start", "workflow": "no-such-flow", "input": said["refused"]},
            {"action": "start", **again, "input": said["refused"]},  # another input than the run's
            {"action": "register", "definition": {"name": "refused", "tasks": {"A": task}}},
            {"action": said["named"]},
        ):
            assert "error" in self.system.ask(**refused), refused
        self.poison()

    def ask(self, **request: object) -> None:
        answer = self.system.ask(**request)
        assert "error" not in answer, answer

    def poison(self) -> None:
        """Have a record that nobody can handle set aside, whose task has put something out."""
        record = {
            "pk": {"S": f"RUN#{self.tag}"},
            "sk": {"S": "TASK#A"},
            "schema": {"N": "1"},
            "status": {"S": "UNHEARD-OF"},
            "handoff": {"S": "stream"},
            "output": {"S": self.canaries["letter"]},
        }
        table = self.system.deployment.outputs["table_name"]
        self.system.client("dynamodb").put_item(TableName=table, Item=record)
        deadline = time.monotonic() + 60
        while not [body for body in self.letters() if self.tag in body]:
            assert time.monotonic() < deadline, "the record was not set aside"
            time.sleep(POLL_S)  # between two looks

    def letters(self) -> list[str]:
        """Return all that is in the queues for nobody in particular, and leave it there."""
        sqs, found = self.system.client("sqs"), {}
        for queue in QUEUES[1:]:
            url = self.system.deployment.outputs[queue]
            reply = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
            )
            for message in reply.get("Messages", []):
                found[message["MessageId"]] = json.dumps(message)
        return list(found.values())

    def clear(self) -> None:
        """Take away the letter, which other tests don't expect, and its record."""
        url = self.system.deployment.outputs["failed_records_url"]
        sqs = self.system.client("sqs")
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1).get(
            "Messages", []
        ):
            if self.tag in message["Body"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        table = self.system.deployment.outputs["table_name"]
        key = {"pk": {"S": f"RUN#{self.tag}"}, "sk": {"S": "TASK#A"}}
        self.system.client("dynamodb").delete_item(TableName=table, Key=key)


@pytest.fixture(name="aviary", scope="module")
def _aviary(deployed_system: System) -> Iterator[Aviary]:
    aviary = Aviary(deployed_system)
    try:
        aviary.fly()
        yield aviary
    finally:
        aviary.clear()


def holders(aviary: Aviary) -> set[tuple[str, str]]:
    """Return which log group, of which part of the system, holds the canary of which place."""
    return {
        (group.rsplit("/", 1)[-1].removeprefix("orchestra-local-"), place)
        for group, messages in lines(aviary.system).items()
        for place, canary in aviary.canaries.items()
        if any(canary in message for message in messages)
    }


def test_the_canaries_were_there(aviary: Aviary) -> None:
    """A test that looks for what was never said finds nothing, too."""
    failing = {name for name in aviary.runs if "broken" in name or "wrong" in name}
    assert len(aviary.runs) == 8
    assert {name for name, run in aviary.runs.items() if run["status"] == "FAILED"} == failing
    assert {name for name, run in aviary.runs.items() if run["status"] == "SUCCEEDED"} == aviary.runs.keys() - failing
    for engine in ENGINES:
        event = json.dumps(aviary.outputs[f"canary-whole {engine}"])
        assert all(aviary.canaries[place] in event for place in ("input", "params", "output"))
        assert aviary.canaries["quoted"] in json.dumps(aviary.runs[f"canary-broken {engine}"]["error"])
    told = lines(aviary.system)
    for function in ("orchestrator", "worker", "task-probe", "task-a", "task-b3"):
        assert told[f"/aws/lambda/orchestra-local-{function}"], function
    assert any(aviary.tag in line for line in told["/aws/lambda/orchestra-local-worker"]), "the Worker names the run"


def test_no_log_and_no_metric_holds_one_but_for_the_message_of_an_error_where_it_was_raised(aviary: Aviary) -> None:
    assert holders(aviary) == {("task-probe", "quoted"), ("registered", "quoted"), ("orchestrator", "named")}


def test_no_dead_letter_holds_one(aviary: Aviary) -> None:
    letters = aviary.letters()
    assert [letter for letter in letters if aviary.tag in letter], "there is one of the record that was set aside"
    assert [(p, letter) for p, canary in aviary.canaries.items() for letter in letters if canary in letter] == []


def test_no_metric_is_named_after_one(aviary: Aviary) -> None:
    """What `orchestra metrics` reads, and what CloudWatch keeps."""
    printed = aviary.system.orchestra("metrics", "--since", "1h", "--json").stdout
    assert "canary-whole" in printed, "the workflow is named"
    metrics = json.dumps(aviary.system.client("cloudwatch").list_metrics()["Metrics"])
    assert [place for place, canary in aviary.canaries.items() if canary in printed or canary in metrics] == []
