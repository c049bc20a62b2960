"""Whole runs in memory: what is written, invoked and answered; whatever comes twice, late, out of order, or dies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from orchestration import payload
from orchestration.engine import Executed, Skipped
from orchestration.errors import Conflict
from orchestration.model import Failure, Handoff, Run, RunStatus, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.store import Change
from orchestration.tasks import Raised, Result
from orchestration.workflow import Retry, Task, Workflow
from tests.support import invariants, shapes
from tests.support.faults import Crashed, Wire, crash
from tests.support.memory import FakeServices
from tests.support.world import World, run

SUCCEEDED, FAILED, CANCELED = "SUCCEEDED", "FAILED", "CANCELED"


class Boom(Exception):
    pass


def failing(*task_ids: str) -> Callable[[Mapping[str, Json]], Json]:
    """Make a task that raises where it is one of these."""

    def task(event: Mapping[str, Json]) -> Json:
        if event["task_id"] in task_ids:
            raise Boom(f"{event['task_id']} broke")
        return event["task_id"]

    return task


def called(world: World) -> list[str]:
    return [str(event["task_id"]) for _, event, _ in world.services.calls]


# -- a run that succeeds -----------------------------------------------------------------------------------------------


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
    assert world.store.get_outputs("r", ["t00000", "t00001"]) == {"t00000": text, "t00001": text}


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


# -- a run that fails --------------------------------------------------------------------------------------------------


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
    assert world.store.get_outputs("r", ["B3"]) == {"B3": '"late"'}
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


# -- retries -----------------------------------------------------------------------------------------------------------


def failing_times(times: int) -> Callable[[Mapping[str, Json]], Json]:
    def task(event: Mapping[str, Json]) -> Json:
        if event["attempt"] <= times:
            raise Boom(f"attempt {event['attempt']}")
        return event["attempt"]

    return task


def test_a_failed_attempt_is_tried_again() -> None:
    workflow = shapes.single(Retry(max_attempts=3, delay_s=2, backoff=3))
    world = run(workflow, failing_times(2))
    task = world.task("A")
    assert (task.status, task.attempt, task.output, task.error) == (SUCCEEDED, 3, "3", None)
    assert [event["attempt"] for _, event, _ in world.services.calls] == [1, 2, 3]
    assert {event["idempotency_key"] for _, event, _ in world.services.calls} == {"r/A"}
    assert world.queue.delays == [0, 2, 6]
    assert world.moves() == [
        ("r", "-", "RUNNING"),
        ("A", "-", "READY"),
        ("A", "READY", "RUNNING"),
        ("A", "RUNNING", "READY"),
        ("A", "READY", "RUNNING"),
        ("A", "RUNNING", "READY"),
        ("A", "READY", "RUNNING"),
        ("A", "RUNNING", "SUCCEEDED"),
        ("r", "RUNNING", "SUCCEEDED"),
    ]
    claims = [new for _, new in world.store.history if isinstance(new, TaskState) and new.status == "RUNNING"]
    assert [claim.owner for claim in claims] == ["token-1", "token-2", "token-3"]
    invariants.check(world.store.history, workflow)


def test_attempts_run_out() -> None:
    workflow = shapes.single(Retry(max_attempts=3, delay_s=1))
    world = run(workflow, failing_times(99))
    assert world.task("A").attempt == 3
    assert world.run().error == Failure("Boom", "attempt 3", task="A")
    assert world.run().status == FAILED
    assert len(world.services.calls) == 3
    invariants.check(world.store.history, workflow)


@pytest.mark.parametrize(("on", "attempts"), [(["Boom"], 3), (["Other", "Boom"], 3), (["Other"], 1), (["*"], 3)])
def test_a_policy_selects_by_the_error_s_name(on: list[str], attempts: int) -> None:
    world = run(shapes.single(Retry(max_attempts=3, delay_s=0, on=on)), failing_times(2))
    assert world.task("A").attempt == attempts
    assert world.run().status == (SUCCEEDED if attempts == 3 else FAILED)


class Refusing(FakeServices):
    """Services of which every attempt ends with one failure."""

    failure = Failure("", "")

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float) -> Result:
        super().invoke(service, event, timeout_s)
        return Raised(self.failure)


@pytest.mark.parametrize("name", ["States.DataLimitExceeded", "Orchestra.InvalidOutput"])
def test_an_error_that_no_attempt_can_mend_is_not_tried_again(name: str) -> None:
    services = Refusing()
    services.failure = Failure(name, "too large")
    world = World(services=services)
    world.start(shapes.single(Retry(max_attempts=5, delay_s=0)))
    world.settle()
    assert world.run().error == Failure(name, "too large", task="A")
    assert len(services.calls) == 1


@pytest.mark.parametrize(("jitter", "delay"), [(0, 0), (0.1, 1), (0.5, 5), (1, 10)])
def test_the_delay_is_jittered_and_sent_in_whole_seconds(jitter: float, delay: int) -> None:
    world = World(services=FakeServices(failing_times(1)))
    world.chance.jitter_value = jitter
    world.start(shapes.single(Retry(max_attempts=2, delay_s=10)))
    world.settle()
    assert world.queue.delays[:2] == [0, delay]
    assert world.run().status == SUCCEEDED


def test_a_worker_whose_clock_is_behind_takes_a_ready_task_at_once() -> None:
    world = World()
    world.start(shapes.single())
    world.clock.time -= 5_000
    world.settle()
    assert [type(outcome) for outcome in world.outcomes] == [Executed]
    assert world.queue.delays == [0]


def test_a_failing_run_whose_items_are_deleted_meanwhile_is_left_alone() -> None:
    world = World(services=FakeServices(failing_times(1)))
    world.start(shapes.diamond())
    world.deliver(world.queue.messages.pop())
    deleted = world.run()
    world.store.records.clear()
    assert world.engine()._fail(deleted, Failure("Boom", "bang")) == deleted


def test_a_message_that_comes_before_the_delay_has_passed_is_sent_again() -> None:
    world = World(services=FakeServices(failing_times(1)))
    world.start(shapes.single(Retry(max_attempts=2, delay_s=10)))
    world.deliver(world.queue.messages.pop())
    task = world.task("A")
    assert (task.status, task.due_at) == (TaskStatus.READY, world.clock.time + 10_000)
    early = world.queue.messages.pop()
    world.clock.time += 2_500
    outcome = world.engine().execute(early, world.services)
    assert outcome == Skipped("the task is not due yet")
    assert world.queue.messages == [Message("r", "A", 3)]
    assert world.queue.delays == [0, 10, 8]
    assert world.task("A") == task
    world.clock.time += 7_500
    world.settle()
    assert world.run().status == SUCCEEDED


def test_nothing_is_tried_again_in_a_failing_run() -> None:
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b", retry=Retry(max_attempts=5, delay_s=0))})
    world = World()
    world.start(workflow)
    messages = {message.task_id: message for message in world.queue.messages}

    def meanwhile(event: Mapping[str, Json]) -> Json:
        world.services.run = failing("A", "B")
        world.deliver(messages["A"])
        world.deliver(("r", "A"))
        raise Boom("B broke too")

    world.services.run = meanwhile
    world.deliver(messages["B"])
    world.settle()
    assert world.statuses(workflow) == {"A": FAILED, "B": FAILED}
    assert world.run().error == Failure("Boom", "A broke", task="A")
    assert world.run().status == FAILED
    assert called(world) == ["B", "A"]
    invariants.check(world.store.history, workflow)


# -- messages and records that are none --------------------------------------------------------------------------------


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


# -- duplicates and disorder -------------------------------------------------------------------------------------------


def unreliable(order: random.Random) -> Callable[[Mapping[str, Json]], Json]:
    """Make a task that fails by chance: always one for good, or now and then."""
    rate = order.choice([0, 0, 0.2, 0.6])

    def task(event: Mapping[str, Json]) -> Json:
        if order.random() < rate:
            raise Boom(str(event["task_id"]))
        return event["task_id"]

    return task


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


# -- start, again ------------------------------------------------------------------------------------------------------


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


# -- processes that die ------------------------------------------------------------------------------------------------

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
    """What holds until leases are repaired: nothing runs twice, nothing is lost, and the lease says until when."""
    world, _ = executed(at, after=after)
    assert world.outcomes == [Skipped("the task is RUNNING")]
    assert world.run().status == "RUNNING"
    task = world.task("A")
    assert (task.status, task.attempt, task.owner) == (TaskStatus.RUNNING, 1, "token-1")
    assert task.started_at is not None
    assert task.lease_until == task.started_at + 120_000
    assert len(world.services.calls) == invoked
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


# -- handlers at the same time -----------------------------------------------------------------------------------------


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
        claim = world.task("A")
        expired = replace(claim, status=TaskStatus.READY, version=claim.version + 1, owner=None, lease_until=None)
        world.store.save([Change(claim, expired)])
        world.deliver(Message("r", "A", expired.version))
        return "first"

    world.services.run = taken_away
    world.deliver(world.queue.messages.pop())
    assert world.outcomes[-1] == Skipped("the result came too late: the task has another owner")
    world.settle()
    assert world.store.get_outputs("r", ["A"]) == {"A": '"second"'}
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
