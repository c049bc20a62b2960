"""A deliberately wrong compiler fails the suite: its definitions, deployed in place of the right ones, are seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.parity import mutants, scenario
from tests.parity.mutants import Mutant
from tests.parity.runner import AT_ONCE, Job, Runner
from tests.parity.scenario import Scenario
from tests.parity.test_scenarios import told_by_model
from tests.parity.trace import Trace

SCENARIOS = {s.name: s for s in scenario.read()}
ALL = (*mutants.ALL, *mutants.DEPLOYED_ONLY)


@pytest.mark.e2e
def test_every_mistake_is_seen(runner: Runner) -> None:
    """Each in the first scenario that is said to see it; the others are tried without the emulator."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda planted: found(runner, *planted), enumerate(ALL)))

    assert [mutant.name for mutant, problems in zip(ALL, seen, strict=True) if not problems] == []


@pytest.mark.e2e
def test_a_definition_that_is_put_back_is_right_again(runner: Runner) -> None:
    """So that what is seen above is the mistake, and not that somebody has changed the definition."""
    (mutant,) = (m for m in ALL if m.name == "an edge is dropped")

    assert found(runner, len(ALL), mutant, put_back=True) == []


def found(runner: Runner, number: int, mutant: Mutant, *, put_back: bool = False) -> list[str]:
    """Return what a scenario says of a run of its state machine with a mistake."""
    of = SCENARIOS[mutant.seen_in[0]]
    # A workflow of its own: the scenario itself is run as it is, perhaps at the same time.
    of = replace(of, workflow=replace(of.workflow, name=f"mutant-{number}"))
    job = Job(of.workflow, "stepfunctions", of.input)
    arn = runner.register(of.workflow)["state_machine_arn"]
    states = runner.system.client("stepfunctions")
    right = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])
    try:
        for definition in [mutant.of(right), *([right] if put_back else [])]:
            states.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    except states.exceptions.InvalidDefinition as exc:
        return [str(exc)]  # it could not even be deployed
    (result,) = runner.results([job], registered=True)
    return [repr(result)] if isinstance(result, Exception) else list(problems(of, result))


def problems(of: Scenario, trace: Trace) -> Iterator[str]:
    yield from of.expect.problems(of.workflow, trace)
    told = told_by_model(of)
    if told is not None:
        bare = {task_id: replace(task, output=None) for task_id, task in told.tasks.items()}
        yield from trace.differences(replace(told, tasks=bare))
