"""Runs as they are shown: whole answers, and the lines that say what there is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestration import payload, views
from orchestration.errors import InvalidRequest, NotFound
from orchestration.model import Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.runs import TableRuns
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.world import World, run

RUN = Run(
    run_id="r",
    workflow="w",
    definition="f" * 64,
    input_digest="d" * 64,
    status=RunStatus.FAILED,
    version=3,
    error=Failure("Boom", "it broke", task="A"),
    epoch=2,
    started_at=1_000,
    deadline_at=60_000,
    finished_at=9_000,
)
WORKFLOW = Workflow("w", {"A": Task("a"), "B": Task("b", after=["A"])})
SUMMARY = {
    "run_id": "r",
    "workflow": "w",
    "engine": "dynamodb",
    "status": "FAILED",
    "error": {"name": "Boom", "message": "it broke", "task": "A"},
    "epoch": 2,
    "started_at": 1_000,
    "deadline_at": 60_000,
    "finished_at": 9_000,
}


def test_a_summary() -> None:
    assert views.summary(RUN) == SUMMARY


def test_a_description_shows_every_task_of_the_graph() -> None:
    failed = TaskState(
        run_id="r",
        task_id="A",
        status=TaskStatus.FAILED,
        version=4,
        attempt=5,
        released=3,
        owner="secret",
        error=Failure("Boom", "it broke"),
        ready_at=2_000,
        started_at=3_000,
        finished_at=4_000,
    )
    assert views.describe(RUN, WORKFLOW, {"A": failed}) == {
        **SUMMARY,
        "version": "f" * 64,
        "tasks": {
            "A": {
                "service": "a",
                "after": [],
                "status": "FAILED",
                "attempts": 2,
                "ready_at": 2_000,
                "due_at": None,
                "started_at": 3_000,
                "finished_at": 4_000,
                "error": {"name": "Boom", "message": "it broke"},
            },
            "B": {
                "service": "b",
                "after": ["A"],
                "status": "PENDING",
                "attempts": 0,
                "ready_at": None,
                "due_at": None,
                "started_at": None,
                "finished_at": None,
                "error": None,
            },
        },
    }


def test_a_task_that_waits_for_another_attempt_tells_when_that_is_due() -> None:
    waiting = TaskState(run_id="r", task_id="A", status=TaskStatus.READY, attempt=1, ready_at=2_000, due_at=7_000)
    shown = views.describe(RUN, WORKFLOW, {"A": waiting})["tasks"]["A"]
    assert (shown["status"], shown["attempts"], shown["due_at"]) == ("READY", 1, 7_000)


def test_a_description_of_a_large_run_fits_into_an_answer() -> None:
    workflow = Workflow(
        "w",
        {"Z": Task("s", after=["T0000"])} | {f"T{i:04}": Task("s", after=["T0000"] if i else []) for i in range(900)},
    )
    many = Workflow("m", {f"T{i:04}": Task("s", after=[f"T{i - 1:04}"] if i else []) for i in range(10_000)})
    failure = Failure("Boom", "x" * 1_000)
    for definition, shown in ((workflow, 1_000), (many, 100)):
        tasks = {t: TaskState(run_id="r", task_id=t, status=TaskStatus.FAILED, error=failure) for t in definition.tasks}
        described = views.describe(RUN, definition, tasks)
        assert {len(task["error"]["message"]) for task in described["tasks"].values()} == {shown}
        assert len(payload.compact(described).encode()) < views.MAX_ANSWER_BYTES


def output(world: World, task_id: str | None = None, run_id: str = "r") -> Json:
    return TableRuns(world.engine()).output(run_id, task_id)


def answer(event: Mapping[str, Json]) -> Json:
    return {"of": event["task_id"]}


def test_the_output_of_a_run_is_that_of_its_only_sink() -> None:
    world = run(shapes.diamond(), answer)
    assert output(world) == {"of": "C"}
    assert output(world, "B1") == {"of": "B1"}


def test_the_output_of_a_run_with_several_sinks_is_by_task() -> None:
    world = run(shapes.sinks(), answer)
    assert output(world) == {"X": {"of": "X"}, "Y": {"of": "Y"}, "alone": {"of": "alone"}}
    assert output(world, "A") == {"of": "A"}


def test_an_output_of_null_is_an_output() -> None:
    assert output(run(shapes.single(), lambda _: None)) is None


@pytest.mark.parametrize(
    ("run_id", "task_id", "line"),
    [
        ("r2", None, "run_id: there is no run 'r2'"),
        ("r2", "A", "run_id: there is no run 'r2'"),
        ("r", "D", "task_id: the workflow 'abc' has no task 'D'; it has A, B1, B2, B3, C"),
        ("r", "c", "task_id: the workflow 'abc' has no task 'c'; it has A, B1, B2, B3, C"),
        ("r", None, "r: the task 'C' has no output; the run is RUNNING"),
        ("r", "B2", "r: the task 'B2' has no output; the run is RUNNING"),
    ],
)
def test_an_output_that_there_is_not(run_id: str, task_id: str | None, line: str) -> None:
    world = World()
    world.start(shapes.diamond())
    with pytest.raises(NotFound) as error:
        output(world, task_id, run_id)
    assert str(error.value) == line


def test_of_many_tasks_some_are_named() -> None:
    world = World()
    world.start(shapes.chain(13))
    first = ", ".join(f"t{i:05d}" for i in range(10))
    with pytest.raises(NotFound, match=f"it has {first} and 3 more$"):
        output(world, "x")


def test_outputs_too_large_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = run(shapes.sinks(), lambda _: "é" * 10)
    monkeypatch.setattr(views, "MAX_ANSWER_BYTES", 3 * 22)
    assert output(world) == dict.fromkeys(["X", "Y", "alone"], "é" * 10)
    monkeypatch.setattr(views, "MAX_ANSWER_BYTES", 3 * 22 - 1)
    with pytest.raises(InvalidRequest) as error:
        output(world)
    assert str(error.value) == "r: the outputs of its 3 last tasks are too large for one answer; name a task"
    assert output(world, "X") == "é" * 10
