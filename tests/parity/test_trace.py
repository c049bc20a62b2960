"""What is compared of a run, what is left out, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.payload import Json
from orchestration.workflow import Task, Workflow
from tests.parity import trace
from tests.parity.trace import TaskTrace, Trace

DIAMOND = Workflow(
    "diamond",
    {
        "A": Task("probe"),
        "B1": Task("probe", after=["A"]),
        "B2": Task("probe", after=["A"]),
        "C": Task("probe", after=["B1", "B2"]),
        "other": Task("probe"),
    },
)


def task(status: str = "SUCCEEDED", attempts: int = 1, error: Json = None) -> dict[str, Json]:
    return {"status": status, "attempts": attempts, "error": error, "started_at": 1_000}


def run(status: str = "SUCCEEDED", error: Json = None, **tasks: Json) -> dict[str, Any]:
    return {
        "run_id": "r-1",
        "status": status,
        "error": error,
        "tasks": {**dict.fromkeys(DIAMOND.tasks, task()), **tasks},
    }


def failed(name: str = "Broken", message: str = "it is", of: str = "B1", **tasks: Json) -> dict[str, Any]:
    error = {"name": name, "message": message}
    states = {of: task("FAILED", 2, error), "C": task("CANCELED", 0), **tasks}
    return run("FAILED", {**error, "task": of}, **states)


def test_of_a_run_that_succeeded_everything_is_told() -> None:
    found = trace.of(DIAMOND, run(B2=task(attempts=3)), {"x": 1.0}, {"A": [2, {"b": 1, "a": -0.0}]})

    assert found == Trace(
        "SUCCEEDED",
        None,
        '{"x":1}',
        {
            "A": TaskTrace("SUCCEEDED", 1, None, '[2,{"a":0,"b":1}]'),
            "B1": TaskTrace("SUCCEEDED", 1),
            "B2": TaskTrace("SUCCEEDED", 3),
            "C": TaskTrace("SUCCEEDED", 1),
            "other": TaskTrace("SUCCEEDED", 1),
        },
    )


def test_of_a_run_that_failed_only_what_is_before_and_behind_the_failure_is_told() -> None:
    found = trace.of(DIAMOND, failed(), None, {})

    assert found == Trace(
        "FAILED",
        ("Broken", "B1", "it is"),
        None,
        {
            "A": TaskTrace("SUCCEEDED", 1),
            "B1": TaskTrace("FAILED", 2, ("Broken", "it is")),
            "C": TaskTrace("CANCELED", 0),
        },
    )


@pytest.mark.parametrize("beside", [task("CANCELED", 0), task("CANCELED", 1), task("SUCCEEDED", 2)])
def test_how_far_those_beside_a_failure_got_makes_no_difference(beside: Json) -> None:
    one, other = (trace.of(DIAMOND, failed(**tasks), None, {}) for tasks in ({}, {"B2": beside, "other": beside}))

    assert one.differences(other) == []


@pytest.mark.parametrize("status", ["RUNNING", "READY", "PENDING"])
def test_in_a_run_that_has_ended_nothing_goes_on(status: str) -> None:
    with pytest.raises(AssertionError, match="B2"):
        trace.of(DIAMOND, failed(B2=task(status)), None, {})


@pytest.mark.parametrize(
    "other",
    [
        failed(C=task("CANCELED", 1)),
        failed(A=task(attempts=2)),
        failed(name="Other"),
        failed(message="other"),
        failed(of="B2"),
        run("CANCELED"),
        run(),
    ],
)
def test_every_other_difference_of_a_failed_run_is_told(other: dict[str, Any]) -> None:
    assert trace.of(DIAMOND, failed(), None, {}).differences(trace.of(DIAMOND, other, None, {})) != []


@pytest.mark.parametrize("name", ["States.Timeout", "Lambda.Unknown", "Runtime.ExitError", "Orchestra.InvalidOutput"])
def test_the_words_of_an_engine_s_own_error_make_no_difference(name: str) -> None:
    one, other = (trace.of(DIAMOND, failed(name, words), None, {}) for words in ("no result after 1 s", ""))

    assert one.differences(other) == []


def test_whom_the_time_of_the_run_has_caught_makes_no_difference() -> None:
    timed = Workflow("timed", DIAMOND.tasks, timeout_s=5)
    nobody = run("FAILED", {"name": "States.Timeout", "message": ""}, B1=task("CANCELED", 1), C=task("CANCELED", 0))

    one, other = (trace.of(timed, seen, None, {}) for seen in (failed("States.Timeout"), nobody))

    assert one == other == Trace("FAILED", ("States.Timeout", None, ""), None, {})


EVENT = {
    "run_id": "r-1",
    "workflow": "diamond",
    "task_id": "A",
    "attempt": 1,
    "idempotency_key": "r-1/A",
    "deadline_at": 1_000 + 60_000 + 2_000,
    "params": {},
    "input": None,
    "upstream": {},
}


def told(**changed: Json) -> str:
    output = trace.of(DIAMOND, run(), [{"upstream": {**EVENT, **changed}}], {}).output
    assert output
    return output


def test_an_event_is_told_without_what_differs_from_run_to_run() -> None:
    other = {**EVENT, "run_id": "r-2", "idempotency_key": "r-2/A", "deadline_at": 999}
    seen = trace.of(DIAMOND, {**run(A={**task(), "started_at": -60_000}), "run_id": "r-2"}, [{"upstream": other}], {})

    assert seen.output == told()
    assert '"run_id":"<its own>"' in told()


@pytest.mark.parametrize(
    "changed",
    [
        {"run_id": "r-2"},
        {"idempotency_key": "r-2/A"},
        {"idempotency_key": "r-1/B1"},
        {"deadline_at": 1_000},
        {"attempt": 2},
        {"input": {}},
    ],
)
def test_an_event_with_another_field_is_another(changed: dict[str, Json]) -> None:
    assert told(**changed) != told()
