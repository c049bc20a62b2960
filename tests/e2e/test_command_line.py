"""The command line against the deployed system, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import System
from tests.e2e.test_workflows import probe

pytestmark = pytest.mark.e2e


def test_a_workflow_of_the_users_own(system: System, tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    tasks = {"first": probe(), "last": {"service": "probe", "after": ["first"], "params": {"return": {"n": 1}}}}
    file.write_text(json.dumps({"name": "own", "tasks": tasks}))

    registered = system.orchestra("register", str(file), "--json")
    started = system.orchestra("run", "own", "--input", '{"x": 1}', "--run-id", "own-1", "--no-wait", "--json")
    system.finished("own-1")
    status = system.orchestra("status", "own-1", "--json")
    output = system.orchestra("output", "own-1", "--json")
    of_task = system.orchestra("output", "own-1", "first", "--json")
    listed = system.orchestra("list", "--workflow", "own", "--json")

    assert [c.returncode for c in (registered, started, status, output, of_task, listed)] == [0] * 6
    assert json.loads(registered.stdout)["created"] is True
    run = json.loads(status.stdout)
    assert (run["status"], list(run["tasks"])) == ("SUCCEEDED", ["first", "last"])
    assert json.loads(output.stdout)["output"] == {"n": 1}
    assert json.loads(of_task.stdout)["output"] is None
    assert [r["run_id"] for r in json.loads(listed.stdout)["runs"]] == ["own-1"]


def test_a_run_that_fails_is_an_exit_code_of_1(system: System) -> None:
    system.register({"name": "broken", "tasks": {"A": probe(fail="Broken")}})

    done = system.orchestra("run", "broken", "--json")

    run = json.loads(done.stdout)
    assert (done.returncode, run["status"], run["error"]["name"]) == (1, "FAILED", "Broken")


def test_a_run_is_canceled_and_redriven(system: System) -> None:
    """Its task fails once and then waits for hours, so that it neither ends nor is interrupted."""
    retry = {"max_attempts": 2, "delay_s": 86_400, "max_delay_s": 86_400}
    waits = {**probe(fail={"name": "Flaky", "attempts": 1}), "retry": retry}
    system.register({"name": "waits", "tasks": {"A": waits, "B": probe("A")}})
    system.orchestra("run", "waits", "--run-id", "waits-1", "--no-wait")

    canceled = system.orchestra("cancel", "waits-1", "--json")
    again = system.orchestra("cancel", "waits-1", "--json")
    redriven = system.orchestra("redrive", "waits-1", "--from", "A", "--no-wait", "--json")
    twice = system.orchestra("redrive", "waits-1", "--no-wait", "--json")
    verified = system.orchestra("verify", "waits-1", "--json")
    ended = system.orchestra("cancel", "waits-1")

    assert [c.returncode for c in (canceled, again, redriven, twice, verified, ended)] == [0] * 6
    assert [json.loads(c.stdout)["status"] for c in (canceled, again)] == ["CANCELED"] * 2
    assert [json.loads(c.stdout)["status"] for c in (redriven, twice)] == ["RUNNING"] * 2
    assert twice.stderr == "note: run waits-1 was redriven already\n"
    assert json.loads(verified.stdout) == {"checked": 1, "violations": []}
    assert "CANCELED  0 of 2 tasks" in ended.stdout


def test_dead_letters_are_listed_shown_and_redriven(system: System) -> None:
    """A message about a run that is over, as it is left when its worker died and the sweeper was faster."""
    system.run({"name": "over", "tasks": {"A": probe()}}, "over-1")
    body = json.dumps({"run_id": "over-1", "task_id": "A", "version": 1})
    queue = system.deployment.outputs["dead_letters_url"]
    letter_id = system.client("sqs").send_message(QueueUrl=queue, MessageBody=body)["MessageId"]

    listed = system.orchestra("dlq", "list", "--limit", "100", "--json")
    shown = system.orchestra("dlq", "show", letter_id, "--json")
    redriven = system.orchestra("dlq", "redrive", letter_id, "--json")
    gone = system.orchestra("dlq", "show", letter_id)

    (letter,) = (each for each in json.loads(listed.stdout)["letters"] if each["id"] == letter_id)
    assert (letter["queue"], letter["run_id"], letter["task_id"]) == ("worker", "over-1", "A")
    assert json.loads(shown.stdout)["letter"]["body"] == body
    assert (redriven.returncode, json.loads(redriven.stdout)) == (0, {"redriven": [letter_id], "refused": []})
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.count("\n") == 1


def test_a_dead_letter_that_cannot_be_redriven_is_dropped(system: System) -> None:
    queue = system.deployment.outputs["dead_letters_url"]
    letter_id = system.client("sqs").send_message(QueueUrl=queue, MessageBody="not JSON")["MessageId"]

    refused = system.orchestra("dlq", "redrive", letter_id)
    unasked = system.orchestra("dlq", "drop", letter_id)
    dropped = system.orchestra("dlq", "drop", letter_id, "--yes", "--json")
    gone = system.orchestra("dlq", "show", letter_id)

    assert [c.returncode for c in (refused, unasked, dropped, gone)] == [2, 2, 0, 2]
    assert "--yes" in unasked.stderr
    assert json.loads(dropped.stdout)["letter"]["body"] == "not JSON"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "nope"], "there is no 'nope'"),
        (["run", "abc", "--run-id", "a#b"], "'a#b' is not an id"),
        (["run", "abc", "--input", "{"], "JSON"),
        (["status", "nope"], "there is no run 'nope'"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code_of_2(system: System, arguments: list[str], line: str) -> None:
    before = system.ask(action="list", limit=100)["runs"]

    done = system.orchestra(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert system.ask(action="list", limit=100)["runs"] == before


def test_an_orchestrator_is_found_by_its_arn_alone(system: System, tmp_path: Path) -> None:
    outputs = system.deployment.outputs
    elsewhere = System(tmp_path, system.deployment)

    done = elsewhere.orchestra(
        *["workflows", "--json", "--orchestrator-arn", outputs["orchestrator_arn"], "--region", outputs["region"]],
        environment={
            "AWS_ENDPOINT_URL": system.deployment.endpoint_url,
            "AWS_ACCESS_KEY_ID": system.deployment.access_key,
            "AWS_SECRET_ACCESS_KEY": system.deployment.secret_key,
        },
    )

    assert done.returncode == 0, done.stderr
    names = [workflow["name"] for workflow in json.loads(done.stdout)["workflows"]]
    assert "abc" in names
