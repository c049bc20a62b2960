"""`orchestra compare`: what it runs, in what order, prints and exits with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import RemoteError
from cli.measure import MOST_OUTPUTS
from orchestration.workflow import Task, Workflow
from tests.cli.fake import ABC_MACHINE, ALL_DONE, RUN_ID, Called, abc, call, compiled, described, done, task

BOTH = ["dynamodb", "stepfunctions"]
BOOM = {"name": "Boom", "message": "bang"}
WORKFLOWS = {"workflows": [{"name": "abc", "source": "declared", "engines": BOTH}]}


def start(engine: str, status: str = "SUCCEEDED", **fields: Any) -> dict[str, Any]:
    """Return the answer to a start of which the run has ended already."""
    return {"run": described(status, engine=engine, **{"tasks": ALL_DONE, **fields}), "created": True}


def output(value: Any) -> dict[str, Any]:
    return {"run_id": RUN_ID, "output": value}


def once(engine: str, value: Any = 1) -> list[Any]:
    return [start(engine), output(value)]


SIZES = [output("x" * 98) for _ in ALL_DONE]


def compare(*arguments: str, answers: list[Any]) -> Called:
    return call("compare", "abc", *arguments, answers=[ABC_MACHINE, WORKFLOWS, *answers])


def test_the_engines_take_turns_and_each_goes_first() -> None:
    turns = [once(engine) for engine in ("dynamodb", "stepfunctions", "stepfunctions", "dynamodb")]
    called = compare("--runs", "2", "-i", '{"n": 1}', answers=[*(a for turn in turns for a in turn), *SIZES])

    assert (called.exit_code, called.stderr) == (0, "")
    assert called.requests[:2] == [{"action": "asl", "workflow": "abc"}, {"action": "workflows"}]
    starts = [request for request in called.requests if request["action"] == "start"]
    assert [request["engine"] for request in starts] == ["dynamodb", "stepfunctions", "stepfunctions", "dynamodb"]
    assert all((request["workflow"], request["input"]) == ("abc", {"n": 1}) for request in starts)
    assert called.requests[-5:] == [
        {"action": "output", "run_id": RUN_ID, "task_id": task_id, "engine": "dynamodb"} for task_id in ALL_DONE
    ]


def test_both_are_shown_side_by_side() -> None:
    called = compare("--runs", "1", answers=[*once("dynamodb"), *once("stepfunctions"), *SIZES])
    lines = called.stdout.splitlines()
    assert lines[0] == "abc  1 run on each engine, all SUCCEEDED, outputs equal"
    assert lines[2].split() == ["DYNAMODB", "$/M", "RUNS", "STEPFUNCTIONS", "$/M", "RUNS"]
    assert "state transitions         -                        6    150.00" in lines
    assert max(map(len, lines)) <= 80


def test_json_is_one_document() -> None:
    called = compare("--runs", "1", "--json", answers=[*once("dynamodb"), *once("stepfunctions"), *SIZES])
    assert (called.exit_code, called.stderr) == (0, "")
    assert (called.document["equal"], list(called.document["engines"])) == (True, BOTH)
    assert called.document["engines"]["dynamodb"]["units"]["table write units"] == 24


def test_runs_are_followed_to_their_end_on_their_engine() -> None:
    waits = {"run": described(tasks=abc()), "created": True}
    waits_there = {"run": described(tasks=abc(), engine="stepfunctions"), "created": True}
    ended = [described("SUCCEEDED", tasks=ALL_DONE, engine=engine) for engine in BOTH]
    answers = [waits, ended[0], output(1), waits_there, ended[1], output(1), *SIZES]
    called = compare("--runs", "1", answers=answers)
    asked = [request["engine"] for request in called.requests if request["action"] == "describe"]
    assert (called.exit_code, asked) == (0, BOTH)


def test_outputs_that_differ_exit_with_1_and_say_where() -> None:
    answers = [*once("dynamodb", {"a": [1]}), *once("stepfunctions", {"a": [2]}), *SIZES]
    called = compare("--runs", "1", answers=answers)
    assert called.exit_code == 1
    assert called.stdout.splitlines()[:2] == [
        "abc  1 run on each engine, all SUCCEEDED, outputs differ",
        f"first difference: $.a[0] in {RUN_ID} and {RUN_ID}",
    ]
    called = compare("--runs", "1", "--json", answers=answers)
    assert (called.exit_code, called.document["equal"]) == (1, False)


def test_a_run_that_fails_ends_the_comparison() -> None:
    tasks = abc(A={"status": "FAILED", "attempts": 1, "error": BOOM})
    answers = [*once("dynamodb"), start("stepfunctions", "FAILED", tasks=tasks, error={**BOOM, "task": "A"})]
    called = compare(answers=answers)
    assert (called.exit_code, called.stdout.splitlines()) == (
        1,
        [
            f"On stepfunctions  {RUN_ID}",
            "✗ FAILED  0 of 5 tasks  2.3s",
            "✗ A failed: Boom: bang",
            f"Go on once it is mended: orchestra redrive {RUN_ID}",
        ],
    )
    called = compare("--json", answers=answers)
    assert (called.exit_code, called.document["equal"]) == (1, False)


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        ("registered", "make it with: orchestra register FILE --engine stepfunctions --stack dev"),
        ("declared", "the deployed program makes none of it (its setting flowType)"),  # and none can be registered
    ],
)
def test_a_workflow_without_a_state_machine_starts_nothing(source: str, mend: str) -> None:
    flows = {"workflows": [{"name": "abc", "source": source, "engines": ["dynamodb"]}]}
    called = call("compare", "abc", "--stack", "dev", answers=[ABC_MACHINE, flows])
    assert (called.exit_code, called.stdout, len(called.requests)) == (2, "", 2)
    assert called.stderr == f"error: WORKFLOW: 'abc' has no state machine of its version; {mend}\n"


@pytest.mark.parametrize("arguments", [("compare", "abc"), ("demo",)])
def test_what_nothing_is_kept_of_cannot_be_compared(arguments: tuple[str, ...]) -> None:
    flows = {"workflows": [], "unrecorded": ["stepfunctions"]}
    called = call(*arguments, answers=[ABC_MACHINE, flows])
    assert (called.exit_code, len(called.requests)) == (2, 2)
    assert called.stderr == (
        "error: its state machines are EXPRESS (its setting flowType), and nothing is kept of their runs to be"
        " compared\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "a b"), "WORKFLOW: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (("compare", "abc", "-i", "{"), "--input: is not JSON"),
        (("compare", "abc", "--runs", "0"), "Invalid value for '--runs'"),
        (("compare", "abc", "--runs", "1001"), "Invalid value for '--runs'"),
    ],
)
def test_bad_input_sends_nothing(arguments: tuple[str, ...], message: str) -> None:
    called = call(*arguments)
    assert (called.exit_code, called.stdout, called.requests) == (2, "", [])
    assert called.stderr.startswith(f"error: {message}")


def test_ctrl_c_says_which_run_goes_on() -> None:
    run = {"run": described(tasks=abc()), "created": True}
    called = compare(answers=[run, KeyboardInterrupt()])
    assert called.exit_code == 130
    assert f"run {RUN_ID} goes on, pick it up again with: orchestra status {RUN_ID} --follow" in called.stderr


def test_a_fault_on_the_way_is_one_line() -> None:
    called = compare(answers=[RemoteError("AWS denied access: no")])
    assert (called.exit_code, called.stderr) == (1, "error: AWS denied access: no\n")


def test_of_a_large_graph_only_some_outputs_are_asked_for() -> None:
    ids = [f"t{n:03d}" for n in range(MOST_OUTPUTS + 50)]
    flow = Workflow("abc", {task_id: Task("a") for task_id in ids})
    tasks = {task_id: task(**done(100, 100)) for task_id in ids}
    runs = [item for engine in BOTH for item in (start(engine, tasks=tasks), output(1))]
    answers = [compiled(flow), WORKFLOWS, *runs, *(output(1) for _ in range(MOST_OUTPUTS))]
    called = call("compare", "abc", "--runs", "1", "--json", answers=answers)
    assert called.exit_code == 0
    assert called.document["engines"]["stepfunctions"]["units"]["state transitions"] == len(ids) + 1
