"""Attempts that fail, and which of them are tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from orchestration import invariants
from orchestration.engine import Executed, Skipped
from orchestration.model import Failure, TaskState, TaskStatus
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.tasks import Raised, Result
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.behaviour import FAILED, SUCCEEDED, Boom, called, failing, failing_times
from tests.support.memory import FakeServices
from tests.support.world import World, run


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

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        super().invoke(service, event, timeout_s, beat)
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
