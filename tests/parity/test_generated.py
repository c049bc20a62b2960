"""Workflows that nobody has seen before, on both engines and by the model. The seed is printed; Hypothesis shrinks."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from orchestration.payload import Json
from orchestration.workflow import Workflow
from tests.parity import generated, model
from tests.parity.runner import Job, Runner
from tests.parity.scenario import ENGINES
from tests.support import shapes

DAGS = int(os.environ.get("ORCHESTRA_PARITY_DAGS", "40"))
BATCH = 8
"""How many workflows are an example: they are run at once, since most of the time is waiting."""


@pytest.mark.e2e
def test_any_workflow_is_the_same_on_both_engines(runner: Runner) -> None:
    drawn_from = int(os.environ.get("ORCHESTRA_PARITY_SEED") or random.SystemRandom().randrange(2**32))
    print(f"to draw these again: make parity DAGS={DAGS} SEED={drawn_from}")
    numbers = itertools.count()
    examples = st.tuples(*[st.tuples(generated.workflows(), generated.inputs)] * BATCH)

    @seed(drawn_from)
    @settings(
        max_examples=math.ceil(DAGS / BATCH),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(examples)
    def agree(batch: tuple[tuple[Workflow, Json], ...]) -> None:
        named = [(replace(flow, name=f"drawn-{drawn_from}-{next(numbers)}"), value) for flow, value in batch]
        told = [model.expected(flow, value, outputs=False) for flow, value in named]
        jobs = [Job(flow, engine, value) for flow, value in named for engine in ENGINES]
        results = iter(runner.results(jobs))
        for (flow, value), expected in zip(named, told, strict=True):
            for engine in ENGINES:
                result = next(results)
                problems = [repr(result)] if isinstance(result, Exception) else result.differences(expected)
                assert problems == [], f"{engine}, input {json.dumps(value)}: {json.dumps(flow.to_json())}"

    agree()
    assert next(numbers) >= DAGS


@pytest.mark.e2e
def test_a_run_that_is_canceled_anywhere_and_redriven_comes_to_the_same(runner: Runner) -> None:
    """What had succeeded is not invoked again, and what had not has all of its attempts, on both engines."""
    drawn_from = int(os.environ.get("ORCHESTRA_PARITY_SEED") or random.SystemRandom().randrange(2**32))
    print(f"to draw these again: make parity DAGS={DAGS} SEED={drawn_from}")
    chance = random.Random(drawn_from)
    jobs = []
    for number in range(DAGS // 4):
        flow = shapes.drawn(chance, most=8)
        params = {task_id: {"digest": True, "sleep_s": chance.choice([0, 0.1, 0.3])} for task_id in flow.tasks}
        tasks = {t: replace(task, service="probe", params=params[t]) for t, task in flow.tasks.items()}
        flow = Workflow(f"canceled-{drawn_from}-{number}", tasks)
        jobs += [Job(flow, engine, number, canceled_after_s=chance.uniform(0, 1)) for engine in ENGINES]

    results = runner.results(jobs)

    problems = {
        f"{job.engine} {job.workflow.name}": [repr(result)]
        if isinstance(result, Exception)
        else result.differences(model.expected(job.workflow, job.run_input, outputs=False))
        for job, result in zip(jobs, results, strict=True)
    }
    assert {name: found for name, found in problems.items() if found} == {}
