"""The definitions in examples/ are valid, and do what their README says, task by task through the real services."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.asl import compile_workflow
from orchestration.workflow import Workflow

ROOT = Path(__file__).parents[2]
NAMES = ["crossed", "fail-fast", "fan-out", "retry", "two-readers"]
Call = Callable[[str, object], Any]


def definition(name: str) -> Workflow:
    return Workflow.from_json(json.loads((ROOT / "examples" / f"{name}.json").read_text(encoding="utf-8")))


def run(call: Call, workflow: Workflow, input_: object = None) -> dict[str, Any]:
    """Return each task's answer and its attempts. Not the engine: no delays, no states, one task after the other."""
    answers: dict[str, Any] = {}
    while ready := [
        task_id
        for task_id, task in workflow.tasks.items()
        if task_id not in answers and all("output" in answers.get(d, {}) for d in task.after)
    ]:
        for task_id in ready:
            task = workflow.tasks[task_id]
            upstream = {d: answers[d]["output"] for d in task.after}
            for attempt in range(1, task.retry.max_attempts + 1):
                event = {"task_id": task_id, "attempt": attempt, "params": task.params, "input": input_}
                answers[task_id] = {**call(task.service, {**event, "upstream": upstream}), "attempts": attempt}
                error = answers[task_id].get("error")
                if not error or not {"*", error["name"]} & set(task.retry.on):
                    break
    return answers


def test_the_readme_names_every_example() -> None:
    readme = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    files = sorted(path.name for path in (ROOT / "examples").iterdir() if path.name != "README.md")
    assert [name for name in files if name.endswith(".json")] == [f"{name}.json" for name in NAMES]
    assert [name for name in files if f"| `{name}` |" not in readme] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_definition_is_valid_and_its_services_exist(name: str) -> None:
    workflow = definition(name)
    assert workflow.name == name
    assert workflow.services <= {path.name for path in (ROOT / "services").iterdir()}


def test_crossed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    answers = run(call, definition("crossed"))
    assert {task_id: answer["output"] for task_id, answer in answers.items()} == {
        "Price": 100,
        "Stock": 7,
        "Label": "costs 100",
        "Offer": "7 at 100",
    }
    assert sorted(naps) == [1, 1, 2, 2]
    assert len(compile_workflow(definition("crossed"), {"probe": "arn"}).barriers) == 1


def test_fan_out(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    output = run(call, definition("fan-out"))["Join"]["output"]
    assert output["upstream"] == {"North": 1, "East": 2, "South": 3, "West": 4}
    assert naps == [0, 1, 1, 1, 1, 0]


def test_retry(call: Call) -> None:
    assert run(call, definition("retry")) == {"Flaky": {"output": "the third time pays for all", "attempts": 3}}


def test_fail_fast(call: Call) -> None:
    error = {"name": "CardDeclined", "message": "the card was declined"}
    answers = run(call, definition("fail-fast"))
    assert answers == {"Good": {"output": "fine", "attempts": 1}, "Bad": {"error": error, "attempts": 1}}


def test_two_readers(call: Call) -> None:
    text = (ROOT / "examples" / "gettysburg.txt").read_text(encoding="utf-8")
    answers = run(call, definition("two-readers"), {"text": text})
    assert set(definition("two-readers").sinks) == {"Readability", "Compressibility"}
    assert answers["Readability"]["output"]["sentences"] == 10
    assert answers["Compressibility"]["output"]["bytes"] == answers["Count"]["output"]["bytes"] == 1469
