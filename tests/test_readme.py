"""What the README says is so: its diagrams, its snippets and its limits."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from components.worker_pool import TIMEOUT_S
from orchestration import payload, workflow
from orchestration.workflow import Retry, Task, Workflow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_diagrams_are_those_of_the_transition_tables() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "state_diagrams.py"))["drawn"]

    assert drawn(README) == README


def test_the_definition_is_one() -> None:
    definition = json.loads(snippets("json")[0])

    assert Workflow.from_json(definition) == Workflow(
        "two-readers",
        {
            "A": Task("a"),
            "B1": Task("b1", after=["A"]),
            "B2": Task("b2", after=["A"], timeout_s=30, retry=Retry(max_attempts=3, delay_s=1)),
        },
    )


def test_the_declaration_is_one() -> None:
    declared = eval(snippets("python")[0], {"Task": Task, "Workflow": Workflow})

    assert list(declared.tasks) == ["A", "B1", "C"]


def test_the_event_has_the_fields_of_the_task_contract() -> None:
    assert list(json.loads(snippets("json")[1])) == [
        *["run_id", "workflow", "task_id", "attempt", "idempotency_key", "deadline_at", "params", "input", "upstream"]
    ]


@pytest.mark.parametrize(
    ("row", "limit"),
    [
        ("tasks of a workflow", f"{workflow.MAX_TASKS:,}"),
        ("dependencies of one task; tasks that nothing waits for", f"{workflow.MAX_DEPENDENCIES:,}"),
        ("a definition, every default written out", f"{workflow.MAX_DEFINITION_BYTES:,} bytes as canonical JSON"),
        (
            "run input, output of a task, `params` of a task",
            f"{payload.LIMIT_BYTES:,} bytes as compact UTF-8 JSON",
        ),
        ("nesting of any of them", f"{payload.MAX_DEPTH} levels"),
        ("`timeout_s` of a task", f"{workflow.MAX_TIMEOUT_S} (a worker waits for it, for at most {TIMEOUT_S})"),
        ("delay before another attempt", f"{workflow.MAX_DELAY_S} s"),
    ],
)
def test_the_limits_are_those_of_the_code(row: str, limit: str) -> None:
    assert f"| {row} | {limit} |" in README


def test_every_file_that_is_linked_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_of_the_top_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = re.findall(r"^make (\w+)", snippets("sh")[0], re.MULTILINE)

    assert commands == ["demo", "test"]
    assert [c for c in commands if not re.search(rf"^{c}:", makefile, re.MULTILINE)] == []


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if not line.startswith("#")]

    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
