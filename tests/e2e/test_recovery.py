"""Runs end, and rightly, whatever is killed under them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.local.conftest import eventually
from tests.support.chaos import Lab, lab, needs_processes, task

__all__ = ["lab"]

pytestmark = pytest.mark.e2e


def progress(run: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Return the status and the attempts of each task."""
    return {task_id: (state["status"], state["attempts"]) for task_id, state in run["tasks"].items()}


@needs_processes
def test_a_killed_worker_costs_an_attempt_or_the_task_if_it_has_only_one(lab: Lab) -> None:
    bench = lab.bench("killed")
    bench.hold("A")
    # A lease is as long as the timeout and the slack, so that it is worth a wait to have them short.
    again = {"A": task(add=1, timeout_s=6), "B": task("A", add=2)}
    once = {"A": task(timeout_s=6, at_most_once=True), "B": task("A")}
    lab.start({"name": "again", "tasks": again}, "again-1", bench)
    lab.start({"name": "once", "tasks": once}, "once-1", bench)
    bench.await_began("again-1/A")
    bench.await_began("once-1/A")

    lab.kill(lab.output("worker_arn"))
    bench.let_go("A")

    run = lab.finished("again-1")
    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 2), "B": ("SUCCEEDED", 1)})
    assert lab.system.ask(action="output", run_id="again-1")["output"] == 3
    run = lab.finished("once-1")
    assert (run["status"], run["error"]["name"], run["error"]["task"]) == ("FAILED", "Orchestra.WorkerLost", "A")
    assert progress(run) == {"A": ("FAILED", 1), "B": ("CANCELED", 0)}
    assert bench.effects("began") == {
        ("again-1/A", 1): 1,
        ("again-1/A", 2): 1,
        ("again-1/B", 1): 1,
        ("once-1/A", 1): 1,
    }


@needs_processes
def test_a_killed_service_costs_an_attempt_even_without_a_policy(lab: Lab) -> None:
    bench = lab.bench("exited")
    bench.hold("A")
    lab.start({"name": "exited", "tasks": {"A": task(add=5)}}, "exited-1", bench)
    bench.await_began("exited-1/A")

    lab.kill(lab.service)
    bench.let_go("A")

    run = lab.finished("exited-1")
    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 2)})
    assert bench.effects("ended") == {("exited-1/A", 2): 1}


def test_a_run_outlives_a_restart_of_all_that_it_runs_on(lab: Lab) -> None:
    bench = lab.bench("restarted")
    bench.hold("A")
    tasks = {"A": task(add=1, timeout_s=10), "B": task("A", add=2)}
    lab.start({"name": "restarted", "tasks": tasks}, "restarted-1", bench)
    bench.await_began("restarted-1/A")

    lab.restart()
    bench.let_go("A")

    run = lab.finished("restarted-1")
    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 2), "B": ("SUCCEEDED", 1)})
    assert lab.system.ask(action="output", run_id="restarted-1")["output"] == 3
    assert lab.system.ask(action="verify", run_id="restarted-1")["violations"] == []


def test_a_canceled_run_is_redriven_and_what_has_succeeded_is_not_invoked_again(lab: Lab) -> None:
    bench = lab.bench("canceled")
    bench.hold("A")
    lab.start({"name": "canceled", "tasks": {"A": task(add=1), "B": task("A", add=2)}}, "canceled-1", bench)
    bench.await_began("canceled-1/A")

    asked = lab.system.ask(action="cancel", run_id="canceled-1")
    bench.let_go("A")
    canceled = lab.finished("canceled-1")
    redriven = lab.system.ask(action="redrive", run_id="canceled-1")
    run = lab.finished("canceled-1")

    assert asked["run"]["status"] == "CANCELING"
    assert (canceled["status"], progress(canceled)) == ("CANCELED", {"A": ("SUCCEEDED", 1), "B": ("CANCELED", 0)})
    assert (redriven["run"]["status"], redriven["run"]["epoch"]) == ("RUNNING", 2)
    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 1), "B": ("SUCCEEDED", 1)})
    assert bench.effects("began") == {("canceled-1/A", 1): 1, ("canceled-1/B", 1): 1}


def test_a_failed_run_is_redriven_once_its_service_is_mended(lab: Lab) -> None:
    bench = lab.bench("mended")
    bench.spoil("B")
    bench.hold("C")
    tasks = {"A": task(add=1), "B": task("A", add=2), "C": task("A", add=4), "D": task("B", "C", add=8)}
    lab.start({"name": "mended", "tasks": tasks}, "mended-1", bench)
    eventually(lambda: lab.system.ask(action="describe", run_id="mended-1")["status"] == "FAILING", within_s=30)

    bench.let_go("C")
    failed = lab.finished("mended-1")
    bench.mend("B")
    lab.system.ask(action="redrive", run_id="mended-1")
    run = lab.finished("mended-1")

    assert (failed["status"], failed["error"]) == ("FAILED", {"name": "Broken", "message": "B", "task": "B"})
    assert progress(failed) == {
        "A": ("SUCCEEDED", 1),
        "B": ("FAILED", 1),
        "C": ("SUCCEEDED", 1),
        "D": ("CANCELED", 0),
    }
    assert (run["status"], progress(run)) == ("SUCCEEDED", dict.fromkeys("ABCD", ("SUCCEEDED", 1)))
    assert lab.system.ask(action="output", run_id="mended-1")["output"] == 16
    assert bench.effects("began") == {
        ("mended-1/A", 1): 1,
        ("mended-1/B", 1): 2,  # an epoch counts its attempts anew
        ("mended-1/C", 1): 1,
        ("mended-1/D", 1): 1,
    }


def test_a_busy_service_costs_no_attempt(lab: Lab) -> None:
    bench, client = lab.bench("busy"), lab.system.client("lambda")
    client.put_function_concurrency(FunctionName=lab.service, ReservedConcurrentExecutions=0)
    try:
        lab.start({"name": "busy", "tasks": {"A": task(add=1)}}, "busy-1", bench)
        eventually(lambda: int(lab.task("busy-1", "A").get("released", {"N": "0"})["N"]), within_s=30)
        assert bench.effects("began") == Counter()
    finally:
        client.delete_function_concurrency(FunctionName=lab.service)

    run = lab.finished("busy-1")
    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 1)})
    assert bench.effects("began") == {("busy-1/A", 1): 1}


def test_what_nobody_can_handle_is_set_aside_and_holds_up_nobody(lab: Lab) -> None:
    """A message that is none, and a stream record of a task that is none: both before the messages of a real run."""
    key = {"pk": {"S": "RUN#poison"}, "sk": {"S": "TASK#A"}}
    poison = {**key, "schema": {"N": "1"}, "status": {"S": "UNHEARD-OF"}, "handoff": {"S": "stream"}}
    lab.system.client("dynamodb").put_item(TableName=lab.output("table_name"), Item=poison)
    lab.system.client("sqs").send_message(
        QueueUrl=lab.output("worker_queue_url"), MessageBody="neither JSON nor a task"
    )
    lab.start({"name": "beside", "tasks": {"A": task(), "B": task("A")}}, "beside-1", lab.bench("beside"))

    run = lab.finished("beside-1")
    letters = lab.system.ask(action="dead_letters")["letters"]

    assert (run["status"], progress(run)) == ("SUCCEEDED", {"A": ("SUCCEEDED", 1), "B": ("SUCCEEDED", 1)})
    told = {letter["queue"]: (letter["run_id"], letter["task_id"], bool(letter["reason"])) for letter in letters}
    assert len(letters) == 2, letters
    assert told == {"worker": (None, None, True), "records": ("poison", "A", True)}
    assert lab.system.ask(action="verify", run_id="beside-1")["violations"] == []
