from __future__ import annotations

import dataclasses
import json

import pytest

from components.engine import MAX_ENVIRONMENT_BYTES, OTHER_VARIABLES_BYTES, EngineArgs, engine_environment
from components.errors import ProgramError
from components.settings import GRACE_S, LEASE_SLACK_S
from components.state_machines import MAX_MACHINE_NAME
from components.worker_pool import WorkerPool
from orchestration.settings import LOG_GROUPS, FlowSettings, Registration
from orchestration.settings import Settings as EngineSettings
from orchestration.timing import Timing
from tests.components.examples import (
    ENGINE,
    FLOW_LOG_GROUP_ARN,
    FLOW_ROLE_ARN,
    orchestrator,
    registered_flows,
    registering_orchestrator,
    step_functions_flow,
)
from tests.snapshot import Snapshot, snapshot


def engine_of(count: int) -> EngineArgs:
    services = {f"service-{number:03}": "deployed" for number in range(count)}
    return {**ENGINE, "services": services}


def variables(snap: Snapshot) -> dict[str, str]:
    found: dict[str, str] = snap.one("aws:lambda/function:Function").inputs["environment"]["variables"]
    return found


def test_services_that_fit_are_allowed() -> None:
    snap = snapshot(lambda: WorkerPool("worker", {**engine_of(50), "function_arns": {}, "max_workers": 0}))
    assert json.loads(variables(snap)["SERVICES"]) == engine_of(50)["services"]


def test_services_that_cannot_fit_are_refused_before_the_deploy() -> None:
    with pytest.raises(ProgramError) as refused:
        engine_environment(engine_of(100), "worker", queue_url="url")
    assert str(refused.value) == (
        "services: the names of 100 take 4300 bytes of the engine's environment, and Lambda leaves 2304; deploy fewer"
        " services in one stack, or give them shorter names"
    )


def test_the_room_for_the_other_variables_is_enough() -> None:
    queue = f"https://sqs.ap-southeast-3.amazonaws.com/123456789012/{'q' * 80}"
    prefix = "p" * (MAX_MACHINE_NAME - 1)
    log_groups = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:"
    longest = {
        "TABLE_NAME": "t" * 255,
        "QUEUE_URL": queue,
        "DEAD_LETTERS_URL": queue,
        "FAILED_RECORDS_URL": queue,
        "GRACE_S": str(max(GRACE_S)),
        "LEASE_SLACK_S": str(max(LEASE_SLACK_S)),
        "FLOW_PREFIX": prefix,
        "FLOW_TYPE": "STANDARD",
        "FLOW_ROLE_ARN": f"arn:aws-us-gov:iam::123456789012:role/{'r' * 64}",
        "FLOW_LOG_GROUP_ARN": f"{log_groups}{LOG_GROUPS}/{prefix}/registered",
        "FUNCTION_ARN_PREFIX": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:",
        "STATE_MACHINE_ARN_PREFIX": f"arn:aws-us-gov:states:us-gov-west-1:123456789012:stateMachine:{prefix}",
        "SERVICES": "",
        "POWERTOOLS_SERVICE_NAME": "orchestrator",
        "POWERTOOLS_METRICS_NAMESPACE": f"Orchestra/{prefix.removesuffix('p')}",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    assert set(variables(snapshot(registering_orchestrator))) == set(longest)  # which has the most
    assert len(json.dumps(longest)) <= OTHER_VARIABLES_BYTES < MAX_ENVIRONMENT_BYTES


def test_the_engine_reads_what_it_is_told() -> None:
    told = variables(snapshot(orchestrator))
    assert EngineSettings.read(told) == EngineSettings(
        table="runs",
        queue_url=told["QUEUE_URL"],
        functions={"a": "task-a-7654321", "b": "task-b-7654321"},
        dead_letters_url=told["DEAD_LETTERS_URL"],
        failed_records_url=told["FAILED_RECORDS_URL"],
        timing=Timing(grace_s=90, lease_slack_s=20),
    )


def test_the_engine_reads_where_the_state_machines_are() -> None:
    declared_alone = FlowSettings(
        machines="arn:aws:states:us-east-1:123456789012:stateMachine:orchestra-test-",
        functions="arn:aws:lambda:us-east-1:123456789012:function:",
        prefix="orchestra-test-",
        type="STANDARD",
    )
    registering = dataclasses.replace(declared_alone, registration=Registration(FLOW_ROLE_ARN, FLOW_LOG_GROUP_ARN))
    assert FlowSettings.read(variables(snapshot(orchestrator))) == declared_alone
    assert FlowSettings.read(variables(snapshot(registering_orchestrator))) == registering


def test_the_engine_names_the_log_groups_that_there_are() -> None:
    settings = FlowSettings.read(variables(snapshot(registering_orchestrator)))
    groups = {
        declared: snapshot(program).one("aws:cloudwatch/logGroup:LogGroup").inputs["name"]
        for declared, program in ((True, step_functions_flow), (False, registered_flows))
    }
    assert {declared: settings.log_group("line", declared=declared) for declared in groups} == groups
