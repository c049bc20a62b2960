"""Starting a run: again, with something else, and at the same time as another."""

from __future__ import annotations

import pytest

from orchestration import invariants, payload
from orchestration.errors import Conflict
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.behaviour import SUCCEEDED
from tests.support.faults import Wire
from tests.support.world import World


def test_the_same_start_again_is_the_same_run() -> None:
    world = World()
    first = world.engine()
    world.definitions.put_version(shapes.diamond())
    started = first.start(shapes.diamond(), "r", '"text"')
    assert started.created
    world.clock.time += 5_000
    again = world.engine().start(shapes.diamond(), "r", '"text"')
    assert (again.run, again.workflow, again.created) == (started.run, started.workflow, False)
    assert world.moves() == [("r", "-", "RUNNING"), ("A", "-", "READY")]
    world.settle()
    after = world.engine().start(shapes.diamond(), "r", '"text"')
    assert (after.run, after.created) == (world.run(), False)
    assert len(world.services.calls) == 5
    assert world.queue.messages == []


def test_a_start_with_another_input_is_refused_and_writes_nothing() -> None:
    world = World()
    world.start(shapes.diamond(), run_input='"one"')
    before = (list(world.store.history), dict(world.store.inputs), list(world.queue.messages))
    with pytest.raises(Conflict) as error:
        world.engine().start(shapes.diamond(), "r", '"two"')
    assert str(error.value) == "run_id: 'r' is a run with another input already; use another id"
    assert (world.store.history, world.store.inputs, world.queue.messages) == before


def test_a_start_of_another_workflow_is_refused_and_writes_nothing() -> None:
    world = World()
    world.start(shapes.diamond())
    before = (list(world.store.history), dict(world.store.inputs), list(world.queue.messages))
    with pytest.raises(Conflict) as error:
        world.engine().start(shapes.single(), "r", "null")
    assert str(error.value) == "run_id: 'r' is a run of the workflow 'abc' already; use another id"
    assert (world.store.history, world.store.inputs, world.queue.messages) == before


def test_a_run_keeps_the_definition_that_it_was_started_with() -> None:
    world = World()
    old = shapes.diamond()
    world.start(old)
    new = Workflow("abc", {"other": Task("a")})
    world.definitions.put_version(new)
    again = world.engine().start(new, "r", "null")
    assert (again.workflow, again.run.definition, again.created) == (old, old.version, False)
    world.settle()
    assert world.statuses(old) == dict.fromkeys(old.tasks, SUCCEEDED)


@pytest.mark.parametrize("other_input", ['"one"', '"two"'])
@pytest.mark.parametrize("at", range(1, 8))
@pytest.mark.parametrize("after", [False, True])
def test_two_starts_at_once(other_input: str, at: int, after: bool) -> None:  # noqa: FBT001
    """While one start is at its every call, another one is carried out as a whole."""
    world = World()
    world.definitions.put_version(shapes.diamond())
    done: list[str] = []

    def start(run_input: str, wire: Wire | None = None) -> None:
        try:
            started = world.engine(wire).start(shapes.diamond(), "r", run_input)
        except Conflict:
            done.append("conflict")
        else:
            done.append("created" if started.created else "found")

    def overtake() -> None:
        world.clock.time += 1
        start(other_input)
        world.clock.time += 1

    wire = Wire(at, after=after, act=overtake)
    start('"one"', wire)
    if len(done) == 1:
        start(other_input)  # the first was done before this call number

    if other_input == '"one"':
        assert sorted(done) == ["created", "found"]
    else:
        assert sorted(done) == ["conflict", "created"]
    stored = world.run()
    assert world.store.get_input(stored) in {'"one"', '"two"'}
    assert payload.digest(world.store.get_input(stored)) == stored.input_digest
    assert len(world.store.inputs) == 1, "the loser's input is gone"
    world.settle()
    assert world.run().status == SUCCEEDED
    assert len(world.services.calls) == 5
    invariants.check(world.store.history, shapes.diamond())
