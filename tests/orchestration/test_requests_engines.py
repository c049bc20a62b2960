"""Requests about the runs of both engines: which one answers, and that both answer alike."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orchestration import asl
from orchestration.catalog import Entry
from orchestration.errors import Conflict, InvalidRequest, NotFound, Refused
from orchestration.executions import ExecutionStatus
from orchestration.express_runs import ExpressRuns
from orchestration.flow_runs import FlowRuns
from orchestration.payload import Json
from orchestration.runs import Runs
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.flows import FUNCTIONS
from tests.support.served import served
from tests.support.world import World

SERVICES = frozenset({"a", "b1", "b2", "b3", "c"})
ABC = shapes.diamond()
MINE = Workflow("mine", {"t": Task("a")})
BOOM: dict[str, Json] = {"error": "Boom", "cause": '{"errorType":"Boom","errorMessage":"it broke"}'}
FLOWS = "stepfunctions"


@pytest.fixture
def world() -> World:
    """A world with the declared workflow's machine."""
    made = World()
    made.flows.machines["abc"] = asl.compile_workflow(ABC, {service: FUNCTIONS + service for service in SERVICES}).text
    return made


def ask(
    world: World,
    declared: tuple[Workflow, ...] = (ABC,),
    flow_runs: Callable[[FlowRuns], Runs] = lambda runs: runs,
    **request: Json,
) -> dict[str, Json]:
    answer = served(world, SERVICES, declared, flow_runs=flow_runs).answer(request)
    assert json.loads(json.dumps(answer)) == answer, "an answer is JSON"
    return answer


def refusal(world: World, kind: type[Refused], **request: Json) -> str:
    before = (dict(world.flows.machines), dict(world.flows.kept), dict(world.definitions.registered))
    records = dict(world.store.records)
    with pytest.raises(Refused) as error:
        ask(world, **request)
    assert (world.flows.machines, world.flows.kept, world.definitions.registered) == before
    assert world.store.records == records
    assert isinstance(error.value, kind)
    assert str(error.value).isprintable()
    return str(error.value)


def failed(world: World, run_id: str, workflow: str = "abc", task: str = "A") -> None:
    """Start an execution, and let it fail."""
    ask(world, action="start", workflow=workflow, run_id=run_id, engine=FLOWS)
    world.flows.tell(run_id).enter(task).begin(task).fail(task, "Boom").add("ExecutionFailed", task, **BOOM)
    world.flows.end(run_id, ExecutionStatus.FAILED, **BOOM)


# -- which engine ------------------------------------------------------------------------------------------------------


def test_both_engines_describe_a_run_alike(world: World) -> None:
    described = {}
    for engine in ("dynamodb", FLOWS):
        run_id = f"run-{engine}"
        started = ask(world, action="start", workflow="abc", run_id=run_id, input={"a": 1}, engine=engine)
        assert (started["created"], started["run"]["engine"]) == (True, engine)
        again = ask(world, action="start", workflow="abc", run_id=run_id, input={"a": 1}, engine=engine)
        assert again["created"] is False
        if engine == "dynamodb":
            world.settle()
        else:
            history = world.flows.tell(run_id)
            for task_id in ABC.tasks:
                history.done(task_id, task_id)
            world.flows.end(run_id, output='"C"')
        described[engine] = ask(world, action="describe", run_id=run_id)
        assert ask(world, action="describe", run_id=run_id, engine=engine) == described[engine]
        assert ask(world, action="output", run_id=run_id) == {"run_id": run_id, "output": "C"}
        assert ask(world, action="output", run_id=run_id, task_id="B1", engine=engine)["output"] == "B1"
    table, flows = (without_times(described[engine]) for engine in described)
    assert table == {**flows, "run_id": "run-dynamodb", "engine": "dynamodb"}


def without_times(described: dict[str, Json]) -> dict[str, Json]:
    def timeless(values: dict[str, Json]) -> dict[str, Json]:
        return {name: value is not None if name.endswith("_at") else value for name, value in values.items()}

    return {**timeless(described), "tasks": {name: timeless(task) for name, task in described["tasks"].items()}}


def test_a_start_that_names_no_engine_is_the_table_s(world: World) -> None:
    assert ask(world, action="start", workflow="abc", run_id="r")["run"]["engine"] == "dynamodb"
    assert world.flows.calls == []


def test_a_run_of_the_table_is_found_without_a_look_elsewhere(world: World) -> None:
    ask(world, action="start", workflow="abc", run_id="r")
    ask(world, action="describe", run_id="r")
    ask(world, action="cancel", run_id="r")
    assert world.flows.calls == []


@pytest.mark.parametrize("action", ["describe", "output", "cancel", "redrive"])
def test_an_engine_that_has_not_the_run(world: World, action: str) -> None:
    ask(world, action="start", workflow="abc", run_id="table")
    ask(world, action="start", workflow="abc", run_id="flow", engine=FLOWS)
    for run_id, engine in (("flow", "dynamodb"), ("table", FLOWS), ("none", "dynamodb"), ("none", FLOWS)):
        line = refusal(world, NotFound, action=action, run_id=run_id, engine=engine)
        assert line == f"run_id: there is no run {run_id!r}"
    assert refusal(world, NotFound, action=action, run_id="none") == "run_id: there is no run 'none'"


@pytest.mark.parametrize(
    "request_",
    [
        {"action": "start", "workflow": "abc"},
        {"action": "register", "definition": MINE.to_json()},
        {"action": "describe", "run_id": "r"},
        {"action": "output", "run_id": "r"},
        {"action": "cancel", "run_id": "r"},
        {"action": "redrive", "run_id": "r"},
        {"action": "list"},
    ],
)
@pytest.mark.parametrize("engine", ["lambda", "", 5, ["dynamodb"], {"a": 1}, True])
def test_what_is_no_engine(world: World, request_: dict[str, Json], engine: Json) -> None:
    line = refusal(world, InvalidRequest, **request_, engine=engine)
    assert line == f"engine: must be one of dynamodb, stepfunctions, not {engine!r}"


# -- start -------------------------------------------------------------------------------------------------------------


def test_the_limits_of_a_start_are_the_same(world: World) -> None:
    request: dict[str, Json] = {"action": "start", "workflow": "abc", "run_id": "r", "engine": FLOWS}
    assert "262145 bytes" in refusal(world, InvalidRequest, **request, input="x" * 262_143)
    assert "lone surrogate" in refusal(world, InvalidRequest, **request, input="\ud800")
    assert "is not an id" in refusal(world, InvalidRequest, **{**request, "run_id": "a b"})
    assert "there is no 'abd'" in refusal(world, NotFound, **{**request, "workflow": "abd"})
    assert ask(world, **request, input="x" * 262_142)["created"] is True


def test_a_start_without_an_id(world: World) -> None:
    assert ask(world, action="start", workflow="abc", engine=FLOWS)["run"]["run_id"] == "abc-token-1"


def test_a_start_again_when_the_workflow_cannot_be_started_any_more(world: World) -> None:
    request: dict[str, Json] = {"action": "start", "workflow": "abc", "run_id": "r", "engine": FLOWS}
    first = ask(world, **request)
    changed = Workflow("abc", {"A": Task("x")})
    assert ask(world, (changed,), **request) == {**first, "created": False}, "its service is not there"
    with pytest.raises(InvalidRequest, match="service: 'x' is not deployed"):
        ask(world, (changed,), **{**request, "run_id": "r2"})
    with pytest.raises(NotFound, match="there is no 'abc'"):
        ask(world, (), **request)


def test_an_id_is_of_one_engine(world: World) -> None:
    ask(world, action="start", workflow="abc", run_id="r")
    line = refusal(world, Conflict, action="start", workflow="abc", run_id="r", engine=FLOWS)
    assert line == "run_id: 'r' is a run of the engine 'dynamodb' already; use another id"


# -- list --------------------------------------------------------------------------------------------------------------


def many(world: World, count: int = 25) -> None:
    """Start runs r00, r01, ...: every third is an execution, and every second of those has failed."""
    for number in range(count):
        world.clock.time += 1_000
        run_id = f"r{number:02d}"
        if number % 6 == 0:
            failed(world, run_id)
        else:
            engine = "dynamodb" if number % 3 else FLOWS
            ask(world, action="start", workflow="abc", run_id=run_id, engine=engine)


def listed(world: World, **fields: Json) -> list[str]:
    """Return the ids of all pages."""
    found: list[str] = []
    cursor: Json = None
    while True:
        answer = ask(world, action="list", **fields, **({"cursor": cursor} if cursor else {}))
        assert len(answer["runs"]) <= fields.get("limit", 20)
        found += [run["run_id"] for run in answer["runs"]]
        cursor = answer["cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 12, 24, 25, 26, 100])
def test_a_list_has_the_runs_of_both_engines(world: World, limit: int) -> None:
    many(world)
    newest = [f"r{number:02d}" for number in reversed(range(25))]
    flows = [run_id for run_id in newest if int(run_id[1:]) % 3 == 0]
    assert listed(world, limit=limit) == newest
    assert listed(world, limit=limit, engine=FLOWS) == flows
    assert listed(world, limit=limit, engine="dynamodb") == [run_id for run_id in newest if run_id not in flows]
    assert listed(world, limit=limit, status="FAILED") == [r for r in newest if int(r[1:]) % 6 == 0]
    assert listed(world, limit=limit, status="RUNNING", engine=FLOWS) == [r for r in flows if int(r[1:]) % 6]


def test_a_list_shows_summaries_of_both(world: World) -> None:
    failed(world, "r")
    (found,) = ask(world, action="list")["runs"]
    assert found == {
        "run_id": "r",
        "workflow": "abc",
        "engine": "stepfunctions",
        "status": "FAILED",
        "error": {"name": "Boom", "message": "it broke"},
        "epoch": 1,
        "started_at": 1_000_000,
        "deadline_at": None,
        "finished_at": world.clock.time,
    }


# -- register, workflows and asl ---------------------------------------------------------------------------------------


def test_a_registration_for_both_engines(world: World) -> None:
    request: dict[str, Json] = {"action": "register", "definition": MINE.to_json(), "engine": FLOWS}
    expected: dict[str, Json] = {
        "name": "mine",
        "version": MINE.version,
        "engine": "stepfunctions",
        "state_machine_arn": world.flows.machine_arn("mine"),
        "barriers": [],
        "longest_chain": {"workflow": 1, "machine": 1},
        "notes": [],
    }
    assert ask(world, **request) == {**expected, "created": True}
    assert ask(world, **request) == {**expected, "created": False}
    for engine in ("dynamodb", FLOWS):
        started = ask(world, action="start", workflow="mine", run_id=f"r-{engine}", engine=engine)
        assert started["run"]["version"] == MINE.version


def test_a_registration_for_the_table_leaves_the_machine_as_it_is(world: World) -> None:
    ask(world, action="register", definition=MINE.to_json(), engine=FLOWS)
    before = dict(world.flows.machines)
    later = {**MINE.to_json(), "timeout_s": 60}
    version = Workflow.from_json(later).version
    answer = ask(world, action="register", definition=later, engine="dynamodb")
    assert answer == {"name": "mine", "version": version, "created": True}
    assert world.flows.machines == before
    assert world.definitions.registered["mine"] == Entry("mine", version, 1, "registered", MINE.version)
    assert engines(world) == {"abc": ["dynamodb", "stepfunctions"], "mine": ["dynamodb"]}
    line = refusal(world, Conflict, action="start", workflow="mine", engine=FLOWS)
    assert line.startswith("workflow: the state machine of 'mine' is of an earlier version; `orchestra register FILE")


def engines(world: World) -> dict[str, Json]:
    return {entry["name"]: entry["engines"] for entry in ask(world, action="workflows")["workflows"]}


def test_the_engines_of_workflows(world: World) -> None:
    ask(world, action="register", definition=MINE.to_json(), engine=FLOWS)
    both = ["dynamodb", "stepfunctions"]
    assert engines(world) == {"abc": both, "mine": both}
    world.flows.registers = False
    assert engines(world) == {"abc": ["dynamodb", "stepfunctions"], "mine": ["dynamodb"]}


def test_a_registration_that_is_refused(world: World) -> None:
    line = refusal(world, Conflict, action="register", definition=ABC.to_json(), engine=FLOWS)
    assert line == "name: 'abc' is declared by the deployed program; register under another name"
    unknown = {"name": "w", "tasks": {"t": {"service": "z"}}}
    assert "'z' is not deployed" in refusal(world, InvalidRequest, action="register", definition=unknown, engine=FLOWS)
    world.flows.registers = False
    line = refusal(world, Refused, action="register", definition=MINE.to_json(), engine=FLOWS)
    assert line == "engine: this deployment makes no state machines of registered workflows"


def test_a_state_machine_is_shown(world: World) -> None:
    shown = ask(world, action="asl", workflow="abc")
    assert list(shown) == [
        *("name", "version", "definition", "transitions", "bytes", "barriers", "longest_chain", "notes")
    ]
    assert asl.version_of(json.dumps(shown["definition"])) == shown["version"] == ABC.version
    assert ask(world, action="asl", definition=ABC.to_json()) == shown
    ask(world, action="register", definition=MINE.to_json())
    assert ask(world, action="asl", workflow="mine") == ask(world, action="asl", definition=MINE.to_json())


@pytest.mark.parametrize(
    ("fields", "kind", "line"),
    [
        ({}, InvalidRequest, 'workflow: give the name of a workflow, or a definition as "definition"'),
        (
            {"workflow": "abc", "definition": MINE.to_json()},
            InvalidRequest,
            'workflow: give the name of a workflow, or a definition as "definition"',
        ),
        (
            {"workflow": "abd"},
            NotFound,
            "workflow: there is no 'abd'; declared: abc; `orchestra register FILE` adds one",
        ),
        ({"workflow": "a b"}, InvalidRequest, "workflow: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({"definition": []}, InvalidRequest, "workflow: must be an object, not a list"),
        (
            {"definition": {"name": "w", "tasks": {"t": {"service": "z"}}}},
            InvalidRequest,
            "service: 'z' is not deployed; the services are a, b1, b2, b3, c",
        ),
        ({"workflow": "abc", "engine": FLOWS}, InvalidRequest, "'engine': is not a field of the request 'asl'"),
    ],
)
def test_a_state_machine_that_cannot_be_shown(
    world: World, fields: dict[str, Json], kind: type[Refused], line: str
) -> None:
    assert refusal(world, kind, action="asl", **fields) == line


# -- cancel, redrive and verify ----------------------------------------------------------------------------------------


def test_a_cancel_and_a_redrive_of_an_execution(world: World) -> None:
    ask(world, action="start", workflow="abc", run_id="r", engine=FLOWS)
    canceled = ask(world, action="cancel", run_id="r")
    assert (canceled["changed"], canceled["run"]["status"], canceled["run"]["engine"]) == (True, "CANCELED", FLOWS)
    assert ask(world, action="cancel", run_id="r", engine=FLOWS) == {**canceled, "changed": False}
    redriven = ask(world, action="redrive", run_id="r", epoch=1)
    assert (redriven["changed"], redriven["run"]["status"], redriven["run"]["epoch"]) == (True, "RUNNING", 2)
    assert ask(world, action="redrive", run_id="r", epoch=1, engine=FLOWS) == {**redriven, "changed": False}
    assert world.ended == [], "Step Functions counts its own"


def test_a_redrive_from_a_task_that_has_not_failed(world: World) -> None:
    failed(world, "r")
    line = refusal(world, Conflict, action="redrive", run_id="r", from_task="C")
    assert line == (
        "from_task: 'C' is CANCELED, and Step Functions goes on where a task has FAILED; redrive the run without naming"
        " a task"
    )
    assert ask(world, action="redrive", run_id="r", from_task="A")["changed"] is True


def test_an_execution_is_not_verified(world: World) -> None:
    ask(world, action="start", workflow="abc", run_id="r", engine=FLOWS)
    line = refusal(world, InvalidRequest, action="verify", run_id="r")
    assert line == (
        "run_id: 'r' is a run of the engine 'stepfunctions', whose records are Step Functions' own; only runs of"
        " 'dynamodb' can be verified"
    )
    assert refusal(world, NotFound, action="verify", run_id="r2") == "run_id: there is no run 'r2'"
    assert ask(world, action="verify") == {"checked": 0, "violations": [], "cursor": None}


# -- express -----------------------------------------------------------------------------------------------------------


def express(runs: FlowRuns) -> ExpressRuns:
    return ExpressRuns(runs, lambda entry: f"group-of-{entry.name}")


@pytest.mark.parametrize("engine", [{}, {"engine": FLOWS}])
def test_an_express_run_can_be_started_and_then_only_its_log_asked(world: World, engine: dict[str, Json]) -> None:
    assert ask(world, flow_runs=express, action="workflows")["unrecorded"] == [FLOWS]
    started = ask(world, flow_runs=express, action="start", workflow="abc", run_id="abc-1", engine=FLOWS)
    assert started["run"]["log_group"] == "group-of-abc"
    assert (started["created"], started["run"]["status"]) == (True, "RUNNING")
    for action in ("describe", "output", "cancel", "redrive"):
        with pytest.raises(NotFound) as error:
            ask(world, flow_runs=express, action=action, run_id="abc-1", **engine)
        assert str(error.value) == (
            "run_id: there is no run 'abc-1' in the table, and of an execution of an EXPRESS flow Step Functions keeps"
            " nothing but its log, in the log group group-of-abc"
        )
    ask(world, flow_runs=express, action="start", workflow="abc", run_id="abc-2")
    assert [run["run_id"] for run in ask(world, flow_runs=express, action="list")["runs"]] == ["abc-2"]
