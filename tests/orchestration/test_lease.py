"""A claim under way: renewed by its owner only, and recorded whatever happened to the renewals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestration import invariants
from orchestration.engine import Skipped
from orchestration.model import TaskState
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.tasks import Result
from orchestration.workflow import Retry, Task, Workflow
from tests.support.behaviour import SUCCEEDED
from tests.support.memory import FakeServices
from tests.support.world import World

LONG = Workflow("long", {"A": Task("a", timeout_s=300)})


@dataclass
class Beating(FakeServices):
    """A service during which something happens, and then a sign of life is given, several times."""

    between: Sequence[Callable[[], None]] = ()
    beats: int = 0

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        between, self.between = self.between, ()  # in the first attempt
        for happens in between:
            happens()
            beat()
        return super().invoke(service, event, timeout_s, beat)


def running(workflow: Workflow, *between: Callable[[World], None]) -> World:
    services = Beating()
    world = World(services=services)
    services.between = [lambda happens=happens: happens(world) for happens in between]  # type: ignore[misc]
    world.start(workflow)
    world.deliver(world.queue.messages.pop())
    return world


def later(seconds: int) -> Callable[[World], None]:
    def passes(world: World) -> None:
        world.clock.time += seconds * 1000

    return passes


def leases(world: World) -> list[int | None]:
    return [new.lease_until for _, new in world.store.history if isinstance(new, TaskState) and new.status == "RUNNING"]


def test_a_long_task_is_renewed() -> None:
    world = running(LONG, later(20), later(20), later(20))
    start = 1_000_000
    assert leases(world) == [start + 90_000, start + 110_000, start + 130_000, start + 150_000]
    world.settle()
    assert world.run().status == SUCCEEDED
    assert world.task("A").attempt == 1
    invariants.check(world.store.history, LONG)


def test_a_task_whose_first_lease_is_for_all_of_its_time_is_not() -> None:
    workflow = Workflow("short", {"A": Task("a", timeout_s=60)})
    world = running(workflow, later(20), later(20))
    assert leases(world) == [1_000_000 + 90_000]
    world.settle()
    assert world.run().status == SUCCEEDED


def test_a_worker_that_lost_its_task_renews_and_records_nothing() -> None:
    def taken(world: World) -> None:
        assert world.sweep().repairs == (Repair.EXPIRE,)

    world = running(LONG, taken, later(20), later(20))
    assert world.outcomes == [Skipped("the result came too late: the task has another owner")]
    assert world.task("A").status == "READY"
    assert len(leases(world)) == 1
    assert world.heal() == []
    assert (world.run().status, world.task("A").attempt) == (SUCCEEDED, 2)
    invariants.check(world.store.history, LONG)


@dataclass
class Flaky:
    """A store that fails some of its writes, before or after they were carried out."""

    store: Any
    failures: list[str] = field(default_factory=list)

    def save(self, changes: Any) -> Any:
        how = self.failures.pop(0) if self.failures else "ok"
        if how == "before":
            raise TimeoutError
        outcome = self.store.save(changes)
        if how == "after":
            raise TimeoutError
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_renewal_that_fails_is_made_up_for_by_the_next(how: str) -> None:
    flaky = Flaky(None)

    def fails(world: World) -> None:
        world.clock.time += 20_000
        flaky.failures = [how]

    services = Beating()
    world = World(services=services)
    services.between = [lambda: fails(world), lambda: later(20)(world), lambda: fails(world)]
    world.start(LONG)
    flaky.store = world.store
    world.store = flaky  # type: ignore[assignment]
    world.deliver(world.queue.messages.pop())
    world.settle()
    assert world.run().status == SUCCEEDED
    assert (world.task("A").attempt, len(services.calls)) == (1, 1)
    invariants.check(world.store.history, LONG)


def test_a_failure_is_recorded_even_when_the_run_cannot_be_read() -> None:
    """The read tells whether another attempt has a purpose; without it there is one."""

    class Unreadable(Flaky):
        def get_run(self, run_id: str) -> Any:
            raise TimeoutError

    world = World(services=FakeServices(lambda event: 1 / 0 if event["attempt"] == 1 else "done"))
    world.start(Workflow("w", {"A": Task("a", retry=Retry(max_attempts=2))}))
    whole = world.store
    world.store = Unreadable(whole)  # type: ignore[assignment]
    world.deliver(world.queue.messages.pop())
    world.store = whole
    assert (world.task("A").status, world.task("A").attempt) == ("READY", 1)
    world.settle()
    assert world.run().status == SUCCEEDED


def throttled(failures: int) -> tuple[World, Flaky]:
    """Return the world after a task whose result could not be written for a while."""
    world = World()
    world.start(Workflow("w", {"A": Task("a", timeout_s=60)}))
    flaky = Flaky(world.store, ["ok"])  # the claim
    flaky.failures += ["before"] * failures
    world.store = flaky  # type: ignore[assignment]
    return world, flaky


@pytest.mark.parametrize("failures", [1, 5, 40])
def test_a_result_is_not_thrown_away_while_the_table_is_throttled(failures: int) -> None:
    world, _ = throttled(failures)
    world.deliver(world.queue.messages.pop())
    world.settle()
    assert (world.run().status, world.task("A").attempt, len(world.services.calls)) == (SUCCEEDED, 1, 1)


def test_a_result_is_given_up_with_its_lease() -> None:
    world, flaky = throttled(1_000)
    with pytest.raises(TimeoutError):
        world.deliver(world.queue.messages.pop())
    task = world.task("A")
    assert task.status == "RUNNING"
    assert (task.lease_until or 0) - world.clock.time <= 2_000
    flaky.failures.clear()
    assert world.heal() == [Repair.EXPIRE]
    assert (world.run().status, world.task("A").attempt) == (SUCCEEDED, 2)


def test_a_mistake_in_a_result_s_record_is_not_repeated_until_then() -> None:
    class Broken(Flaky):
        def save(self, changes: Any) -> Any:
            if self.failures:
                self.failures.pop()
                return self.store.save(changes)
            raise TypeError("a bug")

    world = World()
    world.start(Workflow("w", {"A": Task("a")}))
    world.store = Broken(world.store, ["ok"])  # type: ignore[assignment]
    before = world.clock.time
    with pytest.raises(TypeError, match="a bug"):
        world.deliver(world.queue.messages.pop())
    assert world.clock.time == before
