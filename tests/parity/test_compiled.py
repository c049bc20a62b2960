"""What the compiler makes of any workflow does what the workflow says, by the interpreter of the local target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.parity import compiled, generated, mutants, scenario
from tests.parity.model import expected
from tests.parity.scenario import Scenario
from tests.parity.test_scenarios import told_by_model

UNDERSTOOD = [s for s in scenario.read() if told_by_model(s) is not None and "stepfunctions" not in s.not_implemented]


@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name) for s in UNDERSTOOD])
def test_a_scenario(scenario: Scenario) -> None:
    definition = compiled.compiled(scenario.workflow).definition

    found = compiled.run(definition, scenario.workflow, scenario.input)

    assert found.differences(told_by_model(scenario) or found) == []


@settings(max_examples=300)
@given(generated.workflows(most=10), generated.inputs)
def test_any_workflow(workflow: Workflow, run_input: Json) -> None:
    found = compiled.run(compiled.compiled(workflow).definition, workflow, run_input)

    assert found.differences(expected(workflow, run_input)) == []


def planted() -> Iterator[Any]:
    for mutant in mutants.ALL:
        for name in mutant.seen_in:
            yield pytest.param(mutant, name, id=f"{mutant.name}-{name}")


@pytest.mark.parametrize(("mutant", "name"), list(planted()))
def test_a_wrong_compiler_is_seen(mutant: mutants.Mutant, name: str) -> None:
    """Each mistake, as a compiler might make it, makes each of these scenarios differ."""
    (of,) = [s for s in UNDERSTOOD if s.name == name]
    definition = mutant.of(compiled.compiled(of.workflow).definition)

    found = compiled.run(definition, of.workflow, of.input)

    differences = found.differences(told_by_model(of) or found)
    assert differences


@settings(max_examples=60)
@given(generated.workflows(most=8), generated.inputs)
def test_an_edge_that_is_dropped_anywhere_is_seen(workflow: Workflow, run_input: Json) -> None:
    """A task that is not given the output of one that it waits for: in any workflow, and wherever it is."""
    expectation = expected(workflow, run_input)
    for task_id in (t for t in workflow.tasks if t in expectation.tasks and expectation.tasks[t].attempts):
        for before in workflow.tasks[task_id].after:
            definition = mutants.without_upstream(compiled.compiled(workflow).definition, task_id, before)

            assert compiled.run(definition, workflow, run_input).differences(expectation) != []
