"""`orchestra local`, as a user types it: what it prints, in what form, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app
from local import deployment
from local.deployment import Deployment, Event, Result
from local.errors import LocalError
from local.plan import Operation, Step

UP = Deployment(
    stack="local",
    endpoint_url="http://127.0.0.1:4566",
    region="us-east-1",
    outputs={"table": "table-1", "arns": {"a": "arn:a"}, "password": "hunter2"},
    access_key="test",
    secret_key="test",
    secrets=frozenset({"password"}),
)
STEPS = (
    Step(Operation.CREATE, "urn:q", "aws:sqs/queue:Queue", "q"),
    Step(Operation.UPDATE, "urn:f", "aws:lambda/function:Function", "f", ("code", "timeout")),
    Step(Operation.REPLACE, "urn:t", "aws:dynamodb/table:Table", "t", ("hashKey",)),
    Step(Operation.DELETE, "urn:r", "aws:iam/role:Role", "r"),
    Step(Operation.SAME, "urn:l", "aws:cloudwatch/logGroup:LogGroup", "l"),
)
SHOWN = {"arns": {"a": "arn:a"}, "password": "[secret]", "table": "table-1"}


def result(*steps: Step, up: Deployment | None = UP) -> Result:
    return Result("local", steps, UP.outputs, UP.secrets, 1.25, up)


def doing(*steps: Step, up: Deployment | None = UP) -> Callable[..., Result]:
    def command(stack: str, on_event: Callable[[Event], None], **_options: Any) -> Result:
        assert stack == "local"
        on_event(Event("Deploying"))
        for step in steps:
            on_event(Event(step=step))
        return result(*steps, up=up)

    return command


@pytest.fixture
def orchestra(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            get_command(app).main(["local", *arguments], prog_name="orchestra")
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, printed.out, printed.err

    return run


def test_up_shows_each_change_in_pulumis_symbols_and_counts_them(
    orchestra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "deploy", doing(*STEPS))
    code, out, err = orchestra("up")
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        " +  aws:sqs:Queue                         q",
        " ~  aws:lambda:Function                   f  [diff: ~code, ~timeout]",
        " +- aws:dynamodb:Table                    t  [diff: ~hashKey]",
        " -  aws:iam:Role                          r",
        "",
        "Outputs",
        "  arns",
        "    a: arn:a",
        "  password  [secret]",
        "  table     table-1",
        "",
        "+ 1 created, ~ 1 updated, +- 1 replaced, - 1 deleted, 1 unchanged  1.2s",
        "Stack local is up at http://127.0.0.1:4566",
    ]


def test_an_up_that_changes_nothing_says_so_in_two_lines(orchestra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "deploy", doing(STEPS[-1]))
    assert orchestra("up")[1] == "1 unchanged  1.2s\nStack local is up at http://127.0.0.1:4566\n"


@pytest.mark.parametrize("operation", ["up", "reset"])
def test_json_is_one_document_with_secrets_masked(
    orchestra: Any, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(deployment, {"up": "deploy"}.get(operation, operation), doing(*STEPS))
    code, out, err = orchestra(operation, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "operation": operation,
        "stack": "local",
        "counts": {"create": 1, "update": 1, "replace": 1, "delete": 1, "same": 1},
        "steps": [
            {"operation": "create", "urn": "urn:q", "type": "aws:sqs/queue:Queue", "name": "q", "changed": []},
            {
                "operation": "update",
                "urn": "urn:f",
                "type": "aws:lambda/function:Function",
                "name": "f",
                "changed": ["code", "timeout"],
            },
            {
                "operation": "replace",
                "urn": "urn:t",
                "type": "aws:dynamodb/table:Table",
                "name": "t",
                "changed": ["hashKey"],
            },
            {"operation": "delete", "urn": "urn:r", "type": "aws:iam/role:Role", "name": "r", "changed": []},
        ],
        "outputs": SHOWN,
        "endpoint_url": "http://127.0.0.1:4566",
        "duration_s": 1.25,
    }
    assert "hunter2" not in out


@pytest.mark.parametrize(
    ("arguments", "steps", "code"),
    [
        ([], STEPS, 0),
        (["--expect-no-changes"], STEPS, 1),
        (["--expect-no-changes"], STEPS[-1:], 0),
    ],
)
def test_a_preview_can_demand_that_nothing_changes(
    orchestra: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], steps: tuple[Step, ...], code: int
) -> None:
    monkeypatch.setattr(deployment, "preview", doing(*steps, up=None))
    assert orchestra("preview", *arguments)[0] == code


def test_a_preview_speaks_of_what_would_be_done(orchestra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "preview", doing(STEPS[0], STEPS[4], up=None))
    assert orchestra("preview")[1].splitlines() == [
        " +  aws:sqs:Queue                         q",
        "+ 1 to create, 1 unchanged  1.2s",
    ]


def test_status_says_whether_the_stack_is_up_by_its_exit_code_too(
    orchestra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "running", lambda stack: UP if stack == "local" else None)
    code, out, _err = orchestra("status", "--json")
    assert (code, json.loads(out)) == (
        0,
        {
            "operation": "status",
            "stack": "local",
            "up": True,
            "complete": True,
            "endpoint_url": "http://127.0.0.1:4566",
            "region": "us-east-1",
            "outputs": SHOWN,
        },
    )
    assert "hunter2" not in orchestra("status")[1]
    assert orchestra("status", "--stack", "other") == (
        1,
        "Stack other is not up; start it with: orchestra local up --stack other\n",
        "",
    )
    assert json.loads(orchestra("status", "--stack", "other", "--json")[1])["up"] is False


@pytest.mark.parametrize(("stopped", "said"), [(True, "Stack local is down\n"), (False, "Stack local was not up\n")])
def test_down_says_what_it_found(orchestra: Any, monkeypatch: pytest.MonkeyPatch, *, stopped: bool, said: str) -> None:
    monkeypatch.setattr(deployment, "down", lambda _stack: stopped)
    assert orchestra("down") == (0, said, "")
    assert json.loads(orchestra("down", "--json")[1]) == {"operation": "down", "stack": "local", "stopped": stopped}


def test_what_fails_is_one_line_and_exit_code_1(orchestra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> Result:
        raise LocalError("the program is broken")

    for name in ("deploy", "preview", "reset"):
        monkeypatch.setattr(deployment, name, fail)
    for command in ("up", "preview", "reset"):
        assert orchestra(command) == (1, "", "error: the program is broken\n")


def test_ctrl_c_is_one_line_and_exit_code_130(orchestra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr(deployment, "deploy", interrupt)
    code, _out, err = orchestra("up")
    assert (code, err) == (130, "error: interrupted; the next `orchestra local up` goes on from what stands\n")


def test_what_is_not_known_yet_is_said(orchestra: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def preview(*_arguments: object) -> Result:
        return Result("local", (), {"arn": deployment.UNKNOWN, "map": {"a": deployment.UNKNOWN}}, frozenset(), 0.1)

    monkeypatch.setattr(deployment, "preview", preview)
    assert json.loads(orchestra("preview", "--json")[1])["outputs"] == {
        "arn": "[not known yet]",
        "map": {"a": "[not known yet]"},
    }
