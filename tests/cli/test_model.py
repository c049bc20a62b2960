from __future__ import annotations

from typing import Any

import pytest

from cli.errors import RemoteError
from cli.model import Failure, Run, Task, run_of
from tests.cli.fake import NOW, RUN_ID, described, task


def test_a_description_becomes_a_run() -> None:
    error = {"name": "Boom", "message": "bang", "task": "B"}
    tasks = {
        "A": task("SUCCEEDED", service="a", attempts=2, ready_at=1, started_at=2, finished_at=3),
        "B": task("FAILED", service="b", after=["A"], due_at=4, error={"name": "Boom", "message": "bang"}),
    }
    assert run_of(described("FAILED", error=error, tasks=tasks, epoch=2, deadline_at=NOW + 1)) == Run(
        run_id=RUN_ID,
        workflow="abc",
        version="0123456789abcdef" * 4,
        engine="dynamodb",
        status="FAILED",
        created_at=NOW,
        started_at=NOW,
        finished_at=NOW + 2300,
        error=Failure("Boom", "bang", "B"),
        tasks=(
            Task("A", "a", "SUCCEEDED", (), 2, 1, 2, 3, None),
            Task("B", "b", "FAILED", ("A",), 0, None, None, None, Failure("Boom", "bang"), 4),
        ),
        epoch=2,
        deadline_at=NOW + 1,
    )


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        {"run_id": "x", "workflow": "w", "status": "RUNNING"},
        {"run_id": "x", "workflow": "w", "status": "RUNNING", "tasks": []},
        described(tasks={"A": {}}),
        described(tasks={"A": None}),
        described(tasks={"A": task(attempts="many")}),
        described(started_at="noon"),
        described(error="broken"),
    ],
)
def test_what_is_no_description_is_an_error_of_the_other_side(answer: Any) -> None:
    with pytest.raises(RemoteError, match="in a form that this version does not know"):
        run_of(answer)


def test_a_description_of_an_older_orchestrator_has_no_epoch_and_no_deadline() -> None:
    run = run_of(described())
    assert (run.epoch, run.deadline_at, run.tasks[0].due_at) == (1, None, None)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Task("A", "a", "READY", due_at=1400), 400),
        (Task("A", "a", "READY", due_at=900), 0),
        (Task("A", "a", "READY"), 0),
        (Task("A", "a", "RUNNING", due_at=1400), 0),
    ],
)
def test_how_long_a_task_waits(item: Task, expected: int) -> None:
    assert item.waits_ms(1000) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Task("A", "a", "PENDING"), None),
        (Task("A", "a", "RUNNING", started_at=100), 900),
        (Task("A", "a", "RUNNING", started_at=2000), 0),
        (Task("A", "a", "READY", started_at=100), None),
        (Task("A", "a", "FAILED", started_at=100, finished_at=150), 50),
        (Task("A", "a", "CANCELED", started_at=100, finished_at=150), None),
    ],
)
def test_how_long_a_task_took(item: Task, expected: int | None) -> None:
    assert item.duration_ms(1000) == expected
