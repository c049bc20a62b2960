from __future__ import annotations

import json
from typing import Any

import pytest

from components import policies
from components.errors import ProgramError
from components.step_functions_flow import StepFunctionsFlow
from orchestration import asl
from orchestration.workflow import Task, Workflow
from tests.components.examples import DEFAULTS, FUNCTION_ARNS, LINE, MACHINE_ARN, step_functions_flow
from tests.snapshot import Snapshot, snapshot

GROUP = "/aws/vendedlogs/states/orchestra-test-line"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(step_functions_flow)


def machine(snap: Snapshot) -> dict[str, Any]:
    return dict(snap.one("aws:sfn/stateMachine:StateMachine").inputs)


def test_the_state_machine(snap: Snapshot) -> None:
    inputs = machine(snap)
    definition = inputs.pop("definition")
    assert inputs == {
        "name": "orchestra-test-line",
        "type": "STANDARD",
        "roleArn": "arn:aws:iam::123456789012:role/flow-line-1234567",
        "loggingConfiguration": {
            "level": "ERROR",
            "includeExecutionData": False,
            "logDestination": f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*",
        },
        "tracingConfiguration": {"enabled": True},
    }
    assert definition == asl.compile_workflow(Workflow.from_json(LINE), FUNCTION_ARNS).text
    assert [state["Resource"] for state in json.loads(definition)["States"].values()] == [
        FUNCTION_ARNS["a"],
        FUNCTION_ARNS["b"],
    ]


def test_of_an_express_run_nothing_is_kept_but_its_log_which_therefore_has_every_event() -> None:
    inputs = machine(snapshot(lambda: step_functions_flow("EXPRESS")))
    logging = inputs["loggingConfiguration"]
    assert (inputs["type"], logging["level"], logging["includeExecutionData"]) == ("EXPRESS", "ALL", False)


def test_its_role_may_invoke_its_own_services_and_no_others(snap: Snapshot) -> None:
    policy = snap.one("aws:iam/rolePolicy:RolePolicy")
    assert policy.inputs["role"] == "flow-line-1234567"
    document = json.loads(policy.inputs["policy"])
    assert document == policies.state_machine(function_arns=sorted(FUNCTION_ARNS.values()))
    assert "unused" not in policy.inputs["policy"]
    assert policy.urn in snap.one("aws:sfn/stateMachine:StateMachine").dependencies


def test_its_role_is_for_this_state_machine_alone(snap: Snapshot) -> None:
    trust = json.loads(snap.one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert trust == policies.states_trust(account_id="123456789012", machine_arn=MACHINE_ARN)


def test_its_log_has_an_end(snap: Snapshot) -> None:
    assert snap.one("aws:cloudwatch/logGroup:LogGroup").inputs == {"name": GROUP, "retentionInDays": 30}


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:StepFunctionsFlow").outputs == {"state_machine_arn": MACHINE_ARN}


def refusal(name: str, workflow: dict[str, Any], flow_type: str = "STANDARD") -> str:
    with pytest.raises(ProgramError) as refused:
        snapshot(
            lambda: StepFunctionsFlow(
                name,
                {"workflow": workflow, "function_arns": FUNCTION_ARNS, "type": flow_type, "defaults": DEFAULTS},
            )
        )
    return str(refused.value)


def test_another_type_is_refused() -> None:
    message = "flow-line: type is 'FAST', and must be one of STANDARD, EXPRESS"
    assert refusal("flow-line", LINE, "FAST") == message


def test_a_workflow_of_services_that_are_not_deployed_is_refused() -> None:
    assert refusal("flow-w", {"name": "w", "tasks": {"T": {"service": "c"}}}) == (
        "workflow 'w': task T names the service 'c', which is not deployed; the services are a, b"
    )


def test_a_workflow_that_step_functions_cannot_take_is_refused_before_anything_is_made() -> None:
    large = {f"T{number}": Task("a", params={"text": "x" * 260_000}) for number in range(5)}
    message = refusal("flow-large", Workflow("large", large).to_json())
    assert message.startswith("workflow 'large': cannot be a StepFunctionsFlow: ")
    assert "\n" not in message


def test_a_name_that_is_too_long_for_the_state_machine_is_refused() -> None:
    workflow = {"name": "w" * 64, "tasks": {"T": {"service": "a"}}}
    # orchestra-test- and 64 more are 79: the role's name is what does not fit
    assert refusal(f"flow-{'w' * 64}", workflow) == (
        f"flow-{'w' * 64}: is 69 characters, and a role's name has at most 56; shorten it"
    )
