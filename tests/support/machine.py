"""A state machine in which nothing fails, walked in memory: what each task is given, and what comes before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestration.payload import Json
from tests.support.jsonata import evaluated

NAME = "run-1"
NOW = "1970-01-01T00:00:00Z"


@dataclass
class Walk:
    """What was found on the way: each task's event, and the tasks that had to have ended before it began."""

    service: Callable[[Json], Json]
    run_input: Json
    events: dict[str, Json] = field(default_factory=dict)
    before: dict[str, frozenset[str]] = field(default_factory=dict)

    def run(self, definition: Mapping[str, Json]) -> Json:
        """Return the output of the execution."""
        output, _ = self._sequence(definition, {}, frozenset(), self.run_input)
        return output

    def _sequence(
        self, body: Mapping[str, Json], outer: Mapping[str, Json], ended: frozenset[str], given: Json
    ) -> tuple[Json, frozenset[str]]:
        variables = dict(outer)
        name = body["StartAt"]
        while True:
            state = body["States"][name]
            result, ended = self._state(name, state, variables, ended, given)
            fields = {"input": given, "result": result, "context": self._context()}
            given = evaluated(state["Output"], variables, **fields) if "Output" in state else result
            assigned = evaluated(state.get("Assign", {}), variables, **fields)
            assert not assigned.keys() & outer.keys(), "a variable hides one of an outer scope"
            variables |= assigned
            if state.get("End"):
                return given, ended
            name = state["Next"]

    def _state(
        self, name: str, state: Mapping[str, Json], variables: Mapping[str, Json], ended: frozenset[str], given: Json
    ) -> tuple[Json, frozenset[str]]:
        if state["Type"] == "Task":
            self.before[name] = ended
            self.events[name] = evaluated(state["Arguments"], variables, input=given, context=self._context())
            return self.service(self.events[name]), ended | {name}
        assert state["Type"] == "Parallel"
        done = [self._sequence(branch, variables, ended, given) for branch in state["Branches"]]
        return [output for output, _ in done], ended.union(*(tasks for _, tasks in done))

    def _context(self) -> Json:
        execution = {"Name": NAME, "Input": self.run_input}
        return {"Execution": execution, "State": {"RetryCount": 0, "EnteredTime": NOW}}
