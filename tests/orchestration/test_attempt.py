"""How long an attempt may take, and what follows from its end, by table."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from orchestration import attempt, decide
from orchestration.model import Failure, Handoff, Run, TaskState, TaskStatus
from orchestration.workflow import Retry, Task

BOOM = Failure("Boom", "it broke")
LOST = Failure("Orchestra.WorkerLost", "no sign of life")
RUN = Run(run_id="r", workflow="w", definition="f" * 64, input_digest="d" * 64, started_at=0)
LIMITED = replace(RUN, deadline_at=100_000)
READY = TaskState(run_id="r", task_id="t", status=TaskStatus.READY, version=1, first_ready_at=10_000, ready_at=10_000)
CLAIM = decide.claim(READY, owner="me", lease_until=99_999, now=20_000)
RETRIED = Retry(max_attempts=2, delay_s=10)


@pytest.mark.parametrize(
    ("run", "total_timeout_s", "now", "ends_at", "timeout_s"),
    [
        (RUN, None, 20_000, math.inf, 60),
        (RUN, 300, 20_000, 310_000, 60),
        (RUN, 30, 20_000, 40_000, 20),
        (RUN, 30, 20_001, 40_000, 20),  # in whole seconds, and never less than is left
        (RUN, 30, 39_999, 40_000, 1),
        (RUN, 30, 40_000, 40_000, 0),
        (RUN, 30, 99_000, 40_000, 0),
        (LIMITED, None, 20_000, 100_000, 60),
        (LIMITED, None, 95_000, 100_000, 5),
        (LIMITED, 30, 20_000, 40_000, 20),
        (LIMITED, 300, 95_000, 100_000, 5),
    ],
)
def test_how_long_an_attempt_may_take(
    run: Run, total_timeout_s: int | None, now: int, ends_at: float, timeout_s: int
) -> None:
    task = Task("a", total_timeout_s=total_timeout_s)
    assert attempt.ends_at(run, task, READY) == ends_at
    assert attempt.timeout_s(run, task, READY, now) == timeout_s


@pytest.mark.parametrize(
    ("run", "task", "error", "due_at"),
    [
        (RUN, Task("a"), BOOM, None),
        (RUN, Task("a"), LOST, 31_000),
        (RUN, Task("a", at_most_once=True), LOST, None),
        (RUN, Task("a", retry=RETRIED), BOOM, 40_000),
        (RUN, Task("a", retry=RETRIED, total_timeout_s=31), BOOM, 40_000),
        (RUN, Task("a", retry=RETRIED, total_timeout_s=30), BOOM, None),  # it would begin when the time is up
        (replace(RUN, deadline_at=40_001), Task("a", retry=RETRIED), BOOM, 40_000),
        (replace(RUN, deadline_at=40_000), Task("a", retry=RETRIED), BOOM, None),
    ],
)
def test_a_failure(run: Run, task: Task, error: Failure, due_at: int | None) -> None:
    after = attempt.failed(run, task, CLAIM, error, jitter=1, now=30_000)
    if due_at is None:
        assert after == decide.fail(CLAIM, error, 30_000)
    else:
        assert after == decide.retry(CLAIM, error, due_at=due_at, now=30_000)


@pytest.mark.parametrize(
    ("run", "task", "released", "due_at"),
    [
        (RUN, Task("a"), 0, 31_000),
        (RUN, Task("a", at_most_once=True), 3, 38_000),
        (RUN, Task("a", total_timeout_s=21), 0, None),
        (RUN, Task("a"), 100, None),
    ],
)
def test_a_service_that_was_busy(run: Run, task: Task, released: int, due_at: int | None) -> None:
    claim = replace(CLAIM, released=released)
    after = attempt.not_run(run, task, claim, BOOM, jitter=1, now=30_000)
    if due_at is None:
        assert after == decide.fail(claim, BOOM, 30_000)
    else:
        assert after == decide.release(claim, BOOM, due_at=due_at, now=30_000)


def test_a_result_that_nobody_waits_for() -> None:
    assert attempt.unwanted(CLAIM, 30_000, LOST) == decide.cancel(CLAIM, 30_000, Handoff.STREAM, LOST)
