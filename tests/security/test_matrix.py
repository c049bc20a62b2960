"""IAM, as the emulator has it in force: each role does what is its own, and nothing that is another's. C7.

Each role, by way of a user who may do the same, tries every action on every real table, index, queue, function, state
machine and log group. What must come out is what tests/security/roles.json says.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.security.attempts import DENIED, Attempt, Key, attempts, document_of, forget, is_allowed, user_like
from tests.security.test_roles import reviewed
from tests.support.stack import POLL_S, System

pytestmark = pytest.mark.e2e

ROLES = reviewed()

DENIED_TO_ALL: Mapping[str, str] = {
    "dynamodb:DescribeStream": "it asks for it on all streams, and the grant names one",
    "dynamodb:GetRecords": "the same",
    "dynamodb:GetShardIterator": "the same",
    "dynamodb:ListStreams": "the same",
    "logs:CreateLogStream": "it asks for it on the group, and the grant names the streams in it, as AWS has it",
    "logs:PutLogEvents": "the same",
    "states:TagResource": "it does not see which machine is meant, and asks for it on all",
}
"""What the emulator denies to whom AWS allows it. It reads streams, writes logs and tags without asking for it."""

NEVER_TRIED: Mapping[str, str] = {
    "iam:PassRole": "no request of its own; that the emulator does not ask for it is tested below",
    "logs:CreateLogDelivery": "no request of its own: Step Functions asks for it in the name of its caller",
    "logs:DeleteLogDelivery": "the same",
    "logs:GetLogDelivery": "the same",
    "logs:ListLogDeliveries": "the same",
    "logs:UpdateLogDelivery": "the same",
    "xray:GetSamplingRules": "the emulator has no X-Ray, as is tested below",
    "xray:GetSamplingTargets": "the same",
    "xray:PutTelemetryRecords": "the same",
    "xray:PutTraceSegments": "the same",
}
"""What is granted and cannot be tried here: the rules and the golden file are all that holds it."""


@pytest.fixture(name="system", scope="module")
def _system(deployed_system: System) -> Iterator[System]:
    yield deployed_system
    forget(deployed_system)


def may(role: Mapping[str, Any], key: Key) -> bool:
    """Return whether what was reviewed allows it; a denial comes first."""
    action, on = key

    def names(part: str) -> bool:
        patterns = role.get(part, {}).get(action, [])
        return any(fnmatchcase(on, pattern.replace("orchestra-test", "orchestra-local")) for pattern in patterns)

    return names("allow") and not names("deny")


def results(tries: Mapping[Key, Attempt]) -> dict[Key, bool]:
    return {key: is_allowed(attempt) for key, attempt in tries.items()}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_was_reviewed_and_nothing_else(system: System, role: str) -> None:
    found = results(attempts(user_like(system, role)))
    assert found == {key: may(ROLES[role], key) and key[0] not in DENIED_TO_ALL for key in found}


def test_every_action_of_every_role_is_tried_by_whom_it_is_granted(system: System) -> None:
    tried = attempts(system)
    for name, role in ROLES.items():
        actions = {action for action, on in tried if may(role, (action, on))}
        assert role["allow"].keys() - actions - NEVER_TRIED.keys() == set(), name
    granted = {action for role in ROLES.values() for action in role["allow"]}
    assert granted >= DENIED_TO_ALL.keys() | NEVER_TRIED.keys()
    assert DENIED_TO_ALL.keys().isdisjoint(NEVER_TRIED)
    nobodys = {action for action, _ in tried} - granted
    assert nobodys == {
        "dynamodb:DescribeTable",
        "dynamodb:Scan",
        "logs:FilterLogEvents",
        "sqs:SetQueueAttributes",
        "states:DeleteStateMachine",
    }


@pytest.mark.parametrize("role", ROLES)
def test_without_any_one_action_what_needs_it_is_denied(system: System, role: str) -> None:
    """And what needs it not is as before."""
    document = document_of(system, role)
    for action in sorted(ROLES[role]["allow"].keys() - NEVER_TRIED.keys() - DENIED_TO_ALL.keys()):
        tries = attempts(user_like(system, role, without(document, action)))
        own = {key: attempt for key, attempt in tries.items() if may(ROLES[role], key)}
        found = results(own)
        assert found == {key: key[0] not in {action, *DENIED_TO_ALL} for key in own}, action
        assert False in found.values(), action


def without(document: Mapping[str, Any], action: str) -> dict[str, Any]:
    """Return a policy that allows the action, or the batch of it (see local/policies.py), nowhere."""
    less = copy.deepcopy(dict(document))
    for statement in less["Statement"]:
        if statement["Effect"] == "Allow":
            statement["Action"] = [name for name in statement["Action"] if name not in {action, f"{action}Batch"}]
    less["Statement"] = [statement for statement in less["Statement"] if statement["Action"]]
    less["Statement"] = less["Statement"] or [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    return less


def test_the_emulator_does_not_ask_for_the_role_that_is_passed_nor_what_a_machines_role_may(
    system: System,
) -> None:
    """On AWS all three are refused: to pass another's role, one that trusts Lambda alone, and to invoke by it."""
    user = user_like(system, "orchestrator")
    function = system.deployment.outputs["task_function_arns"]["probe"]
    configuration = system.client("lambda").get_function_configuration(FunctionName=function)
    task = {"Type": "Task", "Resource": function, "Arguments": {"params": {"return": "unasked"}}, "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": task}}
    machine = user.client("stepfunctions").create_state_machine(
        name="orchestra-local-unasked", definition=json.dumps(definition), roleArn=configuration["Role"]
    )["stateMachineArn"]
    states = system.client("stepfunctions")
    try:
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]
        deadline = time.monotonic() + 30
        while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(POLL_S)  # between two looks
        assert (found["status"], found["output"]) == ("SUCCEEDED", '"unasked"')
    finally:
        states.delete_state_machine(stateMachineArn=machine)


def test_the_emulator_does_not_ask_whether_a_function_may_read_what_it_is_to_read(system: System) -> None:
    """On AWS, InvalidParameterValueException: the function's role has no permission to read the stream."""
    client, outputs = system.client("lambda"), system.deployment.outputs
    mapping = client.create_event_source_mapping(
        FunctionName=outputs["task_function_arns"]["probe"],
        EventSourceArn=outputs["table_stream_arn"],
        StartingPosition="LATEST",
        Enabled=False,
    )["UUID"]
    client.delete_event_source_mapping(UUID=mapping)


def test_the_emulator_has_no_x_ray(system: System) -> None:
    with pytest.raises(ClientError) as error:
        user_like(system, "task-probe").client("xray").put_trace_segments(TraceSegmentDocuments=["{}"])
    assert error.value.response["Error"]["Code"] not in DENIED
