"""State machines by the judgement of others: a linter, another's parser and interpreter, and a check of our own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jsonata
import pytest
from hypothesis import given, settings
from moto import mock_aws
from moto.stepfunctions.parser.asl.antlr.runtime.ASLLexer import ASLLexer
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.jsonata import jsonata as motos_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

from orchestration.payload import Json
from orchestration.workflow import Retry, Task, Workflow
from tests.parity import compiled, generated, model, mutants, scenario, trace
from tests.parity.scenario import Scenario
from tests.parity.trace import canonical
from tests.support import asl_check, shapes

ROOT = Path(__file__).parents[2]
SCENARIOS = {s.name: s for s in scenario.read()}
WORKFLOWS = {
    "the reference": shapes.diamond(),
    "the reference with a policy": shapes.diamond(Retry(max_attempts=5, on=["Flaky"])),
    "a chain": shapes.chain(60),
    "a fan": shapes.fan(200),
    "layers": shapes.layered(4, 5),
    "sinks": shapes.sinks(),
    **{
        path.stem: Workflow.from_json(json.loads(path.read_text("utf-8")))
        for path in (ROOT / "examples").glob("*.json")
    },
    **{name: s.workflow for name, s in SCENARIOS.items()},
}
of_each = pytest.mark.parametrize("workflow", [pytest.param(w, id=name) for name, w in WORKFLOWS.items()])


def text_of(workflow: Workflow) -> str:
    return compiled.compiled(workflow).text


def lint(text: str) -> list[str]:
    """Return what statelint finds, but for what it is wrong in.

    It wants BackoffRate to be written as 2.0, which to JSON is 2; and no expression in TimeoutSeconds, which may be one
    by docs.aws.amazon.com/step-functions/latest/dg/state-task.html.
    """
    found = Linter.validate(json.loads(text), Config({ProblemType.FLOAT}))
    return [line for line in found if 'TimeoutSeconds is "{% $min(' not in line]


KEYWORDS = frozenset(json.loads(name[1:-1]) for name in ASLLexer.literalNames if re.fullmatch(r"'\"\w+\"'", name))


def parse(text: str) -> None:
    """Have moto's parser read a definition.

    It does not take `1e-07`, which JSON does and Python writes, nor every word of the language in params.
    """
    definition = json.loads(text)
    for _, state in mutants.tasks(definition):
        state["Arguments"]["params"] = without_keywords(state["Arguments"]["params"])
    AmazonStateLanguageParser.parse(re.sub(r"(?<=\de[-+])0+(?=\d)", "", json.dumps(definition)))


def without_keywords(value: Json) -> Json:
    if isinstance(value, dict):
        return {f"{key}." if key in KEYWORDS else key: without_keywords(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_keywords(item) for item in value]
    return "word" if isinstance(value, str) and value in KEYWORDS else value


@of_each
def test_our_own_check_finds_nothing(workflow: Workflow) -> None:
    assert asl_check.problems(text_of(workflow)) == []


@of_each
def test_statelint_finds_nothing(workflow: Workflow) -> None:
    assert lint(text_of(workflow)) == []


@of_each
def test_motos_parser_takes_it(workflow: Workflow) -> None:
    parse(text_of(workflow))


@of_each
def test_no_more_transitions_than_tasks_and_parallels(workflow: Workflow) -> None:
    made = compiled.compiled(workflow)
    kinds = [state["Type"] for _, state in mutants.states(made.definition)]

    assert (kinds.count("Task"), set(kinds) - {"Task", "Parallel"}) == (len(workflow.tasks), set())
    assert made.transitions == len(kinds)


def test_the_reference_is_six_transitions() -> None:
    assert compiled.compiled(shapes.diamond()).transitions == 6


@settings(max_examples=60)
@given(generated.workflows(most=12))
def test_any_workflow(workflow: Workflow) -> None:
    text = text_of(workflow)

    assert asl_check.problems(text) == []
    assert lint(text) == []
    parse(text)


def before(machine: dict[str, Any], earlier: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield each task of a machine, or branch, with each that has ended when it begins: (earlier, later)."""
    name = machine["StartAt"]
    while name is not None:
        state = machine["States"][name]
        inside = dict(mutants.tasks({"States": {name: state}}))
        for branch in state.get("Branches", ()):
            yield from before(branch, earlier)
        if state["Type"] == "Task":
            yield from ((other, name) for other in earlier)
        earlier, name = earlier | inside.keys(), state.get("Next")


@settings(max_examples=200)
@given(generated.workflows(most=12))
def test_every_dependency_is_kept_and_no_more_is_added_than_is_told(workflow: Workflow) -> None:
    """As the states stand, whatever was meant: pairs of tasks of which one begins when the other has ended."""
    made = compiled.compiled(workflow)
    wanted = {
        (earlier, later)
        for later in workflow.tasks
        for earlier in trace.reached(later, lambda task_id: workflow.tasks[task_id].after) - {later}
    }

    kept = set(before(made.definition))

    assert wanted - kept == set()
    assert len(kept - wanted) == sum(barrier.lost for barrier in made.barriers)
    assert {(first, later) for barrier in made.barriers for later, first in barrier.waits} <= kept - wanted


@settings(max_examples=200)
@given(generated.values)
def test_params_are_the_same_after_their_evaluation(value: Json) -> None:
    """Whatever a user writes is data: what is evaluated of it is a literal, and its value what was written."""
    workflow = Workflow("w", {"A": Task("a", params={"x": value, "": [value]})})

    params = compiled.compiled(workflow).definition["States"]["A"]["Arguments"]["params"]

    assert canonical(evaluated(params)) == canonical({"x": value, "": [value]})


def evaluated(value: Json) -> Json:
    """Return a template with its expressions evaluated, as AWS does it: of values, and not of keys."""
    if isinstance(value, dict):
        return {key: evaluated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluated(item) for item in value]
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        return compiled.evaluate(value[2:-2], {})
    return value


def expressions(value: Json) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from expressions(item)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value[2:-2]


@of_each
def test_each_expression_is_jsonata(workflow: Workflow) -> None:
    for expression in set(expressions(compiled.compiled(workflow).definition)):
        assert jsonata.Jsonata.jsonata(expression)


# -- moto's interpreter ------------------------------------------------------------------------------------------------

RUN = ("chain", "diamond", "nested-diamonds", "many-sinks", "not-series-parallel-ladder", "output-lists-of-one")


@pytest.fixture
def motos(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Json], dict[str, Any]]]:
    """Run a definition on moto's interpreter, and return how the execution ended."""
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        states = boto3.client("stepfunctions")

        def run(text: str, run_input: Json) -> dict[str, Any]:
            role = "arn:aws:iam::123456789012:role/flow"
            machine = states.create_state_machine(name="machine", definition=text, roleArn=role)["stateMachineArn"]
            started = states.start_execution(stateMachineArn=machine, name="r-1", input=json.dumps(run_input))
            deadline = time.monotonic() + 30
            while True:
                found = states.describe_execution(executionArn=started["executionArn"])
                if found["status"] != "RUNNING":
                    return dict(found)
                assert time.monotonic() < deadline, "moto's execution has not ended"
                time.sleep(0.02)  # between two looks

        yield run


def test_motos_interpreter_has_nothing_to_evaluate_jsonata_with(motos: Callable[[str, Json], dict[str, Any]]) -> None:
    """The day that it has, it needs no loan in the next test."""
    ended = motos(text_of(shapes.single()), None)

    assert (ended["status"], ended["cause"]) == ("FAILED", "'NoneType' object is not callable")


@pytest.mark.parametrize("name", RUN)
def test_motos_interpreter_comes_to_the_same_if_it_is_lent_an_evaluator(
    name: str, motos: Callable[[str, Json], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    of: Scenario = SCENARIOS[name]

    def invoke(env: Any, parameters: dict[str, Any], **_: object) -> None:
        event = json.loads(parameters["Payload"])
        event["deadline_at"] = "<in time>"
        event["run_id"], event["idempotency_key"] = "<its own>", event["idempotency_key"].replace("r-1", "<its own>")
        error, output = model.invoked(of.workflow.tasks[event["task_id"]], event)
        assert error is None
        env.stack.append({"Payload": output})

    monkeypatch.setattr(motos_jsonata, "_eval_jsonata", lambda expression: compiled.evaluate(expression, {}))
    monkeypatch.setattr(lambda_eval_utils, "execute_lambda_function_integration", invoke)

    ended = motos(text_of(of.workflow), of.input)

    assert ended["status"] == "SUCCEEDED", ended
    assert canonical(json.loads(ended["output"])) == model.expected(of.workflow, of.input).output


# -- what the checks find ----------------------------------------------------------------------------------------------


def broken(change: Callable[[dict[str, Any]], None]) -> str:
    definition = json.loads(text_of(shapes.diamond(Retry(max_attempts=2, on=["Flaky"]))))
    change(definition)
    return json.dumps(definition)


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return the change that puts a value at a path; None removes what is there. `P` is the Parallel state."""

    def change(definition: dict[str, Any]) -> None:
        *way, last = [int(key) if key.isdigit() else {"P": PARALLEL}.get(key, key) for key in path.split("/")]
        here: Any = definition
        for key in way:
            here = here[key]
        if value is None:
            del here[last]
        else:
            here[last] = value

    return change


PARALLEL = "B1 | B2 | B3"
BRANCH = "States/P/Branches/0"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("StartAt", "NOPE"), "machine: there is no state 'NOPE'"),
        (put("States/A/Next", "NOPE"), "machine: there is no state 'NOPE'"),
        (put("States/A/Next", "C"), "machine: nothing leads to ['B1 | B2 | B3']"),
        (put("States/P/Next", "A"), "A: is reached again, so that machine never ends"),
        (put("States/A/Next", None), "A: has to have either Next or an End that is true"),
        (put("States/C/Next", "A"), "C: has to have either Next or an End that is true"),
        (put("States/C/End", "no"), "C: has to have either Next or an End that is true"),
        (put("States/A/Type", "Passs"), "A: is a 'Passs'"),
        (put("States/A/Catch", []), "A: a Task has no ['Catch'] here"),
        (put("States/A/ResultPath", "$.x"), "A: a Task has no ['ResultPath'] here"),
        (put("States/A/Parameters", {}), "A: a Task has no ['Parameters'] here"),
        (put("States/P/Branches", []), "B1 | B2 | B3: has no branches"),
        (put(f"{BRANCH}/Comment", "x"), "B1 | B2 | B3[0]: a branch is StartAt and States"),
        (put(f"{BRANCH}/StartAt", "B2"), "B1 | B2 | B3[0]: there is no state 'B2'"),
        (put("QueryLanguage", "JSONPath"), "machine: QueryLanguage is not JSONata"),
        (put("Version", "1.0"), "machine: has ['Version']"),
        (put("TimeoutSeconds", 0.5), "machine: TimeoutSeconds is no number of seconds"),
        (put("States/A/TimeoutSeconds", 0), "A.TimeoutSeconds: 0 is no number of seconds"),
        (put("States/A/TimeoutSeconds", "{% 5 %}"), "A.TimeoutSeconds: '{% 5 %}' is no expression that is known here"),
        (put("States/A/Resource", "arn:aws:states:::lambda:invoke"), "A.Resource: 'arn:aws:states:::lambda:invoke'"),
        (put("States/A/Arguments/input", None), "A.Arguments: the event has ['input'] too little or too much"),
        (put("States/A/Arguments/x", 1), "A.Arguments: the event has ['x'] too little or too much"),
        (put("States/A/Arguments/input", "{% $uuid() %}"), "A.Arguments.input: '{% $uuid() %}' is no expression"),
        (put("States/A/Arguments/input", "{% $states.input"), "A.Arguments.input: '{% $states.input' is no"),
        (put("States/A/Arguments/params", {"x": "{% $x %}"}), "A.Arguments.params: '{% $x %}' is an expression"),
        (put("States/A/Arguments/params", {"x": "{%"}), "A.Arguments.params: '{%' is an expression"),
        (put("States/A/Arguments/params", {"x.$": 1}), "A.Arguments.params: the key 'x.$' is one"),
        (put("States/A/Arguments/upstream", {"A": "{% $x %}"}), "A.Arguments.upstream: $x is read, and nothing before"),
        (put("States/A/Assign", {"x-y": 1}), "A.Assign: 'x-y' is no name of a variable"),
        (put("States/A/Assign", {"states": 1}), "A.Assign: 'states' is no name of a variable"),
        (put(f"{BRANCH}/States/B1/Assign", {"out_A": 1}), "B1.Assign: 'out_A' hides the variable of A"),
        (put("States/A/Retry/0/ErrorEquals", ["States.ALL", "x"]), "A.Retry[0]: States.ALL has to be alone"),
        (put("States/A/Retry/0/ErrorEquals", ["States.ALL"]), "A.Retry[0]: States.ALL has to be alone, and the last"),
        (put("States/A/Retry/0/ErrorEquals", []), "A.Retry[0]: ErrorEquals is []"),
        (put("States/A/Retry/0/ErrorEquals", ["x", "x"]), "A.Retry[0]: names an error twice"),
        (put("States/A/Retry/0/ErrorEquals", ["States.TaskFailed"]), "A.Retry[0]: ['States.TaskFailed'] is another's"),
        (put("States/A/Retry/0/IntervalSeconds", 0), "A.Retry[0]: IntervalSeconds is 0"),
        (put("States/A/Retry/0/MaxAttempts", 1.5), "A.Retry[0]: MaxAttempts is 1.5"),
        (put("States/A/Retry/0/BackoffRate", 0.5), "A.Retry[0]: BackoffRate is 0.5"),
        (put("States/A/Retry/0/MaxDelaySeconds", 1), "A.Retry[0]: MaxDelaySeconds is 1, and IntervalSeconds 1"),
        (put("States/A/Retry/0/JitterStrategy", None), "A.Retry[0]: has no jitter"),
        (put("States/A/Retry/0/Comment", "x"), "A.Retry[0]: has ['Comment']"),
        (put("Comment", "x" * 1_048_576), "machine: is 105"),
    ],
)
def test_our_own_check_finds(change: Callable[[dict[str, Any]], None], problem: str) -> None:
    found = asl_check.problems(broken(change))

    assert any(line.startswith(problem) for line in found), found


def test_our_own_check_finds_two_states_of_one_name_and_one_that_is_too_long() -> None:
    def rename(definition: dict[str, Any]) -> None:
        for number, name in ((0, "A"), (1, "x" * 81)):
            branch = definition["States"][PARALLEL]["Branches"][number]
            branch["States"] = {name: next(iter(branch["States"].values()))}
            branch["StartAt"] = name

    found = asl_check.problems(broken(rename))

    assert found == ["A: is the name of two states", f"{'x' * 81}: its name has 81 characters, and the limit is 80"]


def test_a_variable_of_a_branch_is_not_read_outside() -> None:
    def change(definition: dict[str, Any]) -> None:
        put(f"{BRANCH}/States/B1/Assign", {"own": "{% $states.result %}"})(definition)
        put(f"{BRANCH}/States/B1/Output", "{% $own %}")(definition)
        put("States/C/Arguments/upstream", {"B1": "{% $own %}"})(definition)

    assert asl_check.problems(broken(change)) == [
        "B1.Output: $own is read, and nothing before has assigned it",
        "C.Arguments.upstream: $own is read, and nothing before has assigned it",
    ]


def test_the_others_find_something_too() -> None:
    with pytest.raises(ASLParserException):
        AmazonStateLanguageParser.parse(broken(put("States/A/Type", "Passs")))
    assert lint(broken(put("StartAt", "NOPE")))
