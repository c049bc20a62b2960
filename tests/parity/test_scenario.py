"""Scenarios as they are read from YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.workflow import Retry, Task, Workflow
from tests.parity import scenario
from tests.parity.scenario import Expect
from tests.parity.trace import TaskTrace, Trace

FILE = """
- name: one
  description: "something: short"
  tasks:
    A:
    "M{08..10}": {after: A, service: b, params: {text: !text 3, list: !nested 2}, retry: {max_attempts: 2, on: [E]}}
    Z: {after: ["M{08..10}", A]}
  input: [1.50, 9007199254740993, yes, on]
  timeout_s: 9
  expect: {status: SUCCEEDED, attempts: {Z: 2}}
  not_implemented: {stepfunctions: it cannot}
"""


def read(tmp_path: Path, text: str) -> list[scenario.Scenario]:
    (tmp_path / "group.yaml").write_text(text, "utf-8")
    return scenario.read(tmp_path)


def test_a_file_is_read(tmp_path: Path) -> None:
    (found,) = read(tmp_path, FILE)
    task = Task("b", after=["A"], params={"text": "xxx", "list": [["deep"]]}, retry=Retry(max_attempts=2, on=["E"]))
    last = Task("probe", after=["A", "M08", "M09", "M10"])

    assert found == scenario.Scenario(
        name="one",
        description="something: short",
        group="group",
        workflow=Workflow(
            "parity-one", {"A": Task("probe"), "M08": task, "M09": task, "M10": task, "Z": last}, timeout_s=9
        ),
        input=[1.5, 9007199254740993, "yes", "on"],
        expect=Expect(status="SUCCEEDED", attempts={"Z": 2}),
        not_implemented={"stepfunctions": "it cannot"},
    )
    assert [found.status(engine) for engine in scenario.ENGINES] == ["passed", "not implemented: it cannot"]


@pytest.mark.parametrize(
    "text",
    [
        FILE + FILE,
        FILE.replace("timeout_s", "timeouts"),
        FILE.replace("stepfunctions", "stepfunction"),
        FILE.replace("status: ", "state: "),
    ],
)
def test_a_mistake_in_a_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises((AssertionError, TypeError)):
        read(tmp_path, text)


def of(status: str = "SUCCEEDED", attempts: int = 1, output: str | None = '{"x":1}', name: str = "") -> Trace:
    error = (name, "A", "message") if name else None
    return Trace(status, error, output, {"A": TaskTrace(status, attempts)})


@pytest.mark.parametrize(
    ("expect", "trace", "problems"),
    [
        (Expect(status="SUCCEEDED"), of(), []),
        (Expect(status="SUCCEEDED", output={"x": 1.0}), of(), []),
        (Expect(status="SUCCEEDED", output=1), of(), ['output: {"x":1} is not 1']),
        (Expect(status="SUCCEEDED"), of(attempts=2), ["attempts: {'A': 2} is not {'A': 1}"]),
        (Expect(status="SUCCEEDED", attempts={"A": 2}), of(attempts=2), []),
        (Expect(status="FAILED", error={"name": "E"}), of("FAILED", 2, None, "E"), []),
        (
            Expect(status="FAILED", error={"name": "F"}),
            of("FAILED", name="E"),
            ["error: {'name': 'E'} is not {'name': 'F'}"],
        ),
        (
            Expect(status="FAILED", error={"task": "A", "message": "m"}),
            of("FAILED", name="E"),
            ["error: {'task': 'A', 'message': 'message'} is not {'task': 'A', 'message': 'm'}"],
        ),
        (Expect(status="FAILED", attempts={"A": 3}), of("FAILED", 2, None), ["attempts: {'A': 2} is not {'A': 3}"]),
        (Expect(status="FAILED"), of(), ["status: SUCCEEDED is not FAILED"]),
    ],
)
def test_what_a_trace_has_otherwise(expect: Expect, trace: Trace, problems: list[str]) -> None:
    assert expect.problems(Workflow("w", {"A": Task("probe")}), trace) == problems
