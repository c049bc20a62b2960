"""Definitions: what they look like, what they are named, and every way in which one is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import InvalidRequest, WorkflowError
from orchestration.payload import LIMIT_BYTES
from orchestration.workflow import Retry, Task, Workflow
from tests.support import shapes

LONGEST = "x" * 64
SINGLE: dict[str, Any] = {"name": "w", "tasks": {"t": {"service": "s"}}}
UP_TO_A_YEAR = "must be a whole number from 1 to 31536000"
TASK_FIELDS = "service, after, params, timeout_s, retry, total_timeout_s, at_most_once"

DIAMOND_CANONICAL = (
    '{"name":"abc","tasks":{'
    '"A":{"after":[],"params":{},"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},'
    '"service":"a","timeout_s":60},'
    '"B1":{"after":["A"],"params":{},"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},'
    '"service":"b1","timeout_s":60},'
    '"B2":{"after":["A"],"params":{},"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},'
    '"service":"b2","timeout_s":60},'
    '"B3":{"after":["A"],"params":{},"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},'
    '"service":"b3","timeout_s":60},'
    '"C":{"after":["B1","B2","B3"],"params":{},'
    '"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},"service":"c","timeout_s":60}}}'
)
DIAMOND_VERSION = "335c8a50720468af95aca5dd117aa99e1a16d62c64875b4acfa98dbe95ba9a3c"


def refusal(make: Callable[[], object]) -> str:
    """Return the one line with which a definition is refused."""
    with pytest.raises(WorkflowError) as error:
        make()
    assert isinstance(error.value, InvalidRequest | ValueError)
    assert "\n" not in str(error.value)
    assert str(error.value) == f"{error.value.field}: {error.value.problem}"
    return str(error.value)


def of(tasks: Mapping[str, Any], name: str = "w") -> Callable[[], Workflow]:
    return lambda: Workflow.from_json({"name": name, "tasks": tasks})


# -- what a definition is ----------------------------------------------------------------------------------------------


def test_the_canonical_diamond() -> None:
    assert shapes.diamond().canonical() == DIAMOND_CANONICAL
    assert shapes.diamond().version == DIAMOND_VERSION
    assert shapes.diamond().to_json() == json.loads(DIAMOND_CANONICAL)


def test_the_graph_of_the_diamond() -> None:
    workflow = shapes.diamond()
    assert workflow.roots == ("A",)
    assert workflow.sinks == ("C",)
    assert workflow.indexes == {"A": 0, "B1": 1, "B2": 2, "B3": 3, "C": 4}
    assert workflow.dependents == {"A": ("B1", "B2", "B3"), "B1": ("C",), "B2": ("C",), "B3": ("C",), "C": ()}
    assert workflow.services == {"a", "b1", "b2", "b3", "c"}


def test_the_graph_of_several_roots_and_sinks() -> None:
    workflow = shapes.sinks()
    assert workflow.roots == ("A", "alone")
    assert workflow.sinks == ("X", "Y", "alone")


def test_defaults() -> None:
    expected = Workflow(
        "w",
        {
            "t": Task(
                service="s",
                after=(),
                params={},
                timeout_s=60,
                retry=Retry(max_attempts=1, delay_s=1, backoff=2, max_delay_s=60, on=("*",)),
            )
        },
    )
    assert Workflow.from_json({"name": "w", "tasks": {"t": {"service": "s"}}}) == expected
    assert Workflow.from_json({"name": "w", "tasks": {"t": {"service": "s", "retry": {}}}}) == expected


def test_equal_graphs_are_one_version_however_they_are_written() -> None:
    one = Workflow(
        "w",
        {
            "a": Task("s", params={"x": 1, "y": {"b": 1, "a": 2}}, retry=Retry(delay_s=2, on=["B", "A", "B"])),
            "b": Task("s"),
            "c": Task("s", after=["b", "a"]),
        },
    )
    other = Workflow(
        "w",
        {
            "c": Task("s", after=("a", "b"), timeout_s=60),
            "b": Task("s"),
            "a": Task("s", params={"y": {"a": 2, "b": 1}, "x": 1}, retry=Retry(delay_s=2.0, on=["A", "B"])),
        },
    )
    assert one.canonical() == other.canonical()
    assert one.version == other.version
    assert list(one.tasks) == list(other.tasks) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "changed",
    [
        Workflow("w2", {"a": Task("s")}),
        Workflow("w", {"b": Task("s")}),
        Workflow("w", {"a": Task("t")}),
        Workflow("w", {"a": Task("s"), "b": Task("s")}),
        Workflow("w", {"a": Task("s", params={"x": 1})}),
        Workflow("w", {"a": Task("s", timeout_s=61)}),
        Workflow("w", {"a": Task("s", retry=Retry(max_attempts=2))}),
        Workflow("w", {"a": Task("s", total_timeout_s=60)}),
        Workflow("w", {"a": Task("s", at_most_once=True)}),
        Workflow("w", {"a": Task("s")}, timeout_s=60),
    ],
)
def test_every_difference_is_another_version(changed: Workflow) -> None:
    assert changed.version != Workflow("w", {"a": Task("s")}).version


def test_a_version_is_of_the_values_and_not_of_their_python_types() -> None:
    assert Retry(delay_s=1.0).to_json()["delay_s"].__class__ is int
    assert Retry(delay_s=0.5).to_json()["delay_s"] == 0.5
    assert Workflow("w", {"a": Task("s", params={"x": 1})}).version != (
        Workflow("w", {"a": Task("s", params={"x": 1.0})}).version
    ), "params are the task's own: 1 and 1.0 are two values there"


def test_what_is_not_used_is_left_out_so_that_older_definitions_keep_their_version() -> None:
    assert Workflow("w", {"t": Task("s", total_timeout_s=None, at_most_once=False)}, timeout_s=None).canonical() == (
        '{"name":"w","tasks":{"t":{"after":[],"params":{},'
        '"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},"service":"s","timeout_s":60}}}'
    )
    every = Workflow("w", {"t": Task("s", total_timeout_s=90, at_most_once=True)}, timeout_s=120)
    assert every.canonical() == (
        '{"name":"w","tasks":{"t":{"after":[],"at_most_once":true,"params":{},'
        '"retry":{"backoff":2,"delay_s":1,"max_attempts":1,"max_delay_s":60,"on":["*"]},"service":"s",'
        '"timeout_s":60,"total_timeout_s":90}},"timeout_s":120}'
    )
    explicit = {"service": "s", "total_timeout_s": None, "at_most_once": False}
    assert Workflow.from_json({"name": "w", "tasks": {"t": explicit}, "timeout_s": None}) == (
        Workflow("w", {"t": Task("s")})
    )


@pytest.mark.parametrize("timeout_s", [1, 31_536_000])
def test_a_deadline_of_a_run(timeout_s: int) -> None:
    workflow = Workflow.from_json({**SINGLE, "timeout_s": timeout_s})
    assert workflow.timeout_s == timeout_s
    assert Workflow.from_json(json.loads(workflow.canonical())) == workflow


def test_params_are_the_tasks_own_copy() -> None:
    params: dict[str, Any] = {"list": [1]}
    task = Task("s", params=params)
    params["list"].append(2)
    assert task.params == {"list": [1]}


def test_a_definition_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        shapes.diamond().name = "other"  # type: ignore[misc]


def test_a_round_trip_of_the_diamond() -> None:
    again = Workflow.from_json(json.loads(DIAMOND_CANONICAL))
    assert again == shapes.diamond()
    assert again.version == DIAMOND_VERSION


names = st.text("abcXYZ019_-", min_size=1, max_size=64)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
retries = st.builds(
    Retry,
    max_attempts=st.integers(1, 100),
    delay_s=st.floats(0, 86_400) | st.integers(0, 86_400),
    backoff=st.floats(1, 10),
    max_delay_s=st.floats(0, 86_400),
    on=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256), min_size=1, max_size=3),
)
durations = st.none() | st.integers(1, 31_536_000)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    ids = draw(st.lists(names, min_size=1, max_size=8, unique_by=str.lower))
    json_params = st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.none(), max_size=2
    )
    tasks = {}
    for i, id_ in enumerate(ids):
        retry = draw(retries)
        tasks[id_] = Task(
            draw(names),
            after=draw(st.lists(st.sampled_from(ids[:i]), unique=True) if i else st.just([])),
            params=draw(json_params),
            timeout_s=draw(st.integers(1, 840)),
            retry=retry,
            total_timeout_s=draw(durations),
            at_most_once=retry.max_attempts == 1 and draw(st.booleans()),
        )
    return Workflow(draw(names), tasks, draw(durations))


@given(workflows())
def test_every_definition_round_trips(workflow: Workflow) -> None:
    again = Workflow.from_json(json.loads(workflow.canonical()))
    assert again == workflow
    assert again.canonical() == workflow.canonical()
    assert again.version == workflow.version
    for task_id, task in workflow.tasks.items():
        assert all(task_id in workflow.dependents[dependency] for dependency in task.after)
    assert set(workflow.roots) <= set(workflow.tasks)
    assert workflow.sinks


@given(
    anything
    | st.fixed_dictionaries(
        {"name": names | anything, "tasks": st.dictionaries(names | st.text(), anything) | anything}
    )
    | st.fixed_dictionaries(
        {
            "name": names,
            "tasks": st.dictionaries(
                names,
                st.fixed_dictionaries(
                    {"service": names | anything},
                    optional={
                        "after": st.lists(names | st.text()) | anything,
                        "params": anything,
                        "timeout_s": anything,
                        "total_timeout_s": anything,
                        "at_most_once": anything,
                        "retry": anything
                        | st.dictionaries(st.sampled_from(["max_attempts", "delay_s", "on"]) | st.text(), anything),
                    },
                ),
            ),
        }
    )
)
def test_whatever_is_sent_is_a_definition_or_is_refused_in_one_line(value: object) -> None:
    refused = None
    try:
        workflow = Workflow.from_json(value)
    except WorkflowError as error:
        refused = str(error)
    if refused is None:
        assert len(workflow.version) == 64
    else:
        assert refused.isprintable()
        assert len(refused) < 500


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        {"service": "s", "timeout_s": 1},
        {"service": "s", "timeout_s": 840},
        {"service": "s", "retry": {"max_attempts": 1}},
        {"service": "s", "retry": {"max_attempts": 100}},
        {"service": "s", "retry": {"delay_s": 0}},
        {"service": "s", "retry": {"delay_s": 86_400}},
        {"service": "s", "retry": {"delay_s": 0.001}},
        {"service": "s", "retry": {"backoff": 1}},
        {"service": "s", "retry": {"backoff": 10}},
        {"service": "s", "retry": {"max_delay_s": 0}},
        {"service": "s", "retry": {"max_delay_s": 86_400}},
        {"service": "s", "retry": {"on": ["e"]}},
        {"service": "s", "retry": {"on": ["e" * 256]}},
        {"service": "s", "retry": {"on": ["Boom: the name can be é any text\n"]}},
        {"service": "s", "params": {"x": "y" * (LIMIT_BYTES - len('{"x":""}'))}},
        {"service": "s", "total_timeout_s": 1},
        {"service": "s", "total_timeout_s": 31_536_000},
        {"service": "s", "at_most_once": True},
        {"service": "s", "at_most_once": True, "retry": {"max_attempts": 1}},
        {"service": "s", "at_most_once": False, "retry": {"max_attempts": 2}},
        {"service": LONGEST},
        {"service": "-"},
    ],
)
def test_what_is_within_the_limits(value: dict[str, Any]) -> None:
    workflow = of({"t": value})()
    assert Workflow.from_json(json.loads(workflow.canonical())) == workflow


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"timeout_s": 0}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not 0"),
        ({"timeout_s": 841}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not 841"),
        ({"timeout_s": -1}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not -1"),
        ({"timeout_s": 60.0}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not 60.0"),
        ({"timeout_s": True}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not True"),
        ({"timeout_s": "10"}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not '10'"),
        ({"timeout_s": None}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not None"),
        ({"timeout_s": float("nan")}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not nan"),
        ({"timeout_s": float("inf")}, "tasks.t.timeout_s: must be a whole number from 1 to 840, not inf"),
        (
            {"timeout_s": 10**5000},
            "tasks.t.timeout_s: must be a whole number from 1 to 840, not a value that is too large to show",
        ),
        ({"retry": {"max_attempts": 0}}, "tasks.t.retry.max_attempts: must be a whole number from 1 to 100, not 0"),
        ({"retry": {"max_attempts": 101}}, "tasks.t.retry.max_attempts: must be a whole number from 1 to 100, not 101"),
        (
            {"retry": {"max_attempts": True}},
            "tasks.t.retry.max_attempts: must be a whole number from 1 to 100, not True",
        ),
        ({"retry": {"delay_s": -1}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not -1"),
        ({"retry": {"delay_s": 86400.1}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not 86400.1"),
        ({"retry": {"delay_s": float("nan")}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not nan"),
        ({"retry": {"delay_s": float("inf")}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not inf"),
        ({"retry": {"delay_s": 1e308}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not 1e+308"),
        ({"retry": {"delay_s": "1"}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not '1'"),
        ({"retry": {"delay_s": False}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not False"),
        ({"retry": {"delay_s": None}}, "tasks.t.retry.delay_s: must be a number from 0 to 86400, not None"),
        ({"retry": {"backoff": 0.9}}, "tasks.t.retry.backoff: must be a number from 1 to 10, not 0.9"),
        ({"retry": {"backoff": 10.1}}, "tasks.t.retry.backoff: must be a number from 1 to 10, not 10.1"),
        (
            {"retry": {"max_delay_s": 86401}},
            "tasks.t.retry.max_delay_s: must be a number from 0 to 86400, not 86401",
        ),
        ({"retry": {"max_delay_s": -0.1}}, "tasks.t.retry.max_delay_s: must be a number from 0 to 86400, not -0.1"),
        (
            {"retry": {"on": []}},
            'tasks.t.retry.on: must name at least one error, each of 1 to 256 characters; "*" is any error',
        ),
        (
            {"retry": {"on": [""]}},
            'tasks.t.retry.on: must name at least one error, each of 1 to 256 characters; "*" is any error',
        ),
        (
            {"retry": {"on": ["e" * 257]}},
            'tasks.t.retry.on: must name at least one error, each of 1 to 256 characters; "*" is any error',
        ),
        (
            {"retry": {"on": ["\ud800"]}},
            "tasks.t.retry.on: '\\ud800' holds a lone surrogate, which UTF-8 cannot express",
        ),
        ({"retry": {"on": "Boom"}}, "tasks.t.retry.on: must be a list of strings, not a string"),
        ({"retry": {"on": [1]}}, "tasks.t.retry.on: must be a list of strings, and 1 is a number"),
        ({"retry": None}, "tasks.t.retry: must be an object, not null"),
        (
            {"retry": {"attempts": 3}},
            (
                "tasks.t.retry.attempts: is not a field of a retry; "
                "the fields are max_attempts, delay_s, backoff, max_delay_s, on"
            ),
        ),
        ({"total_timeout_s": 0}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not 0"),
        ({"total_timeout_s": 31_536_001}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not 31536001"),
        ({"total_timeout_s": -1}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not -1"),
        ({"total_timeout_s": 60.5}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not 60.5"),
        ({"total_timeout_s": True}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not True"),
        ({"total_timeout_s": "60"}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not '60'"),
        ({"total_timeout_s": float("nan")}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not nan"),
        ({"total_timeout_s": float("inf")}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not inf"),
        ({"total_timeout_s": 1e308}, f"tasks.t.total_timeout_s: {UP_TO_A_YEAR}, not 1e+308"),
        ({"at_most_once": 1}, "tasks.t.at_most_once: must be true or false, not 1"),
        ({"at_most_once": "true"}, "tasks.t.at_most_once: must be true or false, not 'true'"),
        ({"at_most_once": None}, "tasks.t.at_most_once: must be true or false, not None"),
        ({"at_most_once": []}, "tasks.t.at_most_once: must be true or false, not []"),
        (
            {"at_most_once": True, "retry": {"max_attempts": 2}},
            "tasks.t.at_most_once: excludes a retry, and retry.max_attempts is 2; leave one out",
        ),
        ({"after": "a"}, "tasks.t.after: must be a list of strings, not a string"),
        ({"after": None}, "tasks.t.after: must be a list of strings, not null"),
        ({"after": {"a": 1}}, "tasks.t.after: must be a list of strings, not an object"),
        ({"after": [None]}, "tasks.t.after: must be a list of strings, and None is null"),
        ({"after": ["a", "b", "a"]}, "tasks.t.after: names 'a' twice"),
        ({"after": ["", ""]}, "tasks.t.after: names '' twice"),
        ({"after": ["gone"]}, "tasks.t.after: names 'gone', which is not a task"),
        ({"after": [""]}, "tasks.t.after: names '', which is not a task"),
        ({"after": ["\ud800\n#"]}, "tasks.t.after: names '\\ud800\\n#', which is not a task"),
        ({"params": []}, "tasks.t.params: must be an object, not a list"),
        ({"params": None}, "tasks.t.params: must be an object, not null"),
        (
            {"params": {"x": float("nan")}},
            "tasks.t.params: holds nan, which JSON cannot express",
        ),
        ({"params": {"x": "\ud800"}}, "tasks.t.params: holds a lone surrogate, which UTF-8 cannot express"),
        (
            {"params": {"x": "y" * (LIMIT_BYTES - len('{"x":""}') + 1)}},
            (
                "tasks.t.params: is 262145 bytes as JSON, and the limit is 262144; "
                "pass a reference to it instead (an S3 key)"
            ),
        ),
        ({"service": ""}, "tasks.t.service: '' is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({"service": None}, "tasks.t.service: None is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        (
            {"colour": 1},
            f"tasks.t.colour: is not a field of a task; the fields are {TASK_FIELDS}",
        ),
        ({"": 1}, f"tasks.t.'': is not a field of a task; the fields are {TASK_FIELDS}"),
    ],
)
def test_a_task_that_breaks_a_rule(fields: dict[str, Any], line: str) -> None:
    said = refusal(of({"t": {"service": "s", **fields}}))
    # Newer Pythons name the number in their own message.
    assert said.replace(": nan)", ")") == line


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "workflow: must be an object, not null"),
        ([], "workflow: must be an object, not a list"),
        ("w", "workflow: must be an object, not a string"),
        (True, "workflow: must be an object, not a boolean"),
        (1.5, "workflow: must be an object, not a number"),
        ({}, "name: is missing from the workflow"),
        ({"tasks": {}}, "name: is missing from the workflow"),
        ({"name": "w"}, "tasks: is missing from the workflow"),
        ({"name": "w", "tasks": {}}, "tasks: is empty, and a workflow has at least one task"),
        ({"name": "w", "tasks": []}, "tasks: must be an object of tasks by id, not a list"),
        ({"name": "w", "tasks": None}, "tasks: must be an object of tasks by id, not null"),
        ({"name": "w", "tasks": {"t": None}}, "tasks.t: must be an object, not null"),
        ({"name": "w", "tasks": {"t": {}}}, "tasks.t.service: is missing from the task"),
        ({"name": "w", "tasks": {1: {}}}, "tasks.1.service: is missing from the task"),
        ({"name": "w", "tasks": {"a\nb": {}}}, "tasks.a?b.service: is missing from the task"),
        ({"name": 5, "tasks": {"t": {"service": "s"}}}, "name: 5 is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"),
        ({**SINGLE, "timeout_s": 0}, f"timeout_s: {UP_TO_A_YEAR}, not 0"),
        ({**SINGLE, "timeout_s": 31_536_001}, f"timeout_s: {UP_TO_A_YEAR}, not 31536001"),
        ({**SINGLE, "timeout_s": -1}, f"timeout_s: {UP_TO_A_YEAR}, not -1"),
        ({**SINGLE, "timeout_s": 1.5}, f"timeout_s: {UP_TO_A_YEAR}, not 1.5"),
        ({**SINGLE, "timeout_s": True}, f"timeout_s: {UP_TO_A_YEAR}, not True"),
        ({**SINGLE, "timeout_s": "10"}, f"timeout_s: {UP_TO_A_YEAR}, not '10'"),
        ({**SINGLE, "timeout_s": float("nan")}, f"timeout_s: {UP_TO_A_YEAR}, not nan"),
        ({**SINGLE, "timeout_s": float("inf")}, f"timeout_s: {UP_TO_A_YEAR}, not inf"),
        ({**SINGLE, "timeout_s": {}}, f"timeout_s: {UP_TO_A_YEAR}, not {{}}"),
        (
            {"name": "w", "tasks": {"t": {"service": "s"}}, "version": 1},
            "version: is not a field of a workflow; the fields are name, tasks, timeout_s",
        ),
        (
            {"name": "w", "tasks": {"t": {"service": "s"}}, "": 1},
            "'': is not a field of a workflow; the fields are name, tasks, timeout_s",
        ),
        (
            {"name": "w", "tasks": {"t": {"service": "s"}}, "x\n" * 60: 1},
            "x?" * 38 + "x...: is not a field of a workflow; the fields are name, tasks, timeout_s",
        ),
    ],
)
def test_a_workflow_that_breaks_a_rule(value: object, line: str) -> None:
    assert refusal(lambda: Workflow.from_json(value)) == line


ID_RULE = "is not an id: 1 to 64 characters of A-Z a-z 0-9 _ -"


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        ("", "''"),
        ("x" * 65, "'" + "x" * 65 + "'"),
        ("x" * 10_000, "'" + "x" * 76 + "..."),
        ("a#b", "'a#b'"),
        ("a#TASK#b", "'a#TASK#b'"),
        ("a/b", "'a/b'"),
        ("..", "'..'"),
        ("a|b", "'a|b'"),
        ("a b", "'a b'"),
        ("a'b", '"a\'b"'),
        ("a\n", "'a\\n'"),
        ("\n", "'\\n'"),
        ("a\x00", "'a\\x00'"),
        ("😀", "'\\U0001f600'"),
        ("é", "'\\xe9'"),
        ("٣", "'\\u0663'"),  # a digit, and not ours
        ("a\u200b", "'a\\u200b'"),
        ("\u202ea", "'\\u202ea'"),
        ("\u212a", "'\\u212a'"),  # the Kelvin sign, which lower() makes a k
    ],
)
def test_what_is_no_id_is_no_name_task_or_service(bad: str, shown: str) -> None:
    task = Task("s")
    assert refusal(lambda: Workflow(bad, {"t": task})) == f"name: {shown} {ID_RULE}"
    assert refusal(lambda: Workflow("w", {bad: task})) == f"tasks: {shown} {ID_RULE}"
    assert refusal(lambda: Task(bad)) == f"service: {shown} {ID_RULE}"


@pytest.mark.parametrize("good", ["x", LONGEST, "A-Z_09", "-", "_", "0", "TASK", "con", "__proto__"])
def test_what_is_an_id(good: str) -> None:
    assert Workflow(good, {good: Task(good)}).sinks == (good,)


def test_ids_that_differ_in_nothing_but_case() -> None:
    assert refusal(lambda: Workflow("w", {"b1": Task("s"), "x": Task("s"), "B1": Task("s")})) == (
        "tasks: 'b1' and 'B1' differ in nothing but case"
    )


def test_a_task_must_be_a_task() -> None:
    assert refusal(lambda: Workflow("w", {"t": {"service": "s"}})) == (  # type: ignore[dict-item]
        "tasks.t: must be a Task, not an object"
    )
    assert refusal(lambda: Task("s", retry={"max_attempts": 2})) == (  # type: ignore[arg-type]
        "retry: must be a Retry, not an object"
    )


def test_one_task_too_many() -> None:
    task = Task("s")
    tasks = {f"t{i}": task for i in range(10_001)}
    assert refusal(lambda: Workflow("w", tasks)) == "tasks: has 10001 tasks, and the limit is 10000"


def test_the_number_of_dependencies() -> None:
    tasks = {f"t{i}": Task("s") for i in range(1_001)}
    for count in (999, 1_000):
        some = dict(list(tasks.items())[:count])
        assert Workflow("w", {**some, "last": Task("s", after=list(some))}).sinks == ("last",)
    assert refusal(lambda: Task("s", after=list(tasks))) == "after: names 1001 tasks, and the limit is 1000"


def test_the_size_of_a_definition() -> None:
    def of_size(size: int) -> Workflow:
        padding = {f"P{i:02}": Task("s", params={"x": "y" * 250_000}) for i in range(13)}
        rest = size - len(Workflow("w", padding | {"Z": Task("s", params={"x": ""})}).canonical())
        return Workflow("w", padding | {"Z": Task("s", params={"x": "y" * rest})})

    assert len(of_size(3_500_000).canonical()) == 3_500_000
    with pytest.raises(WorkflowError) as refusal:
        of_size(3_500_001)
    assert str(refusal.value) == "tasks: the definition is 3500001 bytes as canonical JSON, and the limit is 3500000"


def test_the_number_of_sinks() -> None:
    tasks = {f"t{i}": Task("s") for i in range(1_001)}
    for count in (999, 1_000):
        assert len(Workflow("w", dict(list(tasks.items())[:count])).sinks) == count
    assert refusal(lambda: Workflow("w", tasks)) == "tasks: 1001 tasks have no dependent, and the limit is 1000"


# -- cycles ------------------------------------------------------------------------------------------------------------


def graph(**after: list[str]) -> Callable[[], Workflow]:
    return lambda: Workflow("w", {task_id: Task("s", after=ids) for task_id, ids in after.items()})


@pytest.mark.parametrize(
    ("make", "cycle"),
    [
        (graph(a=["a"]), "a -> a"),
        (graph(a=["b"], b=["a"]), "a -> b -> a"),
        (graph(a=["c"], b=["a"], c=["b"]), "a -> b -> c -> a"),
        (graph(a=["d"], b=["a"], c=["b"], d=["c"], x=["y", "a"], y=["x"]), "x -> y -> x"),
        (graph(root=[], a=["root", "b"], b=["a"], end=["b"]), "a -> b -> a"),
    ],
)
def test_a_cycle_is_shown(make: Callable[[], Workflow], cycle: str) -> None:
    assert refusal(make) == f"tasks: the dependencies form a cycle: {cycle}"


def ring(size: int) -> Callable[[], Workflow]:
    ids = [f"t{i:05d}" for i in range(size)]
    return lambda: Workflow("w", {id_: Task("s", after=[ids[i - 1]]) for i, id_ in enumerate(ids)})


def test_the_middle_of_a_long_cycle_is_left_out() -> None:
    whole = " -> ".join([*(f"t{i:05d}" for i in range(11)), "t00000"])
    assert refusal(ring(11)) == f"tasks: the dependencies form a cycle: {whole}"
    first = " -> ".join(f"t{i:05d}" for i in range(6))
    assert refusal(ring(12)) == (
        f"tasks: the dependencies form a cycle: {first} -> ... 4 more ... -> t00010 -> t00011 -> t00000"
    )
    assert refusal(ring(10_000)) == (
        f"tasks: the dependencies form a cycle: {first} -> ... 9992 more ... -> t09998 -> t09999 -> t00000"
    )


# -- size --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: shapes.chain(10_000),
        lambda: shapes.wide(10_000),
        lambda: shapes.layered(100, 100),
    ],
    ids=["chain", "wide", "layers"],
)
def test_ten_thousand_tasks_are_valid_within_two_seconds(make: Callable[[], Workflow]) -> None:
    value = make().to_json()
    started = time.process_time()
    workflow = Workflow.from_json(value)
    took_s = time.process_time() - started
    assert len(workflow.tasks) == 10_000
    assert took_s < 2, "measured in CPU time, of which it takes some 0.3 s"


def test_a_ring_of_ten_thousand_is_refused_within_two_seconds() -> None:
    make = ring(10_000)
    started = time.process_time()
    refusal(make)
    assert time.process_time() - started < 2
