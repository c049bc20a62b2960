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
    ("RUNNING", "FAILED"): "FAILING",
    ("RUNNING", "CANCEL_ASKED"): "CANCELING",
    ("RUNNING", "SETTLED"): None,
    ("RUNNING", "CHECKED"): "RUNNING",
    ("RUNNING", "REDRIVEN"): None,
    ("SUCCEEDED", "SUCCEEDED"): None,
    ("SUCCEEDED", "FAILED"): None,
    ("SUCCEEDED", "CANCEL_ASKED"): None,
    ("SUCCEEDED", "SETTLED"): None,
    ("SUCCEEDED", "CHECKED"): None,
    ("SUCCEEDED", "REDRIVEN"): None,
    ("FAILING", "SUCCEEDED"): None,
    ("FAILING", "FAILED"): None,
    ("FAILING", "CANCEL_ASKED"): None,
    ("FAILING", "SETTLED"): "FAILED",
    ("FAILING", "CHECKED"): "FAILING",
    ("FAILING", "REDRIVEN"): None,
    ("FAILED", "SUCCEEDED"): None,
    ("FAILED", "FAILED"): None,
    ("FAILED", "CANCEL_ASKED"): None,
    ("FAILED", "SETTLED"): None,
    ("FAILED", "CHECKED"): None,
    ("FAILED", "REDRIVEN"): "RUNNING",
    ("CANCELING", "SUCCEEDED"): None,
    ("CANCELING", "FAILED"): None,
    ("CANCELING", "CANCEL_ASKED"): None,
    ("CANCELING", "SETTLED"): "CANCELED",
    ("CANCELING", "CHECKED"): "CANCELING",
    ("CANCELING", "REDRIVEN"): None,
    ("CANCELED", "SUCCEEDED"): None,
    ("CANCELED", "FAILED"): None,
    ("CANCELED", "CANCEL_ASKED"): None,
    ("CANCELED", "SETTLED"): None,
    ("CANCELED", "CHECKED"): None,
    ("CANCELED", "REDRIVEN"): "RUNNING",
}

# The verb that makes each move.
TASK_VERBS: dict[TaskEvent, Callable[[TaskState], TaskState]] = {
    TaskEvent.READIED: lambda task: decide.ready(task, NOW),
    TaskEvent.CLAIMED: lambda task: decide.claim(task, owner="me", lease_until=NOW + 1, now=NOW),
    TaskEvent.RENEWED: lambda task: decide.renew(task, NOW + 1),
    TaskEvent.SUCCEEDED: lambda task: decide.succeed(task, "1", NOW),
    TaskEvent.FAILED: lambda task: decide.fail(task, BOOM, NOW),
    TaskEvent.RETRIED: lambda task: decide.retry(task, BOOM, due_at=NOW + 1, now=NOW),
    TaskEvent.CANCELED: lambda task: decide.cancel(task, NOW),
    TaskEvent.REDRIVEN: lambda task: decide.redrive(task, 2, frozenset()),
}
RUN_VERBS: dict[RunEvent, Callable[[Run], Run]] = {
    RunEvent.SUCCEEDED: lambda run: decide.succeed_run(run, NOW),
    RunEvent.FAILED: lambda run: decide.fail_run(run, BOOM, NOW + 1),
    RunEvent.CANCEL_ASKED: lambda run: decide.cancel_run(run, NOW + 1),
    RunEvent.SETTLED: lambda run: decide.settle_run(run, NOW),
    RunEvent.CHECKED: lambda run: decide.check_run(run, NOW + 1, NOW),
    RunEvent.REDRIVEN: lambda run: decide.redrive_run(run, arrived=frozenset(), deadline_at=None, check_at=NOW + 1),
}


def test_every_event_has_a_verb() -> None:
    assert set(TASK_VERBS) == set(TaskEvent)
    assert set(RUN_VERBS) == set(RunEvent)


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
    first_ready_at=NOW,
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
    first_ready_at=NOW,
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
    first_ready_at=NOW,
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
    assert decide.claim(READY, owner="me", lease_until=61_000 + 120_000, now=61_000) == RUNNING


def test_claim_of_another_attempt() -> None:
    claimed = decide.claim(RETRIED, owner="you", lease_until=80_000 + 60_500, now=80_000)
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
        first_ready_at=NOW,
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
        first_ready_at=NOW,
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
        first_ready_at=NOW,
        ready_at=NOW,
        started_at=61_000,
        finished_at=70_000,
    )


def test_retry() -> None:
    assert decide.retry(RUNNING, BOOM, due_at=72_500, now=70_000) == RETRIED


def test_release_gives_the_claim_back() -> None:
    released = decide.release(RUNNING, BOOM, due_at=72_500, now=70_000)
    assert released == replace(RETRIED, released=1)
    assert (RETRIED.tries, released.tries) == (1, 0)
    again = decide.claim(released, owner="you", lease_until=90_000, now=80_000)
    assert (again.attempt, again.released, again.tries) == (2, 1, 1)


def test_renew() -> None:
    assert decide.renew(RUNNING, 200_000) == replace(RUNNING, version=5, lease_until=200_000)


def test_redrive_forgets_the_epoch_before() -> None:
    failed = replace(decide.fail(RUNNING, BOOM, 70_000), released=1)
    assert decide.redrive(failed, 3, frozenset({1})) == TaskState(
        run_id="r", task_id="t", version=6, epoch=3, arrived=frozenset({1})
    )
    again = decide.ready(decide.redrive(failed, 3, frozenset()), 99_000)
    assert (again.epoch, again.ready_at, again.first_ready_at) == (3, 99_000, 99_000)


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


def test_cancel_with_a_reason() -> None:
    assert decide.cancel(RETRIED, 80_000).error == BOOM
    assert decide.cancel(RETRIED, 80_000, error=Failure("Lost", "")).error == Failure("Lost", "")


def test_moves_of_a_run() -> None:
    started = decide.start_run(RUN, 2000)
    assert started == replace(RUN, version=1, check_at=2000)
    assert decide.succeed_run(started, NOW, frozenset({2})) == replace(
        RUN, status=RunStatus.SUCCEEDED, version=2, arrived=frozenset({2}), finished_at=NOW
    )
    assert decide.check_run(started, 3000, 2500) == replace(RUN, version=2, check_at=3000, checked_at=2500)
    failing = decide.fail_run(started, BOOM, 4000)
    assert failing == replace(RUN, status=RunStatus.FAILING, version=2, error=BOOM, check_at=4000)
    failed = decide.settle_run(failing, NOW)
    assert failed == replace(failing, status=RunStatus.FAILED, version=3, check_at=None, finished_at=NOW)
    canceling = decide.cancel_run(started, 5000)
    assert canceling == replace(RUN, status=RunStatus.CANCELING, version=2, check_at=5000)
    assert decide.settle_run(canceling, NOW) == replace(
        canceling, status=RunStatus.CANCELED, version=3, check_at=None, finished_at=NOW
    )
    assert decide.redrive_run(failed, arrived=frozenset({1}), deadline_at=9000, check_at=6000) == replace(
        RUN, version=4, epoch=2, arrived=frozenset({1}), deadline_at=9000, check_at=6000
    )
