"""State machines in our interpreter. The histories are like those recorded on AWS: see state_history."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from local.bootstrap.state_branches import afresh
from local.bootstrap.state_errors import DATA_LIMIT, QUERY, RUNTIME, TIMEOUT
from local.bootstrap.state_history import Ended
from local.bootstrap.states import Ending
from tests.local.state_world import ARN, EXECUTION, START, After, Json, World, branch, error, parallel, task

LIMIT = 262_144
WHOLE = {"truncated": False}
FAILED_AT_ONCE = error("Broken", "at once")


def text(size: int) -> str:
    """Return a text that takes so many bytes as JSON, which is more than its characters."""
    return "é" + "x" * (size - 4)


def failure_of(ending: Ending) -> tuple[str, str | None]:
    assert (ending.status, ending.output) == ("FAILED", None)
    assert ending.failure
    return ending.failure.error, ending.failure.cause


def test_a_chain_hands_on_outputs_and_tells_everything() -> None:
    world = World({"a": [{"n": 1}], "b": [None]})
    ending = world.run(
        {"in": True},
        A=task("a", Arguments={"x": "{% $states.input.in %}", "y": "{% $", "z": [1]}, TimeoutSeconds=7, Next="B"),
        B=task("b", Assign={"n": "{% $states.input.n %}", "all": "{% $states.result %}"}),
    )
    assert (ending.status, ending.output, ending.previous) == ("SUCCEEDED", "null", 10)
    assert world.calls == [(0, "a", {"x": True, "y": "{% $", "z": [1]}), (0, "b", {"n": 1})]
    events = world.record["events"]
    assert {event.pop("timestamp") for event in events} == {START}
    entered, exited = "stateEnteredEventDetails", "stateExitedEventDetails"
    scheduled, succeeded = "lambdaFunctionScheduledEventDetails", "lambdaFunctionSucceededEventDetails"
    given = {"input": '{"x":true,"y":"{% $","z":[1]}', "inputDetails": WHOLE}
    of_n = {"output": '{"n":1}', "outputDetails": WHOLE}
    of_null = {"output": "null", "outputDetails": WHOLE}
    n = {"input": '{"n":1}', "inputDetails": WHOLE}
    assigned = {"assignedVariables": {"n": "1", "all": "null"}, "assignedVariablesDetails": WHOLE}
    assert [(event.pop("id"), event.pop("previousEventId"), event.pop("type"), event) for event in events] == [
        (1, 0, "TaskStateEntered", {entered: {"name": "A", "input": '{"in":true}', "inputDetails": WHOLE}}),
        (2, 1, "LambdaFunctionScheduled", {scheduled: {"resource": f"{ARN}a", **given, "timeoutInSeconds": 7}}),
        (3, 2, "LambdaFunctionStarted", {}),
        (4, 3, "LambdaFunctionSucceeded", {succeeded: of_n}),
        (5, 4, "TaskStateExited", {exited: {"name": "A", **of_n}}),
        (6, 5, "TaskStateEntered", {entered: {"name": "B", **n}}),
        (7, 6, "LambdaFunctionScheduled", {scheduled: {"resource": f"{ARN}b", **n}}),
        (8, 7, "LambdaFunctionStarted", {}),
        (9, 8, "LambdaFunctionSucceeded", {succeeded: of_null}),
        (10, 9, "TaskStateExited", {exited: {"name": "B", **of_null, **assigned}}),
    ]


def test_the_context_says_what_runs_and_how_often_it_was_tried_again() -> None:
    world = World({"a": [error("E"), error("E"), 1]})
    retry = [{"ErrorEquals": ["E"], "BackoffRate": 1}]
    world.run({"i": 1}, A=task("a", Arguments="{% $states.context %}", Retry=retry))
    contexts = [payload for _, _, payload in world.calls]
    state = {"Name": "A", "EnteredTime": "2026-01-01T00:00:00.000Z"}
    execution = {**EXECUTION, "Input": {"i": 1}}
    assert contexts == [
        {"Execution": execution, "StateMachine": {"Name": "machine"}, "State": {**state, "RetryCount": count}}
        for count in range(3)
    ]


@pytest.mark.parametrize("value", [None, [], [[]], [1], [None], "", False, 2**70, {"a": None}, "{% $x %}", [[1], 2.5]])
def test_every_value_comes_through_a_variable_and_a_branch(value: Json) -> None:
    world = World({"a": [value], "b": [0]})
    ending = world.run(
        A=task("a", Assign={"kept": "{% $states.result %}"}, Next="P"),
        P=parallel({"B": task("b", Arguments={"kept": "{% $kept %}"}, Output={"out": "{% $kept %}"})}, Next="E"),
        E={"Type": "Pass", "Output": "{% $states.input[0].out %}", "End": True},
    )
    assert world.calls[1][2] == {"kept": value}
    assert json.loads(str(ending.output)) == value


def test_variables_stay_until_they_are_assigned_again() -> None:
    world = World()
    ending = world.run(
        A={"Type": "Pass", "Assign": {"x": 1, "y": 1}, "Next": "B"},
        B={"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "z": "{% $x %}"}, "Next": "C"},
        C={"Type": "Pass", "Output": "{% [$x, $y, $z] %}", "End": True},
    )
    assert ending.output == "[2,1,1]"


# What fails, and what is tried again.


def test_a_task_is_tried_again_after_its_delays_until_no_retrier_is_left() -> None:
    world = World({"a": [error("E", "no")]}, random=0.5)
    retry = [{"ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxAttempts": 2, "JitterStrategy": "FULL"}]
    ending = world.run(A=task("a", Retry=retry))
    assert failure_of(ending) == ("E", '{"errorType": "E", "errorMessage": "no"}')
    assert [when for when, _, _ in world.calls] == [0, 1, 3]
    assert world.details("LambdaFunctionFailed") == [{"error": "E", "cause": failure_of(ending)[1]}] * 3
    assert world.told == [
        "1 0 TaskStateEntered A",
        "2 1 LambdaFunctionScheduled",
        "3 2 LambdaFunctionStarted",
        "4 3 LambdaFunctionFailed",
        "5 4 LambdaFunctionScheduled",
        "6 5 LambdaFunctionStarted",
        "7 6 LambdaFunctionFailed",
        "8 7 LambdaFunctionScheduled",
        "9 8 LambdaFunctionStarted",
        "10 9 LambdaFunctionFailed",
    ]
    assert ending.previous == 10


def test_an_attempt_that_takes_too_long_is_not_waited_for() -> None:
    world = World({"a": [After(9, "late"), "second"]})
    ending = world.run(4, A=task("a", TimeoutSeconds="{% $states.input - 1 %}", Retry=[{"ErrorEquals": [TIMEOUT]}]))
    assert (ending.status, ending.output) == ("SUCCEEDED", '"second"')
    assert [when for when, _, _ in world.calls] == [0, 4]  # 3 s and the delay of 1 s
    assert world.details("LambdaFunctionTimedOut") == [{"error": TIMEOUT}]
    assert [each["timeoutInSeconds"] for each in world.details("LambdaFunctionScheduled")] == [3, 3]


@pytest.mark.parametrize(
    ("seconds", "problem"),
    [
        (0, "is 0, and no positive whole number"),
        (1.5, "is 1.5, and no positive whole number"),
        ("1", "returned an unexpected result type. Expected 'number', but was 'string' for value: \"1\""),
    ],
)
def test_a_time_that_is_none_fails(seconds: Json, problem: str) -> None:
    world = World({"a": [0]})
    ending = world.run(seconds, A=task("a", TimeoutSeconds="{% $states.input %}"))
    name, cause = failure_of(ending)
    assert name == QUERY
    assert str(cause).startswith("An error occurred while executing the state 'A' (entered at the event id #1). The ")
    assert str(cause).endswith(f" specified for the field 'TimeoutSeconds' {problem}")
    assert world.calls == []


@pytest.mark.parametrize("seconds", [9, 5])
def test_an_execution_has_a_time_of_its_own(seconds: float) -> None:
    """Also if it is up in the very moment in which a function returns."""
    world = World({"a": [After(seconds)], "b": [0]})
    inner = {"A": task("a", Next="B"), "B": task("b")}
    for name in "STUVW":
        inner = {name: parallel(inner)}
    ending = world.run(None, 5, **inner)
    assert ending == Ending("TIMED_OUT", 0)
    assert (world.called, world.ended_at) == (["a"], 5)
    assert world.told[-1] == "13 12 LambdaFunctionStarted"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"Arguments": {"x": ["{% $states.input.nope %}"]}}, "Arguments/x[0]"),
        ({"Arguments": "{% $states.result %}"}, "Arguments"),
        ({"Output": "{% $nope %}"}, "Output"),
        ({"Assign": {"v": "{% $nope %}"}}, "Assign/v"),
    ],
)
def test_what_is_undefined_fails(fields: dict[str, Json], where: str) -> None:
    world = World({"a": [0]})
    ending = world.run({}, A=task("a", **fields))
    name, cause = failure_of(ending)
    assert name == QUERY
    assert f"specified for the field '{where}' returned nothing (undefined)." in str(cause)
    details = {"error": QUERY, "cause": cause, "location": where, "state": "A"}
    assert world.details("EvaluationFailed") == [details]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (task("b", Arguments="{% $nope %}"), ["6 5 TaskStateEntered B", "7 5 EvaluationFailed"]),
        (task("b", TimeoutSeconds="{% 0 %}"), ["6 5 TaskStateEntered B", "7 5 EvaluationFailed"]),
        ({"Type": "Pass", "Output": "{% $nope %}", "End": True}, ["6 5 PassStateEntered B", "7 5 EvaluationFailed"]),
        ({"Type": "Wait", "Seconds": "{% 'x' %}", "End": True}, ["6 5 WaitStateEntered B", "7 6 EvaluationFailed"]),
        (task("b", Output="{% $nope %}"), ["9 8 LambdaFunctionSucceeded", "10 9 EvaluationFailed"]),
    ],
    ids=["arguments", "time", "pass", "wait", "output"],
)
def test_what_fails_at_once_follows_what_its_state_followed(state: Json, told: list[str]) -> None:
    world = World({"a": [0], "b": [0]})
    ending = world.run(A=task("a", Next="B"), B=state)
    assert world.told[-2:] == told
    assert ending.previous == len(world.told)


def test_an_expression_that_breaks_says_how() -> None:
    world = World()
    ending = world.run("a", A={"Type": "Pass", "Output": "{% $states.input + 1 %}", "End": True})
    cause = str(failure_of(ending)[1])
    assert cause.endswith(
        "The JSONata expression '$states.input + 1' specified for the field 'Output' threw an error during evaluation."
        " T2001: The left side of the + operator must evaluate to a number"
    )


def of(size: int) -> str:
    """Return an expression for a text of so many bytes as JSON: longer than any definition would have."""
    return f"{{% 'é' & $pad('', {size - 4}, 'x') %}}"


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize(
    ("state", "returns", "named"),
    [
        (task("a"), text, f"{ARN}a"),
        (lambda size: task("a", Arguments=of(size)), None, "A"),
        (lambda size: task("a", Output=of(size)), None, "A"),
        (lambda size: task("a", Assign={"v": of(size)}), None, "A"),
        (lambda size: task("a", Assign={"v": of(9), "w": of(size - 9)}), None, "A"),
        (lambda size: parallel({"B": task("a", Output=of(size - 2))}), None, "A"),
        (lambda size: {"Type": "Pass", "Output": of(size), "End": True}, None, "A"),
    ],
    ids=["result", "arguments", "output", "variable", "variables", "branches", "pass"],
)  # fmt: skip
def test_nothing_is_larger_than_the_limit(
    state: Json, returns: Callable[[int], str] | None, named: str, over: int
) -> None:
    size = LIMIT + over
    world = World({"a": [returns(size) if returns else 0]})
    ending = world.run(A=state(size) if callable(state) else state)
    if not over:
        assert ending.status == "SUCCEEDED"
        return
    exceeding = "returned a result with a size exceeding the maximum number of bytes service limit."
    assert failure_of(ending) == (DATA_LIMIT, f"The state/task '{named}' {exceeding}")
    assert len(world.details("LambdaFunctionFailed")) == (1 if returns else 0)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("\ud800", "has a lone surrogate in its data, which UTF-8 cannot express"),
        (float("inf"), "has a number in its data that JSON cannot express: Out of range float values"),
    ],
)
def test_what_is_no_json_fails(value: Json, problem: str) -> None:
    name, cause = failure_of(World({"a": [value]}).run(A=task("a")))
    assert name == RUNTIME
    assert str(cause).startswith(f"{ARN + 'a'!r} {problem}")


# Branches.


def test_branches_run_side_by_side_and_see_what_is_around_them_but_not_each_other() -> None:
    world = World({"a": [1], "slow": [After(5, "s")], "fast": [After(2, "f")], "c": [0]})
    ending = world.run(
        A=task("a", Assign={"outer": "{% $states.result %}"}, Next="P"),
        P=parallel(
            {"S": task("slow", Arguments="{% [$outer, $states.input] %}", Assign={"inner": "{% $states.result %}"})},
            {
                "F": task("fast", Assign={"inner": "{% $outer + 1 %}"}, Next="G"),
                "G": {"Type": "Pass", "Output": "{% $inner %}", "End": True},
            },
            Assign={"both": "{% $states.result[1] & $states.result[0] %}", "outer": "{% $outer + 10 %}"},
            Output="{% {'result': $states.result, 'outer': $outer} %}",
            Next="C",
        ),
        C=task("c", Arguments="{% [$states.input, $both, $outer, $exists($inner)] %}"),
    )
    assert ending.status == "SUCCEEDED"
    assert world.calls == [
        (0, "a", None),
        (0, "slow", [1, 1]),
        (0, "fast", 1),
        (5, "c", [{"result": ["s", 2], "outer": 1}, "2s", 11, False]),
    ]


DIAMOND = parallel(
    {"B1": task("b1")}, {"B2": task("b2", Next="B3"), "B3": task("b3")}, {"B4": task("b4", Next="B5"), "B5": task("b5")}
)


def test_the_history_of_branches() -> None:
    world = World({"b1": [After(3)], "b2": [After(1)], "b3": [0], "b4": [After(2)], "b5": [0]})
    ending = world.run(P=DIAMOND)
    assert ending.previous == 29
    assert world.told == [
        "1 0 ParallelStateEntered P",
        "2 1 ParallelStateStarted",
        "3 2 TaskStateEntered B1",
        "4 3 LambdaFunctionScheduled",
        "5 4 LambdaFunctionStarted",
        "6 2 TaskStateEntered B2",
        "7 6 LambdaFunctionScheduled",
        "8 7 LambdaFunctionStarted",
        "9 2 TaskStateEntered B4",
        "10 9 LambdaFunctionScheduled",
        "11 10 LambdaFunctionStarted",
        "12 8 LambdaFunctionSucceeded",
        "13 12 TaskStateExited B2",
        "14 13 TaskStateEntered B3",
        "15 14 LambdaFunctionScheduled",
        "16 15 LambdaFunctionStarted",
        "17 16 LambdaFunctionSucceeded",
        "18 17 TaskStateExited B3",
        "19 11 LambdaFunctionSucceeded",
        "20 19 TaskStateExited B4",
        "21 20 TaskStateEntered B5",
        "22 21 LambdaFunctionScheduled",
        "23 22 LambdaFunctionStarted",
        "24 23 LambdaFunctionSucceeded",
        "25 24 TaskStateExited B5",
        "26 5 LambdaFunctionSucceeded",
        "27 26 TaskStateExited B1",
        "28 27 ParallelStateSucceeded",
        "29 27 ParallelStateExited P",
    ]


def test_a_branch_that_fails_ends_the_others_at_once() -> None:
    # B2 is done in the same moment in which B1 fails: B3 does not start any more.
    world = World({"b1": [After(1, error("E"))], "b2": [After(1)], "b3": [0], "b4": [After(5)], "b5": [0]})
    ending = world.run(P=DIAMOND)
    assert failure_of(ending)[0] == "E"
    assert (world.called, world.ended_at) == (["b1", "b2", "b4"], 1)
    assert world.told[11:] == [
        "12 5 LambdaFunctionFailed",
        "13 12 TaskStateAborted",
        "14 12 TaskStateAborted",
        "15 12 TaskStateAborted",
        "16 12 ParallelStateFailed",
    ]
    assert ending.previous == 16


def test_branches_within_branches_end_too() -> None:
    world = World({"a": [After(1, error("E"))], "b": [After(1)], "c": [0]})
    deep = parallel({"Q": parallel({"B": task("b", Next="C"), "C": task("c")})})
    ending = world.run(P=parallel({"A": task("a")}, {"O": deep}))
    assert failure_of(ending)[0] == "E"
    assert world.called == ["a", "b"]
    failed = next(line for line in world.told if "LambdaFunctionFailed" in line).split()[0]
    assert [line.split(" ", 1)[1] for line in world.told[-5:]] == [
        f"{failed} TaskStateAborted",  # A
        f"{failed} TaskStateAborted",  # B, of Q, of O
        f"{failed} ParallelStateAborted",
        f"{failed} ParallelStateAborted",
        f"{failed} ParallelStateFailed",
    ]


def test_the_first_failure_of_several_is_the_one() -> None:
    world = World({"a": [After(2, error("Late"))], "b": [After(1, error("First"))], "c": [After(1, error("Second"))]})
    ending = world.run(P=parallel({"A": task("a")}, {"B": task("b")}, {"C": task("c")}))
    assert failure_of(ending)[0] == "First"
    assert len(world.details("LambdaFunctionFailed")) == 1


def test_all_branches_are_tried_again_together() -> None:
    world = World({"a": ["first", "second"], "b": [After(1, error("E")), "done"]})
    ending = world.run(P=parallel({"A": task("a")}, {"B": task("b")}, Retry=[{"ErrorEquals": ["E"]}]))
    assert ending.output == '["second","done"]'
    assert [(when, name) for when, name, _ in world.calls] == [(0, "a"), (0, "b"), (2, "a"), (2, "b")]
    assert [line for line in world.told if "Parallel" in line] == [
        "1 0 ParallelStateEntered P",
        "2 1 ParallelStateStarted",
        "13 11 ParallelStateStarted",
        "24 23 ParallelStateSucceeded",
        "25 23 ParallelStateExited P",
    ]


def test_a_failure_that_is_caught_goes_on_elsewhere() -> None:
    world = World({"a": [error("E", "{% $x %}")], "c": [0]})
    catch: list[Json] = [
        {"ErrorEquals": ["Other"], "Next": "Nowhere"},
        {"ErrorEquals": ["States.ALL"], "Assign": {"name": "{% $states.errorOutput.Error %}"}, "Next": "C"},
    ]
    world.run(P=parallel({"A": task("a")}, Catch=catch), C=task("c", Arguments="{% [$name, $states.input] %}"))
    cause = '{"errorType": "E", "errorMessage": "{% $x %}"}'
    assert world.calls[-1] == (0, "c", ["E", {"Error": "E", "Cause": cause}])


# Ends from outside, and what goes on after them.


def test_when_it_is_stopped_nothing_more_starts() -> None:
    world = World({"a": [After(1)], "b": [After(2)], "c": [0]})
    # At the very moment in which the first task is done.
    world.at = {1: lambda: world.history.end("ExecutionAborted", 0, {}, {"status": "ABORTED"})}
    with pytest.raises(Ended):
        world.run(P=parallel({"A": task("a", Next="C"), "C": task("c")}, {"B": task("b")}))
    assert world.called == ["a", "b"]
    assert world.told[-1].endswith(" 0 ExecutionAborted")
    assert world.record["status"] == "ABORTED"
    assert world.history.end("ExecutionSucceeded", 0, {}, {"status": "SUCCEEDED"}) is False
    assert world.record["status"] == "ABORTED"


MACHINE: dict[str, Json] = {
    "A": task("a", Assign={"a": "{% $states.result %}"}, Next="P"),
    "P": parallel(
        {"B": task("b", Arguments="{% $a %}")},
        {"C": task("c", Assign={"c": "{% $states.result %}"}, Next="D"), "D": task("d", Arguments="{% [$a, $c] %}")},
        {"E": task("e")},
        Next="F",
    ),
    "F": task("f"),
}
FLAKY = [{"ErrorEquals": ["Flaky"], "MaxAttempts": 1}]


def test_a_redrive_goes_on_with_what_has_not_succeeded() -> None:
    world = World({"a": ["A"], "b": ["B"], "c": ["C"], "d": [After(2, error("Flaky"))], "e": [After(9, "E")], "f": [0]})
    machine = {**MACHINE, "P": json.loads(json.dumps(MACHINE["P"]))}
    machine["P"]["Branches"][1]["States"]["D"]["Retry"] = FLAKY
    first = world.run("in", **machine)
    assert failure_of(first)[0] == "Flaky"
    assert world.called == ["a", "b", "c", "e", "d", "d"]
    count = len(world.told)

    world.calls.clear()
    world.functions["d"] = [error("Flaky"), "D"]  # tried again once more: the count is anew
    world.positions = afresh(world.positions)
    second = world.run("in", **machine)
    assert (second.status, world.record["events"][-1]["id"]) == ("SUCCEEDED", second.previous)
    assert [(name, given) for _, name, given in world.calls] == [
        ("d", ["A", "C"]),
        ("e", "A"),
        ("d", ["A", "C"]),
        ("f", ["B", "D", "E"]),
    ]
    # Neither the tasks nor the Parallel state are entered again, and each goes on after the event that entered it.
    assert not [line for line in world.told[count:] if line.endswith(("Entered D", "Entered E", "Entered P"))]
    scheduled = [event for event in world.record["events"][count:] if event["type"] == "LambdaFunctionScheduled"]
    assert [state_of(world, event) for event in scheduled] == ["D", "E", "D", "F"]
    followed = [world.record["events"][event["previousEventId"] - 1]["type"] for event in scheduled]
    assert followed == ["TaskStateEntered", "TaskStateEntered", "LambdaFunctionFailed", "TaskStateEntered"]


def state_of(world: World, event: Json) -> str:
    """Return the state that an event is of, by what it follows."""
    while "stateEnteredEventDetails" not in event:
        event = world.record["events"][event["previousEventId"] - 1]
    return str(event["stateEnteredEventDetails"]["name"])


def test_a_redrive_between_two_states_enters_the_second() -> None:
    world = World({"a": ["A"], "b": ["B"]})
    states = {"A": task("a", Next="W"), "W": {"Type": "Wait", "Seconds": 5, "Next": "B"}, "B": task("b")}
    assert world.run(None, 3, **states).status == "TIMED_OUT"
    world.positions = afresh(world.positions)
    assert world.run(None, 9, **states).output == '"B"'
    assert world.called == ["a", "b"]
    assert [line.split()[2:] for line in world.told if "Entered" in line] == [
        ["TaskStateEntered", "A"],
        ["WaitStateEntered", "W"],
        ["TaskStateEntered", "B"],
    ]


def test_a_redrive_of_branches_that_were_too_large_runs_them_all() -> None:
    world = World({"a": [text(LIMIT - 3), "a"], "b": ["b"]})
    states = {"P": parallel({"A": task("a")}, {"B": task("b")})}
    assert failure_of(world.run(**states))[0] == DATA_LIMIT
    world.positions = afresh(world.positions)
    assert world.run(**states).output == '["a","b"]'
    assert world.called == ["a", "b", "a", "b"]


def test_an_attempt_that_was_under_way_when_the_process_ended_has_failed() -> None:
    world = World({"a": [After(5, "lost"), "again"], "b": ["b"]})
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "MaxAttempts": 1}]
    attempt = {"Arguments": "{% $states.context.State.RetryCount %}"}
    states = {"P": parallel({"A": task("a", Retry=retry, **attempt)}, {"B": task("b")})}
    world.run(None, 2, **states)  # the process ends, and the positions stay as they are
    assert world.run(**states).output == '["again","b"]'
    assert [(name, given) for _, name, given in world.calls] == [("a", 0), ("b", None), ("a", 1)]
    lost = {"errorType": "Runtime.ExitError", "errorMessage": "the emulator has ended while the function ran"}
    assert [(each["error"], json.loads(each["cause"])) for each in world.details("LambdaFunctionFailed")] == [
        ("Runtime.ExitError", lost)
    ]
    world = World({"a": [After(5, "lost")], "b": ["b"]})
    states = {"P": parallel({"A": task("a")}, {"B": task("b")})}
    world.run(None, 2, **states)
    assert failure_of(world.run(**states))[0] == "Runtime.ExitError"  # without a retrier


# The other states.


def test_a_wait_takes_its_time() -> None:
    world = World()
    ending = world.run(
        {"until": "2026-01-01T00:01:00Z"},
        A={"Type": "Wait", "Seconds": "{% 2 * 5 %}", "Next": "B"},
        B={"Type": "Wait", "Timestamp": "{% $states.input.until %}", "Assign": {"x": 1}, "Output": 7, "Next": "C"},
        C={"Type": "Wait", "Seconds": 0, "Output": "{% $states.input + $x %}", "End": True},
    )  # fmt: skip
    assert (ending.output, world.sleeps, world.ended_at) == ("8", [10, 50, 0], 60)


CHOICES: dict[str, Json] = {
    "C": {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $states.input > 5 %}", "Assign": {"x": "large"}, "Output": "{% 1 %}", "Next": "E"},
            {"Condition": "{% $states.input > 2 %}", "Assign": {"x": "middle"}, "Next": "E"},
        ],
    },
    "E": {"Type": "Succeed", "Output": "{% [$states.input, $x] %}"},
}


@pytest.mark.parametrize(("given", "output"), [(9, '[1,"large"]'), (3, '[3,"middle"]')])
def test_a_choice_takes_the_first_rule_that_holds(given: int, output: str) -> None:
    assert World().run(given, **CHOICES).output == output


def test_what_is_passed_through_is_no_expression() -> None:
    given = "{% 1 %}"
    passed = {"Type": "Pass", "Next": "W"}
    waited = {"Type": "Wait", "Seconds": 0, "Next": "C"}
    choice = {"Type": "Choice", "Choices": [{"Condition": True, "Next": "E"}]}
    ending = World().run(given, P=passed, W=waited, C=choice, E={"Type": "Succeed"})
    assert json.loads(str(ending.output)) == given


def test_a_choice_without_a_rule_takes_its_default_or_fails() -> None:
    assert failure_of(World().run(1, **CHOICES))[0] == "States.NoChoiceMatched"
    by_default = {**CHOICES["C"], "Default": "E", "Assign": {"x": "small"}}
    assert World().run(1, **{**CHOICES, "C": by_default}).output == '[1,"small"]'
    broken = {**CHOICES["C"], "Choices": [{"Condition": "{% 'yes' %}", "Next": "E"}]}
    assert "Expected 'boolean', but was 'string'" in str(failure_of(World().run(1, C=broken))[1])


def test_a_loop_runs_its_branches_anew_each_time() -> None:
    world = World({"a": [1, 2, 3]})
    ending = world.run(
        P=parallel({"A": task("a")}, Next="C"),
        C={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input[0] < 3 %}", "Next": "P"}],
            "Default": "E",
        },
        E={"Type": "Succeed"},
    )
    assert (ending.output, world.called) == ("[3]", ["a", "a", "a"])


def test_a_fail_fails_and_is_entered_again_by_a_redrive() -> None:
    world = World()
    states: dict[str, Json] = {"F": {"Type": "Fail", "Error": "Mine", "Cause": "{% 'of ' & $states.input %}"}}
    assert failure_of(world.run("it", **states)) == ("Mine", "of it")
    world.positions = afresh(world.positions)
    assert failure_of(world.run("it", **states)) == ("Mine", "of it")
    assert world.told == ["1 0 FailStateEntered F", "2 1 FailStateEntered F"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"Type": "Map", "ItemProcessor": {}, "End": True}, "it is a Map state"),
        ({"Type": "Pass", "QueryLanguage": "JSONPath", "End": True}, "its QueryLanguage is JSONPath"),
        (task("a", ResultPath="$.x", HeartbeatSeconds=3), "it has HeartbeatSeconds, ResultPath"),
        ({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True},
         "its Resource is 'arn:aws:states:::sqs:sendMessage', no function"),
    ],
)  # fmt: skip
def test_what_it_does_not_know_it_refuses(state: Json, why: str) -> None:
    world = World({"a": [0]})
    ending = world.run(P=parallel({"A": state}))
    assert failure_of(ending) == (RUNTIME, f"state 'A': {why}, which this emulator does not run")
    assert world.called == []


def test_a_definition_is_jsonpath_unless_it_says_otherwise() -> None:
    ending = World().walk(branch(A={"Type": "Succeed"}))
    assert "its QueryLanguage is JSONPath" in str(failure_of(ending)[1])


def test_what_is_no_failure_of_a_state_is_raised() -> None:
    world = World({"a": [ZeroDivisionError("a bug")], "b": [After(3)]})
    with pytest.raises(ZeroDivisionError):
        world.run(P=parallel({"A": task("a")}, {"B": task("b")}))
