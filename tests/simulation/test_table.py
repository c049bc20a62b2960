"""The simulated table answers as the store in memory does, which `test_store.py` compares with DynamoDB."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from orchestration import decide
from orchestration.errors import OrchestraError
from orchestration.model import Failure, Run, TaskState, TaskStatus
from orchestration.store import Change, Saved, Stale
from tests.simulation import scenario
from tests.simulation.judge import Judge
from tests.simulation.table import SimStore, Table
from tests.simulation.tape import Tape
from tests.simulation.world import World
from tests.support.memory import MemoryStore

T = TypeVar("T")
RUN = Run(run_id="r", workflow="w", definition="d", input_digest="i", started_at=1)


class Direct:
    """A process whose calls are made at once, and always succeed."""

    kind = name = "request"

    def __init__(self, schema: int = 1) -> None:
        self.schema = schema
        self.tokens: dict[str, object] = {}

    def call(self, _name: str, act: Callable[[], T]) -> T:
        return act()

    def has_seen(self, run: Run) -> None:
        pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(Judge, "written", lambda *_, **__: None)  # most of what is written here makes no sense
    world = World(scenario.diamond(), Tape.of_values(()))
    world.plans = {}
    return world


def store_of(world: World, schema: int = 1) -> SimStore:
    process: Any = Direct(schema)
    return SimStore(world, process)


def test_any_writes_have_the_same_outcomes_as_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "run_written", lambda *_: None)
    chance = random.Random(1)
    stores: tuple[Any, Any] = (store_of(world), MemoryStore())
    seen: list[Any] = [RUN, *(TaskState(run_id="r", task_id=t) for t in "ab")]
    kinds = set()
    for step in range(3_000):
        record = chance.choice(seen[-12:] + seen[:3])
        if chance.random() < 0.4:
            index = chance.randrange(9)
            outcomes = [list(store.arrive([record], index)) for store in stores]
        else:
            new = follows(record, chance, step)
            outcomes = [list(store.save([Change(record, new)])) for store in stores]
        assert outcomes[0] == outcomes[1]
        (outcome,) = outcomes[0]
        stored = outcome.record if isinstance(outcome, Saved) else outcome.stored
        kinds.add((type(outcome), type(record), stored is None))
        seen += [stored] if stored is not None else []
        assert stores[0].get_run("r") == stores[1].get_run("r")
        assert stores[0].get_tasks("r") == stores[1].get_tasks("r")
    assert len(kinds) >= 5, kinds


def follows(record: Run | TaskState, chance: random.Random, step: int) -> Run | TaskState:
    """Return some record that may be written after this one, with a version above it."""
    changes: dict[str, Any] = {"version": record.version + 1, "arrived": frozenset({chance.randrange(9)})}
    if isinstance(record, Run):
        return replace(record, check_at=step, **changes)
    status = chance.choice(list(TaskStatus))
    owner, attempt = chance.choice([(None, 0), (f"o{step % 3}", 1), (f"o{step % 3}", 2)])
    output = "1" if status is TaskStatus.SUCCEEDED else None
    error = Failure("Boom", str(step)) if chance.random() < 0.2 else None
    return replace(record, status=status, owner=owner, attempt=attempt, output=output, error=error, **changes)


def test_a_lost_reply_is_recognised_by_what_is_stored(world: World) -> None:
    store = store_of(world)
    task = TaskState(run_id="r", task_id="a")
    write = Change(task, decide.ready(task, now=5))
    assert store.save([write]) == [Saved(write.new)]
    assert store.save([write]) == [Saved(write.new)]
    other = Change(task, decide.ready(task, now=6))
    assert store.save([other]) == [Stale(write.new)]


def test_an_update_sets_what_differs_and_no_more(world: World) -> None:
    store = store_of(world)
    stored = TaskState(run_id="r", task_id="a", version=3, status=TaskStatus.SUCCEEDED, output="7")
    world.table.tasks["r"] = {"a": stored}
    seen = replace(stored, output=None)  # as a query returns it
    store.save([Change(seen, replace(seen, version=4, started_at=1))])
    assert world.table.tasks["r"]["a"] == replace(stored, version=4, started_at=1)
    assert store.get_tasks("r")["a"].output is None


def test_an_older_release_reads_nothing_and_writes_nothing_of_a_newer_one(world: World) -> None:
    newer, older = store_of(world, schema=2), store_of(world)
    task = TaskState(run_id="r", task_id="a")
    (saved,) = newer.save([Change(task, decide.ready(task, now=5))])
    assert isinstance(saved, Saved)
    attempts: list[Callable[[], object]] = [
        lambda: older.get_tasks("r"),
        lambda: older.get_run_and_task("r", "a"),
        lambda: older.save([Change(task, decide.ready(task, now=6))]),
        lambda: older.arrive([task], 1),
    ]
    for attempt in attempts:
        with pytest.raises(OrchestraError):
            attempt()
    assert newer.get_tasks("r") == {"a": saved.record}


def test_the_index_lags_and_is_never_ahead_of_itself(world: World) -> None:
    table: Table = world.table
    world.faults.index_late = 1
    world.tape = Tape.of_values([65_000, 65_000, 65_000, 1])
    for at in (100, 200):
        table._index(replace(RUN, check_at=at))
    assert table.index == {}
    world.run(world.now + 10_000_000)
    assert table.index == {"r": 200}
