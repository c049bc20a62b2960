"""What the parity tests share: the deployed system, and the traces of all scenarios, which are run together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.parity.runner import Job, Runner
from tests.parity.scenario import ENGINES, Scenario
from tests.parity.trace import Trace
from tests.support.stack import System


@pytest.fixture(scope="session")
def runner(deployed_system: System) -> Runner:
    return Runner(deployed_system)


@pytest.fixture(scope="session")
def traces(request: pytest.FixtureRequest, runner: Runner) -> Callable[[Scenario, str], Trace]:
    """The trace of a scenario on an engine. All that are asked for are run together, since most time is waiting."""
    callspecs = (getattr(item, "callspec", None) for item in request.session.items)
    drawn = {
        id(spec.params["scenario"]): spec.params["scenario"] for spec in callspecs if spec and "scenario" in spec.params
    }
    chosen: list[Scenario] = list(drawn.values())
    jobs = {
        (scenario.name, engine): Job(scenario.workflow, engine, scenario.input, outputs=True)
        for scenario in chosen
        for engine in ENGINES
    }
    found = dict(zip(jobs, runner.results(list(jobs.values())), strict=True))

    def told(scenario: Scenario, engine: str) -> Trace:
        result = found[scenario.name, engine]
        if isinstance(result, Exception):
            raise result
        return result

    return told
