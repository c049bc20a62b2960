"""Whole runs in memory: what is written, invoked and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from orchestration import invariants, payload
from orchestration.engine import Skipped
from orchestration.model import Failure, Handoff, Run, RunStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.store import Change
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.behaviour import CANCELED, FAILED, SUCCEEDED, called, failing, failing_times
from tests.support.memory import FakeServices
from tests.support.world import World, run


def test_the_whole_history_of_the_diamond() -> None:
    world = run(shapes.diamond())
    assert world.moves() == [
        ("r", "-", "RUNNING"),
        ("A", "-", "READY"),
        ("A", "READY", "RUNNING"),
        ("A", "RUNNING", "SUCCEEDED"),
        ("B1", "-", "READY"),
        ("B2", "-", "READY"),
        ("B3", "-", "READY"),
        ("B1", "READY", "RUNNING"),
        ("B1", "RUNNING", "SUCCEEDED"),
        ("B2", "READY", "RUNNING"),
        ("B2", "RUNNING", "SUCCEEDED"),
        ("B3", "READY", "RUNNING"),
        ("B3", "RUNNING", "SUCCEEDED"),
        ("C", "-", "PENDING"),
        ("C", "PENDING", "PENDING"),
        ("C", "PENDING", "PENDING"),
        ("C", "PENDING", "READY"),
        ("C", "READY", "RUNNING"),
        ("C", "RUNNING", "SUCCEEDED"),
        ("r", "RUNNING", "SUCCEEDED"),
    ]
    invariants.check(world.store.history, shapes.diamond())
    assert [sorted(world.task(task_id).arrived) for task_id in shapes.diamond().tasks] == [[], [0], [0], [0], [1, 2, 3]]
    assert world.run().arrived == {4}
    assert called(world) == ["A", "B1", "B2", "B3", "C"]
    assert world.ended == [world.run()]


@pytest.mark.parametrize(
    ("workflow", "writes", "messages"),
    [
        # the run twice; each task three times; each join once for each dependency (the run is one if it has sinks)
        (shapes.single(), 2 + 3, 1),
        (shapes.diamond(), 2 + 5 * 3 + 3, 5),
        (shapes.chain(100), 2 + 100 * 3, 100),
        (shapes.fan(60), 2 + 62 * 3 + 60, 62),
        (shapes.sinks(), 2 + 4 * 3 + 3, 4),
        (shapes.layered(4, 5), 2 + 20 * 3 + 3 * 15 + 5, 20),
    ],
    ids=["single", "diamond", "chain of 100", "fan of 60", "three sinks", "layers"],
)
def test_the_budget_of_a_run(workflow: Workflow, writes: int, messages: int) -> None:
    world = run(workflow)
    assert world.statuses(workflow) == dict.fromkeys(workflow.tasks, SUCCEEDED)
    assert world.run().status == SUCCEEDED
    assert len(world.store.history) == writes
    assert len(world.queue.delays) == messages
    assert len(world.services.calls) == len(workflow.tasks)
    assert len(world.store.inputs) == 1
    assert len(world.ended) == 1
    invariants.check(world.store.history, workflow)


def test_a_start_writes_as_little_for_a_large_graph() -> None:
    world = World()
    world.start(shapes.wide(2_000))
    assert world.moves() == [("r", "-", "RUNNING"), ("first", "-", "READY")]


def test_what_a_task_is_given() -> None:
    workflow = Workflow(
        "w",
        {
            "A": Task("a", params={"n": 1}),
            "B": Task("b"),
            "C": Task("c", after=["A", "B"], params={"list": [1.0, None]}, timeout_s=7),
        },
    )
    world = World(services=FakeServices(lambda event: {"from": event["task_id"], "é": [1.5]}))
    world.start(workflow, "run-1", '{"text":"\\u00e9"}')
    world.settle()
    service, event, timeout_s = world.services.calls[-1]
    assert (service, timeout_s) == ("c", 7)
    started_at = world.task("C", "run-1").started_at
    assert started_at is not None
    assert event == {
        "run_id": "run-1",
        "workflow": "w",
        "task_id": "C",
        "attempt": 1,
        "idempotency_key": "run-1/C",
        "deadline_at": started_at + 7_000,
        "params": {"list": [1.0, None]},
        "input": {"text": "é"},
        "upstream": {"A": {"from": "A", "é": [1.5]}, "B": {"from": "B", "é": [1.5]}},
    }
    assert world.services.calls[0][1]["upstream"] == {}
    assert world.services.calls[0][1]["params"] == {"n": 1}


def test_only_direct_dependencies_are_upstream() -> None:
    world = run(shapes.chain(3))
    assert [event["upstream"] for _, event, _ in world.services.calls] == [
        {},
        {"t00000": "t00000"},
        {"t00001": "t00001"},
    ]


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, {"a": None}, "é\u2028", 2**70, 1.0, -0.0])
def test_every_value_arrives_as_it_was_returned(value: Json) -> None:
    world = run(shapes.chain(2), lambda event: value)
    assert repr(world.services.calls[1][1]["upstream"]) == repr({"t00000": value})
    text = payload.dump(value, what="output")
    assert world.outputs(["t00000", "t00001"]) == {"t00000": text, "t00001": text}


def test_the_deepest_input_that_is_accepted_can_be_passed_on() -> None:
    value: Json = 0
    for _ in range(payload.MAX_DEPTH):
        value = [value]
    world = World()
    world.start(shapes.chain(2), run_input=payload.dump(value, what="input"))
    world.services.run = lambda event: event["input"]
    world.settle()
    assert world.run().status == SUCCEEDED
    assert world.services.calls[1][1]["upstream"]["t00000"] == value


def test_a_task_that_fails_fails_the_run() -> None:
    workflow = shapes.diamond()
    world = run(workflow, failing("A"))
    assert world.statuses(workflow) == {"A": FAILED, "B1": CANCELED, "B2": CANCELED, "B3": CANCELED, "C": CANCELED}
    assert called(world) == ["A"]
    started = world.store.history[0][1]
    assert isinstance(started, Run)
    assert world.run() == replace(
        started,
        status=RunStatus.FAILED,
        version=3,
        error=Failure("Boom", "A broke", task="A"),
        check_at=None,
        finished_at=world.run().finished_at,
    )
    assert world.task("A").error == Failure("Boom", "A broke")
    assert world.ended == [world.run()]
    assert world.moves() == [
        ("r", "-", "RUNNING"),
        ("A", "-", "READY"),
        ("A", "READY", "RUNNING"),
        ("A", "RUNNING", "FAILED"),
        ("r", "RUNNING", "FAILING"),
        ("B1", "-", "CANCELED"),
        ("B2", "-", "CANCELED"),
        ("B3", "-", "CANCELED"),
        ("C", "-", "CANCELED"),
        ("r", "FAILING", "FAILED"),
    ]
    invariants.check(world.store.history, workflow)


def test_a_task_that_fails_while_others_wait_and_run() -> None:
    """B1 fails; B2 is READY and never runs; B3 runs on, and its result is recorded; then the run ends."""
    workflow = shapes.diamond()
    world = World(services=FakeServices(failing("B1")))
    world.start(workflow)
    world.deliver(world.queue.messages.pop(0))  # A runs
    world.deliver(world.store.stream.pop(0))  # A's end: B1, B2, B3 are READY
    messages = {message.task_id: message for message in world.queue.messages}
    world.queue.messages.clear()

    def meanwhile(event: Mapping[str, Json]) -> Json:
        """B1 fails, and that is dealt with, while B3 is running."""
        world.services.run = failing("B1")
        world.deliver(messages["B1"])
        world.deliver(world.store.stream.pop(0))
        assert world.run().status == "FAILING"
        assert world.statuses(workflow) == {
            "A": SUCCEEDED,
            "B1": FAILED,
            "B2": CANCELED,
            "B3": "RUNNING",
            "C": CANCELED,
        }
        return "late"

    world.services.run = meanwhile
    world.deliver(messages["B3"])
    assert world.run().status == "FAILING"
    world.deliver(messages["B2"])
    world.settle()

    assert world.statuses(workflow) == {"A": SUCCEEDED, "B1": FAILED, "B2": CANCELED, "B3": SUCCEEDED, "C": CANCELED}
    assert world.run().status == FAILED
    assert world.run().error == Failure("Boom", "B1 broke", task="B1")
    assert world.outputs(["B3"]) == {"B3": '"late"'}
    assert called(world) == ["A", "B3", "B1"]
    assert world.outcomes[-1] == Skipped("the task is CANCELED")
    invariants.check(world.store.history, workflow)


def test_the_first_failure_that_is_dealt_with_names_the_run_s_error() -> None:
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b")})
    world = World(services=FakeServices(failing("A", "B")))
    world.start(workflow)
    for message in list(world.queue.messages):
        world.deliver(message)
    assert world.statuses(workflow) == {"A": FAILED, "B": FAILED}
    world.deliver(("r", "B"))
    assert world.run().status == FAILED
    assert world.run().error == Failure("Boom", "B broke", task="B")
    before = world.run()
    world.deliver(("r", "A"))
    assert world.run() == before
    invariants.check(world.store.history, workflow)


def test_a_task_that_is_ready_in_a_failing_run_is_canceled_by_its_worker_too() -> None:
    """Its message was claimed by nobody when the run began to fail; whoever comes first cancels it."""
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b")})
    world = World(services=FakeServices(failing("A")))
    started = world.start(workflow)
    failing_run = replace(started, status=RunStatus.FAILING, version=2, error=Failure("Boom", "", task="A"))
    world.deliver(next(m for m in world.queue.messages if m.task_id == "A"))
    world.store.save([Change(started, failing_run)])
    world.deliver(next(m for m in world.queue.messages if m.task_id == "B"))
    assert world.outcomes[-1] == Skipped("the run is FAILING")
    assert world.task("B").status == CANCELED
    assert world.task("B").handoff is Handoff.STREAM
    assert called(world) == ["A"]
    world.deliver(("r", "B"))  # A's own record is late, or lost: B's ends the run
    assert world.run().status == FAILED
    invariants.check(world.store.history, workflow)


def test_a_failing_run_whose_items_are_deleted_meanwhile_is_left_alone() -> None:
    world = World(services=FakeServices(failing_times(1)))
    world.start(shapes.diamond())
    world.deliver(world.queue.messages.pop())
    deleted = world.run()
    world.store.records.clear()
    assert world.engine().fail(deleted, Failure("Boom", "bang")) == deleted


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message("unknown", "A", 1), "there is no such run"),
        (Message("r", "stranger", 1), "the task is PENDING"),
        (Message("r", "C", 1), "the task is PENDING"),
        (Message("r", "r", 999), "the task is PENDING"),
    ],
)
def test_a_message_that_nothing_is_ready_for(message: Message, reason: str) -> None:
    world = World()
    world.start(shapes.diamond())
    before = list(world.store.history)
    assert world.engine().execute(message, world.services) == Skipped(reason)
    assert world.store.history == before
    assert world.services.calls == []


@pytest.mark.parametrize("message", [Message("r", task_id, version) for task_id in "AC" for version in (0, 1, 99)])
def test_a_message_for_a_run_that_has_ended(message: Message) -> None:
    world = run(shapes.diamond())
    before = list(world.store.history)
    assert world.engine().execute(message, world.services) == Skipped("the task is SUCCEEDED")
    assert (world.store.history, world.queue.messages) == (before, [])


@pytest.mark.parametrize("record", [("unknown", "A"), ("r", "A"), ("r", "C"), ("r", "stranger")])
def test_a_record_of_what_has_not_ended(record: tuple[str, str]) -> None:
    world = World()
    world.start(shapes.diamond())
    before = list(world.store.history)
    assert world.engine().advance(*record) is None
    assert (world.store.history, len(world.queue.messages)) == (before, 1)


@pytest.mark.parametrize("task", [failing(), failing("B2")], ids=["succeeded", "failed"])
def test_every_record_again_after_the_end_changes_nothing(task: Callable[[Mapping[str, Json]], Json]) -> None:
    world = run(shapes.diamond(), task)
    before = list(world.store.history)
    for task_id in shapes.diamond().tasks:
        assert world.engine().advance("r", task_id) is None
    assert (world.store.history, world.queue.messages, world.store.stream) == (before, [], [])


def test_a_record_that_comes_again_sends_again_and_writes_nothing() -> None:
    world = World()
    world.start(shapes.diamond())
    world.deliver(world.queue.messages.pop())
    world.deliver(("r", "A"))
    before = list(world.store.history)
    world.queue.messages.clear()
    world.deliver(("r", "A"))
    assert world.store.history == before
    assert world.queue.messages == [Message("r", "B1", 1), Message("r", "B2", 1), Message("r", "B3", 1)]


def test_a_task_whose_input_is_gone_fails_before_it_is_invoked() -> None:
    """Nobody could ever run it, so that waiting for it would be for ever."""
    workflow = shapes.diamond()
    world = World()
    world.start(workflow)
    world.store.inputs.clear()
    world.settle()
    assert world.run().error == Failure("Orchestra.DataMissing", "r: the run's input is missing", task="A")
    assert (world.run().status, called(world)) == (FAILED, [])
    invariants.check(world.store.history, workflow)


def test_a_task_whose_upstream_output_is_gone_fails_before_it_is_invoked() -> None:
    workflow = shapes.chain(2)
    world = World()
    world.start(workflow)
    world.deliver(world.queue.messages.pop())
    world.deliver(world.store.stream.pop())
    world.store.get_outputs = lambda *_: {}  # type: ignore[method-assign]
    world.settle()
    error = Failure("Orchestra.DataMissing", "the output of t00000 is missing", task="t00001")
    assert (world.run().error, world.run().status) == (error, FAILED)


def test_outputs_that_are_too_many_for_one_task_fail_it_before_it_is_invoked() -> None:
    text = "x" * (payload.LIMIT_BYTES - 2)
    workflow = shapes.fan(25)
    world = run(workflow, lambda event: text if event["task_id"] != "last" else None)
    too_large = "the outputs of 25 tasks are more than 6291456 bytes together"
    assert world.run().error == Failure("States.DataLimitExceeded", too_large, task="last")
    assert world.run().status == FAILED
    assert "last" not in called(world)
    invariants.check(world.store.history, workflow)
