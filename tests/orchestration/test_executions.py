"""Executions and their histories, read as runs and tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import executions, payload, retry, views
from orchestration.executions import RUN_STATUS, Event, Execution, ExecutionStatus
from orchestration.model import TERMINAL_TASK, Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.execution_history import History

S = 1_000
START = 1_000_000
TWICE = Workflow("twice", {"A": Task("a", retry=Retry(max_attempts=2, on=["Boom"]))}, timeout_s=60)


def execution(status: str = "RUNNING", **more: Any) -> Execution:
    made = Execution(workflow="abc", run_id="r", status=ExecutionStatus(status), started_at=START, **more)
    return made if status == "RUNNING" else Execution(**{**made.__dict__, "finished_at": START + 100 * S})


def read(
    history: History, status: str = "RUNNING", workflow: Workflow | None = None, **more: Any
) -> tuple[Run, dict[str, TaskState]]:
    return executions.read(execution(status, **more), "v", workflow or shapes.diamond(), history.events)


def statuses(tasks: dict[str, TaskState]) -> str:
    return " ".join(f"{task_id}:{task.status}:{task.tries}" for task_id, task in tasks.items())


def boom(name: str = "Boom") -> dict[str, Any]:
    return {"error": name, "cause": json.dumps({"errorType": name, "errorMessage": "it broke"})}


# -- the run -----------------------------------------------------------------------------------------------------------


def test_a_run() -> None:
    found = execution("SUCCEEDED", input='{"a":1}', output="2", redrives=1, redriven_at=START + 50 * S)
    assert executions.run_of(found, "v", 60) == Run(
        run_id="r",
        workflow="abc",
        definition="v",
        input_digest=payload.digest('{"a":1}'),
        engine="stepfunctions",
        epoch=2,
        status=RunStatus.SUCCEEDED,
        started_at=START,
        deadline_at=START + 110 * S,
        finished_at=START + 100 * S,
    )


def test_a_run_that_goes_on_has_not_finished_whatever_is_left_of_its_first_end() -> None:
    again = Execution(
        workflow="abc",
        run_id="r",
        status=ExecutionStatus.PENDING_REDRIVE,
        started_at=START,
        finished_at=START + S,
        error="Boom",
    )
    run = executions.run_of(again)
    assert (run.status, run.finished_at, run.error, run.deadline_at) == (RunStatus.RUNNING, None, None, None)


def test_every_status_has_a_meaning() -> None:
    assert {status.value: meaning.value for status, meaning in RUN_STATUS.items()} == {
        "RUNNING": "RUNNING",
        "SUCCEEDED": "SUCCEEDED",
        "FAILED": "FAILED",
        "TIMED_OUT": "FAILED",
        "ABORTED": "CANCELED",
        "PENDING_REDRIVE": "RUNNING",
    }
    assert set(RUN_STATUS) == set(ExecutionStatus)


def test_a_run_that_was_canceled_has_no_error() -> None:
    assert executions.run_of(execution("ABORTED", cause="canceled by orchestra")).error is None


@pytest.mark.parametrize(
    ("timeout_s", "line"),
    [(60, "the run has not ended within its 60 s"), (None, "the run has not ended within its time")],
)
def test_a_run_past_its_deadline(timeout_s: int | None, line: str) -> None:
    assert executions.run_of(execution("TIMED_OUT"), "v", timeout_s).error == Failure("States.Timeout", line)


@pytest.mark.parametrize(
    ("error", "cause", "expected"),
    [
        ("Boom", '{"errorType":"Boom","errorMessage":"it broke","trace":[]}', Failure("Boom", "it broke")),
        ("Boom", "it broke", Failure("Boom", "it broke")),
        ("Boom", None, Failure("Boom", "")),
        ("Boom", '{"errorMessage":null}', Failure("Boom", "None")),
        ("Boom", '["errorMessage"]', Failure("Boom", '["errorMessage"]')),
        ("Boom", "[" * 100_000, Failure("Boom", "[" * 997 + "...")),
        ("Boom", '{"errorMessage":"\\ud800"}', Failure("Boom", "?")),
        (None, None, Failure("Unknown", "")),
        ("", "", Failure("Unknown", "")),
        ("Lambda.Unknown", '{"errorMessage":"it broke"}', Failure("Unknown", "it broke")),
        ("Lambda.Unknown", '{"errorType":"Boom","errorMessage":"it broke"}', Failure("Boom", "it broke")),
        (
            "Lambda.Unknown",
            'Lambda did not return an error type. Returned payload: {"errorMessage":"Task timed out after 3 s"}',
            Failure(
                retry.TIMEOUT,
                'Lambda did not return an error type. Returned payload: {"errorMessage":"Task timed out after 3 s"}',
            ),
        ),
        (
            "Sandbox.Timedout",
            '{"errorType":"Sandbox.Timedout","errorMessage":"after 3 s"}',
            Failure(retry.TIMEOUT, "after 3 s"),
        ),
        ("Function.ResponseSizeTooLarge", "7 MB", Failure(retry.DATA_LIMIT, "7 MB")),
        ("Lambda.TooManyRequestsException", "Rate", Failure("Lambda.TooManyRequestsException", "Rate")),
        ("E" * 300, "x" * 2_000, Failure("E" * 256, "x" * 997 + "...")),
    ],
)
def test_a_failure_has_the_name_that_the_other_engine_gives_it(
    error: str | None, cause: str | None, expected: Failure
) -> None:
    assert executions.failure(error, cause) == expected


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_tasks_that_nothing_was_heard_of() -> None:
    run, tasks = read(History())
    assert statuses(tasks) == "A:PENDING:0 B1:PENDING:0 B2:PENDING:0 B3:PENDING:0 C:PENDING:0"
    assert (run.status, run.error) == (RunStatus.RUNNING, None)


def test_the_moves_of_a_task() -> None:
    history = History().add("ExecutionStarted")
    seen = []
    steps: list[Callable[[], object]] = [
        lambda: history.enter("A"),
        lambda: history.add("LambdaFunctionScheduled", "A"),
        lambda: history.add("LambdaFunctionStarted", "A"),
        lambda: history.fail("A", "Boom"),
        lambda: history.begin("A"),
        lambda: history.add("LambdaFunctionSucceeded", "A", output="[1]"),
        lambda: history.add("TaskStateExited", "A", state="A"),
    ]
    for step in steps:
        step()
        task = read(history, workflow=TWICE)[1]["A"]
        times = [at and (at - START) // S for at in (task.ready_at, task.started_at, task.finished_at)]
        seen.append((task.status.value, task.tries, times, task.error and task.error.name))
    assert seen == [
        ("READY", 0, [2, None, None], None),
        ("RUNNING", 1, [2, 3, None], None),
        ("RUNNING", 1, [2, 4, None], None),
        ("READY", 1, [5, 4, 5], "Boom"),
        ("RUNNING", 2, [5, 7, None], "Boom"),
        ("RUNNING", 2, [5, 7, 8], None),
        ("SUCCEEDED", 2, [5, 7, 8], None),
    ]


def test_the_events_of_an_integration_mean_the_same() -> None:
    history = History().enter("A").add("TaskScheduled", "A").add("TaskStarted", "A")
    history.add("TaskFailed", "A", **boom()).add("TaskScheduled", "A").add("TaskStarted", "A")
    history.add("TaskSucceeded", "A", output="1").add("TaskStateExited", "A", state="A")
    run, tasks = read(history, "SUCCEEDED", TWICE)
    assert (statuses(tasks), tasks["A"].output, run.status) == ("A:SUCCEEDED:2", "1", RunStatus.SUCCEEDED)


def test_events_of_branches_belong_to_the_states_that_they_follow_from() -> None:
    """They come in any order: only what each follows from tells whose it is."""
    history = History().add("ExecutionStarted").done("A", 1)
    history.add("ParallelStateEntered", state="B1 | B2 | B3").add("ParallelStateStarted")
    for task_id in ("B1", "B2", "B3"):
        history.enter(task_id)
    for task_id in ("B1", "B2", "B3"):
        history.begin(task_id)
    for task_id in ("B3", "B1"):
        history.succeed(task_id, {"of": task_id})
    run, tasks = read(history)
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:SUCCEEDED:1 B2:RUNNING:1 B3:SUCCEEDED:1 C:PENDING:0"
    assert {task_id: task.output for task_id, task in tasks.items()} == {
        "A": "1",
        "B1": '{"of":"B1"}',
        "B2": None,
        "B3": '{"of":"B3"}',
        "C": None,
    }
    assert run.status is RunStatus.RUNNING


def failed_diamond() -> History:
    """B2 has failed while B1 ran and B3 waited for another attempt; nothing else was begun."""
    history = History().add("ExecutionStarted").done("A", 1)
    history.add("ParallelStateEntered", state="B1 | B2 | B3").add("ParallelStateStarted")
    for task_id in ("B1", "B2", "B3"):
        history.enter(task_id).begin(task_id)
    history.fail("B3", "Lambda.ServiceException").fail("B2", "Boom")
    failed = history.events[-1].id
    for _ in range(3):
        history.add("TaskStateAborted", previous=failed)
    history.add("ParallelStateFailed", previous=failed)
    return history.add("ExecutionFailed", previous=history.events[-1].id, **boom())


def test_a_run_that_failed_names_the_task_that_failed_it() -> None:
    run, tasks = read(failed_diamond(), "FAILED", **boom())
    assert run.error == Failure("Boom", "it broke", task="B2")
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:CANCELED:1 B2:FAILED:1 B3:CANCELED:1 C:CANCELED:0"
    assert tasks["B2"].error == Failure("Boom", "it broke")
    assert [task.finished_at == START + 100 * S for task in tasks.values()] == [False, True, False, True, True]


def test_it_is_shown_as_a_run_of_the_table_is() -> None:
    run, tasks = read(failed_diamond(), "FAILED", **boom())
    shown = views.describe(run, shapes.diamond(), tasks)
    assert {name: value for name, value in shown.items() if name != "tasks"} == {
        "run_id": "r",
        "workflow": "abc",
        "engine": "stepfunctions",
        "status": "FAILED",
        "error": {"name": "Boom", "message": "it broke", "task": "B2"},
        "epoch": 1,
        "started_at": START,
        "deadline_at": None,
        "finished_at": START + 100 * S,
        "version": "v",
    }
    assert shown["tasks"]["B2"] == {
        "service": "b2",
        "after": ["A"],
        "status": "FAILED",
        "attempts": 1,
        "ready_at": START + 12 * S,
        "due_at": None,
        "started_at": START + 14 * S,
        "finished_at": START + 19 * S,
        "error": {"name": "Boom", "message": "it broke"},
    }


def test_a_history_that_is_behind_its_execution() -> None:
    behind = History()
    behind.events += failed_diamond().events[:-5]
    run, tasks = read(behind, "FAILED", **boom())
    assert run.error == Failure("Boom", "it broke", task="B2")
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:CANCELED:1 B2:FAILED:1 B3:CANCELED:1 C:CANCELED:0"
    run, tasks = read(History().done("A").enter("B1"), "SUCCEEDED")
    assert {task.status.value for task in tasks.values()} == {"SUCCEEDED"}
    run, tasks = read(History(), "FAILED", **boom())
    assert run.error == Failure("Boom", "it broke")
    assert statuses(tasks) == "A:CANCELED:0 B1:CANCELED:0 B2:CANCELED:0 B3:CANCELED:0 C:CANCELED:0"


def test_what_fails_a_run_without_failing_a_task() -> None:
    """The outputs of a Parallel state may be too large together; its tasks have all succeeded."""
    history = History().done("A").add("ParallelStateEntered", state="B1 | B2 | B3")
    history.done("B1").done("B2").done("B3").add("ExecutionFailed", "B3", error="States.DataLimitExceeded")
    run, tasks = read(history, "FAILED", error="States.DataLimitExceeded", cause="too large")
    assert run.error == Failure("States.DataLimitExceeded", "too large")
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:SUCCEEDED:1 B2:SUCCEEDED:1 B3:SUCCEEDED:1 C:CANCELED:0"


def test_a_task_whose_result_was_refused_has_failed() -> None:
    history = History().enter("A").begin("A").add("LambdaFunctionSucceeded", "A", output="1")
    history.add("ExecutionFailed", "A", error="States.DataLimitExceeded")
    run, tasks = read(history, "FAILED", error="States.DataLimitExceeded", cause="too large")
    assert run.error == Failure("States.DataLimitExceeded", "too large", task="A")
    assert (tasks["A"].status.value, tasks["A"].error, tasks["A"].output) == (
        "FAILED",
        Failure("States.DataLimitExceeded", "too large"),
        None,
    )


@pytest.mark.parametrize(
    ("error", "status"), [("Other", "FAILED"), ("Boom", "CANCELED"), ("Lambda.TooManyRequestsException", "CANCELED")]
)
def test_a_branch_that_failed_beside_another(error: str, status: str) -> None:
    """It has failed if its policy knows no other attempt; else it was waiting for one."""
    workflow = Workflow("w", {"X": Task("x"), "Y": Task("y", retry=Retry(max_attempts=2, on=["Boom"]))})
    history = History().enter("X").begin("X").enter("Y").begin("Y").fail("Y", error).fail("X", "First")
    history.add("ExecutionFailed", "X", **boom("First"))
    run, tasks = read(history, "FAILED", workflow, **boom("First"))
    assert run.error == Failure("First", "it broke", task="X")
    assert (tasks["Y"].status.value, tasks["Y"].error) == (status, Failure(error, "it broke"))


@pytest.mark.parametrize("details", [{}, {"error": "States.Timeout"}])
def test_a_task_that_took_too_long(details: dict[str, Any]) -> None:
    history = History().enter("A").begin("A").add("LambdaFunctionTimedOut", "A", **details).add("ExecutionFailed", "A")
    run, tasks = read(history, "FAILED", TWICE, error="States.Timeout")
    assert run.error == Failure("States.Timeout", "no result after 60 s", task="A")
    assert tasks["A"].error == Failure("States.Timeout", "no result after 60 s")


def test_a_run_that_took_too_long_while_a_task_waited_was_failed_by_none() -> None:
    history = History().enter("A").begin("A").fail("A", "Boom")
    history.add("ExecutionTimedOut", "A", error="States.Timeout", cause="")
    run, tasks = read(history, "TIMED_OUT", TWICE)
    assert run.error == Failure("States.Timeout", "the run has not ended within its 60 s")
    assert (tasks["A"].status.value, tasks["A"].tries) == ("CANCELED", 1)


def test_a_run_that_took_too_long_was_failed_by_the_task_that_ran_longest() -> None:
    workflow = Workflow("w", {"X": Task("x"), "Y": Task("y"), "Z": Task("z")}, timeout_s=60)
    history = History().enter("X").enter("Y").begin("Y").begin("X").add("ExecutionTimedOut", error="States.Timeout")
    run, tasks = read(history, "TIMED_OUT", workflow)
    error = Failure("States.Timeout", "the run has not ended within its 60 s")
    assert run.error == replace(error, task="Y")
    assert statuses(tasks) == "X:FAILED:1 Y:FAILED:1 Z:CANCELED:0"
    assert (tasks["X"].error, tasks["Y"].error) == (error, error)
    assert tasks["X"].finished_at == run.finished_at


def test_a_run_that_was_canceled() -> None:
    history = History().enter("A").begin("A").fail("A", "Boom")
    history.add("ExecutionAborted", "A", error="", cause="canceled by orchestra")
    run, tasks = read(history, "ABORTED", TWICE, cause="canceled by orchestra")
    assert (run.status, run.error) == (RunStatus.CANCELED, None)
    assert (tasks["A"].status.value, tasks["A"].tries, tasks["A"].error) == ("CANCELED", 1, Failure("Boom", "it broke"))


def test_an_attempt_of_a_busy_function_is_none() -> None:
    history = History().enter("A").begin("A").fail("A", "Lambda.TooManyRequestsException", "Rate exceeded").begin("A")
    task = read(history, workflow=TWICE)[1]["A"]
    assert (task.attempt, task.released, task.tries) == (2, 1, 1)


# -- redrive -----------------------------------------------------------------------------------------------------------


def test_a_redrive_counts_anew_what_had_not_succeeded() -> None:
    history = failed_diamond().add("ExecutionRedriven")
    run, tasks = read(history, redrives=1)
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:PENDING:0 B2:PENDING:0 B3:PENDING:0 C:PENDING:0"
    assert {task_id: task.epoch for task_id, task in tasks.items()} == {"A": 1, "B1": 2, "B2": 2, "B3": 2, "C": 2}
    assert run.epoch == 2
    for task_id in ("B1", "B2", "B3"):
        history.begin(task_id)
    history.fail("B3", "Boom").begin("B3")
    run, tasks = read(history, redrives=1)
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:RUNNING:1 B2:RUNNING:1 B3:RUNNING:2 C:PENDING:0"
    for task_id in ("B1", "B2", "B3"):
        history.succeed(task_id)
    run, tasks = read(history.done("C", 5), "SUCCEEDED", redrives=1)
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:SUCCEEDED:1 B2:SUCCEEDED:1 B3:SUCCEEDED:2 C:SUCCEEDED:1"
    assert {task.error for task in tasks.values()} == {None}


def test_what_failed_before_a_redrive_is_not_what_fails_after_it() -> None:
    history = failed_diamond().add("ExecutionRedriven").begin("B1").begin("B2").succeed("B2")
    history.fail("B1", "Late").add("ExecutionFailed", "B1", **boom("Late"))
    run, tasks = read(history, "FAILED", redrives=1, **boom("Late"))
    assert run.error == Failure("Late", "it broke", task="B1")
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:FAILED:1 B2:SUCCEEDED:1 B3:CANCELED:0 C:CANCELED:0"


def test_an_attempt_after_a_redrive_belongs_to_the_task_that_its_payload_names() -> None:
    history = failed_diamond().add("ExecutionRedriven")
    redriven = history.events[-1].id
    begun = Event(id=redriven + 1, previous=redriven, type="LambdaFunctionScheduled", at=START, task="B3")
    history.events += [begun, Event(id=redriven + 2, previous=redriven + 1, type="LambdaFunctionStarted", at=START)]
    run, tasks = read(history, redrives=1)
    assert statuses(tasks) == "A:SUCCEEDED:1 B1:PENDING:0 B2:PENDING:0 B3:RUNNING:1 C:PENDING:0"
    assert run.error is None


# -- whatever a history tells ------------------------------------------------------------------------------------------

TYPES = [
    "ExecutionStarted",
    "ExecutionRedriven",
    "ExecutionFailed",
    "TaskStateEntered",
    "TaskStateExited",
    "TaskStateAborted",
    "LambdaFunctionScheduled",
    "LambdaFunctionStarted",
    "LambdaFunctionSucceeded",
    "ParallelStateEntered",
    "ParallelStateFailed",
    *sorted(executions.FAILURES),
]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw events of any kind, of any state, that follow from any event before them or from none."""
    count = draw(st.integers(0, 30))
    states = st.sampled_from(["A", "B1", "B2", "B1 | B2 | B3", "Z"])
    events = []
    for number in range(1, count + 1):
        type_ = draw(st.sampled_from(TYPES))
        named = "StateE" in type_
        events.append(
            Event(
                id=number,
                previous=draw(st.integers(0, number - 1)),
                type=type_,
                at=START + number,
                state=draw(states) if named else None,
                error=draw(st.none() | st.sampled_from(["Boom", "", "Lambda.TooManyRequestsException"])),
                cause=draw(st.none() | st.sampled_from(["", "it broke", '{"errorMessage":1}'])),
            )
        )
    return events


@given(events=histories(), status=st.sampled_from(list(ExecutionStatus)))
def test_any_history_can_be_read(events: list[Event], status: ExecutionStatus) -> None:
    found = execution(status.value, error="Boom", cause="it broke")
    run, tasks = executions.read(found, "v", shapes.diamond(), events)
    shown = views.describe(run, shapes.diamond(), tasks)
    assert json.loads(json.dumps(shown)) == shown
    assert list(tasks) == list(shapes.diamond().tasks)
    assert all(0 <= task.tries <= task.attempt for task in tasks.values())
    if run.status is RunStatus.RUNNING:
        return
    ended = {task_id: task.status for task_id, task in tasks.items()}
    assert set(ended.values()) <= TERMINAL_TASK
    assert (run.error is not None) == (run.status is RunStatus.FAILED)
    assert (set(ended.values()) == {TaskStatus.SUCCEEDED}) or run.status is not RunStatus.SUCCEEDED
    if run.error and run.error.task:
        assert ended[run.error.task] is TaskStatus.FAILED


# -- the time of all attempts ------------------------------------------------------------------------------------------

LIMITED = Workflow("limited", {"A": Task("a", retry=Retry(max_attempts=9), total_timeout_s=30)})


def test_a_task_whose_time_was_up_before_another_attempt_failed_by_its_last_one() -> None:
    history = History().enter("A").begin("A").fail("A", "Boom")
    history.add("EvaluationFailed", "A", error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    history.add("ExecutionFailed", "A", error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    run, tasks = read(history, "FAILED", LIMITED, error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    assert run.error == Failure("Boom", "it broke", "A")
    assert (tasks["A"].status, tasks["A"].tries, tasks["A"].error) == (
        TaskStatus.FAILED,
        1,
        Failure("Boom", "it broke"),
    )


def test_a_task_whose_time_was_up_before_its_first_attempt_timed_out() -> None:
    history = History().enter("A")
    history.add("EvaluationFailed", "A", error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    history.add("ExecutionFailed", "A", error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    run, tasks = read(history, "FAILED", LIMITED, error="States.QueryEvaluationError", cause="TimeoutSeconds is -1")
    assert run.error == Failure("States.Timeout", "not done within its 30 s", "A")
    assert tasks["A"].tries == 0


def test_a_task_whose_output_is_too_large_for_a_variable_is_not_late() -> None:
    """With this event AWS tells of variables that are too large: recorded, with 10 MiB of them."""
    history = History().enter("A").begin("A").add("LambdaFunctionSucceeded", "A", output="1")
    history.add("EvaluationFailed", "A", error="States.DataLimitExceeded", cause="too many variables")
    run, _ = read(history, "FAILED", LIMITED, error="States.DataLimitExceeded", cause="too many variables")
    assert run.error == Failure("States.DataLimitExceeded", "too many variables", "A")


def test_an_expression_that_fails_in_another_task_is_shown_as_it_is() -> None:
    history = History().enter("A")
    history.add("EvaluationFailed", "A", error="States.QueryEvaluationError", cause="no value")
    run, _ = read(history, "FAILED", TWICE, error="States.QueryEvaluationError", cause="no value")
    assert run.error == Failure("States.QueryEvaluationError", "no value", "A")


def test_an_attempt_that_timed_out_says_so_also_while_another_is_due() -> None:
    twice = Workflow("twice", {"A": Task("a", timeout_s=7, retry=Retry(max_attempts=2))})
    history = History().enter("A").begin("A").add("LambdaFunctionTimedOut", "A", error="States.Timeout")
    _, tasks = read(history, workflow=twice)
    assert (tasks["A"].status, tasks["A"].error) == (TaskStatus.READY, Failure("States.Timeout", "no result after 7 s"))


def test_a_task_that_failed_before_its_first_attempt_ended_with_its_run() -> None:
    history = History().enter("A")
    history.add("ExecutionFailed", "A", error="States.DataLimitExceeded", cause="too large")
    run, tasks = read(history, "FAILED", error="States.DataLimitExceeded", cause="too large")
    assert (tasks["A"].status, tasks["A"].finished_at) == (TaskStatus.FAILED, run.finished_at)
