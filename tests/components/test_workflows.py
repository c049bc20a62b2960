from __future__ import annotations

from typing import Any

import pytest

from components.errors import ProgramError
from components.workflows import read_workflow
from orchestration.workflow import Task, Workflow


def test_a_definition_is_read() -> None:
    workflow = Workflow("w", {"T": Task("a"), "U": Task("b", after=["T"])})
    assert read_workflow(workflow.to_json(), ["a", "b", "c"]) == workflow


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"name": "w", "tasks": {"T": {"service": "absent"}}},
            "workflow 'w': task T names the service 'absent', which is not deployed; the services are a, b",
        ),
        (
            {"name": "w", "tasks": {"T": {"service": "a", "after": ["U"]}}},
            "workflow 'w': tasks.T.after: names 'U', which is not a task",
        ),
        ({"tasks": {"T": {"service": "a"}}}, "workflow None: name: is missing from the workflow"),
    ],
)
def test_what_could_not_run_here_is_refused_in_one_line(definition: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgramError) as refused:
        read_workflow(definition, ["b", "a"])
    assert str(refused.value) == message
