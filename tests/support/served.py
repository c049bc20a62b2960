"""What a fresh process serves in a world: the requests over its engine, and over its state machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from orchestration.catalog import Catalog
from orchestration.flow_runs import FlowRuns
from orchestration.machines import Machines
from orchestration.requests import Requests
from orchestration.runs import Runs
from orchestration.workflow import Workflow
from tests.support.flows import FUNCTIONS
from tests.support.letters import MemoryDeadLetters
from tests.support.world import World


def served(
    world: World,
    services: frozenset[str],
    declared: Sequence[Workflow],
    letters: MemoryDeadLetters | None = None,
    flow_runs: Callable[[FlowRuns], Runs] = lambda runs: runs,
) -> Requests:
    """Return the requests of a program that declares some workflows; `flow_runs` may put others in place of its own."""
    engine = replace(world.engine(), catalog=Catalog(world.definitions, declared))
    return Requests(
        engine,
        services,
        letters or MemoryDeadLetters(),
        flow_runs(FlowRuns(world.flows, engine.catalog, engine.store, world.flows.registers)),
        Machines(world.flows, engine.catalog, {service: FUNCTIONS + service for service in services}),
        ended=world.ended.append,
        sweep=lambda: [engine.sweep(run_id) for run_id in engine.store.overdue(world.clock.now())],
    )
