"""The levels of a graph, and what is folded; rows are written as short texts to compare them whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.graph import FoldRow, Row, TaskRow, count_by_status, levels, natural, rows
from cli.model import Task


def tasks(**after: str) -> list[Task]:
    return [Task(task_id, "s", "PENDING", tuple(others.split())) for task_id, others in after.items()]


def ids(by_level: list[list[Task]]) -> list[list[str]]:
    return [[task.id for task in level] for level in by_level]


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"A": ""}, [["A"]]),
        ({"C": "B1 B2", "B2": "A", "B1": "A", "A": ""}, [["A"], ["B1", "B2"], ["C"]]),
        ({"A": "", "B": "A", "C": "A B"}, [["A"], ["B"], ["C"]]),
        ({"A": "", "X": "", "B": "A", "C": "B X"}, [["A", "X"], ["B"], ["C"]]),
        ({"A": "", "B": "gone"}, [["A", "B"]]),
        ({"A": "A"}, [["A"]]),
        ({"R": "", "A": "B", "B": "A"}, [["R"], ["A", "B"]]),
        ({f"t{n}": "" for n in (10, 9, 1)}, [["t1", "t9", "t10"]]),
    ],
)
def test_levels(graph: dict[str, str], expected: list[list[str]]) -> None:
    assert ids(levels(tasks(**graph))) == expected


def test_a_long_chain_and_a_wide_fan_are_levelled_without_recursion() -> None:
    chain = [Task(f"t{n}", "s", "PENDING", (f"t{n - 1}",) if n else ()) for n in range(5_000)]
    assert ids(levels(chain)) == [[f"t{n}"] for n in range(5_000)]
    wide = [Task("a", "s", "PENDING"), *(Task(f"b{n}", "s", "PENDING", ("a",)) for n in range(9_999))]
    assert [len(level) for level in levels(wide)] == [1, 9_999]


@pytest.mark.parametrize(
    ("one", "other"), [("t2", "t10"), ("a", "b"), ("t", "t1"), ("1", "a"), ("t01", "t1"), ("t1a", "t1b")]
)
def test_natural_order(one: str, other: str) -> None:
    assert natural(one) != natural(other)
    assert sorted([other, one], key=natural) == [one, other]


def short(row: Row) -> str:
    if isinstance(row, FoldRow):
        return " ".join(f"{count} {status}" for status, count in row.counts)
    return row.task.id if row.alone else f"{'L' if row.last else '|'} {row.task.id}"


def chain(done: int, running: int, pending: int) -> list[list[Task]]:
    states = ["SUCCEEDED"] * done + ["RUNNING"] * running + ["PENDING"] * pending
    return [[Task(f"t{n}", "s", status)] for n, status in enumerate(states)]


def test_what_fits_is_shown() -> None:
    by_level = levels(tasks(A="", B1="A", B2="A", C="B1 B2"))
    assert [short(row) for row in rows(by_level, 4)] == ["A", "| B1", "L B2", "C"]


def test_a_chain_is_folded_around_where_it_is_at_work() -> None:
    assert [short(row) for row in rows(chain(50, 1, 49), 7)] == [
        "48 SUCCEEDED",
        "t48",
        "t49",
        "t50",
        "t51",
        "t52",
        "47 PENDING",
    ]
    assert [short(row) for row in rows(chain(0, 0, 100), 3)] == ["t0", "t1", "98 PENDING"]
    assert [short(row) for row in rows(chain(100, 0, 0), 3)] == ["98 SUCCEEDED", "t98", "t99"]
    assert [short(row) for row in rows(chain(98, 2, 0), 1)] == ["2 RUNNING 98 SUCCEEDED"]


def fan(*states: str) -> list[list[Task]]:
    return [
        [Task("a", "s", "SUCCEEDED")],
        [Task(f"b{n}", "s", status, ("a",)) for n, status in enumerate(states)],
        [Task("c", "s", "PENDING")],
    ]


def test_a_fan_keeps_both_its_ends_and_shows_the_failed_and_running_first() -> None:
    states = ["SUCCEEDED"] * 30 + ["RUNNING", "PENDING"] * 14 + ["FAILED", "READY"]
    assert [short(row) for row in rows(fan(*states), 8)] == [
        "a",
        "| b58",
        "| b30",
        "| b32",
        "| b34",
        "| b36",
        "10 RUNNING 1 READY 30 SUCCEEDED 14 PENDING",
        "c",
    ]


def test_a_fold_of_one_is_shown_as_itself() -> None:
    assert [short(row) for row in rows(fan(*["PENDING"] * 5), 6)] == ["a", "| b0", "| b1", "| b2", "2 PENDING", "c"]
    assert [short(row) for row in rows(fan("PENDING", "PENDING", "PENDING"), 6)] == ["a", "| b0", "| b1", "L b2", "c"]
    assert [short(row) for row in rows(chain(2, 1, 0), 2)] == ["2 SUCCEEDED", "t2"]


STATES = st.sampled_from(["PENDING", "READY", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "NEW"])


@given(st.lists(st.lists(STATES, min_size=1, max_size=12), max_size=12), st.integers(-1, 40))
def test_every_task_is_accounted_for_within_the_budget(by_level: list[list[str]], budget: int) -> None:
    graph = [
        [Task(f"t{depth}-{n}", "s", status) for n, status in enumerate(level)] for depth, level in enumerate(by_level)
    ]
    flat = [task for level in graph for task in level]
    shown = rows(graph, budget)
    assert len(shown) <= max(1, budget)
    counted = {status: 0 for status, _ in count_by_status(flat)}
    for row in shown:
        for status, count in row.counts if isinstance(row, FoldRow) else [(row.task.status, 1)]:
            counted[status] += count
    assert counted == dict(count_by_status(flat))
    individually = [row.task.id for row in shown if isinstance(row, TaskRow)]
    assert len(individually) == len(set(individually))


def test_statuses_are_counted_in_the_order_of_interest() -> None:
    found = [Task("a", "s", status) for status in ("PENDING", "NEW", "FAILED", "PENDING", "RUNNING")]
    assert count_by_status(found) == (("FAILED", 1), ("RUNNING", 1), ("PENDING", 2), ("NEW", 1))
