"""Workflows as state machines: what is shown of one, and what a registration makes."""

from __future__ import annotations

import pytest

from orchestration import asl
from orchestration.catalog import Catalog, Entry
from orchestration.errors import Refused, WorkflowError
from orchestration.machines import Machines
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes
from tests.support.flows import FUNCTIONS
from tests.support.world import World

ABC = shapes.diamond()
FUNCTION_ARNS = {service: FUNCTIONS + service for service in ("a", "b1", "b2", "b3", "c")}
CROSSED = Workflow(
    "crossed",
    {
        "A": Task("a", retry=Retry(max_attempts=2, delay_s=0.5)),
        "B": Task("a"),
        "C": Task("a", after=["A"]),
        "D": Task("a", after=["A", "B"]),
    },
)


def machines(world: World) -> Machines:
    return Machines(world.flows, Catalog(world.definitions, [ABC]), FUNCTION_ARNS)


def test_a_machine_is_shown() -> None:
    compiled = asl.compile_workflow(ABC, FUNCTION_ARNS)
    world = World()
    assert machines(world).show(ABC) == {
        "name": "abc",
        "version": ABC.version,
        "definition": compiled.definition,
        "transitions": 6,
        "barriers": [],
        "longest_chain": {"workflow": 3, "machine": 3},
        "notes": [],
        "bytes": len(compiled.text.encode()),
    }
    assert (world.flows.calls, world.definitions.versions) == ([], {})


def test_what_a_machine_gives_up_is_shown() -> None:
    compiled = asl.compile_workflow(CROSSED, FUNCTION_ARNS)
    (barrier,) = compiled.barriers
    shown = machines(World()).show(CROSSED)
    assert shown["barriers"] == [
        {
            "first": list(barrier.first),
            "then": list(barrier.then),
            "waits": [list(pair) for pair in barrier.waits],
            "lost": barrier.lost,
        }
    ]
    assert shown["notes"] == list(compiled.notes) != []


def test_a_registration() -> None:
    world = World()
    expected = {
        "name": "crossed",
        "version": CROSSED.version,
        "engine": "stepfunctions",
        "state_machine_arn": world.flows.machine_arn("crossed"),
        "barriers": machines(world).show(CROSSED)["barriers"],
        "longest_chain": {"workflow": 2, "machine": 2},
        "notes": machines(world).show(CROSSED)["notes"],
    }
    assert machines(world).register(CROSSED) == {**expected, "created": True}
    assert machines(world).register(CROSSED) == {**expected, "created": False}
    assert world.flows.machines == {"crossed": asl.compile_workflow(CROSSED, FUNCTION_ARNS).text}
    assert world.definitions.registered == {
        "crossed": Entry("crossed", CROSSED.version, 4, "registered", CROSSED.version)
    }
    assert asl.version_of(world.flows.machines["crossed"]) == CROSSED.version
    del world.flows.machines["crossed"]
    assert machines(world).register(CROSSED)["created"] is True, "the machine was gone"


def test_a_registration_that_is_refused_registers_nothing() -> None:
    world = World()
    world.flows.registers = False
    with pytest.raises(Refused, match="makes no state machines"):
        machines(world).register(CROSSED)
    world.flows.registers = True
    with pytest.raises(WorkflowError, match=r"tasks\.t\.service: 'x' is not deployed"):
        machines(world).register(Workflow("w", {"t": Task("x")}))
    assert (world.flows.machines, world.definitions.registered, world.definitions.versions) == ({}, {}, {})
