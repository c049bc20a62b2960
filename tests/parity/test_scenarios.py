"""Every scenario on both engines: equal traces, and what the scenario expects."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parity import model, scenario
from tests.parity.scenario import ENGINES, Scenario
from tests.parity.trace import Trace

SCENARIOS = scenario.read()
of_each = pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name) for s in SCENARIOS])


@pytest.mark.e2e
@of_each
def test_the_engines_agree(
    scenario: Scenario, traces: Callable[[Scenario, str], Trace], record_property: Callable[[str, object], None]
) -> None:
    record_property("scenario", scenario.name)
    implementing = [engine for engine in ENGINES if engine not in scenario.not_implemented]
    found = {engine: traces(scenario, engine) for engine in implementing}
    problems = {
        engine: [
            *(f"expected: {line}" for line in scenario.expect.problems(scenario.workflow, trace)),
            *(f"as it is on {implementing[0]}: {line}" for line in trace.differences(found[implementing[0]])),
            *(f"by the model: {line}" for line in trace.differences(told_by_model(scenario) or trace)),
        ]
        for engine, trace in found.items()
    }
    record_property("problems", {engine: len(lines) for engine, lines in problems.items()})
    assert {engine: lines for engine, lines in problems.items() if lines} == {}


def told_by_model(of: Scenario) -> Trace | None:
    """Return what the model says of a scenario of probes, if no time for several attempts or tasks is in it."""
    timed = of.workflow.timeout_s is not None or any(task.total_timeout_s for task in of.workflow.tasks.values())
    if timed or of.workflow.services != {"probe"}:
        return None
    try:
        return model.expected(of.workflow, of.input)
    except model.Ambiguous:
        return None


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("scenario", "engine"),
    [pytest.param(s, engine, id=f"{s.name}-{engine}") for s in SCENARIOS for engine in s.not_implemented],
)
def test_what_is_not_implemented_is_not(
    scenario: Scenario, engine: str, traces: Callable[[Scenario, str], Trace]
) -> None:
    """An excuse that is no longer needed is a mistake."""
    trace = traces(scenario, engine)

    assert scenario.expect.problems(scenario.workflow, trace)


@of_each
def test_the_expectation_is_what_the_model_says(scenario: Scenario) -> None:
    told = told_by_model(scenario)
    if told is not None:
        assert scenario.expect.problems(scenario.workflow, told) == []


def test_there_are_at_least_thirty() -> None:
    assert len(SCENARIOS) >= 30
    assert all(s.description.strip() for s in SCENARIOS)
