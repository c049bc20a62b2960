from __future__ import annotations

import json

import pytest

from components import policies
from components.errors import ProgramError
from tests import snapshot as harness
from tests.components.examples import FUNCTION_ARNS, registered_flows
from tests.snapshot import Snapshot, snapshot

GROUP = "/aws/vendedlogs/states/orchestra-test/registered"


@pytest.fixture(name="snap", scope="module")
def _snap() -> Snapshot:
    return snapshot(registered_flows)


def test_its_role_is_for_the_state_machines_of_this_stack(snap: Snapshot) -> None:
    trust = json.loads(snap.one("aws:iam/role:Role").inputs["assumeRolePolicy"])
    assert trust == policies.states_trust(
        account_id="123456789012",
        machine_arn="arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-*",
    )


def test_its_role_may_invoke_every_service(snap: Snapshot) -> None:
    policy = snap.one("aws:iam/rolePolicy:RolePolicy").inputs
    assert policy["role"] == "registered-flows-1234567"
    assert json.loads(policy["policy"]) == policies.state_machine(function_arns=sorted(FUNCTION_ARNS.values()))


def test_its_log_group_is_no_workflows_own(snap: Snapshot) -> None:
    assert snap.one("aws:cloudwatch/logGroup:LogGroup").inputs == {"name": GROUP, "retentionInDays": 30}


def test_it_makes_no_state_machine_itself(snap: Snapshot) -> None:
    assert snap.all("aws:sfn/stateMachine:StateMachine") == []


def test_its_outputs(snap: Snapshot) -> None:
    assert snap.one("orchestra:components:RegisteredFlows").outputs == {
        "role_arn": "arn:aws:iam::123456789012:role/registered-flows-1234567",
        "log_group_arn": f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}",
    }


def test_a_stack_whose_state_machines_could_not_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "STACK", "test.2")
    with pytest.raises(ProgramError) as refused:
        snapshot(registered_flows)
    assert str(refused.value) == (
        "state machines are named orchestra-test.2-<workflow>, and one that logs has nothing but A-Z a-z 0-9 _ - in"
        " its name; give the project or the stack such a name"
    )
