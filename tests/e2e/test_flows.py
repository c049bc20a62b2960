"""The engine stepfunctions on the deployed system, as a user has it, and beside the other one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import POLL_S, TERMINAL, System
from tests.e2e.test_workflows import probe
from tests.support import asl_check

pytestmark = pytest.mark.e2e

ENGINES = ["dynamodb", "stepfunctions"]
TEXT = "It was the best of times, it was the worst of times.\n"


def document(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def registered(system: System, name: str, tasks: dict[str, Any], **fields: object) -> dict[str, Any]:
    answer = system.ask(action="register", engine="stepfunctions", definition={"name": name, "tasks": tasks, **fields})
    assert "error" not in answer, answer
    return answer


def started(system: System, name: str, run_id: str, engine: str = "stepfunctions") -> None:
    answer = system.ask(action="start", engine=engine, workflow=name, run_id=run_id)
    assert answer.get("created") is True, answer


def awaited(system: System, run_id: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return a run, of whichever engine it is, once it has got so far."""
    deadline = time.monotonic() + 60
    while not reached(run := system.ask(action="describe", run_id=run_id)):
        assert time.monotonic() < deadline, run
        time.sleep(POLL_S)  # between two looks
    return run


def ended(run: dict[str, Any]) -> bool:
    return run["status"] in TERMINAL


def progress(run: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {task_id: (task["status"], task["attempts"]) for task_id, task in run["tasks"].items()}


def test_the_reference_workflow_is_the_same_on_both(system: System) -> None:
    runs = {
        engine: document(system.orchestra("run", "abc", "--engine", engine, "--input", json.dumps(TEXT), "--json"))
        for engine in ENGINES
    }

    assert {engine: (run["engine"], run["status"]) for engine, run in runs.items()} == {
        engine: (engine, "SUCCEEDED") for engine in ENGINES
    }
    assert (
        progress(runs["stepfunctions"])
        == progress(runs["dynamodb"])
        == dict.fromkeys(["A", "B1", "B2", "B3", "C"], ("SUCCEEDED", 1))
    )
    assert runs["stepfunctions"]["output"] == runs["dynamodb"]["output"]
    assert runs["stepfunctions"]["output"]["counts"]["words"] == 12


def test_what_is_deployed_is_what_the_compiler_makes_and_the_check_takes(system: System) -> None:
    arn = system.deployment.outputs["state_machine_arns"]["abc"]
    deployed = system.client("stepfunctions").describe_state_machine(stateMachineArn=arn)

    assert asl_check.problems(deployed["definition"]) == []
    assert json.loads(deployed["definition"]) == system.ask(action="asl", workflow="abc")["definition"]
    assert len(deployed["name"]) <= 80


def test_the_same_commands_ask_about_a_run_of_either_engine(system: System) -> None:
    run_id = "asked-1"
    registered(system, "asked", {"first": probe(**{"return": [1]}), "last": probe("first", **{"return": "end"})})
    document(system.orchestra("run", "asked", "--engine", "stepfunctions", "--run-id", run_id, "--json"))
    document(system.orchestra("run", "asked", "--run-id", "asked-2", "--json"))

    status = document(system.orchestra("status", run_id, "--json"))
    output = document(system.orchestra("output", run_id, "--json"))
    of_task = document(system.orchestra("output", run_id, "first", "--json"))
    listed = document(system.orchestra("list", "--workflow", "asked", "--json"))
    workflows = document(system.orchestra("workflows", "--json"))

    assert (status["run_id"], status["engine"], status["status"]) == (run_id, "stepfunctions", "SUCCEEDED")
    assert progress(status) == {"first": ("SUCCEEDED", 1), "last": ("SUCCEEDED", 1)}
    first, last = (status["tasks"][task_id] for task_id in ("first", "last"))
    times = [status["started_at"], first["started_at"], first["finished_at"], last["started_at"], last["finished_at"]]
    assert times == sorted(times)
    assert (output["output"], of_task["output"]) == ("end", [1])
    assert [(run["run_id"], run["engine"], run["status"]) for run in listed["runs"]] == [
        ("asked-2", "dynamodb", "SUCCEEDED"),
        (run_id, "stepfunctions", "SUCCEEDED"),
    ]
    assert {flow["name"]: flow["engines"] for flow in workflows["workflows"]}.items() >= {
        "abc": ENGINES,
        "asked": ENGINES,
    }.items()


def test_a_file_is_registered_shown_and_run(system: System, tmp_path: Path) -> None:
    """Its graph is not series-parallel, so that something of it waits without need."""
    file = tmp_path / "n.json"
    tasks = {"A": probe(), "B": probe(), "C": probe("A"), "D": probe("A", "B")}
    file.write_text(json.dumps({"name": "own-flow", "tasks": tasks}))

    made = document(system.orchestra("register", str(file), "--engine", "stepfunctions", "--json"))
    again = document(system.orchestra("register", str(file), "--engine", "stepfunctions", "--json"))
    shown = system.orchestra("asl", "own-flow")
    run = document(system.orchestra("run", "own-flow", "--engine", "stepfunctions", "--json"))

    deployed = system.client("stepfunctions").describe_state_machine(stateMachineArn=made["state_machine_arn"])
    assert (made["created"], again["created"]) == (True, False)
    assert len(made["barriers"]) == 1
    assert document(shown) == json.loads(deployed["definition"])
    assert shown.stderr
    assert progress(run) == dict.fromkeys(tasks, ("SUCCEEDED", 1))


def test_a_run_keeps_the_definition_that_it_was_started_with(system: System) -> None:
    registered(system, "changed", {"A": probe(sleep_s=2), "B": probe("A", **{"return": "old"})})
    started(system, "changed", "changed-1")

    registered(system, "changed", {"A": probe(sleep_s=2), "C": probe("A", **{"return": "new"})})
    started(system, "changed", "changed-2")

    assert progress(awaited(system, "changed-1", ended)) == {"A": ("SUCCEEDED", 1), "B": ("SUCCEEDED", 1)}
    assert progress(awaited(system, "changed-2", ended)) == {"A": ("SUCCEEDED", 1), "C": ("SUCCEEDED", 1)}
    assert [system.ask(action="output", run_id=f"changed-{n}")["output"] for n in (1, 2)] == ["old", "new"]


def test_a_start_that_is_repeated_finds_its_run(system: System) -> None:
    registered(system, "flow-twice", {"A": probe()})
    started(system, "flow-twice", "flow-twice-1")
    awaited(system, "flow-twice-1", ended)
    started(system, "flow-twice", "flow-twice-2", engine="dynamodb")

    same = {"action": "start", "engine": "stepfunctions", "workflow": "flow-twice"}
    again = system.ask(**same, run_id="flow-twice-1")
    other = system.ask(**same, run_id="flow-twice-1", input="other")
    taken = system.ask(**same, run_id="flow-twice-2")

    assert (again["created"], again["run"]["status"]) == (False, "SUCCEEDED")
    assert [answer["error"]["code"] for answer in (other, taken)] == ["Conflict", "Conflict"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_fails_is_redriven_and_counts_anew(system: System, engine: str) -> None:
    """What has succeeded is not invoked again, on either engine; what failed has all of its attempts again."""
    name = f"redriven-{engine}"
    retry = {"max_attempts": 2, "delay_s": 0}
    broken = {**probe("A", fail="Broken"), "retry": retry}
    registered(system, name, {"A": {"service": "probe"}, "B": broken, "C": probe("B")})
    started(system, name, f"{name}-1", engine)
    failed = awaited(system, f"{name}-1", ended)
    first = system.ask(action="output", run_id=f"{name}-1", task_id="A")

    redriven = system.orchestra("redrive", f"{name}-1", "--json")

    run = document(redriven, code=1)
    seen = awaited(system, f"{name}-1", ended)
    after = {"A": ("SUCCEEDED", 1), "B": ("FAILED", 2), "C": ("CANCELED", 0)}
    assert progress(failed) == progress(run) == after
    assert (failed["epoch"], seen["epoch"], run["error"]["task"]) == (1, 2, "B")
    assert seen["tasks"]["A"]["started_at"] == failed["tasks"]["A"]["started_at"]
    assert seen["tasks"]["B"]["started_at"] > failed["tasks"]["B"]["finished_at"]
    assert system.ask(action="output", run_id=f"{name}-1", task_id="A") == first


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_is_canceled_goes_on_after_a_redrive(system: System, engine: str) -> None:
    name = f"canceled-{engine}"
    registered(
        system, name, {"A": probe(**{"return": 1}), "B": probe("A", sleep_s=3), "C": probe("B", **{"return": 3})}
    )
    started(system, name, f"{name}-1", engine)
    awaited(system, f"{name}-1", lambda run: run["tasks"]["B"]["status"] == "RUNNING")

    canceled = document(system.orchestra("cancel", f"{name}-1", "--json"))
    again = document(system.orchestra("cancel", f"{name}-1", "--json"))
    redriven = document(system.orchestra("redrive", f"{name}-1", "--json"))

    assert [(run["status"], run["tasks"]["C"]["attempts"]) for run in (canceled, again)] == [("CANCELED", 0)] * 2
    assert (redriven["status"], redriven["output"]) == ("SUCCEEDED", 3)
    assert progress(redriven) == dict.fromkeys("ABC", ("SUCCEEDED", 1))


def test_what_has_ended_is_not_stopped_any_more(system: System) -> None:
    """A cancel may come at the very end of a run, and Step Functions does not say that it has come too late."""
    arn = registered(system, "over-flow", {"A": probe(**{"return": "done"})})["state_machine_arn"]
    started(system, "over-flow", "over-flow-1")
    before = awaited(system, "over-flow-1", ended)

    stop = {"executionArn": f"{arn.replace(':stateMachine:', ':execution:')}:over-flow-1"}
    stopped = system.client("stepfunctions").stop_execution(**stop)
    canceled = system.ask(action="cancel", run_id="over-flow-1")

    assert stopped["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (canceled["changed"], canceled["run"]["status"]) == (False, "SUCCEEDED")
    assert system.ask(action="describe", run_id="over-flow-1") == before


def test_what_step_functions_cannot_do_is_refused_in_one_line(system: System) -> None:
    registered(system, "refused", {"A": probe(**{"return": 1}), "B": probe("A", fail="Broken")})
    started(system, "refused", "refused-1")
    awaited(system, "refused-1", ended)
    system.register({"name": "table-only", "tasks": {"A": probe()}})

    refusals = [
        system.orchestra("redrive", "refused-1", "--from", "A"),
        system.orchestra("verify", "refused-1"),
        system.orchestra("cancel", "no-such-run", "--engine", "stepfunctions"),
        system.orchestra("run", "table-only", "--engine", "stepfunctions"),
    ]

    assert [(done.returncode, done.stderr.count("\n")) for done in refusals] == [(2, 1)] * 4, refusals


def test_a_comparison_has_both_engines_and_equal_outputs(system: System) -> None:
    found = document(system.orchestra("compare", "abc", "--input", json.dumps(TEXT), "--runs", "2", "--json"))

    assert (found["equal"], list(found["engines"])) == (True, ENGINES)
    assert [engine["usd_per_million_runs"]["total"] > 0 for engine in found["engines"].values()] == [True, True]
    assert found["engines"]["stepfunctions"]["units"]["state transitions"] == 6


def test_a_busy_service_costs_no_attempt_but_step_functions_counts_it_in_the_event(system: System) -> None:
    """The one known difference in what a task is given: Step Functions has one count for all that it tries again."""
    beside = ["B1", "B2", "B3"]
    tasks = {name: {"service": "probe", "params": {"sleep_s": 0.5}} for name in beside}
    registered(system, "busy", tasks)
    function = system.deployment.outputs["task_function_arns"]["probe"]
    system.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    try:
        for engine in ENGINES:
            started(system, "busy", f"busy-{engine}", engine)
            awaited(system, f"busy-{engine}", ended)
    finally:
        system.client("lambda").delete_function_concurrency(FunctionName=function)

    runs = {engine: system.ask(action="describe", run_id=f"busy-{engine}") for engine in ENGINES}
    outputs = {engine: system.ask(action="output", run_id=f"busy-{engine}")["output"] for engine in ENGINES}
    told = {engine: [outputs[engine][name]["attempt"] for name in beside] for engine in ENGINES}
    assert [progress(run) for run in runs.values()] == [dict.fromkeys(beside, ("SUCCEEDED", 1))] * 2
    assert told["dynamodb"] == [1, 1, 1]
    assert max(told["stepfunctions"]) > 1
