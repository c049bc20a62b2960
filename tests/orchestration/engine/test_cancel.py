"""Canceling a run: at any moment, twice, and with a crash in between."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestration import invariants
from orchestration.engine import Skipped
from orchestration.errors import NotFound
from orchestration.model import Handoff
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.behaviour import CANCELED, FAILED, SUCCEEDED, called, failing
from tests.support.faults import Crashed, Wire, crash
from tests.support.memory import FakeServices
from tests.support.world import World, run


def test_what_has_not_started_never_will() -> None:
    world = World()
    world.start(shapes.diamond())
    asked = world.engine().cancel("r")
    assert (asked.run, asked.changed, asked.ended) == (world.run(), True, True)
    assert (world.run().status, world.run().error, world.run().check_at) == (CANCELED, None, None)
    assert world.statuses(shapes.diamond()) == dict.fromkeys(shapes.diamond().tasks, CANCELED)
    world.settle()
    assert world.outcomes == [Skipped("the task is CANCELED")]
    assert called(world) == []
    invariants.check(world.store.history, shapes.diamond())


def test_what_runs_may_end_and_its_result_is_kept() -> None:
    workflow = shapes.diamond()
    world = World()
    world.start(workflow)

    def meanwhile(event: Mapping[str, Json]) -> Json:
        asked = world.engine().cancel("r")
        assert (asked.run.status, asked.changed, asked.ended) == ("CANCELING", True, False)
        assert world.statuses(workflow)["A"] == "RUNNING"
        return "late"

    world.services.run = meanwhile
    world.settle()
    assert world.run().status == CANCELED
    assert world.statuses(workflow) == {"A": SUCCEEDED, "B1": CANCELED, "B2": CANCELED, "B3": CANCELED, "C": CANCELED}
    assert world.outputs(["A"]) == {"A": '"late"'}
    assert world.ended == [world.run()]
    invariants.check(world.store.history, workflow)


@pytest.mark.parametrize(("task", "status"), [(failing(), SUCCEEDED), (failing("B2"), FAILED)])
def test_a_run_that_has_ended_is_left_as_it_is(task: FakeServices, status: str) -> None:
    world = run(shapes.diamond(), task)  # type: ignore[arg-type]
    before = list(world.store.history)
    asked = world.engine().cancel("r")
    assert (asked.run.status, asked.changed, asked.ended) == (status, False, False)
    assert world.store.history == before


def test_canceling_twice_is_canceling_once() -> None:
    world = World()
    world.start(shapes.diamond())
    first = world.engine().cancel("r")
    before = list(world.store.history)
    again = world.engine().cancel("r")
    assert (again.run, again.changed, again.ended) == (first.run, False, False)
    assert world.store.history == before


def test_a_run_that_is_failing_fails() -> None:
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b")})
    world = World(services=FakeServices(failing("A")))
    world.start(workflow)

    def meanwhile(event: Mapping[str, Json]) -> Json:
        world.services.run = failing("A")
        world.deliver(next(m for m in messages if m.task_id == "A"))
        world.deliver(("r", "A"))
        assert world.engine().cancel("r").run.status == "FAILING"
        return "late"

    messages = list(world.queue.messages)
    world.services.run = meanwhile
    world.deliver(next(m for m in messages if m.task_id == "B"))
    world.settle()
    assert world.run().status == FAILED


def test_a_run_that_is_unknown() -> None:
    with pytest.raises(NotFound, match=r"^run_id: there is no run 'r'$"):
        World().engine().cancel("r")


def test_a_task_that_waits_for_another_attempt_is_not_waited_for() -> None:
    workflow = shapes.single(Retry(max_attempts=2, delay_s=800))
    world = World(services=FakeServices(failing("A")))
    world.start(workflow)
    world.deliver(world.queue.messages.pop())
    assert world.engine().cancel("r").run.status == CANCELED
    invariants.check(world.store.history, workflow)


def test_a_worker_cancels_what_its_run_does_not_wait_for_before_it_is_due() -> None:
    """The run was canceled by a handler that then died; the task waits for another attempt."""
    workflow = shapes.single(Retry(max_attempts=2, delay_s=800))
    world = World(services=FakeServices(failing("A")))
    world.start(workflow)
    world.deliver(world.queue.messages.pop())
    wire = Wire(2, after=True, act=crash)
    with pytest.raises(Crashed):
        world.engine(wire).cancel("r")
    assert world.run().status == "CANCELING"
    assert world.engine().execute(Message("r", "A", 1), world.services) == Skipped("the run is CANCELING")
    assert world.task("A").handoff is Handoff.STREAM
    world.settle()
    assert world.run().status == CANCELED
    invariants.check(world.store.history, workflow)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", [False, True], ids=["sweeper", "asked again"])
def test_a_cancel_that_dies_at_any_of_its_calls_is_finished(after: bool, again: bool) -> None:  # noqa: FBT001
    whole = Wire()
    world = World()
    world.start(shapes.diamond())
    world.engine(whole).cancel("r")
    assert whole.calls == ["get_run", "save", "get_version", "get_tasks", *["save"] * 5, "save"]
    for at in range(1, len(whole.calls) + 1):
        world = World()
        world.start(shapes.diamond())
        with pytest.raises(Crashed):
            world.engine(Wire(at, after=after, act=crash)).cancel("r")
        committed = at > 2 or (at == 2 and after)
        assert (world.run().status == "RUNNING") is not committed, at
        if again or not committed:
            world.engine().cancel("r")
        else:
            world.queue.messages.clear()  # the message of A would do it too
            assert world.heal() == ([] if at == len(whole.calls) and after else [Repair.SETTLE]), at
        assert world.run().status == CANCELED, at
        assert called(world) == [], at
        invariants.check(world.store.history, shapes.diamond())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_cancel_comes_at_any_call_of_any_handler(after: bool) -> None:  # noqa: FBT001
    """Whoever is overtaken by it, there is one end, and every task that was invoked has its own."""
    workflow = shapes.diamond()
    whole = Wire()
    canceled_at(workflow, whole)
    assert len(whole.calls) > 40
    for at in range(1, len(whole.calls) + 1):
        world = canceled_at(workflow, Wire(at, after=after))
        assert world.run().status in {CANCELED, SUCCEEDED}, at
        assert set(world.statuses(workflow).values()) <= {SUCCEEDED, CANCELED}, at
        assert called(world) == [t for t in called(world) if world.task(t).status == SUCCEEDED], at
        invariants.check(world.store.history, workflow)


def canceled_at(workflow: Workflow, wire: Wire) -> World:
    world = World()
    world.start(workflow)

    def cancel() -> None:
        world.clock.time += 1
        world.engine().cancel("r")
        world.clock.time += 1

    wire.act = cancel
    world.settle(wire=wire)
    return world
