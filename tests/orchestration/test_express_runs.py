"""Runs of Express flows: they can be started, and whatever else is asked is answered with where their log is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestration.catalog import Catalog
from orchestration.errors import Conflict, NoSuchRun
from orchestration.express_runs import ExpressRuns
from orchestration.flow_runs import FlowRuns
from orchestration.model import RunStatus
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.world import World

ABC = shapes.diamond()
MINE = Workflow("mine", {"t": Task("a")})


@pytest.fixture
def world() -> World:
    made = World()
    made.flows.machines = {"abc": "{}", "mine": "{}"}
    Catalog(made.definitions).register(MINE, flow=True)
    return made


@pytest.fixture
def runs(world: World) -> ExpressRuns:
    flows = FlowRuns(world.flows, Catalog(world.definitions, [ABC]), world.store, registers=True)
    return ExpressRuns(flows, lambda entry: f"group-of-{entry.name}")


def test_a_start_is_answered_without_a_look(world: World, runs: ExpressRuns) -> None:
    seen = runs.start(ABC, "r", "1")
    assert (seen.created, seen.run.status, seen.run.started_at) == (True, RunStatus.RUNNING, world.clock.time)
    assert seen.log_group == "group-of-abc"
    assert world.flows.calls == [("start", "abc")]
    assert runs.pinned("abc", "r") is None


def test_a_start_is_refused_as_that_of_a_standard_flow(world: World, runs: ExpressRuns) -> None:
    world.start(ABC, "r")
    with pytest.raises(Conflict, match="'r' is a run of the engine 'dynamodb' already"):
        runs.start(ABC, "r", "1")
    assert world.flows.calls == []


def test_the_workflows_that_it_runs(runs: ExpressRuns) -> None:
    catalog = runs.flows.catalog
    catalog.register(Workflow("other", {"t": Task("a")}))
    assert {entry.name: runs.runs_of(entry) for entry in catalog.entries()} == {
        "abc": True,
        "mine": True,
        "other": False,
    }


@pytest.mark.parametrize(
    ("run_id", "where"),
    [
        ("abc-1", "the log group group-of-abc"),
        ("mine-1", "the log group group-of-mine"),
        ("r", "its workflow's log group"),
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda runs, run_id: runs.look(run_id),
        lambda runs, run_id: runs.output(run_id, None),
        lambda runs, run_id: runs.cancel(run_id),
        lambda runs, run_id: runs.redrive(run_id, None, None),
    ],
)
def test_nothing_can_be_asked_of_a_run(
    runs: ExpressRuns, ask: Callable[[ExpressRuns, str], object], run_id: str, where: str
) -> None:
    with pytest.raises(NoSuchRun) as error:
        ask(runs, run_id)
    assert str(error.value) == (
        f"run_id: there is no run {run_id!r} in the table, and of an execution of an EXPRESS flow Step Functions keeps"
        f" nothing but its log, in {where}"
    )


def test_a_list_is_empty(runs: ExpressRuns) -> None:
    runs.start(ABC, "r", "1")
    page = runs.list_runs(["abc"], 10, None)
    assert (page.runs, page.cursor) == ([], None)
