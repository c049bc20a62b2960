"""Every action and every refusal. What is refused has written nothing, sent nothing and invoked nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration import codec
from orchestration import requests as requests_module
from orchestration.errors import Conflict, InvalidRequest, NotFound, OrchestraError, Refused
from orchestration.model import Run, TaskState, TaskStatus
from orchestration.payload import LIMIT_BYTES, Json
from orchestration.requests import Requests
from orchestration.store import Page
from orchestration.workflow import Task, Workflow
from tests.support import shapes
from tests.support.letters import MemoryDeadLetters
from tests.support.memory import FakeServices
from tests.support.served import served as serve
from tests.support.world import World

SERVICES = frozenset({"a", "b1", "b2", "b3", "c"})
UNDEPLOYED = Workflow("undeployed", {"A": Task("a"), "X": Task("x")})
DECLARED = [shapes.diamond(), UNDEPLOYED]


def served(world: World, letters: MemoryDeadLetters | None = None, declared: Sequence[Workflow] = DECLARED) -> Requests:
    """Return what a fresh process serves with."""
    return serve(world, SERVICES, declared, letters)


def ask(world: World, **request: Json) -> dict[str, Json]:
    answer = served(world).answer(request)
    assert json.loads(json.dumps(answer)) == answer, "an answer is JSON"
    return answer


def everything(world: World) -> tuple[Any, ...]:
    """Return all that a request could have changed."""
    definitions = (dict(world.definitions.versions), dict(world.definitions.registered))
    store = (list(world.store.history), dict(world.store.inputs))
    flows = (dict(world.flows.machines), dict(world.flows.kept))
    return (*definitions, *store, *flows, list(world.queue.messages), list(world.services.calls))


def refusal(world: World, request: Json, kind: type[Refused] = InvalidRequest) -> str:
    """Return the line with which a request is refused, having checked that it left no trace."""
    before = everything(world)
    with pytest.raises(Refused) as error:
        served(world).answer(request)
    assert everything(world) == before
    assert isinstance(error.value, kind)
    assert str(error.value).isprintable()
    return str(error.value)


def settled(task: Any = lambda event: event["task_id"]) -> World:
    """Return a world with one run, `r`, of the diamond, that has ended."""
    world = World(services=FakeServices(task))
    ask(world, action="start", workflow="abc", run_id="r", input="text")
    world.settle()
    return world


# -- start -------------------------------------------------------------------------------------------------------------


def task_view(service: str, after: list[str], status: str, **more: Json) -> dict[str, Json]:
    times = {"ready_at": None, "due_at": None, "started_at": None, "finished_at": None}
    return {"service": service, "after": after, "status": status, "attempts": 0, **times, "error": None, **more}


def test_a_start() -> None:
    world = World()
    assert ask(world, action="start", workflow="abc", run_id="r", input={"text": "é"}) == {
        "created": True,
        "run": {
            "run_id": "r",
            "workflow": "abc",
            "version": shapes.diamond().version,
            "engine": "dynamodb",
            "status": "RUNNING",
            "error": None,
            "epoch": 1,
            "started_at": 1_000_000,
            "deadline_at": None,
            "finished_at": None,
            "tasks": {
                "A": task_view("a", [], "READY", ready_at=1_000_000),
                "B1": task_view("b1", ["A"], "PENDING"),
                "B2": task_view("b2", ["A"], "PENDING"),
                "B3": task_view("b3", ["A"], "PENDING"),
                "C": task_view("c", ["B1", "B2", "B3"], "PENDING"),
            },
        },
    }
    assert list(world.store.inputs.values()) == ['{"text":"é"}']
    assert [message.task_id for message in world.queue.messages] == ["A"]
    assert list(world.definitions.versions) == [("abc", shapes.diamond().version)]


def test_a_start_without_an_id_gets_one_that_names_the_workflow() -> None:
    world = World()
    assert ask(world, action="start", workflow="abc")["run"]["run_id"] == "abc-token-1"
    assert ask(world, action="start", workflow="abc")["run"]["run_id"] == "abc-token-2"
    assert list(world.store.inputs.values()) == ["null", "null"]


def test_an_id_that_is_made_is_an_id_also_of_the_longest_name() -> None:
    world = World()
    world.chance.token = lambda: "f" * 32  # type: ignore[method-assign]
    name = "w" * 64
    ask(world, action="register", definition={"name": name, "tasks": {"t": {"service": "a"}}})
    assert ask(world, action="start", workflow=name)["run"]["run_id"] == "w" * 31 + "-" + "f" * 32


def test_a_start_again() -> None:
    world = World()
    first = ask(world, action="start", workflow="abc", run_id="r", input=[1, 2])
    again = ask(world, action="start", workflow="abc", run_id="r", input=[1, 2])
    assert again == {**first, "created": False}
    world.settle()
    last = ask(world, action="start", workflow="abc", run_id="r", input=[1, 2])
    assert (last["created"], last["run"]["status"]) == (False, "SUCCEEDED")
    assert last["run"] == ask(world, action="describe", run_id="r")


@pytest.mark.parametrize(
    ("fields", "kind", "line"),
    [
        (
            {"workflow": "abd"},
            NotFound,
            "workflow: there is no 'abd'; declared: abc, undeployed; `orchestra register FILE` adds one",
        ),
        ({"workflow": "a/b"}, InvalidRequest, "workflow: 'a/b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({"workflow": None}, InvalidRequest, "workflow: None is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (
            {"workflow": ["abc"]},
            InvalidRequest,
            "workflow: ['abc'] is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        (
            {"run_id": "r#TASK#A"},
            InvalidRequest,
            "run_id: 'r#TASK#A' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        ({"run_id": ""}, InvalidRequest, "run_id: '' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (
            {"run_id": "x" * 65},
            InvalidRequest,
            f"run_id: '{'x' * 65}' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        ({"run_id": 5}, InvalidRequest, "run_id: 5 is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (
            {"input": float("nan")},
            InvalidRequest,
            "input: holds nan, which JSON cannot express",
        ),
        ({"input": {"a": "\ud800"}}, InvalidRequest, "input: holds a lone surrogate, which UTF-8 cannot express"),
        (
            {"input": "x" * (LIMIT_BYTES - 1)},
            InvalidRequest,
            "input: is 262145 bytes as JSON, and the limit is 262144; pass a reference to it instead (an S3 key)",
        ),
        ({"workflow": "undeployed"}, InvalidRequest, "service: 'x' is not deployed; the services are a, b1, b2, b3, c"),
        ({"colour": 1}, InvalidRequest, "'colour': is not a field of the request 'start'"),
        ({"b\n": 1, "a": 1}, InvalidRequest, "'a': is not a field of the request 'start'"),
        ({"b\n": 1}, InvalidRequest, "'b\\n': is not a field of the request 'start'"),
    ],
)
def test_a_start_that_is_refused(fields: dict[str, Json], kind: type[Refused], line: str) -> None:
    said = refusal(World(), {"action": "start", "workflow": "abc", "run_id": "r", **fields}, kind)
    assert said.replace(": nan)", ")") == line


def test_an_input_at_the_limit() -> None:
    world = World()
    ask(world, action="start", workflow="abc", run_id="r", input="x" * (LIMIT_BYTES - 2))
    assert [len(text) for text in world.store.inputs.values()] == [LIMIT_BYTES]


def test_a_start_with_another_input() -> None:
    world = settled()
    request = {"action": "start", "workflow": "abc", "run_id": "r", "input": "other"}
    assert refusal(world, request, Conflict) == "run_id: 'r' is a run with another input already; use another id"


def test_a_start_again_when_the_workflow_has_left_the_program() -> None:
    """The run is what was asked for, whatever the program declares by now."""
    world = World()
    request: dict[str, Json] = {"action": "start", "workflow": "abc", "run_id": "r", "input": "text"}
    first = served(world).answer(request)
    assert served(world, declared=[]).answer(request) == {**first, "created": False}
    changed = Workflow("abc", {"A": Task("x")})
    assert served(world, declared=[changed]).answer(request) == {**first, "created": False}, "its service is not there"
    with pytest.raises(Conflict, match="another input"):
        served(world, declared=[]).answer({**request, "input": "other"})
    with pytest.raises(NotFound, match="there is no 'abc'"):
        served(world, declared=[]).answer({**request, "run_id": "r2"})
    with pytest.raises(NotFound, match="there is no 'abd'"):
        served(world, declared=[]).answer({**request, "workflow": "abd"})


def test_a_start_of_another_workflow_with_the_same_id() -> None:
    world = settled()
    ask(world, action="register", definition={"name": "mine", "tasks": {"t": {"service": "a"}}})
    request = {"action": "start", "workflow": "mine", "run_id": "r", "input": "text"}
    assert refusal(world, request, Conflict) == ("run_id: 'r' is a run of the workflow 'abc' already; use another id")


# -- register ----------------------------------------------------------------------------------------------------------

MINE = Workflow("mine", {"t": Task("a")})


def test_a_registration() -> None:
    world = World()
    definition = {"name": "mine", "tasks": {"t": {"service": "a"}}}
    expected = {"name": "mine", "version": MINE.version}
    assert ask(world, action="register", definition=definition) == {**expected, "created": True}
    assert ask(world, action="register", definition=definition) == {**expected, "created": False}
    assert ask(world, action="start", workflow="mine", run_id="r")["run"]["version"] == MINE.version


@pytest.mark.parametrize(
    ("definition", "kind", "line"),
    [
        (None, InvalidRequest, "workflow: must be an object, not null"),
        ({"name": "w", "tasks": {}}, InvalidRequest, "tasks: is empty, and a workflow has at least one task"),
        (
            {"name": "w", "tasks": {"t": {"service": "a", "after": ["t"]}}},
            InvalidRequest,
            "tasks: the dependencies form a cycle: t -> t",
        ),
        (
            {"name": "w", "tasks": {"t": {"service": "z"}}},
            InvalidRequest,
            "service: 'z' is not deployed; the services are a, b1, b2, b3, c",
        ),
        (
            {"name": "abc", "tasks": {"t": {"service": "a"}}},
            Conflict,
            "name: 'abc' is declared by the deployed program; register under another name",
        ),
    ],
)
def test_a_registration_that_is_refused(definition: Json, kind: type[Refused], line: str) -> None:
    assert refusal(World(), {"action": "register", "definition": definition}, kind) == line


# -- describe and output -----------------------------------------------------------------------------------------------


def test_a_description_of_a_run_that_has_ended() -> None:
    world = settled()
    described = ask(world, action="describe", run_id="r")
    assert {task_id: task["status"] for task_id, task in described["tasks"].items()} == dict.fromkeys(
        shapes.diamond().tasks, "SUCCEEDED"
    )
    assert (described["status"], described["error"]) == ("SUCCEEDED", None)
    assert described["finished_at"] == world.run().finished_at


def test_a_description_of_a_run_that_failed() -> None:
    def broken(event: Mapping[str, Json]) -> Json:
        raise ValueError("it broke")

    described = ask(settled(broken), action="describe", run_id="r")
    assert described["error"] == {"name": "ValueError", "message": "it broke", "task": "A"}
    assert described["tasks"]["A"]["error"] == {"name": "ValueError", "message": "it broke"}
    assert {task_id: task["status"] for task_id, task in described["tasks"].items()} == {
        "A": "FAILED",
        **dict.fromkeys(["B1", "B2", "B3", "C"], "CANCELED"),
    }


def test_an_error_of_an_attempt_that_was_mended_is_not_shown() -> None:
    world = settled()
    described = ask(world, action="describe", run_id="r")
    assert [task["error"] for task in described["tasks"].values()] == [None] * 5


def test_an_output() -> None:
    world = settled()
    assert ask(world, action="output", run_id="r") == {"run_id": "r", "output": "C"}
    assert ask(world, action="output", run_id="r", task_id="B2") == {"run_id": "r", "output": "B2"}
    assert ask(world, action="output", run_id="r", task_id=None) == {"run_id": "r", "output": "C"}


@pytest.mark.parametrize(
    ("request_", "kind", "line"),
    [
        ({"action": "describe", "run_id": "r2"}, NotFound, "run_id: there is no run 'r2'"),
        (
            {"action": "describe", "run_id": "a b"},
            InvalidRequest,
            "run_id: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        ({"action": "describe"}, InvalidRequest, "run_id: is missing from the request 'describe'"),
        (
            {"action": "describe", "run_id": "r", "task_id": "A"},
            InvalidRequest,
            "'task_id': is not a field of the request 'describe'",
        ),
        ({"action": "output", "run_id": "r2"}, NotFound, "run_id: there is no run 'r2'"),
        (
            {"action": "output", "run_id": "r", "task_id": "D"},
            NotFound,
            "task_id: the workflow 'abc' has no task 'D'; it has A, B1, B2, B3, C",
        ),
        (
            {"action": "output", "run_id": "r", "task_id": "../x"},
            InvalidRequest,
            "task_id: '../x' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        (
            {"action": "output", "run_id": None},
            InvalidRequest,
            "run_id: None is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
    ],
)
def test_what_cannot_be_shown(request_: dict[str, Json], kind: type[Refused], line: str) -> None:
    assert refusal(settled(), request_, kind) == line


# -- list and workflows ------------------------------------------------------------------------------------------------


def many(count: int = 25) -> World:
    """Return a world with runs r00, r01, ...: the even ones of abc, the odd ones of mine; every third has failed."""

    def task(event: Mapping[str, Json]) -> Json:
        if int(event["run_id"][1:]) % 3 == 0:
            raise ValueError("three")
        return None

    world = World(services=FakeServices(task))
    ask(world, action="register", definition=MINE.to_json())
    for i in range(count):
        world.clock.time += 1_000
        ask(world, action="start", workflow="mine" if i % 2 else "abc", run_id=f"r{i:02d}")
    world.settle()
    return world


def listed(world: World, **fields: Json) -> list[list[str]]:
    """Return the ids of all pages."""
    pages: list[list[str]] = []
    cursor: Json = None
    while True:
        answer = ask(world, action="list", **fields, **({"cursor": cursor} if cursor else {}))
        pages.append([run["run_id"] for run in answer["runs"]])
        cursor = answer["cursor"]
        if cursor is None:
            return pages


def ids(*numbers: int) -> list[str]:
    return [f"r{i:02d}" for i in numbers]


def test_a_list_of_none() -> None:
    assert ask(World(), action="list") == {"runs": [], "cursor": None}


def test_a_list_shows_summaries() -> None:
    world = settled()
    run = world.run()
    assert ask(world, action="list") == {
        "cursor": None,
        "runs": [
            {
                "run_id": "r",
                "workflow": "abc",
                "engine": "dynamodb",
                "status": "SUCCEEDED",
                "error": None,
                "epoch": 1,
                "started_at": run.started_at,
                "deadline_at": None,
                "finished_at": run.finished_at,
            }
        ],
    }


def test_lists() -> None:
    world = many()
    newest = list(reversed(range(25)))
    assert listed(world) == [ids(*newest[:20]), ids(*newest[20:])]
    assert listed(world, limit=100) == [ids(*newest)]
    assert listed(world, limit=10) == [ids(*newest[:10]), ids(*newest[10:20]), ids(*newest[20:])]
    assert listed(world, workflow="mine", limit=100) == [ids(*(i for i in newest if i % 2))]
    assert listed(world, status="FAILED", limit=100) == [ids(*(i for i in newest if i % 3 == 0))]
    assert listed(world, status="FAILED", workflow="abc", limit=100) == [ids(*(i for i in newest if i % 6 == 0))]
    assert listed(world, status="RUNNING", limit=100) == [[]]


@pytest.mark.parametrize("limit", range(1, 12))
def test_a_filtered_list_misses_none_and_repeats_none(limit: int) -> None:
    world = many()
    for status, expected in {
        "FAILED": [i for i in reversed(range(25)) if i % 3 == 0],
        "SUCCEEDED": [i for i in reversed(range(25)) if i % 3],
    }.items():
        pages = listed(world, status=status, limit=limit)
        assert [run for page in pages for run in page] == ids(*expected)
        assert all(len(page) <= limit for page in pages)


def test_a_filtered_list_answers_after_some_pages_and_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_module, "MAX_PAGES_READ", 2)
    pages = listed(many(), status="FAILED", workflow="abc", limit=1)
    assert [run for page in pages for run in page] == ids(24, 18, 12, 6, 0)
    assert [] in pages, "a page may be empty, and there is more"


@pytest.mark.parametrize(
    ("fields", "kind", "line"),
    [
        ({"limit": 0}, InvalidRequest, "limit: must be a whole number from 1 to 100, not 0"),
        ({"limit": 101}, InvalidRequest, "limit: must be a whole number from 1 to 100, not 101"),
        ({"limit": -1}, InvalidRequest, "limit: must be a whole number from 1 to 100, not -1"),
        ({"limit": True}, InvalidRequest, "limit: must be a whole number from 1 to 100, not True"),
        ({"limit": 1.0}, InvalidRequest, "limit: must be a whole number from 1 to 100, not 1.0"),
        ({"limit": "1"}, InvalidRequest, "limit: must be a whole number from 1 to 100, not '1'"),
        ({"limit": None}, InvalidRequest, "limit: must be a whole number from 1 to 100, not None"),
        (
            {"limit": 10**5000},
            InvalidRequest,
            "limit: must be a whole number from 1 to 100, not a value that is too large to show",
        ),
        (
            {"status": "running"},
            InvalidRequest,
            "status: must be one of RUNNING, SUCCEEDED, FAILING, FAILED, CANCELING, CANCELED, not 'running'",
        ),
        (
            {"status": []},
            InvalidRequest,
            "status: must be one of RUNNING, SUCCEEDED, FAILING, FAILED, CANCELING, CANCELED, not []",
        ),
        (
            {"status": {"a": 1}},
            InvalidRequest,
            "status: must be one of RUNNING, SUCCEEDED, FAILING, FAILED, CANCELING, CANCELED, not {'a': 1}",
        ),
        ({"workflow": "abd"}, NotFound, "workflow: there is no 'abd'; there are abc, undeployed"),
        ({"workflow": ""}, InvalidRequest, "workflow: '' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({"cursor": "1"}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"cursor": "0000000001000#a b"}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"cursor": "0000000001000#r\n"}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"cursor": "٣" * 13 + "#r"}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"cursor": 5}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"cursor": ""}, InvalidRequest, "cursor: is not one that a list has returned"),
    ],
)
def test_a_list_that_is_refused(fields: dict[str, Json], kind: type[Refused], line: str) -> None:
    assert refusal(settled(), {"action": "list", **fields}, kind) == line


def test_workflows() -> None:
    world = World()
    ask(world, action="register", definition=MINE.to_json())
    both = {"engines": ["dynamodb", "stepfunctions"]}
    assert ask(world, action="workflows") == {
        "workflows": [
            {"name": "abc", "version": shapes.diamond().version, "tasks": 5, "source": "declared", **both},
            {"name": "mine", "version": MINE.version, "tasks": 1, "source": "registered", "engines": ["dynamodb"]},
            {"name": "undeployed", "version": UNDEPLOYED.version, "tasks": 2, "source": "declared", **both},
        ],
        "unrecorded": [],
    }


# -- cancel and redrive ------------------------------------------------------------------------------------------------


def failing(event: Mapping[str, Json]) -> Json:
    raise ValueError("it broke")


def test_a_cancel_of_a_run_that_has_not_begun_ends_it() -> None:
    world = World()
    ask(world, action="start", workflow="abc", run_id="r")
    answer = ask(world, action="cancel", run_id="r")
    assert (answer["run"]["status"], answer["changed"]) == ("CANCELED", True)
    assert answer["run"] == {k: v for k, v in ask(world, action="describe", run_id="r").items() if k in answer["run"]}
    assert world.ended == [world.run()]
    again = ask(world, action="cancel", run_id="r")
    assert again == {**answer, "changed": False}
    assert world.ended == [world.run()], "it has ended once"
    world.settle()
    assert world.services.calls == []


def test_a_cancel_of_a_run_that_has_ended_changes_nothing() -> None:
    world = settled()
    before = everything(world)
    answer = ask(world, action="cancel", run_id="r")
    assert (answer["run"]["status"], answer["changed"]) == ("SUCCEEDED", False)
    assert everything(world) == before


def test_a_redrive_runs_again_what_failed() -> None:
    world = settled(failing)
    world.services.run = lambda event: event["task_id"]
    answer = ask(world, action="redrive", run_id="r")
    assert (answer["run"]["status"], answer["run"]["epoch"], answer["changed"]) == ("RUNNING", 2, True)
    assert ask(world, action="redrive", run_id="r") == {**answer, "changed": False}
    world.settle()
    assert ask(world, action="output", run_id="r")["output"] == "C"
    assert refusal(world, {"action": "redrive", "run_id": "r"}, Conflict).startswith("run_id: 'r' is SUCCEEDED")


def test_a_redrive_from_a_task() -> None:
    world = settled(failing)
    assert ask(world, action="redrive", run_id="r", from_task="A")["changed"] is True


def test_a_redrive_that_comes_twice_is_one_even_if_the_run_has_failed_again_meanwhile() -> None:
    world = settled(failing)
    request = {"action": "redrive", "run_id": "r", "epoch": 1}
    assert ask(world, **request)["changed"] is True
    world.settle()
    before = everything(world)
    answer = ask(world, **request)
    assert (answer["run"]["status"], answer["run"]["epoch"], answer["changed"]) == ("FAILED", 2, False)
    assert everything(world) == before
    assert ask(world, action="redrive", run_id="r", epoch=2)["changed"] is True


@pytest.mark.parametrize("epoch", [0, -1, True, 1.0, "1", [1]])
def test_what_is_no_epoch(epoch: Json) -> None:
    line = refusal(settled(failing), {"action": "redrive", "run_id": "r", "epoch": epoch})
    assert line == f"epoch: must be a whole number from 1 on, not {epoch!r}"


@pytest.mark.parametrize(
    ("request_", "kind", "line"),
    [
        ({"action": "cancel", "run_id": "r2"}, NotFound, "run_id: there is no run 'r2'"),
        (
            {"action": "cancel", "run_id": "a b"},
            InvalidRequest,
            "run_id: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
        ({"action": "cancel"}, InvalidRequest, "run_id: is missing from the request 'cancel'"),
        ({"action": "redrive", "run_id": "r2"}, NotFound, "run_id: there is no run 'r2'"),
        (
            {"action": "redrive", "run_id": "r", "from_task": "a b"},
            InvalidRequest,
            "from_task: 'a b' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -",
        ),
    ],
)
def test_what_cannot_be_changed(request_: dict[str, Json], kind: type[Refused], line: str) -> None:
    assert refusal(settled(), request_, kind) == line


def test_a_redrive_from_a_task_that_there_is_not() -> None:
    assert "'D'" in refusal(settled(failing), {"action": "redrive", "run_id": "r", "from_task": "D"}, NotFound)


# -- verify ------------------------------------------------------------------------------------------------------------


def spoil(world: World, run_id: str, task_id: str) -> None:
    """Let a task of a run that has ended be one that still runs."""
    task = replace(world.task(task_id, run_id), status=TaskStatus.RUNNING, lease_until=world.clock.now() + 1)
    world.store.records["/".join(codec.task_key(run_id, task_id)[name]["S"] for name in codec.KEY)] = task


def test_a_run_in_which_all_holds() -> None:
    nothing = {"checked": 1, "violations": [], "cursor": None}
    assert ask(settled(), action="verify", run_id="r") == nothing
    assert ask(settled(failing), action="verify", run_id="r") == nothing
    assert ask(settled(), action="verify") == nothing
    assert ask(World(), action="verify") == {**nothing, "checked": 0}


def test_a_run_in_which_something_does_not_hold() -> None:
    world = settled()
    spoil(world, "r", "C")
    answer = ask(world, action="verify", run_id="r")
    assert (answer["checked"], answer["cursor"]) == (1, None)
    assert [(found["run_id"], found["invariant"], found["item"]) for found in answer["violations"]] == [
        ("r", "S8", "run"),
        ("r", "S8", "run"),
    ]
    assert all(set(found) == {"run_id", "invariant", "item", "what"} for found in answer["violations"])
    assert ask(world, action="verify") == answer


def test_what_only_one_look_finds_was_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled()
    good = world.task("C")
    spoil(world, "r", "C")
    real = world.store.get_tasks

    def moving(run_id: str) -> Mapping[str, TaskState]:
        """Return what is stored, and let the task go on."""
        tasks = real(run_id)
        world.store.records["/".join(codec.task_key(run_id, "C")[name]["S"] for name in codec.KEY)] = good
        return tasks

    monkeypatch.setattr(world.store, "get_tasks", moving)
    assert ask(world, action="verify", run_id="r") == {"checked": 1, "violations": [], "cursor": None}


def test_a_run_that_cannot_be_read_is_a_violation() -> None:
    world = settled()
    ask(world, action="start", workflow="abc", run_id="r2")
    world.definitions.versions.clear()
    line = f"abc: the definition {shapes.diamond().version} is missing from the table"
    assert ask(world, action="verify") == {
        "checked": 2,
        "cursor": None,
        "violations": [
            {"run_id": run_id, "invariant": "unreadable", "item": "run", "what": line} for run_id in ("r2", "r")
        ],
    }


def test_a_run_that_a_newer_release_has_written_keeps_no_other_from_being_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = settled()
    ask(world, action="start", workflow="abc", run_id="r2")
    newer = "RUN#r2/RUN: schema 2 is newer than 1, the newest that this release knows"
    listed, got = world.store.list_runs, world.store.get_run

    def get_run(run_id: str) -> Run | None:
        if run_id == "r2":
            raise OrchestraError(newer)
        return got(run_id)

    def list_runs(workflows: Sequence[str], limit: int, before: str | None) -> Page:
        page = listed(workflows, limit, before)
        return Page([run for run in page.runs if run.run_id != "r2"], page.cursor, {"r2": newer})

    monkeypatch.setattr(world.store, "get_run", get_run)
    monkeypatch.setattr(world.store, "list_runs", list_runs)
    violation = {"run_id": "r2", "invariant": "unreadable", "item": "run", "what": newer}
    assert ask(world, action="verify") == {"checked": 2, "cursor": None, "violations": [violation]}
    assert ask(world, action="verify", run_id="r2") == {"checked": 1, "cursor": None, "violations": [violation]}


@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_all_runs_are_verified_page_by_page(limit: int) -> None:
    world = many()
    for i in (3, 4, 24):
        spoil(world, f"r{i:02d}", "t" if i % 2 else "A")
    found: list[str] = []
    checked = 0
    cursor: Json = None
    while True:
        answer = ask(world, action="verify", limit=limit, **({"cursor": cursor} if cursor else {}))
        found += [violation["run_id"] for violation in answer["violations"]]
        checked += answer["checked"]
        assert answer["checked"] <= limit
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert checked == 25
    assert list(dict.fromkeys(found)) == ids(24, 4, 3)


@pytest.mark.parametrize(
    ("fields", "kind", "line"),
    [
        ({"run_id": "r2"}, NotFound, "run_id: there is no run 'r2'"),
        ({"run_id": []}, InvalidRequest, "run_id: [] is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({"limit": 0}, InvalidRequest, "limit: must be a whole number from 1 to 100, not 0"),
        ({"cursor": "x"}, InvalidRequest, "cursor: is not one that a list has returned"),
        ({"workflow": "abc"}, InvalidRequest, "'workflow': is not a field of the request 'verify'"),
    ],
)
def test_what_cannot_be_verified(fields: dict[str, Json], kind: type[Refused], line: str) -> None:
    assert refusal(settled(), {"action": "verify", **fields}, kind) == line


# -- any request -------------------------------------------------------------------------------------------------------

ACTIONS = (
    "start, register, describe, output, list, workflows, asl, cancel, redrive, verify,"
    " dead_letters, dead_letter, redrive_dead_letters, drop_dead_letter"
)


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (None, f"action: is missing; the actions are {ACTIONS}"),
        ([], f"action: is missing; the actions are {ACTIONS}"),
        ("start", f"action: is missing; the actions are {ACTIONS}"),
        ({}, f"action: is missing; the actions are {ACTIONS}"),
        ({"action": None}, f"action: is missing; the actions are {ACTIONS}"),
        ({"action": ["start"]}, f"action: is missing; the actions are {ACTIONS}"),
        ({"action": "stop"}, f"action: there is no 'stop'; the actions are {ACTIONS}"),
        ({"action": "answer"}, f"action: there is no 'answer'; the actions are {ACTIONS}"),
        ({"action": "__init__"}, f"action: there is no '__init__'; the actions are {ACTIONS}"),
        ({"action": "x" * 200}, f"action: there is no '{'x' * 76}...; the actions are {ACTIONS}"),
        ({"action": "start"}, "workflow: is missing from the request 'start'"),
        ({"action": "register"}, "definition: is missing from the request 'register'"),
        ({"action": "workflows", "self": 1}, "'self': is not a field of the request 'workflows'"),
        ({"action": "workflows", "": 1}, "'': is not a field of the request 'workflows'"),
    ],
)
def test_what_is_no_request(request_: Json, line: str) -> None:
    assert refusal(World(), request_) == line


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["abc", "r", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "workflow",
    "input",
    "run_id",
    "definition",
    "task_id",
    "status",
    "limit",
    "cursor",
    "id",
    "all",
    "from_task",
    "epoch",
    "other",
]


@given(
    st.fixed_dictionaries(
        {"action": st.sampled_from([*ACTIONS.split(", "), "other"]) | json_values},
        optional=dict.fromkeys(FIELDS, json_values),
    )
)
def test_any_request_is_answered_or_refused_in_one_line_without_a_trace(request_: dict[str, Json]) -> None:
    world = World()
    before = everything(world)
    refused = None
    try:
        served(world).answer(request_)
    except Refused as error:
        refused = str(error)
    if refused is not None:
        assert refused.isprintable()
        assert len(refused) < 600
        assert everything(world) == before
