"""The two transition tables, written out by hand, and the whole record that each move makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from orchestration import decide
from orchestration.decide import RUN_MOVES, TASK_MOVES, RunEvent, TaskEvent
from orchestration.errors import IllegalTransition
from orchestration.model import (
    TERMINAL_RUN,
    TERMINAL_TASK,
    Failure,
    Handoff,
    Run,
    RunStatus,
    TaskState,
    TaskStatus,
)

NOW = 50_000
BOOM = Failure("Boom", "it broke")

# One row for each state and event: what follows, or None where the move does not exist.
TASK_TABLE: dict[tuple[str, str], str | None] = {
    ("PENDING", "READIED"): "READY",
    ("PENDING", "CLAIMED"): None,
    ("PENDING", "RENEWED"): None,
    ("PENDING", "SUCCEEDED"): None,
    ("PENDING", "FAILED"): None,
    ("PENDING", "RETRIED"): None,
    ("PENDING", "CANCELED"): "CANCELED",
    ("PENDING", "REDRIVEN"): None,
    ("READY", "READIED"): None,
    ("READY", "CLAIMED"): "RUNNING",
    ("READY", "RENEWED"): None,
    ("READY", "SUCCEEDED"): None,
    ("READY", "FAILED"): None,
    ("READY", "RETRIED"): None,
    ("READY", "CANCELED"): "CANCELED",
    ("READY", "REDRIVEN"): None,
    ("RUNNING", "READIED"): None,
    ("RUNNING", "CLAIMED"): None,
    ("RUNNING", "RENEWED"): "RUNNING",
    ("RUNNING", "SUCCEEDED"): "SUCCEEDED",
    ("RUNNING", "FAILED"): "FAILED",
    ("RUNNING", "RETRIED"): "READY",
    ("RUNNING", "CANCELED"): "CANCELED",
    ("RUNNING", "REDRIVEN"): None,
    ("SUCCEEDED", "READIED"): None,
    ("SUCCEEDED", "CLAIMED"): None,
    ("SUCCEEDED", "RENEWED"): None,
    ("SUCCEEDED", "SUCCEEDED"): None,
    ("SUCCEEDED", "FAILED"): None,
    ("SUCCEEDED", "RETRIED"): None,
    ("SUCCEEDED", "CANCELED"): None,
    ("SUCCEEDED", "REDRIVEN"): None,
    ("FAILED", "READIED"): None,
    ("FAILED", "CLAIMED"): None,
    ("FAILED", "RENEWED"): None,
    ("FAILED", "SUCCEEDED"): None,
    ("FAILED", "FAILED"): None,
    ("FAILED", "RETRIED"): None,
    ("FAILED", "CANCELED"): None,
    ("FAILED", "REDRIVEN"): "PENDING",
    ("CANCELED", "READIED"): None,
    ("CANCELED", "CLAIMED"): None,
    ("CANCELED", "RENEWED"): None,
    ("CANCELED", "SUCCEEDED"): None,
    ("CANCELED", "FAILED"): None,
    ("CANCELED", "RETRIED"): None,
    ("CANCELED", "CANCELED"): None,
    ("CANCELED", "REDRIVEN"): "PENDING",
}
RUN_TABLE: dict[tuple[str, str], str | None] = {
    ("RUNNING", "SUCCEEDED"): "SUCCEEDED",
    ("RUNNING", "TASK_FAILED"): "FAILING",
    ("RUNNING", "CANCEL_ASKED"): "CANCELING",
    ("RUNNING", "SETTLED"): None,
    ("RUNNING", "REDRIVEN"): None,
    ("SUCCEEDED", "SUCCEEDED"): None,
    ("SUCCEEDED", "TASK_FAILED"): None,
    ("SUCCEEDED", "CANCEL_ASKED"): None,
    ("SUCCEEDED", "SETTLED"): None,
    ("SUCCEEDED", "REDRIVEN"): None,
    ("FAILING", "SUCCEEDED"): None,
    ("FAILING", "TASK_FAILED"): None,
    ("FAILING", "CANCEL_ASKED"): None,
    ("FAILING", "SETTLED"): "FAILED",
    ("FAILING", "REDRIVEN"): None,
    ("FAILED", "SUCCEEDED"): None,
    ("FAILED", "TASK_FAILED"): None,
    ("FAILED", "CANCEL_ASKED"): None,
    ("FAILED", "SETTLED"): None,
    ("FAILED", "REDRIVEN"): "RUNNING",
    ("CANCELING", "SUCCEEDED"): None,
    ("CANCELING", "TASK_FAILED"): None,
    ("CANCELING", "CANCEL_ASKED"): None,
    ("CANCELING", "SETTLED"): "CANCELED",
    ("CANCELING", "REDRIVEN"): None,
    ("CANCELED", "SUCCEEDED"): None,
    ("CANCELED", "TASK_FAILED"): None,
    ("CANCELED", "CANCEL_ASKED"): None,
    ("CANCELED", "SETTLED"): None,
    ("CANCELED", "REDRIVEN"): "RUNNING",
}

# Every verb that makes a move, by its event. The others (renew, redrive, cancel of a run) come with later verbs.
TASK_VERBS: dict[TaskEvent, Callable[[TaskState], TaskState]] = {
    TaskEvent.READIED: lambda task: decide.ready(task, NOW),
    TaskEvent.CLAIMED: lambda task: decide.claim(task, owner="me", timeout_s=60, now=NOW),
    TaskEvent.SUCCEEDED: lambda task: decide.succeed(task, "1", NOW),
    TaskEvent.FAILED: lambda task: decide.fail(task, BOOM, NOW),
    TaskEvent.RETRIED: lambda task: decide.retry(task, BOOM, delay_s=1, now=NOW),
    TaskEvent.CANCELED: lambda task: decide.cancel(task, NOW),
}
RUN_VERBS: dict[RunEvent, Callable[[Run], Run]] = {
    RunEvent.SUCCEEDED: lambda run: decide.succeed_run(run, NOW),
    RunEvent.TASK_FAILED: lambda run: decide.fail_run(run, BOOM),
    RunEvent.SETTLED: lambda run: decide.settle_run(run, NOW),
}


def test_every_state_and_event_has_a_row() -> None:
    assert set(TASK_TABLE) == {(s.name, e.name) for s, e in product(TaskStatus, TaskEvent)}
    assert set(RUN_TABLE) == {(s.name, e.name) for s, e in product(RunStatus, RunEvent)}
    assert set(TASK_MOVES) == set(TaskStatus)
    assert set(RUN_MOVES) == set(RunStatus)


@pytest.mark.parametrize(("state", "event"), TASK_TABLE)
def test_the_task_table(state: str, event: str) -> None:
    status, expected = TaskStatus[state], TASK_TABLE[state, event]
    assert TASK_MOVES[status].get(TaskEvent[event]) == expected
    assert decide.may(TaskState(run_id="r", task_id="t", status=status), TaskEvent[event]) is (expected is not None)


@pytest.mark.parametrize(("state", "event"), RUN_TABLE)
def test_the_run_table(state: str, event: str) -> None:
    assert RUN_MOVES[RunStatus[state]].get(RunEvent[event]) == RUN_TABLE[state, event]


@pytest.mark.parametrize(("status", "event"), list(product(TaskStatus, TASK_VERBS)))
def test_a_task_verb_makes_its_move_or_none(status: TaskStatus, event: TaskEvent) -> None:
    task = TaskState(run_id="r", task_id="t", status=status, version=7, attempt=2, owner="you")
    before = replace(task)
    expected = TASK_TABLE[status.name, event.name]
    if expected is None:
        with pytest.raises(IllegalTransition) as error:
            TASK_VERBS[event](task)
        assert str(error.value) == f"r/t: {event.name} is not a move from {status}"
    else:
        moved = TASK_VERBS[event](task)
        assert (moved.status, moved.version) == (expected, 8)
    assert task == before


@pytest.mark.parametrize(("status", "event"), list(product(RunStatus, RUN_VERBS)))
def test_a_run_verb_makes_its_move_or_none(status: RunStatus, event: RunEvent) -> None:
    run = replace(RUN, status=status, version=7)
    before = replace(run)
    expected = RUN_TABLE[status.name, event.name]
    if expected is None:
        with pytest.raises(IllegalTransition) as error:
            RUN_VERBS[event](run)
        assert str(error.value) == f"r: {event.name} is not a move from {status}"
    else:
        moved = RUN_VERBS[event](run)
        assert (moved.status, moved.version) == (expected, 8)
    assert run == before


def test_a_terminal_state_is_left_by_a_redrive_only() -> None:
    assert {s for s in TaskStatus if set(TASK_MOVES[s]) <= {TaskEvent.REDRIVEN}} == TERMINAL_TASK
    assert {s for s in RunStatus if set(RUN_MOVES[s]) <= {RunEvent.REDRIVEN}} == TERMINAL_RUN


# -- whole records -----------------------------------------------------------------------------------------------------

RUN = Run(run_id="r", workflow="abc", definition="f" * 64, input_digest="d" * 64, started_at=1000)
PENDING = TaskState(run_id="r", task_id="t", version=2, arrived=frozenset({0, 1}))
READY = TaskState(
    run_id="r",
    task_id="t",
    status=TaskStatus.READY,
    version=3,
    arrived=frozenset({0, 1}),
    ready_at=NOW,
)
RUNNING = TaskState(
    run_id="r",
    task_id="t",
    status=TaskStatus.RUNNING,
    version=4,
    attempt=1,
    owner="me",
    lease_until=61_000 + 120_000,
    arrived=frozenset({0, 1}),
    ready_at=NOW,
    started_at=61_000,
)
RETRIED = TaskState(
    run_id="r",
    task_id="t",
    status=TaskStatus.READY,
    version=5,
    attempt=1,
    arrived=frozenset({0, 1}),
    error=BOOM,
    ready_at=70_000,
    due_at=72_500,
    started_at=61_000,
    finished_at=70_000,
)


def test_ready() -> None:
    assert decide.ready(PENDING, NOW) == READY


def test_ready_records_what_arrived_with_it() -> None:
    assert decide.ready(TaskState(run_id="r", task_id="t"), NOW, frozenset({4})) == replace(
        READY, version=1, arrived=frozenset({4})
    )
    assert decide.ready(PENDING, NOW, frozenset({4})).arrived == {0, 1, 4}


def test_claim() -> None:
    assert decide.claim(READY, owner="me", timeout_s=60, now=61_000) == RUNNING


def test_claim_of_another_attempt() -> None:
    claimed = decide.claim(RETRIED, owner="you", timeout_s=0.5, now=80_000)
    assert claimed == TaskState(
        run_id="r",
        task_id="t",
        status=TaskStatus.RUNNING,
        version=6,
        attempt=2,
        owner="you",
        lease_until=80_000 + 60_500,
        arrived=frozenset({0, 1}),
        error=BOOM,
        ready_at=70_000,
        started_at=80_000,
    )


def test_succeed() -> None:
    assert decide.succeed(RUNNING, '{"a":1}', 70_000) == TaskState(
        run_id="r",
        task_id="t",
        status=TaskStatus.SUCCEEDED,
        version=5,
        attempt=1,
        owner="me",
        arrived=frozenset({0, 1}),
        handoff=Handoff.STREAM,
        output='{"a":1}',
        ready_at=NOW,
        started_at=61_000,
        finished_at=70_000,
    )


def test_succeed_forgets_the_error_of_an_earlier_attempt() -> None:
    assert decide.succeed(replace(RUNNING, error=BOOM), "1", 70_000).error is None


def test_fail() -> None:
    assert decide.fail(RUNNING, BOOM, 70_000) == TaskState(
        run_id="r",
        task_id="t",
        status=TaskStatus.FAILED,
        version=5,
        attempt=1,
        owner="me",
        arrived=frozenset({0, 1}),
        handoff=Handoff.STREAM,
        error=BOOM,
        ready_at=NOW,
        started_at=61_000,
        finished_at=70_000,
    )


def test_retry() -> None:
    assert decide.retry(RUNNING, BOOM, delay_s=2.5, now=70_000) == RETRIED


def test_cancel_of_what_was_never_written() -> None:
    assert decide.cancel(TaskState(run_id="r", task_id="t"), NOW) == TaskState(
        run_id="r", task_id="t", status=TaskStatus.CANCELED, version=1, finished_at=NOW
    )


def test_cancel_of_what_waits_for_another_attempt() -> None:
    assert decide.cancel(RETRIED, 80_000, Handoff.STREAM) == replace(
        RETRIED, status=TaskStatus.CANCELED, version=6, due_at=None, handoff=Handoff.STREAM, finished_at=80_000
    )


def test_cancel_of_what_runs() -> None:
    assert decide.cancel(RUNNING, 80_000) == replace(
        RUNNING, status=TaskStatus.CANCELED, version=5, lease_until=None, finished_at=80_000
    )


def test_moves_of_a_run() -> None:
    started = decide.start_run(RUN)
    assert started == replace(RUN, version=1)
    assert decide.succeed_run(started, NOW, frozenset({2})) == replace(
        RUN, status=RunStatus.SUCCEEDED, version=2, arrived=frozenset({2}), finished_at=NOW
    )
    failing = decide.fail_run(started, BOOM)
    assert failing == replace(RUN, status=RunStatus.FAILING, version=2, error=BOOM)
    assert decide.settle_run(failing, NOW) == replace(failing, status=RunStatus.FAILED, version=3, finished_at=NOW)
    canceling = replace(started, status=RunStatus.CANCELING)
    assert decide.settle_run(canceling, NOW) == replace(
        canceling, status=RunStatus.CANCELED, version=2, finished_at=NOW
    )
