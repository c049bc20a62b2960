"""Workflows as state machines: the same events, the same order, and no more states than there have to be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.asl import MAX_BYTES, MAX_NESTING, Compiled, compile_workflow, version_of
from orchestration.errors import WorkflowError
from orchestration.payload import Json
from orchestration.retriers import retriers
from orchestration.workflow import Retry, Task, Workflow
from tests.support.jsonata import evaluated
from tests.support.machine import NAME, Walk

ABC = Workflow(
    "abc",
    {
        "A": Task("a"),
        "B1": Task("b1", after=["A"]),
        "B2": Task("b2", after=["A"], params={"n": 1}, timeout_s=30),
        "B3": Task("b3", after=["A"]),
        "C": Task("c", after=["B1", "B2", "B3"]),
    },
)


def arns(workflow: Workflow) -> dict[str, str]:
    return {name: f"arn:aws:lambda:eu-central-1:123456789012:function:task-{name}" for name in workflow.services}


def compiled(workflow: Workflow) -> Compiled:
    return compile_workflow(workflow, arns(workflow))


def flow(**after: list[str]) -> Workflow:
    return Workflow("w", {name: Task("s", after=others) for name, others in after.items()})


def task_state(task_id: str, service: str, upstream: Json, **place: Json) -> Json:
    task = ABC.tasks[task_id]
    return {
        "Type": "Task",
        "Resource": f"arn:aws:lambda:eu-central-1:123456789012:function:task-{service}",
        "Arguments": {
            "run_id": "{% $states.context.Execution.Name %}",
            "workflow": "abc",
            "task_id": task_id,
            "attempt": "{% $states.context.State.RetryCount + 1 %}",
            "idempotency_key": f"{{% $states.context.Execution.Name & '/{task_id}' %}}",
            "deadline_at": f"{{% $millis() + {task.timeout_s}000 %}}",
            "params": dict(task.params),
            "input": "{% $states.context.Execution.Input %}",
            "upstream": upstream,
        },
        "TimeoutSeconds": task.timeout_s,
        "Retry": retriers(task),
        **place,
    }


def branch(task_id: str, service: str) -> Json:
    state = task_state(task_id, service, {"A": "{% $out_A %}"}, Output={task_id: "{% $states.result %}"}, End=True)
    return {"StartAt": task_id, "States": {task_id: state}}


def test_the_diamond_is_six_transitions() -> None:
    found = compiled(ABC)
    assert found.definition == {
        "Comment": f"Orchestra: abc, version {ABC.version}",
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {
            "A": task_state("A", "a", {}, Assign={"out_A": "{% $states.result %}"}, Next="B1 | B2 | B3"),
            "B1 | B2 | B3": {
                "Type": "Parallel",
                "Branches": [branch("B1", "b1"), branch("B2", "b2"), branch("B3", "b3")],
                "Assign": {f"out_B{n + 1}": f"{{% $states.result[{n}].`B{n + 1}` %}}" for n in range(3)},
                "Next": "C",
            },
            "C": task_state("C", "c", {f"B{n}": f"{{% $out_B{n} %}}" for n in (1, 2, 3)}, End=True),
        },
    }
    assert (found.transitions, found.barriers, found.notes, found.longest) == (6, (), (), 3)
    assert json.loads(found.text) == found.definition


def test_the_version_is_read_from_a_definition() -> None:
    assert version_of(compiled(ABC).text) == ABC.version
    assert [version_of(text) for text in ("", "[]", "{}", '{"Comment": 1}', '{"Comment": "mine"}')] == [None] * 5


def test_a_barrier_is_told() -> None:
    found = compiled(flow(A=[], B=[], C=["A"], D=["A", "B"]))
    assert [(barrier.first, barrier.then, barrier.waits) for barrier in found.barriers] == [
        (("A", "B"), ("C", "D"), (("C", "B"),))
    ]
    assert (found.transitions, found.longest) == (6, 2)
    assert found.losses() == {
        "barriers": [{"first": ["A", "B"], "then": ["C", "D"], "waits": [["C", "B"]], "lost": 1}],
        "longest_chain": {"workflow": 2, "machine": 2},
        "notes": [],
    }


def test_times_that_are_shared() -> None:
    workflow = Workflow("w", {"A": Task("s", timeout_s=60, total_timeout_s=100)}, timeout_s=900)
    found = compiled(workflow)
    assert found.definition["TimeoutSeconds"] == 900
    timeout = found.definition["States"]["A"]["TimeoutSeconds"]

    def left(entered_ms_ago: int, redriven_ms_ago: int | None = None) -> Json:
        execution = {} if redriven_ms_ago is None else {"RedriveTime": ago(redriven_ms_ago)}
        return evaluated(timeout, context={"State": {"EnteredTime": ago(entered_ms_ago)}, "Execution": execution})

    assert left(1) == 60
    assert left(70_500) in {29, 30}
    assert left(99_500) in {0, 1}
    assert left(200_500) in {-101, -100}  # which fails the task
    assert left(200_500, redriven_ms_ago=70_500) in {29, 30}
    assert found.notes == (
        (
            "tasks.A.total_timeout_s: is looked at when an attempt begins, so that a delay before one that is too late"
            " is waited for"
        ),
        "timeout_s: what runs when it is up is not waited for, and its result is lost",
    )


def ago(ms: int) -> Json:
    return evaluated(f"{{% $fromMillis($millis() - {ms}) %}}")


def test_what_a_policy_loses_is_told() -> None:
    found = compiled(Workflow("w", {"A": Task("s", retry=Retry(max_attempts=2, delay_s=0.5))}))
    assert found.notes == (
        "tasks.A.retry.delay_s: 0.5 s is 1 s, since Step Functions counts in whole seconds, from 1 on",
    )


def test_names_of_many_branches_are_shortened_and_differ() -> None:
    long: dict[str, list[str]] = {f"{'x' * 30}{n:02}": [] for n in range(40)}
    names = [name for name, state in states(compiled(flow(**long)).definition) if state["Type"] == "Parallel"]
    assert names == [f"{'x' * 30}00 | and 39 more"]
    # Two that would be called the same: a branch of the outer one begins with the inner one's first task.
    twice = flow(A=[], B=[], C=["A", "B"], D=[], E=["C", "D"])
    assert [name for name, state in states(compiled(twice).definition) if state["Type"] == "Parallel"] == [
        "A | D",
        "A | B",
    ]
    same: dict[str, list[str]] = {f"{'y' * 60}{n}": [] for n in range(4)} | {
        f"{'y' * 60}4": [f"{'y' * 60}{n}" for n in range(3)]
    }
    found = [name for name, state in states(compiled(flow(**same)).definition) if state["Type"] == "Parallel"]
    assert found == [f"{'y' * 60}0 | and 1 more", f"{'y' * 60}0 | and 2 more"]
    assert all(len(name) <= 80 for name in found)


def test_a_run_s_output_is_that_of_its_sink_or_of_its_sinks_by_id() -> None:
    def output(workflow: Workflow) -> Json:
        return Walk(lambda event: f"of {event['task_id']}", None).run(compiled(workflow).definition)

    assert output(flow(A=[], B=["A"])) == "of B"
    assert output(flow(A=[], B=[])) == {"A": "of A", "B": "of B"}
    assert output(flow(A=[], B=["A"], C=["A"])) == {"B": "of B", "C": "of C"}
    assert output(flow(A=[], B=[], C=["A"], D=["A", "B"])) == {"C": "of C", "D": "of D"}


@pytest.mark.parametrize(
    ("workflow", "refusal"),
    [
        (
            Workflow("w", {f"t{n}": Task("s", params={"x": "y" * 10_000}) for n in range(110)}),
            (
                "tasks: take 1210550 bytes or more as a state machine, and the limit of Step Functions is 1048576;"
                " split the workflow, or use the engine dynamodb"
            ),
        ),
        (
            Workflow(
                "w",
                {
                    f"{side}{level}": Task("s", after=[f"b{level - 1}"] if level else [])
                    for level in range(MAX_NESTING + 1)
                    for side in "ab"
                },
            ),
            "tasks: are nested more than 100 branches deep as a state machine; use the engine dynamodb",
        ),
    ],
)
def test_what_step_functions_could_not_hold_is_refused(workflow: Workflow, refusal: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        compiled(workflow)
    assert str(caught.value) == refusal


def test_a_service_that_is_not_deployed_is_refused() -> None:
    with pytest.raises(WorkflowError) as caught:
        compile_workflow(ABC, {"a": "arn:aws:lambda:eu-central-1:123456789012:function:a"})
    assert str(caught.value) == "tasks.B1.service: 'b1' is not deployed"


def test_a_definition_may_be_as_large_as_the_limit() -> None:
    def sized(extra: int) -> Workflow:
        tasks = {f"t{n}": Task("s", params={"x": "y" * 250_000}) for n in range(4)}
        return Workflow("w", {**tasks, "u": Task("s", params={"x": "y" * extra})})

    room = MAX_BYTES - len(compiled(sized(0)).text.encode())
    assert len(compiled(sized(room)).text.encode()) == MAX_BYTES
    with pytest.raises(WorkflowError):
        compiled(sized(room + 1))


def test_no_variable_has_a_longer_name_than_step_functions_takes() -> None:
    """Source: docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html, "Variable name syntax" (2026)."""
    alike = ["-".join(marks) + "x" * 56 for marks in product("-_", repeat=4)] + [f"{'x' * 63}-"]
    tasks = {task_id: Task("s") for task_id in alike}
    found = compiled(Workflow("w", {**tasks, "C": Task("s", after=alike), "D": Task("s", after=["C", *alike])}))
    variables = [name for _, state in states(found.definition) for name in state.get("Assign", ())]
    assert len(set(variables)) == len(variables) == len(alike) + 1
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", name) for name in variables)


names = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True) | st.sampled_from(
    ["sum", "map", "states", "and", "in", "null", "true", "0", "-", "a-b", "a_b", "a__b", "_", "out_A", "function"]
)
outputs = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    ids = draw(st.lists(names, min_size=1, max_size=9, unique_by=str.lower))
    tasks = {
        task_id: Task("s", after=sorted(draw(st.sets(st.sampled_from(ids[:i]), max_size=3))) if i else [])
        for i, task_id in enumerate(ids)
    }
    return Workflow("w", tasks)


@given(workflows(), st.data(), outputs)
def test_every_task_is_given_what_a_worker_would_send(workflow: Workflow, data: st.DataObject, run_input: Json) -> None:
    out = {task_id: data.draw(outputs, label=task_id) for task_id in workflow.tasks}
    found = compiled(workflow)
    walk = Walk(lambda event: out[event["task_id"]], run_input)
    output = walk.run(found.definition)
    assert output == (
        out[workflow.sinks[0]] if len(workflow.sinks) == 1 else {sink: out[sink] for sink in workflow.sinks}
    )
    for task_id, task in workflow.tasks.items():
        assert {**walk.events[task_id], "deadline_at": 0} == {
            "run_id": NAME,
            "workflow": "w",
            "task_id": task_id,
            "attempt": 1,
            "idempotency_key": f"{NAME}/{task_id}",
            "deadline_at": 0,
            "params": {},
            "input": run_input,
            "upstream": {other: out[other] for other in task.after},
        }
        assert set(task.after) <= walk.before[task_id]
    parallels = sum(state["Type"] == "Parallel" for _, state in states(found.definition))
    assert found.transitions == len(workflow.tasks) + parallels
    if not found.barriers:
        assert walk.before == {task_id: ancestors(workflow, task_id) for task_id in workflow.tasks}


def ancestors(workflow: Workflow, task_id: str) -> frozenset[str]:
    direct = workflow.tasks[task_id].after
    return frozenset(direct).union(*(ancestors(workflow, other) for other in direct))


def states(machine: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for name, state in machine["States"].items():
        yield name, state
        for body in state.get("Branches", ()):
            yield from states(body)
