"""Sweeping repairs whatever was lost, touches nothing that is under way, and writes nothing where nothing was lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import pytest

from orchestration import invariants
from orchestration.engine import Skipped, Swept
from orchestration.model import Failure, Run, RunStatus, TaskState, TaskStatus
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.store import Change
from orchestration.tasks import NotRun, Result
from orchestration.timing import Timing
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.behaviour import FAILED, SUCCEEDED, called, failing, failing_times
from tests.support.faults import Crashed, Wire, crash
from tests.support.memory import FakeServices
from tests.support.world import World

DIAMOND = shapes.diamond()


def test_a_run_that_nothing_happened_to_is_repaired_nowhere() -> None:
    """The sweeper looks at it between any two deliveries, however much time has passed within the grace."""
    for step in range(20):
        world = World()
        started = world.start(DIAMOND)
        for _ in range(step):
            box = world.queue.messages or world.store.stream
            if not box:
                break
            world.deliver(box.pop(0))
            world.clock.time += 1_000
        if world.run().check_at is None:
            break
        before = list(world.store.history)
        early = world.engine().sweep("r")
        assert (early, world.store.history) == (Swept(world.run()), before)
        assert started.check_at == started.started_at + 120_000


@dataclass
class Long(FakeServices):
    """A service that takes 800 seconds, of which every twenty something is done, and a sign of life given."""

    meanwhile: Callable[[], None] = lambda: None

    def invoke(self, service: str, event: Mapping[str, Json], timeout_s: float, beat: Callable[[], None]) -> Result:
        for _ in range(40):
            self.meanwhile()
            beat()
        return super().invoke(service, event, timeout_s, beat)


def test_a_long_run_is_looked_at_now_and_then() -> None:
    workflow = Workflow("long", {"A": Task("a", timeout_s=840)})
    services = Long()
    world = World(services=services)
    looks: list[tuple[Repair, ...]] = []

    def meanwhile() -> None:
        world.clock.time += 20_000
        if (world.run().check_at or 0) <= world.clock.time:
            looks.append(world.engine().sweep("r").repairs)

    services.meanwhile = meanwhile
    world.start(workflow)
    world.settle()
    assert world.run().status == SUCCEEDED
    assert world.task("A").attempt == 1
    assert 5 <= len(looks) <= 10
    assert set(looks) == {()}
    invariants.check(world.store.history, workflow)


# -- what was lost -----------------------------------------------------------------------------------------------------


def lose(world: World, workflow: Workflow, lost: Callable[[object], bool]) -> None:
    """Run a workflow, and lose messages and records."""
    world.start(workflow)
    for _ in range(200):
        world.queue.messages[:] = [m for m in world.queue.messages if not lost(m)]
        world.store.stream[:] = [r for r in world.store.stream if not lost(r)]
        box = world.queue.messages or world.store.stream
        if not box:
            return
        world.deliver(box.pop(0))


class Lost:
    """Loses one of all that is sent: the one with a certain number, from 1."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen: list[object] = []

    def __call__(self, thing: object) -> bool:
        if any(thing is one for one in self.seen):
            return False
        self.seen.append(thing)
        return len(self.seen) == self.number


@pytest.mark.parametrize("task", [failing(), failing("B2"), failing("C")], ids=["succeeds", "B2 fails", "C fails"])
@pytest.mark.parametrize("workflow", [DIAMOND, shapes.sinks()], ids=["diamond", "sinks"])
def test_every_single_message_and_record_may_get_lost(
    workflow: Workflow, task: Callable[[Mapping[str, Json]], Json]
) -> None:
    for number in range(1, 40):
        lost = Lost(number)
        world = World(services=FakeServices(task))
        lose(world, workflow, lost)
        if len(lost.seen) < number:
            break
        world.heal()
        assert world.run().status in {SUCCEEDED, FAILED}
        assert sorted(called(world)) == sorted(t for t in workflow.tasks if world.task(t).attempt)
        invariants.check(world.store.history, workflow)
    else:
        pytest.fail("there are more messages than this test has tried")


def test_everything_gets_lost_and_the_sweeper_alone_brings_the_run_to_its_end() -> None:
    """No record ever comes; each message does once the sweeper has sent it again."""
    world = World()
    world.start(DIAMOND)
    world.queue.messages.clear()
    repairs: list[Repair] = []
    while world.run().check_at is not None:
        repairs += world.sweep().repairs
        for message in list(world.queue.messages):
            world.queue.messages.remove(message)
            world.deliver(message)
        world.store.stream.clear()
    assert repairs == [Repair.DISPATCH, Repair.FOLLOW, Repair.FOLLOW, Repair.FOLLOW]
    assert world.run().status == SUCCEEDED
    assert called(world) == ["A", "B1", "B2", "B3", "C"]
    invariants.check(world.store.history, DIAMOND)


def test_a_start_that_died_after_its_commit() -> None:
    world = World()
    with pytest.raises(Crashed):
        world.start(shapes.sinks(), wire=Wire(4, after=True, act=crash))
    assert world.moves() == [("r", "-", "RUNNING")]
    assert world.heal() == [Repair.START]
    assert world.run().status == SUCCEEDED


def test_a_record_that_many_wait_for_is_made_up_for_in_as_many_writes_as_they_are() -> None:
    width = 50
    world = World()
    world.start(shapes.fan(width))
    world.deliver(world.queue.messages.pop())
    world.store.stream.clear()
    before = len(world.store.history)
    assert world.sweep().repairs == (Repair.FOLLOW,)
    assert len(world.store.history) - before == width + 1  # and the check of the run
    assert len(world.queue.messages) == width


def test_a_long_queue_is_not_made_much_longer() -> None:
    """A hundred tasks wait for ten hours: nobody can tell that from a hundred messages that were lost."""
    workflow = Workflow("w", {f"t{i:02d}": Task("a") for i in range(100)})
    world = World()
    started = world.start(workflow)
    while world.clock.time < started.started_at + 36_000_000:
        world.sweep()
    assert len(world.queue.messages) == 100 * (1 + 43)  # at first, and then after 2, 4, 8, 15, 15... minutes
    assert invariants.check_now(world.run(), world.store.get_tasks("r"), workflow, world.clock.time, Timing()) == []


# -- leases ------------------------------------------------------------------------------------------------------------


def killed(workflow: Workflow, **services: object) -> World:
    """Return the world after a worker died while its first task was running."""
    world = World(services=FakeServices(**services))  # type: ignore[arg-type]
    world.start(workflow)
    with pytest.raises(Crashed):
        world.deliver(world.queue.messages.pop(), Wire(6, after=True, act=crash))
    assert world.task("A").status == "RUNNING"
    return world


def test_a_lease_is_not_taken_away_a_moment_too_soon() -> None:
    world = killed(shapes.single())
    lease_until = world.task("A").lease_until
    assert lease_until is not None
    world.clock.time = lease_until - 1
    assert world.engine().sweep("r").repairs == ()
    world.sweep()
    assert world.task("A").status == "READY"


def test_a_lost_worker_uses_up_one_attempt_also_without_a_policy() -> None:
    world = killed(shapes.single())
    assert world.heal() == [Repair.EXPIRE]
    assert (world.run().status, world.task("A").attempt) == (SUCCEEDED, 2)
    events = [event["attempt"] for _, event, _ in world.services.calls]
    assert events == [1, 2]


def test_workers_that_are_lost_again_and_again_fail_the_task() -> None:
    world = killed(shapes.single())
    for attempt in (2, 3):
        assert world.sweep().repairs == (Repair.EXPIRE,)
        world.clock.time += 10_000
        with pytest.raises(Crashed):
            world.deliver(world.queue.messages.pop(), Wire(6, after=True, act=crash))
        assert world.task("A").attempt == attempt
    world.heal()
    assert world.run().status == FAILED
    lost = "its worker gave no sign of life until its lease ran out"
    assert world.run().error == Failure("Orchestra.WorkerLost", lost, task="A")
    invariants.check(world.store.history, shapes.single())


def test_a_task_that_runs_at_most_once_is_not_invoked_again() -> None:
    workflow = Workflow("once", {"A": Task("a", at_most_once=True)})
    world = killed(workflow)
    world.heal()
    assert (world.run().status, len(world.services.calls)) == (FAILED, 1)
    invariants.check(world.store.history, workflow)


def test_a_lost_worker_of_a_run_that_is_canceled() -> None:
    world = killed(DIAMOND)
    assert world.engine().cancel("r").run.status == "CANCELING"
    assert world.heal() == [Repair.EXPIRE]
    assert world.run().status == "CANCELED"
    assert world.task("A").error == Failure(
        "Orchestra.WorkerLost", "its worker gave no sign of life until its lease ran out"
    )
    invariants.check(world.store.history, DIAMOND)


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_delay_beyond_the_queue_s_is_waited_for_by_the_sweeper() -> None:
    workflow = shapes.single(Retry(max_attempts=2, delay_s=5_000, max_delay_s=5_000))
    world = World(services=FakeServices(failing_times(1)))
    world.start(workflow)
    world.deliver(world.queue.messages.pop())
    due_at = world.task("A").due_at
    assert world.queue.messages == []
    assert world.heal() == []
    assert world.run().status == SUCCEEDED
    assert (world.task("A").started_at or 0) >= (due_at or 0)
    invariants.check(world.store.history, workflow)


def test_a_busy_service_is_asked_again_and_burns_no_attempt() -> None:
    answers: list[Json | NotRun] = [NotRun(Failure("Lambda.TooManyRequestsException", "Rate Exceeded."))] * 5

    def busy(event: Mapping[str, Json]) -> Json | NotRun:
        return answers.pop() if answers else event["attempt"]

    workflow = shapes.single()
    world = World(services=FakeServices(busy))
    world.start(workflow)
    assert world.heal() == []
    task = world.task("A")
    assert (world.run().status, task.attempt, task.released, task.tries, task.output) == (SUCCEEDED, 6, 5, 1, "1")
    assert world.queue.delays == [0, 1, 2, 4, 8, 16]
    invariants.check(world.store.history, workflow)


def test_a_service_that_stays_busy_fails_its_task_after_hours() -> None:
    workflow = shapes.single()
    world = World(services=FakeServices(lambda _: NotRun(Failure("Lambda.TooManyRequestsException", ""))))
    started = world.start(workflow)
    world.heal()
    assert world.run().error == Failure("Lambda.TooManyRequestsException", "", task="A")
    assert (world.task("A").attempt, world.task("A").released) == (101, 100)
    assert (world.run().finished_at or 0) - started.started_at > 7 * 3_600_000
    invariants.check(world.store.history, workflow)


def test_a_deadline_ends_a_run() -> None:
    workflow = Workflow("w", {"A": Task("a"), "B": Task("b", after=["A"])}, timeout_s=50)
    world = World()
    started = world.start(workflow)
    message = world.queue.messages.pop()
    world.clock.time = started.started_at + 50_000
    assert world.engine().execute(message, world.services) == Skipped("the run is past its deadline")
    assert world.heal() == [Repair.DEADLINE]
    assert world.run().status == FAILED
    assert world.run().error == Failure("States.Timeout", "the run has not ended within its 50 s")
    assert called(world) == []
    invariants.check(world.store.history, workflow)


def test_a_total_timeout_ends_a_task_that_was_not_taken_in_time() -> None:
    workflow = Workflow("w", {"A": Task("a", total_timeout_s=20)})
    world = World()
    world.start(workflow)
    world.clock.time += 20_000
    world.settle()
    assert world.run().error == Failure("States.Timeout", "not done within its 20 s", task="A")
    assert called(world) == []
    invariants.check(world.store.history, workflow)


def test_the_last_attempt_gets_what_time_is_left() -> None:
    workflow = Workflow("w", {"A": Task("a", total_timeout_s=20, retry=Retry(max_attempts=9, delay_s=8, backoff=1))})
    world = World(services=FakeServices(failing("A")))
    world.start(workflow)
    world.settle()
    assert [timeout_s for _, _, timeout_s in world.services.calls] == [20, 12, 4]
    assert world.run().status == FAILED
    invariants.check(world.store.history, workflow)


# -- the sweeper itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_sweep_that_dies_or_is_overtaken_at_any_of_its_calls(after: bool) -> None:  # noqa: FBT001
    """Of every kind of repair: it is done by the next one; and two at once do it once."""
    for lost in range(1, 12):
        whole = Wire()
        world = losing(lost)
        if world is None:
            break
        world.clock.time = world.run().check_at or 0
        world.engine(whole).sweep("r")
        for at in range(1, len(whole.calls) + 1):
            died = losing(lost)
            assert died is not None
            died.clock.time = died.run().check_at or 0
            with pytest.raises(Crashed):
                died.engine(Wire(at, after=after, act=crash)).sweep("r")
            died.heal()
            both = losing(lost)
            assert both is not None
            both.clock.time = both.run().check_at or 0
            both.engine(Wire(at, after=after, act=partial(second, both))).sweep("r")
            both.heal()
            for ended in (died, both):
                assert ended.run().status == SUCCEEDED, (lost, at)
                assert called(ended) == called(world) or sorted(called(ended)) == ["A", "B1", "B2", "B3", "C"]
                invariants.check(ended.store.history, DIAMOND)


def second(world: World) -> None:
    world.clock.time += 1
    world.engine().sweep("r")


def losing(number: int) -> World | None:
    """Return a diamond's world that stands still since one message or record was lost."""
    world = World()
    lose(world, DIAMOND, Lost(number))
    return world if world.run().status == "RUNNING" else None


def test_what_is_not_the_sweeper_s_yet_or_any_more() -> None:
    world = World()
    assert world.engine().sweep("r") == Swept(None)
    world.start(DIAMOND)
    world.settle()
    assert world.engine().sweep("r") == Swept(world.run())


@pytest.mark.parametrize("seed", range(50))
def test_whatever_gets_lost(seed: int) -> None:
    """Half of everything that is sent: the run ends all the same, and right."""
    order = random.Random(seed)
    workflow = shapes.drawn(order, retry=Retry(max_attempts=order.choice([1, 3]), delay_s=order.choice([0, 5])))
    world = World()
    lose(world, workflow, lambda _: order.random() < 0.3)
    for _ in range(200):
        if world.run().check_at is None:
            break
        world.sweep()
        world.queue.messages[:] = [m for m in world.queue.messages if order.random() < 0.7]
        world.settle(order, deliveries=order.choice([1, 2]))
    assert world.run().status == SUCCEEDED
    assert sorted(called(world)) == sorted(workflow.tasks)
    invariants.check(world.store.history, workflow)


def test_a_run_that_was_redriven_while_it_was_looked_at_is_left_alone() -> None:
    """The run is read, and then it ends and is redriven, and only then its tasks are read."""
    world = World(services=FakeServices(failing("A")))
    old = world.start(DIAMOND)
    world.settle()
    world.engine().redrive("r")
    world.clock.time = 10_000_000
    before = list(world.store.history)

    class Behind:
        def get_run(self, run_id: str) -> Run:
            return replace(old, check_at=0)

        def __getattr__(self, name: str) -> object:
            return getattr(world.store, name)

    engine = replace(world.engine(), store=Behind())  # type: ignore[arg-type]
    assert engine.sweep("r").repairs == ()
    assert world.store.history == before


def test_a_failure_that_was_never_told() -> None:
    world = World()
    running = world.start(DIAMOND)
    claim = replace(world.task("A"), status=TaskStatus.RUNNING, version=2, attempt=1, owner="me", lease_until=5)
    broken = replace(claim, status=TaskStatus.FAILED, version=3, error=Failure("Boom", "bang"), finished_at=7)
    for old, new in ((world.task("A"), claim), (claim, broken)):
        world.store.save([Change(old, new)])
    assert isinstance(broken, TaskState)
    swept = world.sweep()
    assert (swept.repairs, swept.ended) == ((Repair.FAIL,), True)
    assert swept.run == world.run()
    assert (world.run().status, world.run().error) == (RunStatus.FAILED, Failure("Boom", "bang", task="A"))
    assert running.status == "RUNNING"
