# ruff: noqa: INP001 - part of the emulator's program, no module of this package
"""The fields of a state, with their expressions evaluated. Pure, but for what it tells of failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from local.bootstrap.state_branches import Branch, Visit
from local.bootstrap.state_errors import QUERY, Failed
from local.bootstrap.state_history import Details
from local.bootstrap.state_support import State
from local.bootstrap.state_values import Evaluate, Json, QueryError, compact, fill, is_expression, type_of

Part: TypeAlias = tuple[State, str]
"""A part of a state that has fields of its own, such as a catcher, and the path to it."""


class Fields:
    """`context` is $states.context without the State; `emit` adds an event of a branch."""

    def __init__(
        self, evaluate: Evaluate, context: Mapping[str, Json], emit: Callable[[Branch, str, Details], None]
    ) -> None:
        self._evaluate = evaluate
        self._context = context
        self._emit = emit

    def value(self, visit: Visit, name: str, default: Json, of: Part | None = None, **states: Json) -> Json:
        """Return a field of the state, or `of` a part of it. `states` is what else $states has. Raises Failed."""
        fields, path = of or (visit.state, "")
        return self._fill(visit, fields[name], f"{path}{name}", **states) if name in fields else default

    def _fill(self, visit: Visit, template: Json, where: str, **states: Json) -> Json:
        state = {"Name": visit.name, "EnteredTime": visit.branch.position["entered_at"]}
        if visit.state["Type"] in {"Task", "Parallel"}:
            state["RetryCount"] = visit.retriers.count
        known = {"input": visit.given, "context": {**self._context, "State": state}, **states}
        variables = {**visit.branch.variables(), "states": known}

        def evaluate(expression: str, field: str) -> Json:
            try:
                return self._evaluate(expression, variables)
            except QueryError as error:
                raise self.failed(visit, field, f"The JSONata expression '{expression}'", str(error)) from error

        return fill(template, evaluate, where)

    def typed(self, visit: Visit, where: str, expected: str, template: Json = None) -> Json:
        """Return the value of a field, by default the one at `where`, that must be of this type."""
        template = visit.state[where] if template is None else template
        value = self._fill(visit, template, where)
        if type_of(value) != expected:
            found = f"Expected '{expected}', but was '{type_of(value)}' for value: {compact(value)}"
            what = f"The JSONata expression '{template[2:-2].strip()}'" if is_expression(template) else "The value"
            raise self.failed(visit, where, what, f"returned an unexpected result type. {found}")
        return value

    def failed(self, visit: Visit, where: str, what: str, problem: str) -> Failed:
        """Tell of a field that cannot be used, in AWS's words as recorded (test_assign_reference_variables)."""
        entered = f"An error occurred while executing the state '{visit.name}' (entered at the event id "
        entered += f"#{visit.branch.position['entered_id']})."
        failure = Failed(QUERY, f"{entered} {what} specified for the field '{where}' {problem}")
        details = {**failure.details, "location": where, "state": visit.name}
        self._emit(visit.branch, "EvaluationFailed", {"evaluationFailedEventDetails": details})
        return failure
