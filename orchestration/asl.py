"""A workflow as a Step Functions state machine, in Amazon States Language. Pure.

A task is a Task state that invokes its service's function with the very event that a Worker would send. What runs side
by side is a Parallel state; nothing else is used, so that a run is billed one transition for each of them. Outputs are
kept in variables, which are seen in the branches within theirs, and not outside: a branch ends with what is needed
behind it. Names of variables are used once in a machine, since an inner one may not hide an outer one.

What a user wrote is a literal here, and never an expression: JSONata is recognised by `{% %}` alone.

Sources: states-language.net/spec.html; docs.aws.amazon.com/step-functions/latest/dg, "Transforming data with JSONata",
"Passing data between states with variables", "Handling errors" and "Service quotas" (2026).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestration import graph, jsonata, payload, retriers, series_parallel, trees
from orchestration.errors import PayloadError, WorkflowError
from orchestration.payload import Json
from orchestration.series_parallel import Barrier, TooDeep
from orchestration.trees import Parallel, Series, Tree
from orchestration.workflow import Task, Workflow

MAX_BYTES = 1_048_576
"""Of a definition. Source: docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (2026)."""
MAX_NAME = 80
MAX_NESTING = 100
"""Levels of Parallel states within each other. No quota of AWS's: what reads a definition must be able to."""
_COMMENT = re.compile(r"Orchestra: [A-Za-z0-9_-]{1,64}, version ([0-9a-f]{64})")


@dataclass(frozen=True)
class Compiled:
    """A state machine, and what it does otherwise than the workflow says."""

    workflow: Workflow
    definition: dict[str, Json]
    tree: Tree
    barriers: tuple[Barrier, ...]
    """Where tasks wait for some that they do not depend on."""
    notes: tuple[str, ...]
    """What Step Functions cannot do as the definition says, one line each."""

    @cached_property
    def text(self) -> str:
        """The definition as compact JSON: what is deployed."""
        return payload.compact(self.definition)

    @property
    def transitions(self) -> int:
        """How many state transitions a run is billed in which nothing fails: one for each state."""
        return sum(1 for _ in _states(self.definition))

    @property
    def longest(self) -> int:
        """How many tasks the longest way through the machine has."""
        return trees.depth(self.tree)

    def losses(self) -> dict[str, Json]:
        """Return what is otherwise than the workflow says, as the Orchestrator and the command line tell it.

        `longest_chain` has how many tasks follow each other at most, as the workflow says and as the machine does it.
        """
        asked = graph.longest_path({task_id: task.after for task_id, task in self.workflow.tasks.items()})
        return {
            "barriers": [
                {
                    "first": [*barrier.first],
                    "then": [*barrier.then],
                    "waits": [[*wait] for wait in barrier.waits],
                    "lost": barrier.lost,
                }
                for barrier in self.barriers
            ],
            "longest_chain": {"workflow": asked, "machine": self.longest},
            "notes": list(self.notes),
        }

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.workflow.name,
            "version": self.workflow.version,
            "definition": self.definition,
            "transitions": self.transitions,
            "bytes": len(self.text.encode()),
            **self.losses(),
        }


def compile_workflow(workflow: Workflow, functions: Mapping[str, str]) -> Compiled:
    """Return the state machine of a workflow. `functions` has the ARN of each service's function.

    Raises WorkflowError if a service has no function, or Step Functions could not hold the machine.
    """
    for task_id, task in workflow.tasks.items():
        if task.service not in functions:
            raise WorkflowError(f"tasks.{task_id}.service", f"{task.service!r} is not deployed")
    compiler = _Compiler(workflow, functions)
    _require_size(sum(len(payload.compact(compiler.task(task_id)).encode()) for task_id in workflow.tasks))
    try:
        plan = series_parallel.plan({task_id: task.after for task_id, task in workflow.tasks.items()}, MAX_NESTING)
    except TooDeep:
        raise WorkflowError(
            "tasks", f"are nested more than {MAX_NESTING} branches deep as a state machine; use the engine dynamodb"
        ) from None
    compiled = Compiled(workflow, compiler.machine(plan.tree), plan.tree, plan.barriers, tuple(_notes(workflow)))
    _require_size(len(compiled.text.encode()))
    return compiled


def version_of(definition: str) -> str | None:
    """Return the version of the workflow that a state machine's definition was compiled from, if it was."""
    try:
        comment = payload.parse(definition, what="definition")["Comment"]
        found = _COMMENT.fullmatch(comment)
    except (PayloadError, KeyError, TypeError):
        return None
    return found[1] if found else None


def _require_size(size: int) -> None:
    if size > MAX_BYTES:
        raise WorkflowError(
            "tasks",
            f"take {size} bytes or more as a state machine, and the limit of Step Functions is {MAX_BYTES};"
            " split the workflow, or use the engine dynamodb",
        )


@dataclass(frozen=True)
class _Scope:
    """Where a sequence of states stands: the variables that it sees, by the task whose output they hold."""

    variables: Mapping[str, str] = field(default_factory=dict)
    wanted: Collection[str] = ()  # the tasks whose outputs its last state hands on
    branch: bool = False


class _Compiler:
    def __init__(self, workflow: Workflow, functions: Mapping[str, str]) -> None:
        self._workflow = workflow
        self._functions = functions
        self._taken: set[str] = set()  # names of variables
        self._names = set(workflow.tasks)  # of states

    def machine(self, tree: Tree) -> dict[str, Json]:
        workflow = self._workflow
        return {
            "Comment": f"Orchestra: {workflow.name}, version {workflow.version}",
            "QueryLanguage": "JSONata",
            **({"TimeoutSeconds": workflow.timeout_s} if workflow.timeout_s is not None else {}),
            **self._sequence(tree, _Scope(wanted=workflow.sinks)),
        }

    def task(self, task_id: str) -> dict[str, Json]:
        """Return the state of a task, but for its place among the others."""
        task = self._workflow.tasks[task_id]
        return {
            "Type": "Task",
            "Resource": self._functions[task.service],
            "Arguments": {
                "run_id": "{% $states.context.Execution.Name %}",
                "workflow": self._workflow.name,
                "task_id": task_id,
                "attempt": "{% $states.context.State.RetryCount + 1 %}",
                "idempotency_key": f"{{% $states.context.Execution.Name & '/{task_id}' %}}",
                "deadline_at": f"{{% $millis() + {task.timeout_s * 1000} %}}",
                "params": jsonata.literal(f"tasks.{task_id}.params", task.params),
                "input": "{% $states.context.Execution.Input %}",
            },
            "TimeoutSeconds": _timeout(task),
            "Retry": retriers.retriers(task),
        }

    def _sequence(self, tree: Tree, scope: _Scope) -> dict[str, Json]:
        """Return the states of a series, or of one part alone, as the body of a machine or of a branch."""
        parts = tree.parts if isinstance(tree, Series) else (tree,)
        names = [self._name(part) for part in parts]
        states: dict[str, Json] = {}
        variables = dict(scope.variables)
        needed = self._needed(parts, scope.wanted)
        for number, (name, part) in enumerate(zip(names, parts, strict=True)):
            last = number == len(parts) - 1
            # What is wanted of the last part itself goes into its output, and needs no variable.
            kept = [task_id for task_id in trees.tasks(part) if task_id in needed[number]]
            handed_on = [t for t in trees.tasks(part) if t in scope.wanted] if last else kept
            state, found = self._state(part, variables, handed_on)
            assigned = {task_id: self._variable(task_id) for task_id in kept}
            states[name] = {
                **state,
                **({"Assign": {assigned[task_id]: found[task_id] for task_id in kept}} if kept else {}),
                **(self._output(scope, variables, found) if last else {}),
                **({"End": True} if last else {"Next": names[number + 1]}),
            }
            variables |= {task_id: f"{{% ${variable} %}}" for task_id, variable in assigned.items()}
        return {"StartAt": names[0], "States": states}

    def _state(
        self, part: Tree, variables: Mapping[str, str], handed_on: Sequence[str]
    ) -> tuple[dict[str, Json], dict[str, str]]:
        """Return the state of one part, and the expression, within it, of each output that it hands on."""
        if isinstance(part, str):
            state = self.task(part)
            after = self._workflow.tasks[part].after
            state["Arguments"] = {**state["Arguments"], "upstream": {other: variables[other] for other in after}}
            return state, dict.fromkeys(handed_on, "{% $states.result %}")
        assert isinstance(part, Parallel), "a series is flat"
        branches: list[Json] = []
        found: dict[str, str] = {}
        for number, branch in enumerate(part.branches):
            wanted = [task_id for task_id in trees.tasks(branch) if task_id in handed_on]
            branches.append(self._sequence(branch, _Scope(variables, wanted, branch=True)))
            found |= {task_id: f"{{% $states.result[{number}].`{task_id}` %}}" for task_id in wanted}
        return {"Type": "Parallel", "Branches": branches}, found

    def _output(self, scope: _Scope, variables: Mapping[str, str], found: Mapping[str, str]) -> dict[str, Json]:
        """Return the `Output` of the last state of a sequence."""
        values = {task_id: found.get(task_id) or variables[task_id] for task_id in sorted(scope.wanted)}
        if scope.branch or len(values) > 1:
            return {"Output": values}
        (value,) = values.values()
        return {} if value == "{% $states.result %}" else {"Output": value}

    def _needed(self, parts: Sequence[Tree], wanted: Collection[str]) -> list[set[str]]:
        """Return, for each part, the tasks whose outputs are needed behind it."""
        needed: list[set[str]] = []
        behind: set[str] = set()
        for part in reversed(parts):
            needed.append(set(behind))
            behind |= {other for task_id in trees.tasks(part) for other in self._workflow.tasks[task_id].after}
            behind |= set(wanted)
        return needed[::-1]

    def _variable(self, task_id: str) -> str:
        """Return a name that no other variable of the machine has; the prefix keeps JSONata's functions out of it."""
        name = first = "out_" + task_id.replace("-", "_")
        number = 1
        while name in self._taken:
            number += 1
            name = f"{first}_{number}"
        self._taken.add(name)
        return name

    def _name(self, part: Tree) -> str:
        """Return the name of a state. No id holds a space, so that no Parallel is called as a task is."""
        if isinstance(part, str):
            return part
        assert isinstance(part, Parallel), "a series is flat"
        firsts = [next(trees.tasks(branch)) for branch in part.branches]
        name, number = _label(firsts, MAX_NAME), 1
        while name in self._names:
            number += 1
            name = _label(firsts, MAX_NAME - len(suffix := f" ({number})")) + suffix
        self._names.add(name)
        return name


def _label(names: Sequence[str], limit: int) -> str:
    """Return `A | B | C`, or as many of them as fit and how many more there are."""
    for count in range(len(names), 0, -1):
        more = [f"and {len(names) - count} more"] if count < len(names) else []
        label = " | ".join([*names[:count], *more])
        if len(label) <= limit:
            return label
    raise AssertionError("an id is shorter than a label")


def _states(machine: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    for state in machine["States"].values():
        yield state
        for branch in state.get("Branches", ()):
            yield from _states(branch)


def _timeout(task: Task) -> Json:
    """Return an attempt's time: all that it may take, or what is left of the time for all attempts.

    If nothing is left, the value is none that Step Functions takes: the task fails with QUERY_FAILED instead of being
    invoked once more, which `retriers` keeps from being tried again.
    """
    if task.total_timeout_s is None:
        return task.timeout_s
    redriven = "$states.context.Execution.RedriveTime"
    since = f"$max([$toMillis($states.context.State.EnteredTime), $exists({redriven}) ? $toMillis({redriven}) : 0])"
    return f"{{% $min([{task.timeout_s}, $ceil({task.total_timeout_s} - ($millis() - {since}) / 1000)]) %}}"


def _notes(workflow: Workflow) -> Iterator[str]:
    for task_id, task in workflow.tasks.items():
        yield from retriers.notes(f"tasks.{task_id}.retry", task.retry)
        if task.total_timeout_s is not None:
            yield (
                f"tasks.{task_id}.total_timeout_s: is looked at when an attempt begins, so that a delay before one that"
                " is too late is waited for"
            )
    if workflow.timeout_s is not None:
        yield "timeout_s: what runs when it is up is not waited for, and its result is lost"
