"""What is said about a state machine: its size, its barriers and their cost, what differs."""

from __future__ import annotations

from typing import Any

import pytest

from cli.state_machine import remarks, summary
from orchestration.workflow import Retry, Task, Workflow
from tests.cli.fake import ABC_MACHINE, compiled
from tests.support import shapes

CROSSED = Workflow(
    "crossed",
    {
        "A": Task("a"),
        "B": Task("a", retry=Retry(max_attempts=2, delay_s=0.5)),
        "C": Task("a", after=["A"]),
        "D": Task("a", after=["A", "B"]),
    },
)


def said(found: dict[str, Any]) -> list[str]:
    return [line.plain for line in remarks(found)]


def test_the_diamond() -> None:
    assert [line.plain for line in summary(ABC_MACHINE)] == [
        f"abc  version {ABC_MACHINE['version'][:12]}",
        "6 transitions a run without a retry: 5 tasks, 1 Parallel state",
        f"{ABC_MACHINE['bytes']:,} bytes of 1,048,576",
        "No parallelism is given up",
    ]


def test_a_single_task_has_no_parallel_state() -> None:
    assert summary(compiled(shapes.single()))[1].plain == "1 transition a run without a retry: 1 task"


def test_a_barrier_says_who_waits_for_whom_and_what_that_costs() -> None:
    found = compiled(CROSSED)
    (barrier,) = found["barriers"]
    ((waits, awaited),) = barrier["waits"]
    lines = said(found)
    assert lines[0].startswith("barrier: ")
    assert lines[1] == f"  {waits} waits for {awaited} too, which its definition does not ask for"
    assert lines[2].startswith("costs: 1 pair of tasks can no longer run at the same time; the longest chain of tasks ")
    assert lines[3].startswith("differs: tasks.B.retry.delay_s: 0.5 s is 1 s")
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("first", "then", "line"),
    [
        (["A"], ["B"], "barrier: B starts when A has ended"),
        (["A", "B"], ["C", "D"], "barrier: C and D start when A and B have all ended"),
        (list("ABCDEF"), ["Z"], "barrier: Z starts when A, B, C, D and 2 more have all ended"),
    ],
)
def test_names_are_listed_as_far_as_they_can_be_read(first: list[str], then: list[str], line: str) -> None:
    assert said({"barriers": [{"first": first, "then": then, "waits": [["Z", "A"]]}]})[0] == line


def test_many_waits_are_not_a_flood() -> None:
    waits = [[f"t{n}", "A"] for n in range(1_000)]
    lines = said({"barriers": [{"first": ["A"], "then": ["B"], "waits": waits, "lost": 1_000}]})
    assert lines[-2:] == [
        "  and so do 996 more tasks",
        "costs: 1,000 pairs of tasks can no longer run at the same time",
    ]
    assert len(lines) == 7
