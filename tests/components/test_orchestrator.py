from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components import policies
from components.errors import ProgramError
from components.orchestrator import (
    MAX_POLICY_CHARACTERS,
    OTHER_STATEMENTS_CHARACTERS,
    Orchestrator,
    OrchestratorArgs,
    read_workflows,
    require_room,
)
from orchestration.workflow import Task, Workflow
from tests.components.examples import (
    DEAD_LETTERS_ARN,
    DEAD_LETTERS_URL,
    FLOW_LOG_GROUP_ARN,
    FLOW_ROLE_ARN,
    LINE,
    MACHINE_ARN,
    ORCHESTRATOR,
    QUEUE_ARN,
    QUEUE_URL,
    STREAM_ARN,
    TABLE_ARN,
    orchestrator,
    registering_orchestrator,
)
from tests.snapshot import Snapshot, snapshot

MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-"
FAILED = "orchestrator-failed-records-1234567"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(orchestrator)


def test_the_function(snap: Snapshot) -> None:
    inputs = dict(snap.one("aws:lambda/function:Function").inputs)
    code = inputs.pop("code")
    variables = inputs.pop("environment")["variables"]
    assert inputs == {
        "description": "Orchestra: starts runs and moves them on",
        "architectures": ["arm64"],
        "packageType": "Zip",
        "handler": "orchestration.orchestrator.handler",
        "runtime": "python3.13",
        "role": "arn:aws:iam::123456789012:role/orchestrator-1234567",
        "memorySize": 512,
        "timeout": 300,
        "tracingConfig": {"mode": "Active"},
        "loggingConfig": {
            "logFormat": "JSON",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
            "logGroup": "/aws/lambda/orchestra-test-orchestrator",
        },
    }
    assert variables == {
        "TABLE_NAME": "runs",
        "QUEUE_URL": QUEUE_URL,
        "DEAD_LETTERS_URL": DEAD_LETTERS_URL,
        "FAILED_RECORDS_URL": f"https://sqs.us-east-1.amazonaws.com/123456789012/{FAILED}",
        "GRACE_S": "90",
        "LEASE_SLACK_S": "20",
        "SERVICES": '{"a": "task-a-7654321", "b": "task-b-7654321"}',
        "FLOW_PREFIX": "orchestra-test-",
        "FLOW_TYPE": "STANDARD",
        "FUNCTION_ARN_PREFIX": "arn:aws:lambda:us-east-1:123456789012:function:",
        "STATE_MACHINE_ARN_PREFIX": MACHINES,
        "POWERTOOLS_SERVICE_NAME": "orchestrator",
        "POWERTOOLS_METRICS_NAMESPACE": "Orchestra/orchestra-test",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    assert code.files["orchestration/workflow.py"] == "orchestration/workflow.py"
    assert {path: json.loads(text) for path, text in code.texts.items()} == {
        "orchestration/workflows.json": [LINE],
        "orchestration/flows.json": ["line"],
    }


def test_its_role(snap: Snapshot) -> None:
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/orchestra-test-orchestrator"
    statements = policies.orchestrator(
        table_arn=TABLE_ARN,
        stream_arn=STREAM_ARN,
        worker_queue_arn=QUEUE_ARN,
        dead_letters_arn=DEAD_LETTERS_ARN,
        failed_records_arn=f"arn:aws:sqs:us-east-1:123456789012:{FAILED}",
    )
    document = json.loads(snap.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    flows = policies.flows([MACHINE_ARN])
    assert document == policies.function(log_group_arn=group, statements=[*statements, *flows])
    registering = snapshot(registering_orchestrator)
    document = json.loads(registering.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    every = [
        *policies.flows([f"{MACHINES}*"]),
        *policies.flow_registration(machines=f"{MACHINES}*", role_arn=FLOW_ROLE_ARN, declared_arns=[MACHINE_ARN]),
    ]
    assert document == policies.function(log_group_arn=group, statements=[*statements, *every])


def test_it_is_told_what_state_machines_are_made_with_if_it_may_make_any() -> None:
    told = [
        snapshot(program).one("aws:lambda/function:Function").inputs["environment"]["variables"]
        for program in (orchestrator, registering_orchestrator)
    ]
    assert dict(told[1].items() - told[0].items()) == {
        "FLOW_ROLE_ARN": FLOW_ROLE_ARN,
        "FLOW_LOG_GROUP_ARN": FLOW_LOG_GROUP_ARN,
    }
    assert told[0].items() <= told[1].items()


def test_it_may_do_with_state_machines_what_its_adapter_does_and_no_more() -> None:
    source = Path("orchestration/flows.py").read_text()
    called = {*re.findall(r"_client\.(?!get_paginator)(\w+)\(", source), *re.findall(r'get_paginator\("(\w+)"', source)}
    document = json.loads(snapshot(registering_orchestrator).one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    allowed = {action for s in document["Statement"] if s["Effect"] == "Allow" for action in s["Action"]}
    names = {f"states:{name.title().replace('_', '')}" for name in called}
    tagging = {"states:TagResource"} if "tags=" in source else set()  # as part of the creation
    assert {action for action in allowed if action.startswith("states:")} == names | tagging


def test_without_state_machines_it_may_do_nothing_with_any() -> None:
    snap = snapshot(lambda: Orchestrator("orchestrator", {**ORCHESTRATOR, "workflows": [], "flow_arns": {}}))
    assert "states:" not in snap.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"]


def flow_arns(count: int) -> dict[str, str]:
    return {f"workflow-{number:03}": f"{MACHINES}workflow-{number:03}" for number in range(count)}


def policy_of(args: OrchestratorArgs) -> str:
    """Return the role's policy as IAM counts it: without white space."""
    snap = snapshot(lambda: Orchestrator("orchestrator", args))
    policy: str = snap.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"]
    return "".join(policy.split())


def test_as_many_state_machines_as_are_allowed_fit_into_its_policy() -> None:
    count = next(n for n in range(100) if not fits(n + 1))
    assert count == 32
    policy = policy_of({**ORCHESTRATOR, "flow_arns": flow_arns(count)})
    assert f"{MACHINES}workflow-031" in policy
    assert len(policy) <= MAX_POLICY_CHARACTERS


def fits(count: int) -> bool:
    try:
        require_room("orchestra-test-", flow_arns(count))
    except ProgramError:
        return False
    return True


def test_more_state_machines_than_fit_are_refused_before_the_deploy() -> None:
    with pytest.raises(ProgramError) as refused:
        snapshot(lambda: Orchestrator("orchestrator", {**ORCHESTRATOR, "flow_arns": flow_arns(33)}))
    assert str(refused.value) == (
        "workflows: the state machines of 33 take up to 6106 characters of the Orchestrator's policy, and IAM leaves"
        " 6000; make state machines of fewer of them, or give them shorter names"
    )


def test_the_room_for_its_other_statements_is_enough() -> None:
    """Whatever the names: all of these are as long as AWS lets them be."""
    base = "us-gov-west-1:123456789012"
    prefix = "p" * 79
    longest: OrchestratorArgs = {
        **ORCHESTRATOR,
        "workflows": [],
        "table_arn": f"arn:aws-us-gov:dynamodb:{base}:table/{'t' * 255}",
        "stream_arn": f"arn:aws-us-gov:dynamodb:{base}:table/{'t' * 255}/stream/2026-01-01T00:00:00.000",
        "queue_arn": f"arn:aws-us-gov:sqs:{base}:{'q' * 80}",
        "dead_letters_arn": f"arn:aws-us-gov:sqs:{base}:{'q' * 80}",
        "flow_prefix": prefix,
        "flow_arns": {},
        "registered_flows": {
            "role_arn": f"arn:aws-us-gov:iam::123456789012:role/{'r' * 64}",
            "log_group_arn": FLOW_LOG_GROUP_ARN,
        },
    }
    assert len(policy_of(longest)) <= OTHER_STATEMENTS_CHARACTERS


def test_every_knob_of_the_stream_is_set(snap: Snapshot) -> None:
    mapping = snap.one("aws:lambda/eventSourceMapping:EventSourceMapping")
    inputs = dict(mapping.inputs)
    [entry] = inputs.pop("filterCriteria")["filters"]
    assert inputs == {
        "eventSourceArn": STREAM_ARN,
        "functionName": "arn:aws:lambda:us-east-1:123456789012:function:orchestrator-1234567",
        "startingPosition": "TRIM_HORIZON",
        "batchSize": 100,
        "maximumBatchingWindowInSeconds": 0,
        "parallelizationFactor": 10,
        "maximumRetryAttempts": 10,
        "maximumRecordAgeInSeconds": 3600,
        "bisectBatchOnFunctionError": True,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "metricsConfig": {"metrics": ["EventCount"]},
        "destinationConfig": {"onFailure": {"destinationArn": f"arn:aws:sqs:us-east-1:123456789012:{FAILED}"}},
    }
    # The contract with the store: the write says in itself who acts on it.
    assert json.loads(entry["pattern"]) == {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {"NewImage": {"handoff": {"S": ["stream"]}}},
    }
    assert snap.one("aws:iam/rolePolicy:RolePolicy").urn in mapping.dependencies


def test_what_failed_is_kept_for_14_days(snap: Snapshot) -> None:
    assert snap.one("aws:sqs/queue:Queue").inputs == {
        "visibilityTimeoutSeconds": 30,
        "messageRetentionSeconds": 14 * 24 * 60 * 60,
        "sqsManagedSseEnabled": True,
    }
    policy = snap.one("aws:sqs/queuePolicy:QueuePolicy").inputs["policy"]
    assert json.loads(policy) == policies.tls_only(f"arn:aws:sqs:us-east-1:123456789012:{FAILED}")


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:Orchestrator").outputs == {
        "orchestrator_arn": "arn:aws:lambda:us-east-1:123456789012:function:orchestrator-1234567",
        "failed_records_url": f"https://sqs.us-east-1.amazonaws.com/123456789012/{FAILED}",
    }


def test_definitions_are_written_whole_and_in_one_order() -> None:
    one = Workflow("one", {"T": Task("a")}).to_json()
    two = {"tasks": {"T": {"service": "b"}}, "name": "two"}
    text = read_workflows([two, one], {"a": "", "b": ""})
    assert text == read_workflows([one, two], {"b": "", "a": ""})
    assert json.loads(text) == [one, Workflow.from_json(two).to_json()]


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (
            [{"name": "w", "tasks": {"T": {"service": "absent"}}}],
            "workflow 'w': task T names the service 'absent', which is not deployed; the services are a, b",
        ),
        (
            [{"name": "w", "tasks": {"T": {"service": "a"}}}, {"name": "w", "tasks": {"U": {"service": "a"}}}],
            "workflow 'w': is declared twice",
        ),
        (
            [{"name": "w", "tasks": {"T": {"service": "a", "after": ["U"]}}}],
            "workflow 'w': tasks.T.after: names 'U', which is not a task",
        ),
    ],
)
def test_a_definition_that_could_not_run_stops_the_program(definitions: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ProgramError) as refused:
        read_workflows(definitions, {"b": "", "a": ""})
    assert str(refused.value) == message
    assert "\n" not in message
