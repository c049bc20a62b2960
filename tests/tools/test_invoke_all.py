"""tools/invoke_all.py: what it asks for, prints and exits with."""

from __future__ import annotations

from typing import Any

import pytest

from cli.errors import BadInput
from tests.cli.fake import ABC_MACHINE, ALL_DONE, RUN_ID, Called, abc, call, described, document
from tools.invoke_all import app, main

BOTH = ["dynamodb", "stepfunctions"]
WORKFLOWS = {"workflows": [{"name": "abc", "source": "declared", "engines": BOTH}]}
ENDED = [described("SUCCEEDED", engine=engine, tasks=ALL_DONE) for engine in BOTH]
BOOM = {"name": "Boom", "message": "bang"}


def started(engine: str) -> dict[str, Any]:
    return {"run": described(tasks=abc(), engine=engine), "created": True}


def output(value: Any) -> dict[str, Any]:
    return {"run_id": RUN_ID, "output": value}


def invoke_all(*arguments: str, answers: list[Any]) -> Called:
    return call("abc", *arguments, answers=[ABC_MACHINE, WORKFLOWS, *answers], program=app)


STARTED = [started(engine) for engine in BOTH]


def test_both_results_are_printed() -> None:
    called = invoke_all("-i", '{"n": 1}', answers=[*STARTED, *ENDED, output({"a": 1}), output({"a": 1.0})])
    assert (called.exit_code, called.stderr) == (0, "")
    assert called.stdout.splitlines() == [
        f"On dynamodb  {RUN_ID}",
        "✓ SUCCEEDED  5 of 5 tasks  2.3s",
        "",
        "Output",
        "{",
        '  "a": 1',
        "}",
        "",
        f"On stepfunctions  {RUN_ID}",
        "✓ SUCCEEDED  5 of 5 tasks  2.3s",
        "",
        "Output",
        "{",
        '  "a": 1.0',
        "}",
        "",
        "Outputs are equal",
    ]


def test_both_are_started_before_either_is_waited_for() -> None:
    called = invoke_all(
        *["--orchestrator-arn", "orchestrator", "--region", "eu-central-1"],
        answers=[*STARTED, *ENDED, output(1), output(1)],
    )
    asked = [(request["action"], request.get("engine")) for request in called.requests]
    assert asked == [
        *[("asl", None), ("workflows", None), ("start", "dynamodb"), ("start", "stepfunctions")],
        *[("describe", "dynamodb"), ("describe", "stepfunctions"), ("output", "dynamodb"), ("output", "stepfunctions")],
    ]
    (choice,) = called.choices
    assert (choice.orchestrator_arn, choice.region, choice.stack) == ("orchestrator", "eu-central-1", None)


def test_json_is_one_document() -> None:
    called = invoke_all("--json", answers=[*STARTED, *ENDED, output([1]), output([2])])
    assert (called.exit_code, called.stderr) == (1, "")
    assert called.document == {
        "workflow": "abc",
        "equal": False,
        "difference": "$[0]",
        "runs": [document(run, value) for run, value in zip(ENDED, ([1], [2]), strict=True)],
    }


def test_outputs_that_differ_exit_with_1_and_say_where() -> None:
    called = invoke_all(answers=[*STARTED, *ENDED, output({"a": 1}), output({"a": 2})])
    assert (called.exit_code, called.stdout.splitlines()[-1]) == (1, "Outputs differ, first in $.a")


def test_a_run_that_fails_exits_with_1() -> None:
    tasks = abc(A={"status": "FAILED", "attempts": 1, "error": BOOM})
    failed = described("FAILED", engine="stepfunctions", tasks=tasks, error={**BOOM, "task": "A"})
    called = invoke_all("--stack", "dev", answers=[*STARTED, ENDED[0], failed, output(1)])
    assert called.exit_code == 1
    assert called.stdout.splitlines()[-5:] == [
        f"On stepfunctions  {RUN_ID}",
        "✗ FAILED  0 of 5 tasks  2.3s",
        "✗ A failed: Boom: bang",
        f"Go on once it is mended: orchestra redrive {RUN_ID} --stack dev",
        "",
    ]


def test_a_workflow_without_a_state_machine_starts_nothing() -> None:
    flows = {"workflows": [{"name": "abc", "source": "registered", "engines": ["dynamodb"]}]}
    with pytest.raises(BadInput, match="has no state machine of its version"):
        call("abc", answers=[ABC_MACHINE, flows], program=app)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "error: Missing argument 'WORKFLOW' (see: invoke_all.py --help)"),
        (["a b"], "error: WORKFLOW: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (["abc", "-i", "{"], "error: --input: is not JSON"),
        (["abc", "--region", "x"], "error: --region goes with --orchestrator-arn; a stack knows its region"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(line)
    assert printed.err.count("\n") == 1
