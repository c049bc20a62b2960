"""Nothing changes when every message and every stream record is delivered twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import System
from tests.e2e.test_workflows import probe

pytestmark = pytest.mark.e2e


@pytest.fixture
def delivering_twice(system: System) -> Iterator[System]:
    with ExitStack() as stack:
        for function in ("orchestrator_arn", "worker_arn"):
            arn = system.deployment.outputs[function]
            stack.enter_context(system.variables(arn, ORCHESTRA_LOCAL_DELIVER_TWICE="1"))
        yield system


def skipped(system: System, run_id: str) -> list[str]:
    """Return the tasks of a run that a Worker has been given once more, for nothing, in the order of their names."""
    arn = system.deployment.outputs["worker_arn"]
    function = system.client("lambda").get_function_configuration(FunctionName=arn)
    pages = (
        system.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=function["LoggingConfig"]["LogGroup"], filterPattern='"skipped"')
    )
    lines = [json.loads(event["message"]) for page in pages for event in page["events"]]
    return sorted(line["task_id"] for line in lines if line.get("run_id") == run_id)


def test_each_task_is_done_once(delivering_twice: System) -> None:
    system = delivering_twice
    middle = [f"B{i}" for i in range(8)]
    tasks = {"A": probe(), **{b: probe("A") for b in middle}, "C": probe(*middle), "D": probe("C")}

    run = system.run({"name": "doubled", "tasks": tasks}, "doubled-1")

    assert run["status"] == "SUCCEEDED"
    assert [(t["status"], t["attempts"]) for t in run["tasks"].values()] == [("SUCCEEDED", 1)] * 11
    assert set(skipped(system, "doubled-1")) == set(tasks), "nothing was delivered twice"


def test_a_failure_is_one_failure(delivering_twice: System) -> None:
    tasks = {"A": probe(), "B": probe("A", fail="Broken"), "C": probe("A"), "D": probe("B", "C")}

    run = delivering_twice.run({"name": "doubled-failure", "tasks": tasks}, "doubled-failure-1")

    assert (run["status"], run["error"]["task"]) == ("FAILED", "B")
    assert run["tasks"]["B"]["attempts"] == 1
    assert run["tasks"]["D"]["status"] == "CANCELED"
