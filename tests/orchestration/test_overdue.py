"""What is overdue in a run, by table: each loss is found when its grace is over, and not a moment sooner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.model import Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.overdue import Findings, Repair, find
from orchestration.timing import Timing
from orchestration.workflow import Task, Workflow
from tests.support import shapes

TIMING = Timing(grace_s=100)
DIAMOND = shapes.diamond()
RUN = Run(run_id="r", workflow="abc", definition=DIAMOND.version, input_digest="d" * 64, version=1, started_at=1_000)
AT = 1_000_000


def state(task_id: str, status: str, **fields: object) -> TaskState:
    return replace(
        TaskState(run_id="r", task_id=task_id, status=TaskStatus(status), version=1),
        **fields,  # type: ignore[arg-type]
    )


def ended(task_id: str, status: str = "SUCCEEDED", finished_at: int = AT, **fields: object) -> TaskState:
    return state(task_id, status, finished_at=finished_at, **fields)


def look(*tasks: TaskState, now: int, run: Run = RUN, workflow: Workflow = DIAMOND) -> Findings:
    return find(run, workflow, {task.task_id: task for task in tasks}, now, TIMING)


A = ended("A", finished_at=2_000)
JOIN = [A, *(ended(b, finished_at=AT + i) for i, b in enumerate(("B1", "B2", "B3")))]


@pytest.mark.parametrize(
    ("tasks", "repair", "ids", "at"),
    [
        ([], Repair.START, ["A"], 101_000),
        ([state("A", "READY", ready_at=AT)], Repair.DISPATCH, ["A"], AT + 100_000),
        ([state("A", "READY", ready_at=AT, due_at=AT + 900_000)], Repair.DISPATCH, ["A"], AT + 1_000_000),
        ([state("A", "RUNNING", lease_until=AT)], Repair.EXPIRE, ["A"], AT),
        ([ended("A", "FAILED")], Repair.FAIL, ["A"], AT + 100_000),
        ([ended("A")], Repair.FOLLOW, ["A"], AT + 100_000),
        # the last of three has succeeded, and the join does not know
        ([*JOIN, state("C", "PENDING", arrived=frozenset({1, 2}))], Repair.FOLLOW, ["B3"], AT + 100_002),
        # the join knows of all, and was not made READY: it is overdue from the end of the last of them
        ([*JOIN, state("C", "PENDING", arrived=frozenset({1, 2, 3}))], Repair.FOLLOW, ["B3"], AT + 100_002),
        # the only sink has succeeded, and the run has not
        ([*JOIN, ended("C", finished_at=AT + 9)], Repair.FOLLOW, ["C"], AT + 100_009),
    ],
)
def test_what_is_overdue_in_a_running_run(tasks: list[TaskState], repair: Repair, ids: list[str], at: int) -> None:
    assert look(*tasks, now=at - 1).overdue == {}
    assert min(look(*tasks, now=at - 1).expected) == at
    assert look(*tasks, now=at).overdue[repair][-1:] == ids[-1:]
    assert set(look(*tasks, now=at).overdue) == {repair}


def test_a_task_that_was_never_told_of_is_overdue_once_however_many_wait_for_it() -> None:
    workflow = shapes.fan(50)
    found = look(ended("first"), now=AT + 100_000, workflow=workflow)
    assert found.overdue == {Repair.FOLLOW: ["first"]}


@pytest.mark.parametrize(
    ("waited_s", "checked_s", "repaired", "next_s"),
    [
        (99, 0, False, 100),
        (100, 0, True, 100 + 100),
        (199, 0, True, 200),
        (199, 100, False, 200),  # the look at 100 has done it
        (200, 199, True, 400),
        (399, 200, False, 400),
        (1_600, 1_599, True, 2_500),  # 800 s after the last, and then 900 at the most
        (2_499, 1_600, False, 2_500),
        (90_000, 2_500, True, 90_700),
        (90_000, 89_799, True, 90_700),
        (90_000, 89_800, False, 90_700),
    ],
)
def test_a_task_in_a_long_queue_is_dispatched_again_ever_more_seldom(
    waited_s: int,
    checked_s: int,
    repaired: bool,  # noqa: FBT001
    next_s: int,
) -> None:
    run = replace(RUN, checked_at=AT + checked_s * 1000)
    found = look(state("A", "READY", ready_at=AT), now=AT + waited_s * 1000, run=run)
    assert found.overdue == ({Repair.DISPATCH: ["A"]} if repaired else {})
    assert found.expected == [AT + next_s * 1000]


def test_nothing_is_expected_of_a_join_that_waits() -> None:
    running = [state(b, "RUNNING", lease_until=AT + 5) for b in ("B2", "B3")]
    found = look(A, ended("B1", finished_at=AT), *running, state("C", "PENDING", arrived=frozenset({1})), now=AT)
    assert (found.overdue, found.due, found.expected) == ({}, [], [AT + 5, AT + 5])


def test_each_sink_that_the_run_was_not_told_of() -> None:
    workflow = shapes.sinks()  # A, X, Y, alone
    tasks = [ended("A"), ended("X"), state("Y", "RUNNING", lease_until=9 * AT), ended("alone")]
    run = replace(RUN, arrived=frozenset({workflow.indexes["alone"]}))
    assert look(*tasks, now=AT + 100_000, run=run, workflow=workflow).overdue == {Repair.FOLLOW: ["X"]}


def test_a_delay_beyond_the_queue_s_is_the_sweeper_s_and_no_repair() -> None:
    waiting = state("A", "READY", ready_at=AT, due_at=AT + 900_001)
    early = look(waiting, now=AT + 900_000)
    assert (early.overdue, early.due, early.expected) == ({}, [], [AT + 900_001])
    due = look(waiting, now=AT + 900_001)
    assert (due.overdue, due.due, due.expected) == ({}, ["A"], [AT + 1_020_001])
    lost = look(waiting, now=AT + 1_020_001)  # the sweeper comes once a minute: its own grace is two, if not more
    assert (lost.overdue, lost.due) == ({Repair.DISPATCH: ["A"]}, [])


def test_a_deadline() -> None:
    run = replace(RUN, deadline_at=AT)
    running = state("A", "RUNNING", lease_until=9 * AT)
    assert look(running, now=AT - 1, run=run).expected == [9 * AT, AT]
    assert look(running, now=AT, run=run).overdue == {Repair.DEADLINE: []}


def test_a_redrive_that_has_not_got_to_all_tasks() -> None:
    run = replace(RUN, epoch=2)
    tasks = [A, ended("B1"), ended("B2", "FAILED"), ended("B3"), ended("C", "CANCELED")]
    assert look(*tasks, now=AT, run=run).overdue == {Repair.REDRIVE: ["B2", "C"]}
    ready = state("B2", "READY", epoch=2, ready_at=AT)
    waiting = state("C", "PENDING", epoch=2, arrived=frozenset({1, 3}))
    assert look(A, ended("B1"), ready, ended("B3"), waiting, now=AT, run=run).overdue == {}
    root = state("A", "PENDING", epoch=2)
    assert look(root, now=AT, run=run).overdue == {Repair.START: ["A"]}


ENDING = replace(RUN, status=RunStatus.FAILING, error=Failure("Boom", "", task="A"))
CANCELED = [ended(t, "CANCELED") for t in ("B1", "B2", "B3", "C")]


def test_what_is_overdue_in_a_run_that_is_ending() -> None:
    failed = ended("A", "FAILED", finished_at=AT + 7)
    done = look(failed, *CANCELED, now=AT + 100_006, run=ENDING)
    assert (done.overdue, done.expected) == ({}, [AT + 100_007])
    assert look(failed, *CANCELED, now=AT + 100_007, run=ENDING).overdue == {Repair.SETTLE: []}
    # who has not started at all is not canceled yet
    assert look(failed, now=AT, run=ENDING).overdue == {Repair.SETTLE: []}
    # one came back for another attempt meanwhile, and its worker cancels it
    back = state("C", "READY", ready_at=AT)
    assert look(failed, *CANCELED[:3], back, now=AT, run=ENDING).expected == [AT + 100_000]
    assert look(failed, *CANCELED[:3], back, now=AT + 100_000, run=ENDING).overdue == {Repair.SETTLE: []}


def test_an_ending_run_waits_for_what_runs() -> None:
    tasks = [A, ended("B1", "FAILED"), state("B2", "RUNNING", lease_until=2 * AT), ended("B3"), ended("C", "CANCELED")]
    waiting = look(*tasks, now=2 * AT - 1, run=ENDING)
    assert (waiting.overdue, waiting.expected) == ({}, [2 * AT])
    assert look(*tasks, now=2 * AT, run=ENDING).overdue == {Repair.EXPIRE: ["B2"]}


def test_a_long_chain_is_looked_at_once_for_each_task() -> None:
    workflow = Workflow("w", {f"t{i}": Task("a", after=[f"t{i - 1}"] if i else ()) for i in range(10)})
    done = [ended(f"t{i}") for i in range(9)]
    found = look(*done, state("t9", "READY", ready_at=AT), now=AT + 100_000, workflow=workflow)
    assert found.overdue == {Repair.DISPATCH: ["t9"]}
