"""What simulations have to come by: every port call of every function with every outcome, every move, every repair."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from orchestration.overdue import Repair
from tests.simulation.faults import FAULTS, Outcome
from tests.simulation.services import Answer
from tests.simulation.world import Coverage

Mark = tuple[str, ...]

CALLS = {
    "request": ("get_run", "get_tasks", "get_version", "put_input", "put_version", "save", "send"),
    "worker": ("get_run_and_task", "get_run", "get_version", "get_input", "get_outputs", "save", "send", "invoke"),
    "stream": ("get_run_and_task", "get_tasks", "get_version", "arrive", "save", "send"),
    "sweeper": ("overdue", "get_run", "get_tasks", "get_version", "arrive", "save", "send"),
}
RARE = (("request", "arrive"), ("request", "delete_input"), ("stream", "get_run"), ("worker", "get_run"))
"""Calls of narrow paths: that they are made is enough, whatever comes of them."""

TASK_MOVES = {
    "request": (
        *("- -> READY", "- -> CANCELED", "PENDING -> CANCELED", "READY -> CANCELED"),
        *("FAILED -> PENDING", "CANCELED -> PENDING", "PENDING -> READY"),
    ),
    "worker": (
        *("READY -> RUNNING", "READY -> CANCELED", "RUNNING -> RUNNING", "RUNNING -> READY"),
        *("RUNNING -> SUCCEEDED", "RUNNING -> FAILED", "RUNNING -> CANCELED"),
    ),
    "stream": (
        *("- -> READY", "- -> PENDING", "PENDING -> PENDING", "PENDING -> READY"),
        *("- -> CANCELED", "PENDING -> CANCELED", "READY -> CANCELED", "FAILED -> PENDING", "CANCELED -> PENDING"),
    ),
    "sweeper": (
        *("- -> READY", "- -> PENDING", "PENDING -> PENDING", "PENDING -> READY"),
        *("- -> CANCELED", "PENDING -> CANCELED", "READY -> CANCELED"),
        *("RUNNING -> READY", "RUNNING -> FAILED", "RUNNING -> CANCELED", "FAILED -> PENDING", "CANCELED -> PENDING"),
    ),
}
RUN_MOVES = {
    "request": (
        *("- -> RUNNING", "RUNNING -> CANCELING", "CANCELING -> CANCELED", "FAILED -> RUNNING", "CANCELED -> RUNNING"),
        *("RUNNING -> SUCCEEDED", "FAILING -> FAILED"),
    ),
    "stream": (
        *("RUNNING -> RUNNING", "RUNNING -> SUCCEEDED", "RUNNING -> FAILING", "FAILING -> FAILED"),
        "CANCELING -> CANCELED",
    ),
    "sweeper": (
        *(
            "RUNNING -> RUNNING",
            "RUNNING -> SUCCEEDED",
            "RUNNING -> FAILING",
            "FAILING -> FAILING",
            "FAILING -> FAILED",
        ),
        *("CANCELING -> CANCELING", "CANCELING -> CANCELED"),
    ),
}
OTHERS: tuple[Mark, ...] = (
    *(("queue", what) for what in ("lost", "again", "dead letter")),
    *(("stream", what) for what in ("lost", "again", "given up", "crash", "timeout")),
    *(("sweeper", what) for what in ("missed", "crash", "timeout")),
    *(("worker", what) for what in ("crash", "timeout")),
    ("request", "start", "Conflict"),
    ("request", "redrive", "Conflict"),
    ("request", "redrive", "NotFound"),
    ("request", "cancel", "NotFound"),
)


def expected() -> Iterator[Mark]:
    for kind, names in CALLS.items():
        for name, outcome in product(names, (Outcome.OK, *FAULTS)):
            yield kind, name, outcome
    for kind, name in RARE:
        yield kind, name, Outcome.OK
    for item, moves in (("task", TASK_MOVES), ("run", RUN_MOVES)):
        for kind, names in moves.items():
            for move in names:
                yield kind, item, move
    for repair in Repair:
        yield "repair", repair
    for answer in Answer:
        yield "service", answer
    yield from OTHERS


def unhit(coverage: Coverage) -> list[Mark]:
    """Return what should have happened, and has not: a part of the engine that nothing has been said about."""
    return sorted({mark for mark in expected() if not coverage[mark]})


def unknown(coverage: Coverage) -> list[Mark]:
    """Return the moves that have happened, and that nobody expects."""
    moves = {mark for mark in expected() if len(mark) == 3 and mark[1] in {"task", "run"}}
    return sorted({mark for mark in coverage if len(mark) == 3 and mark[1] in {"task", "run"}} - moves)
