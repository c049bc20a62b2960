"""Mistakes that a compiler could make, planted into a compiled definition: the suite must see each of them. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Definition = dict[str, Any]


@dataclass(frozen=True)
class Mutant:
    name: str
    change: Callable[[Definition], None]
    seen_in: tuple[str, ...]  # scenarios that must differ

    def of(self, definition: Definition) -> Definition:
        """Return another definition. Raises AssertionError if the mistake cannot be made in this one."""
        mutant = copy.deepcopy(definition)
        self.change(mutant)
        assert mutant != definition, f"{self.name} changes nothing"
        return mutant


def states(machine: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state by name, those of the branches too."""
    for name, state in machine["States"].items():
        yield name, state
        for branch in state.get("Branches", ()):
            yield from states(branch)


def tasks(machine: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, state) for name, state in states(machine) if state["Type"] == "Task")


def parallels(machine: Definition) -> Iterator[dict[str, Any]]:
    return (state for _, state in states(machine) if state["Type"] == "Parallel")


def without_upstream(definition: Definition, task_id: str, before: str) -> Definition:
    mutant = copy.deepcopy(definition)
    del dict(tasks(mutant))[task_id]["Arguments"]["upstream"][before]
    return mutant


def last_task(machine: Definition) -> dict[str, Any]:
    """Return the state of the task that comes last and is given something."""
    return [state for _, state in tasks(machine) if state["Arguments"]["upstream"]][-1]


def drop_an_edge(machine: Definition) -> None:
    upstream = last_task(machine)["Arguments"]["upstream"]
    del upstream[next(iter(upstream))]


def null_for_an_edge(machine: Definition) -> None:
    upstream = last_task(machine)["Arguments"]["upstream"]
    upstream[next(iter(upstream))] = None


def add_an_edge(machine: Definition) -> None:
    last_task(machine)["Arguments"]["upstream"]["more"] = None


def swap_what_branches_return(machine: Definition) -> None:
    """What the first branch returned is taken for what the second did, and the other way round."""
    assigned = next(state for state in parallels(machine) if len(state.get("Assign", {})) > 1)["Assign"]
    first, second = list(assigned)[:2]
    assigned[first], assigned[second] = assigned[second], assigned[first]


def swap_branches(machine: Definition) -> None:
    """The branches stand in another order than what reads their results thinks."""
    branches = next(state for state in parallels(machine) if len(state["Branches"]) > 1)["Branches"]
    branches[0], branches[1] = branches[1], branches[0]


def lose_a_branch(machine: Definition) -> None:
    next(state for state in parallels(machine) if len(state["Branches"]) > 2)["Branches"].pop()


def start_later(machine: Definition) -> None:
    """The first state is left out."""
    machine["StartAt"] = machine["States"][machine["StartAt"]]["Next"]


def end_early(machine: Definition) -> None:
    """What comes last is left out."""
    before = next(
        state for state in machine["States"].values() if machine["States"].get(state.get("Next"), {}).get("End")
    )
    del before["Next"]
    before["End"] = True


def swap_two_tasks(machine: Definition) -> None:
    """A task comes before the one that it waits for."""
    names = [machine["StartAt"]]
    while "Next" in (state := machine["States"][names[-1]]):
        names.append(state["Next"])
    first, second = names[0], names[1]
    machine["StartAt"] = second
    one, two = machine["States"][first], machine["States"][second]
    if "Next" in two:
        one["Next"] = two["Next"]
    else:
        del one["Next"]
        one["End"] = True
    two.pop("End", None)
    two["Next"] = first


def join_too_early(machine: Definition) -> None:
    """A barrier is lost: what waits for all branches stands in one of them, beside the others."""
    name, parallel = next((n, s) for n, s in machine["States"].items() if s["Type"] == "Parallel" and "Next" in s)
    after = parallel["Next"]
    moved = machine["States"].pop(after)
    branch = parallel["Branches"][0]
    last = next(state for state in branch["States"].values() if state.get("End"))
    del last["End"]
    last["Next"] = after
    for key in ("Next", "End"):
        parallel.pop(key, None)
        if key in moved:
            parallel[key] = moved.pop(key)
    branch["States"][after] = {**moved, "End": True}
    assert machine["States"][name] is parallel


def each_retrier(machine: Definition, change: Callable[[dict[str, Any]], None]) -> None:
    for _, state in tasks(machine):
        # The first is of functions that have not run; one without attempts says what is not tried again.
        for retrier in [retrier for retrier in state["Retry"][1:] if retrier["MaxAttempts"] > 0]:
            change(retrier)


def an_attempt_too_many(machine: Definition) -> None:
    def change(retrier: dict[str, Any]) -> None:
        retrier["MaxAttempts"] += 1

    each_retrier(machine, change)


def an_attempt_too_few(machine: Definition) -> None:
    def change(retrier: dict[str, Any]) -> None:
        retrier["MaxAttempts"] -= 1

    each_retrier(machine, change)


def no_retry(machine: Definition) -> None:
    for _, state in tasks(machine):
        state["Retry"] = []


def retry_on_anything(machine: Definition) -> None:
    def change(retrier: dict[str, Any]) -> None:
        retrier["ErrorEquals"] = ["States.ALL"]

    each_retrier(machine, change)


def retry_on_another_error(machine: Definition) -> None:
    def change(retrier: dict[str, Any]) -> None:
        retrier["ErrorEquals"] = [f"{name}x" for name in retrier["ErrorEquals"]]

    each_retrier(machine, change)


def argument(key: str, value: Any) -> Callable[[Definition], None]:
    """Return the mistake that every task is given another value."""

    def change(machine: Definition) -> None:
        for _, state in tasks(machine):
            state["Arguments"][key] = value

    return change


def no_argument(key: str) -> Callable[[Definition], None]:
    def change(machine: Definition) -> None:
        for _, state in tasks(machine):
            del state["Arguments"][key]

    return change


def share_params(machine: Definition) -> None:
    """Every task is given the params of one."""
    params = next(state["Arguments"]["params"] for _, state in tasks(machine))
    for _, state in tasks(machine):
        state["Arguments"]["params"] = params


def evaluate_a_text(machine: Definition) -> None:
    """The params stand in the definition as the user wrote them, so that a text of them may be an expression."""
    for _, state in tasks(machine):
        state["Arguments"]["params"] = as_written(state["Arguments"]["params"])


def as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return json.loads(value[2:-2]) if isinstance(value, str) and value.startswith("{%") else value


def another_output(machine: Definition) -> None:
    """The last state hands on something else."""
    last = next(state for state in machine["States"].values() if state.get("End"))
    last["Output"] = "{% $states.result.none %}" if "Output" not in last else {}


def output_of_a_branch_as_a_list(machine: Definition) -> None:
    """The last Parallel state hands on what Step Functions does by itself: the list of its branches' outputs."""
    del next(state for state in machine["States"].values() if state.get("End"))["Output"]


def timeouts(seconds: int) -> Callable[[Definition], None]:
    def change(machine: Definition) -> None:
        for _, state in tasks(machine):
            state["TimeoutSeconds"] = seconds

    return change


def swap_functions(machine: Definition) -> None:
    """Two tasks are done by each other's service."""
    one, two = list({state["Resource"]: state for _, state in tasks(machine)}.values())[1:3]
    one["Resource"], two["Resource"] = two["Resource"], one["Resource"]


DEPLOYED_ONLY = (
    Mutant("a timeout is too long", timeouts(60), ("timeout",)),
    Mutant("a timeout is too short", timeouts(1), ("timeout-that-is-not-reached",)),
    Mutant("functions are swapped", swap_functions, ("reference",)),
)
"""What only shows where functions really run."""
ALL = (
    Mutant("an edge is dropped", drop_an_edge, ("chain", "diamond", "fan-out-40", "not-series-parallel-ladder")),
    Mutant("null is passed on", null_for_an_edge, ("chain", "diamond", "skipping-edges")),
    Mutant("there is an edge too many", add_an_edge, ("chain", "diamond", "many-roots")),
    Mutant("results of branches are swapped", swap_what_branches_return, ("diamond", "fan-out-40", "many-roots")),
    Mutant("branches are swapped", swap_branches, ("diamond", "fan-out-40", "nested-diamonds", "roots-only")),
    Mutant("a branch is lost", lose_a_branch, ("fan-out-40", "roots-only", "many-roots")),
    Mutant("the first task is left out", start_later, ("pair", "diamond", "retry-and-success")),
    Mutant("the last task is left out", end_early, ("pair", "diamond", "chain")),
    Mutant("a task comes before its dependency", swap_two_tasks, ("pair", "chain", "diamond")),
    Mutant(
        "a join does not wait", join_too_early, ("diamond", "fan-out-40", "many-roots", "not-series-parallel-zigzag")
    ),
    Mutant(
        "an attempt too many",
        an_attempt_too_many,
        ("retry-exhausted", "timeout-with-a-retry", "death-again-and-again"),
    ),
    Mutant(
        "an attempt too few",
        an_attempt_too_few,
        ("retry-and-success", "retry-in-branches", "retry-exhausted", "death-again-and-again"),
    ),
    Mutant("no retry", no_retry, ("retry-and-success", "retry-on-a-named-error", "death", "timeout-with-a-retry")),
    Mutant("any error is tried again", retry_on_anything, ("retry-on-another-error", "error-without-a-retry")),
    Mutant("another error is tried again", retry_on_another_error, ("retry-on-a-named-error", "retry-and-success")),
    Mutant("attempts count from 0", argument("attempt", "{% $states.context.State.RetryCount %}"), ("single", "chain")),
    Mutant("the attempt is always the first", argument("attempt", 1), ("retry-and-success", "retry-exhausted")),
    Mutant("every task has one idempotency key", argument("idempotency_key", "<its own>/A"), ("pair", "diamond")),
    Mutant("the input is lost", argument("input", None), ("single", "pair", "text-that-looks-like-an-expression")),
    Mutant("the input is that of the state", argument("input", "{% $states.input %}"), ("pair", "diamond", "chain")),
    Mutant("every task is called the same", argument("task_id", "A"), ("pair", "diamond")),
    Mutant("the workflow has another name", argument("workflow", "other"), ("single", "chain")),
    Mutant("the deadline is at the start", argument("deadline_at", "{% $millis() - 100000 %}"), ("single", "pair")),
    Mutant("there are no params", no_argument("params"), ("single", "chain", "error-in-the-only-task")),
    Mutant("params are another task's", share_params, ("chain", "many-sinks", "retry-and-success")),
    Mutant("a text is evaluated", evaluate_a_text, ("text-that-looks-like-an-expression",)),
    Mutant("the output is another", another_output, ("pair", "many-sinks", "output-null", "roots-only")),
    Mutant("the output is a list", output_of_a_branch_as_a_list, ("roots-only", "many-sinks", "two-components")),
)
