"""Redriving a run: what has not succeeded runs again, nothing else does, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from orchestration import invariants
from orchestration.engine import Asked
from orchestration.errors import Conflict, NotFound
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.behaviour import CANCELED, FAILED, SUCCEEDED, called, failing
from tests.support.faults import Crashed, Wire, crash
from tests.support.memory import FakeServices
from tests.support.world import World, run

DIAMOND = shapes.diamond()


def failed(workflow: Workflow = DIAMOND, *task_ids: str) -> World:
    """Return the world after a run in which some tasks have failed; they would succeed now."""
    world = run(workflow, failing(*task_ids))
    assert world.run().status == FAILED
    world.services.run = failing()
    world.services.calls.clear()
    world.ended.clear()
    return world


def test_what_failed_or_was_canceled_runs_again() -> None:
    world = failed(DIAMOND, "B2")
    asked = world.engine().redrive("r")
    assert (asked.run, asked.changed, asked.ended) == (world.run(), True, False)
    assert (asked.run.status, asked.run.epoch, asked.run.error, asked.run.finished_at) == ("RUNNING", 2, None, None)
    assert world.heal() == []
    assert world.run().status == SUCCEEDED
    assert called(world) == ["B2", "C"]
    assert world.ended == [world.run()]
    assert [world.task(t).epoch for t in DIAMOND.tasks] == [1, 1, 2, 1, 2]
    invariants.check(world.store.history, DIAMOND)


def test_the_task_is_given_the_attempts_of_its_policy_again_under_the_same_key() -> None:
    workflow = shapes.single(Retry(max_attempts=2, delay_s=0))
    world = failed(workflow, "A")
    world.services.run = failing("A")
    world.engine().redrive("r")
    world.heal()
    assert world.run().status == FAILED
    events = [event for _, event, _ in world.services.calls]
    assert [(event["attempt"], event["idempotency_key"]) for event in events] == [(1, "r/A"), (2, "r/A")]
    invariants.check(world.store.history, workflow)


def test_again_and_again() -> None:
    world = failed(DIAMOND, "B1", "C")
    for broken, invoked in (("B1", ["B1"]), ("C", ["B1", "C"]), ("", ["C"])):
        world.services.run = failing(broken)
        world.services.calls.clear()
        world.engine().redrive("r")
        world.heal()
        assert called(world) == invoked
    assert (world.run().status, world.run().epoch) == (SUCCEEDED, 4)
    invariants.check(world.store.history, DIAMOND)


def test_a_canceled_run() -> None:
    world = World()
    world.start(DIAMOND)
    world.engine().cancel("r")
    world.engine().redrive("r")
    world.heal()
    assert world.run().status == SUCCEEDED
    assert called(world) == ["A", "B1", "B2", "B3", "C"]
    invariants.check(world.store.history, DIAMOND)


@pytest.mark.parametrize("workflow", [shapes.single(), shapes.sinks()], ids=["one sink", "three sinks"])
def test_a_run_that_was_canceled_when_everything_had_succeeded_succeeds_at_once(workflow: Workflow) -> None:
    world = World()
    world.start(workflow)
    last = {"single": 1, "sinks": 4}[workflow.name]

    def meanwhile(event: Mapping[str, Json]) -> Json:
        if len(world.services.calls) == last:
            world.engine().cancel("r")
        return "late"

    world.services.run = meanwhile
    world.settle()
    assert world.run().status == CANCELED
    assert set(world.statuses(workflow).values()) == {SUCCEEDED}
    asked = world.engine().redrive("r")
    assert (asked.run.status, asked.ended) == (SUCCEEDED, True)
    assert len(world.services.calls) == last
    invariants.check(world.store.history, workflow)


# -- from a task -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["A", "B2"])
def test_from_a_task_after_which_all_that_failed_comes(first: str) -> None:
    world = failed(DIAMOND, "B2")
    world.engine().redrive("r", first)
    world.heal()
    assert world.run().status == SUCCEEDED
    assert called(world) == ["B2", "C"]


@pytest.mark.parametrize(("first", "other"), [("C", "B2"), ("B1", "B2"), ("B3", "B2")])
def test_from_a_task_that_did_not_fail_first_is_refused(first: str, other: str) -> None:
    world = failed(DIAMOND, "B2")
    before = list(world.store.history)
    with pytest.raises(Conflict) as error:
        world.engine().redrive("r", first)
    assert str(error.value) == (
        f"from_task: {other!r} has FAILED too, and does not come after {first!r}; redrive the run without naming a task"
    )
    assert world.store.history == before


def test_what_was_only_canceled_beside_it_runs_again_too() -> None:
    """X fails while the other branch has not got to Z, which is canceled: the run cannot end without it."""
    workflow = Workflow(
        "w", {"A": Task("a"), "X": Task("x", after=["A"]), "Y": Task("y", after=["A"]), "Z": Task("z", after=["Y"])}
    )
    world = failed(workflow, "X")
    assert world.task("Z").status == CANCELED
    world.engine().redrive("r", "X")
    world.heal()
    assert world.run().status == SUCCEEDED
    assert sorted(called(world)) == sorted({"X", "Z"} | ({"Y"} if world.task("Y").epoch == 2 else set()))


def test_a_request_that_is_repeated_when_the_run_has_failed_again_redrives_it_once() -> None:
    world = failed(shapes.single(), "A")
    world.services.run = failing("A")
    first = world.engine().redrive("r", epoch=1)
    assert (first.changed, first.run.epoch) == (True, 2)
    world.heal()
    assert world.run().status == FAILED
    before = list(world.store.history)
    again = world.engine().redrive("r", epoch=1)
    assert (again.run, again.changed, again.ended) == (world.run(), False, False)
    assert world.store.history == before
    assert len(world.services.calls) == 1
    assert world.engine().redrive("r", epoch=2).run.epoch == 3


# -- what cannot be redriven -------------------------------------------------------------------------------------------


def refused(world: World, kind: type[Exception], task: str | None = None) -> str:
    before = list(world.store.history)
    with pytest.raises(kind) as error:
        world.engine().redrive("r", task)
    assert world.store.history == before
    return str(error.value)


def test_a_run_that_is_unknown() -> None:
    assert refused(World(), NotFound) == "run_id: there is no run 'r'"


def test_a_task_that_is_unknown() -> None:
    assert refused(failed(DIAMOND, "A"), NotFound, "Z") == "from_task: the workflow 'abc' has no task 'Z'"


def test_a_run_that_has_not_failed() -> None:
    only = "only a run that is FAILED or CANCELED can be redriven"
    assert refused(run(DIAMOND), Conflict) == f"run_id: 'r' is SUCCEEDED; {only}"
    world = World()
    world.start(DIAMOND)
    assert refused(world, Conflict) == f"run_id: 'r' is RUNNING; {only}"


def test_a_run_that_is_still_ending() -> None:
    world = World()
    world.start(DIAMOND)

    def meanwhile(event: Mapping[str, Json]) -> Json:
        world.engine().cancel("r")
        assert refused(world, Conflict) == "run_id: 'r' is CANCELING; wait until it has ended, then redrive it"
        return None

    world.services.run = meanwhile
    world.settle()
    assert world.run().status == CANCELED


# -- twice, and with a crash in between --------------------------------------------------------------------------------


def test_a_redrive_that_is_repeated_is_one() -> None:
    world = failed(DIAMOND, "B2")
    first = world.engine().redrive("r")
    before = list(world.store.history)
    assert world.engine().redrive("r") == Asked(first.run, changed=False, ended=False)
    assert world.store.history == before


WORKFLOWS: dict[str, tuple[Workflow, tuple[str, ...]]] = {
    "diamond": (DIAMOND, ("B2",)),
    "root": (DIAMOND, ("A",)),
    "last": (DIAMOND, ("C",)),
    "sinks": (shapes.sinks(), ("X", "alone")),
}


@pytest.mark.parametrize("again", [False, True], ids=["sweeper", "asked again"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_redrive_that_dies_at_any_of_its_calls_is_finished(name: str, after: bool, again: bool) -> None:  # noqa: FBT001
    workflow, broken = WORKFLOWS[name]
    whole = Wire()
    expected = failed(workflow, *broken)
    expected.engine(whole).redrive("r")
    expected.heal()
    assert whole.calls[:4] == ["get_run", "get_version", "get_tasks", "save"]
    for at in range(1, len(whole.calls) + 1):
        world = failed(workflow, *broken)
        with pytest.raises(Crashed):
            world.engine(Wire(at, after=after, act=crash)).redrive("r")
        committed = at > 4 or (at == 4 and after)
        assert (world.run().status == "RUNNING") is committed, at
        if again or not committed:
            world.engine().redrive("r")
            assert set(world.heal()) <= {Repair.START, Repair.FOLLOW, Repair.DISPATCH}, at
        else:
            assert set(world.heal()) <= {Repair.REDRIVE, Repair.START, Repair.FOLLOW, Repair.DISPATCH}, at
        assert (world.run().status, world.run().epoch) == (SUCCEEDED, 2), at
        assert sorted(called(world)) == sorted(called(expected)), at
        invariants.check(world.store.history, workflow)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_redrive_is_overtaken_at_any_of_its_calls(name: str, after: bool) -> None:  # noqa: FBT001
    """While it is at a call: another redrive and all that follows, a sweep, or a cancel."""
    workflow, broken = WORKFLOWS[name]
    whole = Wire()
    failed(workflow, *broken).engine(whole).redrive("r")
    others: list[tuple[Callable[[World], object], set[str]]] = [
        (redriven, {SUCCEEDED}),
        (swept, {SUCCEEDED}),
        (lambda world: world.engine().cancel("r"), {SUCCEEDED, CANCELED}),
    ]
    for other, statuses in others:
        for at in range(1, len(whole.calls) + 1):
            world = failed(workflow, *broken)
            overtaken(world, Wire(at, after=after), other)
            assert world.run().status in statuses, (at, world.run())
            invariants.check(world.store.history, workflow)


def overtaken(world: World, wire: Wire, other: Callable[[World], object]) -> None:
    def act() -> None:
        world.clock.time += 1
        other(world)
        world.clock.time += 1

    wire.act = act
    try:
        world.engine(wire).redrive("r")
    except Conflict:
        assert world.run().status in {SUCCEEDED, "RUNNING"}  # by the time it asked, the other had done it
    world.heal()


def redriven(world: World) -> None:
    world.engine().redrive("r")
    world.settle()


def swept(world: World) -> None:
    if world.run().check_at is not None:
        world.sweep()
        world.settle()


# -- readers that are behind -------------------------------------------------------------------------------------------


def test_a_handler_that_read_the_run_before_its_redrive_decides_nothing_on_it() -> None:
    """At each of its calls, the record of the failed task is dealt with while the whole rest of the story happens."""
    calls = 12
    for at in range(1, calls):
        for after in (False, True):
            world = World(services=FakeServices(failing("B2")))
            world.start(DIAMOND)
            while box := world.queue.messages or world.store.stream:
                thing = box.pop(0)
                if thing != ("r", "B2"):
                    world.deliver(thing)
            assert (world.run().status, world.task("B2").status) == ("RUNNING", FAILED)

            def meanwhile(world: World = world) -> None:
                world.clock.time += 1
                world.engine().advance("r", "B2")
                world.services.run = failing()
                if world.run().status == FAILED:
                    world.engine().redrive("r")
                    world.settle()
                world.clock.time += 1

            world.engine(Wire(at, after=after, act=meanwhile)).advance("r", "B2")
            if world.run().status == FAILED:
                world.services.run = failing()
                world.engine().redrive("r")
            world.heal()
            assert world.run().status == SUCCEEDED, (at, after)
            invariants.check(world.store.history, DIAMOND)


def test_a_late_record_of_the_epoch_before_fails_nothing() -> None:
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b", after=["A"])})
    world = failed(workflow, "A")
    wire = Wire(4, after=True, act=crash)
    with pytest.raises(Crashed):
        world.engine(wire).redrive("r")  # the run is RUNNING again, and its tasks are not yet
    assert world.engine().advance("r", "A") is None
    assert world.run().status == "RUNNING"
    assert world.heal() == [Repair.REDRIVE]
    assert world.run().status == SUCCEEDED
    invariants.check(world.store.history, workflow)


def test_a_deadline_begins_anew() -> None:
    workflow = Workflow("w", {"A": Task("a")}, timeout_s=100)
    world = World(services=FakeServices(failing("A")))
    started = world.start(workflow)
    assert started.deadline_at == started.started_at + 100_000
    world.settle()
    world.clock.time += 1_000_000
    world.services.run = failing()
    run_ = world.engine().redrive("r").run
    assert run_.deadline_at == world.clock.time + 100_000
    world.heal()
    assert world.run().status == SUCCEEDED
