"""`--engine`: what each command asks for, and what it says of a run that Step Functions runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.fake import ALL_DONE, RUN_ID, Called, call, compiled, described, document
from tests.cli.test_state_machine import CROSSED

FLOW: dict[str, Any] = {"engine": "stepfunctions"}
RUNNING, ENDED = described(**FLOW), described("SUCCEEDED", tasks=ALL_DONE, **FLOW)
CANCELED = described("CANCELED", **FLOW)
MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-local-crossed"
OUTPUT = {"run_id": RUN_ID, "output": 1}


def engines(called: Called) -> list[tuple[Any, Any]]:
    """Return what was asked, and of which engine."""
    return [(request["action"], request.get("engine")) for request in called.requests]


def test_a_run_is_started_and_followed_on_the_engine_that_was_asked_for() -> None:
    answers = [{"run": RUNNING, "created": True}, RUNNING, ENDED, OUTPUT]
    called = call("run", "abc", "--engine", "stepfunctions", "--json", answers=answers)
    assert (called.exit_code, called.document) == (0, document(ENDED, 1))
    assert engines(called) == [(action, "stepfunctions") for action in ("start", "describe", "describe", "output")]


def test_without_the_option_nothing_is_said_of_an_engine() -> None:
    run = described("SUCCEEDED", tasks=ALL_DONE)
    called = call("run", "abc", answers=[{"run": described(), "created": True}, run, OUTPUT])
    assert engines(called) == [("start", None), ("describe", None), ("output", None)]


def test_a_run_that_is_there_is_followed_where_it_runs() -> None:
    called = call("status", RUN_ID, "--follow", "--json", answers=[RUNNING, ENDED, OUTPUT])
    assert engines(called) == [("describe", None), ("describe", "stepfunctions"), ("output", "stepfunctions")]


@pytest.mark.parametrize(
    ("arguments", "answers", "asked"),
    [
        (("status", RUN_ID), [ENDED], ["describe"]),
        (("output", RUN_ID), [OUTPUT], ["output"]),
        (("output", RUN_ID, "A"), [OUTPUT], ["output"]),
        (("cancel", RUN_ID), [{"run": CANCELED}, CANCELED], ["cancel", "describe"]),
        (("redrive", RUN_ID, "--no-wait"), [CANCELED, {"run": RUNNING}, RUNNING], ["describe", "redrive", "describe"]),
        (("list",), [{"runs": [], "cursor": None}], ["list"]),
    ],
)
@pytest.mark.parametrize("engine", ["dynamodb", "stepfunctions"])
def test_every_request_names_the_engine_that_was_asked_for(
    arguments: tuple[str, ...], answers: list[Any], asked: list[str], engine: str
) -> None:
    called = call(*arguments, "--engine", engine, answers=answers)
    assert called.exit_code == 0
    assert engines(called) == [(action, engine) for action in asked]


@pytest.mark.parametrize("command", [("run", "abc"), ("status", "r"), ("list",), ("register", "-"), ("cancel", "r")])
def test_an_engine_that_there_is_not_is_refused(command: tuple[str, ...]) -> None:
    called = call(*command, "--engine", "temporal")
    assert (called.exit_code, called.requests) == (2, [])
    assert called.stderr.startswith("error: Invalid value for '--engine'")
    assert "'dynamodb', 'stepfunctions'" in called.stderr


def test_the_views_show_the_engine() -> None:
    assert "engine    stepfunctions" in call("status", RUN_ID, answers=[ENDED]).stdout.splitlines()


def test_a_run_of_which_nobody_keeps_a_record_has_started_all_the_same() -> None:
    """An Express execution: the exit code is not that of a request that did nothing."""
    refusal = {
        "error": {"code": "Conflict", "message": "run_id: is Express, see the log group /aws/vendedlogs/states/x"}
    }
    called = call("run", "abc", "--engine", "stepfunctions", answers=[{"run": RUNNING, "created": True}, refusal])
    assert called.exit_code == 1
    assert called.stderr == (
        f"error: run {RUN_ID} goes on, and cannot be watched: "
        "run_id: is Express, see the log group /aws/vendedlogs/states/x\n"
    )


def test_a_run_of_which_nobody_keeps_a_record_is_not_said_to_be_there_to_follow() -> None:
    run = {**RUNNING, "log_group": "/aws/vendedlogs/states/x"}
    called = call("run", "abc", "--engine", "stepfunctions", "--no-wait", answers=[{"run": run, "created": True}])
    assert (called.exit_code, called.stdout.splitlines()) == (
        0,
        [f"Started {RUN_ID}", "Nothing is kept of it but its log, in the log group /aws/vendedlogs/states/x"],
    )


def test_an_output_that_is_refused_is_no_more_than_that() -> None:
    refusal = {"error": {"code": "InvalidRequest", "message": "the outputs of its 9 last tasks are too large"}}
    called = call("run", "abc", answers=[{"run": described("SUCCEEDED", tasks=ALL_DONE), "created": True}, refusal])
    assert (called.exit_code, called.stderr) == (2, "error: the outputs of its 9 last tasks are too large\n")


def registered(**fields: Any) -> dict[str, Any]:
    machine = compiled(CROSSED)
    kept = {key: machine[key] for key in ("name", "version", "barriers", "notes")}
    return {**kept, "created": True, "engine": "stepfunctions", "state_machine_arn": MACHINE_ARN, **fields}


def test_register_creates_a_state_machine_and_says_what_it_does_otherwise() -> None:
    arguments = ("register", "-", "--engine", "stepfunctions", "--stack", "dev")
    called = call(*arguments, answers=[registered()], stdin=b'{"name": "crossed"}')
    assert called.exit_code == 0
    assert called.requests == [
        {"action": "register", "definition": {"name": "crossed"}, "engine": "stepfunctions"},
    ]
    lines = called.stdout.splitlines()
    assert lines[0].startswith("Registered crossed  version ")
    assert lines[1] == f"State machine {MACHINE_ARN}"
    assert lines[2].startswith("barrier: ")
    assert "differs: tasks.B.retry.delay_s" in called.stdout
    assert lines[-1] == "Run it: orchestra run crossed --engine stepfunctions --stack dev"
    called = call(*arguments, "--json", answers=[registered()], stdin=b"{}")
    assert called.document["state_machine_arn"] == MACHINE_ARN


def test_where_registering_is_off_the_refusal_is_one_line() -> None:
    refusal = {"error": {"code": "InvalidRequest", "message": "engine: the setting registerFlows is off"}}
    called = call("register", "-", "--engine", "stepfunctions", answers=[refusal], stdin=b"{}")
    assert (called.exit_code, called.stderr) == (2, "error: engine: the setting registerFlows is off\n")


@pytest.mark.parametrize(("command", "words"), [("cancel", "execution is stopped"), ("redrive", "for 14 days")])
def test_the_help_says_how_the_engines_differ(command: str, words: str) -> None:
    said = " ".join(call(command, "--help", env={"COLUMNS": "300"}).stdout.split())
    assert words in said
