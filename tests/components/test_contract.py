"""What holds for every component, whatever it is made of."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.provider.experimental.component import ComponentProvider

import components
from components.orchestration_table import OrchestrationTable
from tests.components.examples import EXAMPLES
from tests.snapshot import Registered, Snapshot, snapshot

# Source: the Service Authorization Reference (2026).
ACTIONS_WITHOUT_RESOURCES = {
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}

# The token and the module of each component.
TOKENS = {
    "Monitoring": ("orchestra:components:Monitoring", "components.monitoring"),
    "OrchestrationTable": ("orchestra:components:OrchestrationTable", "components.orchestration_table"),
    "Orchestrator": ("orchestra:components:Orchestrator", "components.orchestrator"),
    "RegisteredFlows": ("orchestra:components:RegisteredFlows", "components.registered_flows"),
    "StepFunctionsFlow": ("orchestra:components:StepFunctionsFlow", "components.step_functions_flow"),
    "Sweeper": ("orchestra:components:Sweeper", "components.sweeper"),
    "TaskService": ("orchestra:components:TaskService", "components.task_service"),
    "WorkerPool": ("orchestra:components:WorkerPool", "components.worker_pool"),
}

# On whose behalf each service may assume a role.
ACCOUNT = {"aws:SourceAccount": "123456789012"}
GROUP = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/sweeper-1234567"
MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-"
SOURCES: dict[str, list[dict[str, Any]]] = {
    "cloudwatch.amazonaws.com": [{"StringEquals": ACCOUNT}],
    "lambda.amazonaws.com": [{"StringEquals": ACCOUNT}],
    "scheduler.amazonaws.com": [{"StringEquals": {**ACCOUNT, "aws:SourceArn": GROUP}}],
    "states.amazonaws.com": [
        {"StringEquals": ACCOUNT, "ArnLike": {"aws:SourceArn": f"{MACHINES}{which}"}} for which in ("line", "*")
    ],
}

CASES = [(name, example) for name, examples in EXAMPLES.items() for example in examples]


def declared() -> dict[str, type[pulumi.ComponentResource]]:
    """Return every component class of the package `components`."""
    folder = Path(components.__path__[0])
    for file in folder.glob("*.py"):
        importlib.import_module(f"components.{file.stem}")
    return {
        cls.__name__: cls
        for cls in pulumi.ComponentResource.__subclasses__()
        if cls.__module__.startswith("components.")
    }


@pytest.fixture(name="snap", params=[case for _, case in CASES], ids=[case.__name__ for _, case in CASES])
def _snap(request: pytest.FixtureRequest) -> Snapshot:
    example: Callable[[], pulumi.ComponentResource] = request.param
    return snapshot(example)


def component_of(snap: Snapshot) -> Registered:
    found = [r for r in snap.resources if not r.custom]
    assert len(found) == 1, f"one component is made, found {[r.urn for r in found]}"
    return found[0]


def documents(snap: Snapshot) -> Iterator[tuple[Registered, dict[str, Any]]]:
    """Yield every IAM document that the program writes."""
    for resource in snap.resources:
        for key in ("policy", "assumeRolePolicy"):
            text = resource.inputs.get(key)
            if text is not None and "Statement" in text:
                yield resource, json.loads(text)


def test_every_component_has_an_example() -> None:
    assert sorted(declared()) == sorted(EXAMPLES) == list(TOKENS)


@pytest.mark.parametrize(("name", "token", "module"), [(name, *of) for name, of in TOKENS.items()])
def test_the_token_is_the_class_and_the_file(name: str, token: str, module: str) -> None:
    """The token is part of every child's URN: a change of it replaces all of them."""
    assert declared()[name].__module__ == module
    assert [component_of(snapshot(example)).typ for example in EXAMPLES[name]] == [token] * len(EXAMPLES[name])


def test_every_child_has_the_component_as_its_parent(snap: Snapshot) -> None:
    component = component_of(snap)
    children = [r for r in snap.resources if r is not component]
    assert children
    assert component.parent == snap.stack_urn
    assert {r.parent for r in children} == {component.urn}


def test_every_child_is_named_after_the_component(snap: Snapshot) -> None:
    component = component_of(snap)
    pattern = re.compile(rf"{re.escape(component.name)}(-[a-z-]+)?")
    assert [r.name for r in snap.resources if not pattern.fullmatch(r.name)] == []


def test_outputs_are_registered_and_are_those_that_the_class_declares(snap: Snapshot) -> None:
    component = component_of(snap)
    annotations = declared()[component.typ.split(":")[-1]].__annotations__
    assert component.outputs is not None, "register_outputs was not called"
    assert set(component.outputs) == set(annotations)
    assert [key for key, value in component.outputs.items() if not isinstance(value, str) or not value] == []


def test_only_what_supports_no_resource_is_allowed_on_all(snap: Snapshot) -> None:
    if component_of(snap).typ == "orchestra:components:OrchestrationTable":
        assert list(documents(snap)) == []  # it has no role of its own
        return
    statements = [(r.urn, s) for r, document in documents(snap) for s in document["Statement"]]
    assert statements
    for urn, statement in statements:
        actions = _list(statement["Action"])
        resources = _list(statement.get("Resource", []))
        if statement["Effect"] == "Allow":
            assert not [a for a in actions if "*" in a], f"{urn} allows {actions}"
        if "*" in resources:
            assert set(actions) <= ACTIONS_WITHOUT_RESOURCES, f"{urn} allows {actions} on everything"


def test_whoever_is_trusted_is_named(snap: Snapshot) -> None:
    """`Principal: *` only ever refuses, and a service acts for this account alone, and some for their own resources."""
    for resource, document in documents(snap):
        for statement in document["Statement"]:
            if statement.get("Principal") == "*":
                assert statement["Effect"] == "Deny", resource.urn
            elif "Principal" in statement:
                assert statement["Condition"] in SOURCES[statement["Principal"]["Service"]], resource.urn


def test_logs_have_an_end_and_whatever_runs_is_logged_and_traced(snap: Snapshot) -> None:
    groups = {r.inputs["name"]: r.inputs["retentionInDays"] for r in snap.all("aws:cloudwatch/logGroup:LogGroup")}
    used = []
    for function in snap.all("aws:lambda/function:Function"):
        used.append(function.inputs["loggingConfig"]["logGroup"])
        assert function.inputs["loggingConfig"]["logFormat"] == "JSON"
        assert function.inputs["tracingConfig"] == {"mode": "Active"}
    for machine in snap.all("aws:sfn/stateMachine:StateMachine"):
        destination = machine.inputs["loggingConfiguration"]["logDestination"]
        used.append(destination.removeprefix("arn:aws:logs:us-east-1:123456789012:log-group:").removesuffix(":*"))
        assert machine.inputs["tracingConfiguration"] == {"enabled": True}
    if component_of(snap).typ == "orchestra:components:RegisteredFlows":
        used.append("/aws/vendedlogs/states/orchestra-test/registered")  # by what the Orchestrator makes
    assert groups == dict.fromkeys(used, 30)


def test_options_reach_the_component_and_stop_there() -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("tests:index:Outer", "outer")
            opts = pulumi.ResourceOptions(parent=self)
            OrchestrationTable("table", {}, opts)
            self.register_outputs({})

    snap = snapshot(Outer)
    outer, component = snap.one("tests:index:Outer"), snap.one("orchestra:components:OrchestrationTable")
    table = snap.one("aws:dynamodb/table:Table")
    assert (component.parent, table.parent) == (outer.urn, component.urn)


def test_other_languages_could_use_every_component() -> None:
    """The schema that Pulumi infers for a package of components: what no other language can express is an error."""
    classes = [declared()[name] for name in sorted(declared())]
    schema = json.loads(ComponentProvider(classes, "orchestra", None, "0.1.0").schema or "")
    inputs = {
        token.split(":")[-1]: (sorted(resource["inputProperties"]), sorted(resource["requiredInputs"]))
        for token, resource in schema["resources"].items()
    }
    engine = ["defaults", "graceS", "leaseSlackS", "services", "tableArn", "tableName"]
    sweeper = sorted([*engine, "queueArn", "queueUrl"])
    flows = ["flowArns", "flowPrefix", "flowType"]
    orchestrator = sorted([*sweeper, *flows, "deadLettersArn", "deadLettersUrl", "streamArn", "workflows"])
    flow = ["defaults", "functionArns", "type", "workflow"]
    monitored = ["accountId", "deadLettersUrl", "failedRecordsUrl", "orchestratorArn", "queueUrl", "stateMachineArns"]
    monitoring = sorted([*monitored, "sweeperArn", "tableName", "taskFunctionArns", "thresholds", "workerArn"])
    assert inputs == {
        "Monitoring": (sorted([*monitoring, "email"]), monitoring),
        "OrchestrationTable": (["protect"], []),
        "Orchestrator": (sorted([*orchestrator, "registeredFlows"]), orchestrator),
        "RegisteredFlows": (["defaults", "functionArns"], ["defaults", "functionArns"]),
        "StepFunctionsFlow": (flow, flow),
        "Sweeper": (sweeper, sweeper),
        "TaskService": (["defaults", "folder", "imageUri", "memoryMb", "timeoutS"], ["defaults", "folder"]),
        "WorkerPool": (sorted([*engine, "functionArns", "maxWorkers"]), sorted([*engine, "functionArns"])),
    }


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
