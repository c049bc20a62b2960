"""`orchestra demo`: what it runs on which engine, and what it ends with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from cli.commands.demo import EXAMPLE, RUNS
from cli.deployment import Choice
from local.errors import LocalError
from tests.cli.fake import ABC_MACHINE, ALL_DONE, RUN_ID, abc, call, described, document

BOOM = {"name": "Boom", "message": "bang"}
ENDED = {engine: described("SUCCEEDED", tasks=ALL_DONE, engine=engine) for engine in ("dynamodb", "stepfunctions")}
FAILED = described(
    "FAILED", error={**BOOM, "task": "A"}, tasks=abc(A={"status": "FAILED", "attempts": 1, "error": BOOM})
)
FLOWS = {"workflows": [{"name": "abc", "source": "declared", "engines": list(ENDED)}]}
REPORT = {"summary": "268 words", "counts": {"words": 268}}


def started(run: Any) -> dict[str, Any]:
    return {"run": run, "created": True}


def output(value: Any) -> dict[str, Any]:
    return {"run_id": RUN_ID, "output": value}


def once(engine: str, value: Any = REPORT) -> list[Any]:
    return [started(ENDED[engine]), output(value)]


def answers() -> list[Any]:
    """Return those of a demo in which all goes well."""
    shown = [*once("dynamodb"), *once("stepfunctions")]
    turns = [("dynamodb", "stepfunctions"), ("stepfunctions", "dynamodb"), ("dynamodb", "stepfunctions")]
    measured = [answer for turn in turns for engine in turn for answer in once(engine)]
    return [ABC_MACHINE, FLOWS, *shown, *measured, *(output(REPORT) for _ in ALL_DONE)]


def test_demo_runs_abc_on_both_engines_and_ends_with_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_STACK", "elsewhere")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    order: list[str] = []

    def bring_up(say: Callable[[str], None]) -> None:
        say("create table")
        order.append("up")

    called = call("demo", answers=answers(), bring_up=bring_up)
    assert (called.exit_code, called.stderr, order) == (0, "", ["up"])
    assert called.choices == [Choice(stack="local")]
    starts = [request for request in called.requests if request["action"] == "start"]
    assert [start["engine"] for start in starts[:2]] == ["dynamodb", "stepfunctions"]
    assert len(starts) == 2 + 2 * RUNS
    assert all((start["workflow"], start["input"]) == ("abc", EXAMPLE.read_text()) for start in starts)

    lines = [line.rstrip() for line in called.stdout.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("On ")] == [
        "On dynamodb, a table, its stream and workers:",
        "On stepfunctions, the same definition as a state machine:",
    ]
    assert lines.count("✓ SUCCEEDED  5 of 5 tasks  2.3s") == 2
    report = lines.index("268 words")
    table = lines.index("abc  3 runs on each engine, all SUCCEEDED, outputs equal")
    following = lines.index("Try next")
    assert report < table < following
    assert lines[report + 2] == "counts  words 268"
    assert f"orchestra status {RUN_ID}" in lines[following + 1]


def test_demo_says_how_to_put_the_command_on_the_path_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    called = call("demo", answers=answers())
    (line,) = (line for line in called.stdout.splitlines() if "puts orchestra on the path" in line)
    assert line.split()[0] == "."
    assert line.split()[1].endswith("bin/activate")


def test_demo_json_is_both_runs_and_the_comparison() -> None:
    called = call("demo", "--json", answers=answers())
    assert called.exit_code == 0
    assert called.document["runs"] == [document(run, REPORT) for run in ENDED.values()]
    assert called.document["comparison"]["equal"] is True


def test_a_demo_that_fails_exits_with_1_and_compares_nothing() -> None:
    answers = [ABC_MACHINE, FLOWS, started(FAILED), *once("stepfunctions")]
    called = call("demo", answers=answers)
    assert called.exit_code == 1
    assert "✗ A failed: Boom: bang" in called.stdout.splitlines()
    assert "$/M RUNS" not in called.stdout
    called = call("demo", "--json", answers=answers)
    assert (called.exit_code, called.document["comparison"]) == (1, None)
    assert [run["status"] for run in called.document["runs"]] == ["FAILED", "SUCCEEDED"]


def test_a_local_stack_that_cannot_start_is_one_line() -> None:
    def bring_up(_say: object) -> None:
        raise LocalError("port 4566 is taken:\n  by another")

    called = call("demo", "--json", bring_up=bring_up)
    assert called.exit_code == 1
    assert called.document == {"error": {"code": "LocalTarget", "message": "port 4566 is taken: by another"}}
