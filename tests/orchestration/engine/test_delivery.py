"""Whatever comes twice, late or out of order; handlers that die, and handlers at the same time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestration import invariants
from orchestration.engine import Executed, Skipped
from orchestration.model import Run, TaskState, TaskStatus
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.workflow import Retry, Workflow
from tests.support import shapes
from tests.support.behaviour import CANCELED, FAILED, SUCCEEDED, failing, failing_times, unreliable
from tests.support.faults import Crashed, Wire, crash
from tests.support.memory import FakeServices
from tests.support.world import World, run


@pytest.mark.parametrize("seed", range(200))
def test_whatever_comes_twice_in_any_order(seed: int) -> None:
    order = random.Random(seed)  # the seed is in the test's name
    workflow = shapes.drawn(order, retry=Retry(max_attempts=order.choice([1, 3]), delay_s=order.choice([0, 5])))
    world = run(workflow, unreliable(order), order, deliveries=order.choice([1, 2, 3]))

    invariants.check(world.store.history, workflow)
    ended = world.run()
    assert ended.status in {SUCCEEDED, FAILED}
    assert world.ended == [ended], "its end is told once"
    attempts = Counter(str(event["task_id"]) for _, event, _ in world.services.calls)
    assert attempts == {t: world.task(t).attempt for t in workflow.tasks if world.task(t).attempt}
    if ended.status == FAILED:
        assert ended.error is not None
        assert ended.error.task is not None
        assert replace(ended.error, task=None) == world.task(ended.error.task).error


@pytest.mark.parametrize("deliveries", [1, 2, 5])
def test_duplicates_invoke_nothing_twice(deliveries: int) -> None:
    world = run(shapes.fan(10), deliveries=deliveries)
    assert len(world.services.calls) == 12
    assert len(world.store.history) == 2 + 12 * 3 + 10


WORKFLOWS = {
    "diamond": (shapes.diamond(), failing(), SUCCEEDED),
    "sinks": (shapes.sinks(), failing(), SUCCEEDED),
    "fails": (shapes.diamond(), failing("B2"), FAILED),
    "sink fails": (shapes.sinks(), failing("X"), FAILED),
}


class Deliveries(World):
    """A world in which only the Orchestrator's processes go through the wire: start and advance."""

    def deliver(self, thing: Message | tuple[str, str], wire: Wire | None = None) -> None:
        super().deliver(thing, wire if isinstance(thing, tuple) else None)


def orchestrated(workflow: Workflow, task: Callable[[Mapping[str, Json]], Json], wire: Wire) -> Deliveries:
    world = Deliveries(services=FakeServices(task))
    try:
        world.start(workflow, wire=wire)
    except Crashed:
        world.crashes += 1
        world.start(workflow, wire=wire)
    world.settle(wire=wire)
    return world


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_orchestrator_dies_at_any_of_its_calls(name: str, after: bool) -> None:  # noqa: FBT001
    workflow, task, status = WORKFLOWS[name]
    whole = Wire()
    expected = orchestrated(workflow, task, whole)
    assert len(whole.calls) > 20
    for at in range(1, len(whole.calls) + 1):
        world = orchestrated(workflow, task, Wire(at, after=after, act=crash))
        assert world.crashes == 1, at
        assert world.run().status == status, at
        assert world.statuses(workflow) == expected.statuses(workflow), at
        assert len(world.services.calls) == len(expected.services.calls), at
        assert len(world.ended) <= 1, "its end is told at most once: a process can die before it tells"
        invariants.check(world.store.history, workflow)


@pytest.mark.parametrize("seed", range(30))
def test_the_orchestrator_dies_again_and_again(seed: int) -> None:
    order = random.Random(seed)
    workflow = shapes.drawn(order)

    def now_and_then() -> None:
        if order.random() < 0.04:
            raise Crashed

    class Often(Wire):
        def step(self, name: str, call: Callable[[], Any]) -> Any:
            now_and_then()
            result = call()
            now_and_then()
            return result

    world = Deliveries()
    for _ in range(1_000):
        try:
            world.start(workflow, wire=Often())
            break
        except Crashed:
            world.crashes += 1
    else:
        pytest.fail("no start came through")
    world.settle(order, wire=Often())
    assert world.run().status == SUCCEEDED
    assert len(world.services.calls) == len(workflow.tasks)
    invariants.check(world.store.history, workflow)


EXECUTE = ["get_run_and_task", "get_version", "get_outputs", "get_input", "save", "invoke", "save"]
"""The calls of one attempt: the fifth is the claim, the last records the result."""


def executed(at: int | None, *, after: bool) -> tuple[World, Wire]:
    """Return the world after a worker died at one of its calls, and its message came again."""
    world = World()
    world.start(shapes.single())
    wire = Wire(at, after=after, act=crash)
    message = world.queue.messages.pop()
    try:
        world.deliver(message, wire)
    except Crashed:
        wire.armed = False
        world.deliver(message)
    world.settle()
    return world, wire


def test_the_calls_of_an_attempt() -> None:
    assert executed(None, after=False)[1].calls == EXECUTE


@pytest.mark.parametrize(
    ("at", "after"), [*((at, after) for at in (1, 2, 3, 4) for after in (False, True)), (5, False)]
)
def test_a_worker_that_dies_before_its_claim_has_used_up_nothing(at: int, after: bool) -> None:  # noqa: FBT001
    world, _ = executed(at, after=after)
    assert world.run().status == SUCCEEDED
    assert (world.task("A").attempt, len(world.services.calls)) == (1, 1)
    invariants.check(world.store.history, shapes.single())


@pytest.mark.parametrize(("at", "after", "invoked"), [(5, True, 0), (6, False, 0), (6, True, 1), (7, False, 1)])
def test_a_worker_that_dies_after_its_claim_leaves_the_task_to_its_lease(at: int, after: bool, invoked: int) -> None:  # noqa: FBT001
    """Until the lease has run out nobody touches the task; then it is tried again, which uses up one attempt."""
    world, _ = executed(at, after=after)
    assert world.outcomes == [Skipped("the task is RUNNING")]
    assert world.run().status == "RUNNING"
    task = world.task("A")
    assert (task.status, task.attempt, task.owner) == (TaskStatus.RUNNING, 1, "token-1")
    assert task.started_at is not None
    assert task.lease_until == task.started_at + 90_000
    assert len(world.services.calls) == invoked
    assert world.heal() == [Repair.EXPIRE]
    assert world.clock.time >= task.lease_until
    assert world.run().status == SUCCEEDED
    assert (world.task("A").attempt, len(world.services.calls)) == (2, invoked + 1)
    invariants.check(world.store.history, shapes.single())


def test_a_worker_that_dies_after_its_result_has_done_all() -> None:
    world, _ = executed(7, after=True)
    assert world.run().status == SUCCEEDED
    assert world.outcomes == [Skipped("the task is SUCCEEDED")]


@pytest.mark.parametrize("after", [False, True])
def test_a_worker_that_dies_when_it_sends_the_next_attempt(after: bool) -> None:  # noqa: FBT001
    """Its message comes again, finds the task READY for another attempt, and is sent on or runs it."""
    workflow = shapes.single(Retry(max_attempts=2, delay_s=3))
    world = World(services=FakeServices(failing_times(1)))
    world.start(workflow)
    wire = Wire(9, after=after, act=crash)
    message = world.queue.messages.pop()
    with pytest.raises(Crashed):
        world.deliver(message, wire)
    assert wire.calls == [*EXECUTE[:6], "get_run", "save", "send"]
    world.deliver(message)
    world.settle()
    assert world.run().status == SUCCEEDED
    assert (world.task("A").attempt, len(world.services.calls)) == (2, 2)
    invariants.check(world.store.history, workflow)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.parametrize("twin", ["the same", "all"])
def test_a_handler_is_overtaken_at_any_of_its_calls(name: str, after: bool, twin: str) -> None:  # noqa: FBT001
    """At every call of every handler, the same thing is delivered to another one, or all that is there to be done.

    Nothing may come of that but the one right end: also no error, which would be one that somebody is woken by.
    """
    workflow, task, status = WORKFLOWS[name]
    whole = Wire()
    overtaken(workflow, task, whole, twin)
    assert len(whole.calls) > 20
    for at in range(1, len(whole.calls) + 1):
        world = overtaken(workflow, task, Wire(at, after=after), twin)
        assert world.run().status == status, at
        assert set(world.statuses(workflow).values()) <= {SUCCEEDED, FAILED, CANCELED}, at
        assert len(world.ended) == 1, at
        claims = [n for _, n in world.store.history if isinstance(n, TaskState) and n.status == "RUNNING"]
        assert len(world.services.calls) == len(claims), at
        invariants.check(world.store.history, workflow)


class Twins(World):
    """A world in which whatever is delivered is delivered to a second handler when the wire is hit."""

    twin = "all"

    def deliver(self, thing: Message | tuple[str, str], wire: Wire | None = None) -> None:
        if wire is not None:

            def act() -> None:
                # Time passes, or the two could write the same: then both take themselves for the one who did.
                self.clock.time += 1
                super(Twins, self).deliver(thing)
                if self.twin == "all":
                    self.settle()
                self.clock.time += 1

            wire.act = act
        super().deliver(thing, wire)


def overtaken(workflow: Workflow, task: Callable[[Mapping[str, Json]], Json], wire: Wire, twin: str) -> World:
    world = Twins(services=FakeServices(task))
    world.twin = twin
    wire.act = lambda: None
    world.start(workflow, wire=wire)
    world.settle(wire=wire)
    return world


def test_two_workers_and_one_message() -> None:
    world = World()
    world.start(shapes.single())
    message = world.queue.messages.pop()
    wire = Wire(5, act=lambda: world.deliver(message))
    world.deliver(message, wire)
    assert world.outcomes[1:] == [Skipped("another worker has claimed the task")]
    first = world.outcomes[0]
    assert isinstance(first, Executed)
    assert (first.service, first.claimed.status, first.task.status) == ("a", TaskStatus.RUNNING, TaskStatus.SUCCEEDED)
    assert len(world.services.calls) == 1


def test_a_result_that_comes_too_late_is_dropped() -> None:
    """The lease was taken away, and another attempt has ended, while the first worker waited."""
    workflow = shapes.single(Retry(max_attempts=2))
    world = World()
    world.start(workflow)

    def taken_away(event: Mapping[str, Json]) -> Json:
        world.services.run = lambda _: "second"
        assert world.sweep().repairs == (Repair.EXPIRE,)
        world.deliver(world.queue.messages.pop())
        return "first"

    world.services.run = taken_away
    world.deliver(world.queue.messages.pop())
    assert world.outcomes[-1] == Skipped("the result came too late: the task has another owner")
    world.settle()
    assert world.outputs(["A"]) == {"A": '"second"'}
    assert world.task("A").attempt == 2
    invariants.check(world.store.history, workflow)


def test_a_run_read_before_it_began_to_fail_is_not_decided_on() -> None:
    """A run and its task are read in one request, but not at one moment: the task may be the newer one."""
    workflow = shapes.diamond()
    world = run(workflow, failing("A"))
    assert set(world.statuses(workflow).values()) == {FAILED, CANCELED}
    ended = world.run()
    for task_id in workflow.tasks:
        for _, old in [write for write in world.store.history if isinstance(write[1], Run)]:
            stale = World(store=world.store, definitions=world.definitions)
            engine = replace(stale.engine(), store=_Stale(world.store, old))
            assert engine.advance("r", task_id) is None
            assert world.run() == ended


def test_a_run_read_before_it_began_to_fail_is_read_again() -> None:
    """Who was to end the run died at its last write; the record of a canceled task comes after it."""
    workflow = shapes.diamond()
    world = World(services=FakeServices(failing("A")))
    running = world.start(workflow)
    world.deliver(world.queue.messages.pop())
    wire = Wire(9, act=crash)
    with pytest.raises(Crashed):
        world.deliver(("r", "A"), wire)
    assert wire.calls == ["get_run_and_task", "get_version", "save", "get_tasks", *["save"] * 5]
    assert world.run().status == "FAILING"
    assert set(world.statuses(workflow).values()) == {FAILED, CANCELED}
    ended = replace(world.engine(), store=_Stale(world.store, running)).advance("r", "B1")
    assert ended == world.run()
    assert world.run().status == FAILED
    invariants.check(world.store.history, workflow)


class _Stale:
    """A store whose first read of a run is an old one."""

    def __init__(self, store: Any, old: Any) -> None:
        self._store = store
        self._old = old

    def get_run_and_task(self, run_id: str, task_id: str) -> tuple[Any, TaskState]:
        return self._old, self._store.get_run_and_task(run_id, task_id)[1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
