"""Nothing changes when every message and every stream record is delivered twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import System
from tests.e2e.test_workflows import probe

pytestmark = pytest.mark.e2e


@pytest.fixture
def delivering_twice(system: System) -> Iterator[System]:
    client = system.client("lambda")
    outputs = system.deployment.outputs
    before = {}
    for function in (outputs["orchestrator_arn"], outputs["worker_arn"]):
        variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        before[function] = variables
        client.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**variables, "ORCHESTRA_LOCAL_DELIVER_TWICE": "1"}}
        )
    yield system
    for function, variables in before.items():
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


def test_each_task_is_done_once(delivering_twice: System) -> None:
    system = delivering_twice
    middle = [f"B{i}" for i in range(8)]
    tasks = {"A": probe(), **{b: probe("A") for b in middle}, "C": probe(*middle), "D": probe("C")}

    run = system.run({"name": "doubled", "tasks": tasks}, "doubled-1")

    assert run["status"] == "SUCCEEDED"
    assert [(t["status"], t["attempts"]) for t in run["tasks"].values()] == [("SUCCEEDED", 1)] * 11


def test_a_failure_is_one_failure(delivering_twice: System) -> None:
    tasks = {"A": probe(), "B": probe("A", fail="Broken"), "C": probe("A"), "D": probe("B", "C")}

    run = delivering_twice.run({"name": "doubled-failure", "tasks": tasks}, "doubled-failure-1")

    assert (run["status"], run["error"]["task"]) == ("FAILED", "B")
    assert run["tasks"]["B"]["attempts"] == 1
    assert run["tasks"]["D"]["status"] == "CANCELED"
