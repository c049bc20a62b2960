"""The engine in a world of its own: all that is sent gets delivered, in any order, and more than once if asked."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.catalog import Catalog
from orchestration.engine import Engine, Executed, Skipped, Swept
from orchestration.model import Run, TaskState
from orchestration.overdue import Repair
from orchestration.payload import Json
from orchestration.queue import Message
from orchestration.workflow import Workflow
from tests.support.faults import Crashed, Wire
from tests.support.flows import MemoryFlows
from tests.support.memory import FakeChance, FakeClock, FakeServices, MemoryDefinitions, MemoryQueue, MemoryStore

Record = tuple[str, str]
"""What a stream record says: the run and the task to look at."""


@dataclass
class World:
    store: MemoryStore = field(default_factory=MemoryStore)
    definitions: MemoryDefinitions = field(default_factory=MemoryDefinitions)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    services: FakeServices = field(default_factory=FakeServices)
    clock: FakeClock = field(default_factory=FakeClock)
    chance: FakeChance = field(default_factory=FakeChance)
    outcomes: list[Executed | Skipped] = field(default_factory=list)
    ended: list[Run] = field(default_factory=list)
    crashes: int = 0
    flows: MemoryFlows = field(init=False)

    def __post_init__(self) -> None:
        self.flows = MemoryFlows(self.clock)

    def engine(self, wire: Wire | None = None) -> Engine:
        """Return an engine as a fresh process has it: what it remembers is only in the store."""
        if wire is None:
            return Engine(self.store, Catalog(self.definitions), self.queue, self.clock, self.chance)
        catalog = Catalog(wire.wrap(self.definitions))
        return Engine(wire.wrap(self.store), catalog, wire.wrap(self.queue), self.clock, self.chance)

    def start(self, workflow: Workflow, run_id: str = "r", run_input: str = "null", wire: Wire | None = None) -> Run:
        self.definitions.put_version(workflow)
        return self.engine(wire).start(workflow, run_id, run_input).run

    def settle(
        self,
        order: random.Random | None = None,
        deliveries: int = 1,
        steps: int = 100_000,
        wire: Wire | None = None,
    ) -> None:
        """Deliver messages and records until none is left: each `deliveries` times, in the order that chance gives.

        What was being delivered when its process died comes again.
        """
        messages: list[Any] = self.queue.messages
        records: list[Any] = self.store.stream
        for _ in range(steps):
            waiting: list[tuple[list[Any], int]] = [(box, i) for box in (messages, records) for i in range(len(box))]
            if not waiting:
                return
            source, index = order.choice(waiting) if order else waiting[0]
            thing = source.pop(index)
            self.clock.time += 1
            for _ in range(deliveries):
                try:
                    self.deliver(thing, wire)
                except Crashed:
                    self.crashes += 1
                    source.append(thing)
        raise AssertionError(f"still not settled after {steps} deliveries")

    def deliver(self, thing: Message | Record, wire: Wire | None = None) -> None:
        if isinstance(thing, tuple):
            ended = self.engine(wire).advance(*thing)
            self.ended += [ended] if ended else []
            return
        services = self.services if wire is None else wire.wrap(self.services)
        self.clock.time += 1000 * self.queue.delay_s(thing)
        outcome = self.engine(wire).execute(thing, services)
        self.outcomes.append(outcome)

    def sweep(self, run_id: str = "r") -> Swept:
        """Let time pass until the sweeper looks at a run, and let it."""
        self.clock.time = max(self.clock.time, self.run(run_id).check_at or 0)
        swept = self.engine().sweep(run_id)
        self.ended += [swept.run] if swept.ended and swept.run else []
        return swept

    def heal(self, run_id: str = "r") -> list[Repair]:
        """Deliver and sweep until the run has ended. Return what was repaired."""
        repairs: list[Repair] = []
        for _ in range(100):
            self.settle()
            if self.run(run_id).check_at is None:
                return repairs
            repairs += self.sweep(run_id).repairs
        raise AssertionError("still not ended after 100 sweeps")

    def run(self, run_id: str = "r") -> Run:
        stored = self.store.get_run(run_id)
        assert stored is not None
        return stored

    def task(self, task_id: str, run_id: str = "r") -> TaskState:
        return self.store.get_run_and_task(run_id, task_id)[1]

    def outputs(self, task_ids: Sequence[str], run_id: str = "r") -> Mapping[str, str]:
        return self.store.get_outputs(run_id, task_ids, 1_000_000)

    def statuses(self, workflow: Workflow, run_id: str = "r") -> dict[str, str]:
        """Return the status of every task of the graph: one without an item is PENDING."""
        return {task_id: self.task(task_id, run_id).status.value for task_id in workflow.tasks}

    def moves(self) -> list[tuple[str, str, str]]:
        """Return what was written: the item, what it was, what it became. An arrival keeps the status."""
        return [
            (
                new.task_id if isinstance(new, TaskState) else new.run_id,
                "-" if old is None else old.status.value,
                new.status.value,
            )
            for old, new in self.store.history
        ]


def run(
    workflow: Workflow,
    task: Callable[[Mapping[str, Json]], Json] = lambda event: event["task_id"],
    order: random.Random | None = None,
    deliveries: int = 1,
) -> World:
    """Return the world after a run of a workflow whose every task is `task`."""
    world = World(services=FakeServices(task))
    world.start(workflow)
    world.settle(order, deliveries)
    return world
