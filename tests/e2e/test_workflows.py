"""Workflows of every shape on the deployed system."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import System

pytestmark = pytest.mark.e2e


def probe(*after: str, **params: object) -> dict[str, Any]:
    """Return a task that answers with null, so that long graphs stay small."""
    return {"service": "probe", "after": list(after), "params": {"return": None, **params}}


def unseen_text() -> str:
    """Return a text that no test has seen before, of every kind of character. The seed is printed on failure."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    words = ["Übung", "naïve", "weight", "ab", "x", "日本", "don't", "emoji🙂", "three", "\u00a0", "END."]
    lines = (" ".join(chance.choices(words, k=chance.randrange(12))) for _ in range(chance.randrange(5, 60)))
    return "\n".join(lines) + chance.choice(["", "\n", "\r\n\r\n"])


def wc(flag: str, path: Path) -> int:
    counted = subprocess.run(
        ["wc", flag, path],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(counted.stdout.split()[0])


def test_the_reference_workflow_counts_a_text_that_it_has_never_seen(system: System, tmp_path: Path) -> None:
    text = tmp_path / "unseen.txt"
    text.write_bytes(unseen_text().encode())

    done = system.orchestra("run", "abc", "--input", f"@{text}", "--json")

    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["status"] == "SUCCEEDED"
    assert {task: state["attempts"] for task, state in run["tasks"].items()} == dict.fromkeys(run["tasks"], 1)
    counts = run["output"]["counts"]
    assert {name: counts[name] for name in ("bytes", "characters", "lines", "words")} == {
        "bytes": wc("-c", text),
        "characters": wc("-m", text),
        "lines": wc("-l", text),
        "words": wc("-w", text),
    }


def test_a_chain_of_100_tasks(system: System) -> None:
    tasks = {f"T{i:03}": probe(*([f"T{i - 1:03}"] if i else [])) for i in range(100)}

    run = system.run({"name": "chain", "tasks": tasks}, "chain-1")

    assert run["status"] == "SUCCEEDED"
    assert [(t["status"], t["attempts"]) for t in run["tasks"].values()] == [("SUCCEEDED", 1)] * 100
    starts = [run["tasks"][f"T{i:03}"]["started_at"] for i in range(100)]
    assert starts == sorted(starts)


def test_a_fan_out_to_60_tasks_and_their_fan_in(system: System) -> None:
    middle = [f"M{i:02}" for i in range(60)]
    tasks = {
        "A": probe(),
        **{m: probe("A", **{"return": i}) for i, m in enumerate(middle)},
        "Z": {"service": "probe", "after": middle},
    }

    run = system.run({"name": "fan", "tasks": tasks}, "fan-1", run_input={"x": 1})

    assert run["status"] == "SUCCEEDED"
    assert [(t["status"], t["attempts"]) for t in run["tasks"].values()] == [("SUCCEEDED", 1)] * 62
    event = system.ask(action="output", run_id="fan-1")["output"]
    assert event == {
        "run_id": "fan-1",
        "workflow": "fan",
        "task_id": "Z",
        "attempt": 1,
        "idempotency_key": "fan-1/Z",
        "deadline_at": run["tasks"]["Z"]["started_at"] + 60_000,
        "params": {},
        "input": {"x": 1},
        "upstream": {m: i for i, m in enumerate(middle)},
    }


def test_a_task_that_fails_fails_its_run_and_what_waits_is_canceled(system: System) -> None:
    tasks = {
        "A": probe(),
        "B": probe("A", fail={"name": "QuotaExceeded", "message": "3 of 3 used"}),
        "C": probe("B"),
        "D": probe("C"),
    }
    run = system.run({"name": "failing", "tasks": tasks}, "failing-1")

    error = {"name": "QuotaExceeded", "message": "3 of 3 used"}
    assert (run["status"], run["error"]) == ("FAILED", {**error, "task": "B"})
    assert {task: (t["status"], t["attempts"], t["error"]) for task, t in run["tasks"].items()} == {
        "A": ("SUCCEEDED", 1, None),
        "B": ("FAILED", 1, error),
        "C": ("CANCELED", 0, None),
        "D": ("CANCELED", 0, None),
    }


def test_a_task_that_fails_twice_succeeds_by_its_retry_policy(system: System) -> None:
    fail = {"name": "Flaky", "message": "try again", "attempts": 2}
    retry = {"max_attempts": 3, "delay_s": 0, "on": ["Flaky"]}
    definition = {"name": "flaky", "tasks": {"A": {**probe(fail=fail), "retry": retry}}}

    run = system.run(definition, "flaky-1")

    assert (run["status"], run["tasks"]["A"]["attempts"]) == ("SUCCEEDED", 3)


def test_a_task_that_outlives_its_timeout(system: System) -> None:
    definition = {"name": "slow", "tasks": {"A": {**probe(sleep_s=4), "timeout_s": 1}}}

    run = system.run(definition, "slow-1")

    assert (run["status"], run["error"]["name"]) == ("FAILED", "States.Timeout")


@pytest.mark.parametrize("service", ["b2", "b3", "a"])
def test_an_error_keeps_its_name_in_every_runtime(system: System, service: str) -> None:
    definition = {"name": f"bad-{service}", "tasks": {"A": {"service": service}}}

    run = system.run(definition, f"bad-{service}-1", run_input=17)

    assert (run["status"], run["error"]["name"]) == ("FAILED", "InvalidInput")


def test_a_start_that_is_repeated_finds_its_run(system: System) -> None:
    definition = {"name": "twice", "tasks": {"A": probe(), "B": probe("A")}}
    system.run(definition, "twice-1", run_input="same")

    again = system.ask(action="start", workflow="twice", run_id="twice-1", input="same")
    other = system.ask(action="start", workflow="twice", run_id="twice-1", input="other")

    assert (again["created"], again["run"]["status"]) == (False, "SUCCEEDED")
    assert other == {
        "error": {
            "code": "Conflict",
            "message": "run_id: 'twice-1' is a run with another input already; use another id",
        }
    }


def test_payloads_at_the_limit(system: System) -> None:
    definition = {"name": "large", "tasks": {"A": {"service": "probe", "params": {}}}}
    largest = "x" * (262_144 - 2)  # the quotes count
    system.register(definition)

    run = system.run({"name": "largest", "tasks": {"A": probe()}}, "largest-1", run_input=largest)
    refused = system.ask(action="start", workflow="large", run_id="large-1", input=largest + "x")
    echoed = system.run(definition, "large-2", run_input=largest)

    assert run["status"] == "SUCCEEDED"
    assert refused["error"]["message"] == (
        "input: is 262145 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)"
    )
    assert system.ask(action="describe", run_id="large-1")["error"]["code"] == "NotFound"
    # The event with such an input in it is larger than an output may be.
    assert (echoed["status"], echoed["error"]["name"]) == ("FAILED", "States.DataLimitExceeded")
