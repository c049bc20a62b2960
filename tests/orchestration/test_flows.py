"""The adapter of Step Functions: over moto, which keeps machines and executions, and over replies as AWS gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from orchestration import executions
from orchestration.errors import Conflict, InvalidRequest, NotFound, Refused
from orchestration.executions import Event, Execution, ExecutionStatus
from orchestration.flows import StepFunctionsFlows
from orchestration.model import Failure, TaskStatus
from orchestration.settings import MachineType, Registration
from orchestration.workflow import Task, Workflow

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

ACCOUNT = "arn:aws:states:us-east-1:123456789012"
MACHINES = f"{ACCOUNT}:stateMachine:orchestra-local-"
EXECUTION = f"{ACCOUNT}:execution:orchestra-local-abc:r"
REGISTRATION = Registration("arn:aws:iam::123456789012:role/flows", "arn:aws:logs:us-east-1:123456789012:log-group:g")
DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
OTHER = json.dumps({"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}})
NO_MACHINE = (
    "workflow: 'abc' has no state machine; deploy the program again, or register the workflow with `orchestra register"
    " FILE --engine stepfunctions`"
)
RUN = Execution(workflow="abc", run_id="r", status=ExecutionStatus.RUNNING, started_at=1_000)


@pytest.fixture
def sfn(client: Callable[..., Any]) -> SFNClient:
    made: SFNClient = client("stepfunctions")
    return made


@pytest.fixture
def flows(sfn: SFNClient) -> StepFunctionsFlows:
    return StepFunctionsFlows(sfn, MACHINES, registration=REGISTRATION)


@pytest.fixture
def stub(sfn: SFNClient) -> Iterator[Stubber]:
    with Stubber(sfn) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


# -- machines ----------------------------------------------------------------------------------------------------------


def test_a_machine_is_made_once_and_updated_when_it_changes(flows: StepFunctionsFlows, sfn: SFNClient) -> None:
    assert [flows.put("abc", definition) for definition in (DEFINITION, DEFINITION, OTHER, OTHER)] == [
        True,
        False,
        True,
        False,
    ]
    machine = sfn.describe_state_machine(stateMachineArn=flows.machine_arn("abc"))
    assert (machine["name"], machine["type"], machine["definition"]) == ("orchestra-local-abc", "STANDARD", OTHER)
    assert machine["roleArn"] == REGISTRATION.role_arn
    tags = sfn.list_tags_for_resource(resourceArn=flows.machine_arn("abc"))["tags"]
    assert tags == [{"key": "orchestra:workflow", "value": "abc"}]


@pytest.mark.parametrize(("kind", "level"), [("STANDARD", "ERROR"), ("EXPRESS", "ALL")])
@pytest.mark.parametrize("log_group", [REGISTRATION.log_group_arn, REGISTRATION.log_group_arn + ":*"])
def test_a_machine_is_logged_and_traced(
    sfn: SFNClient, stub: Stubber, kind: MachineType, level: str, log_group: str
) -> None:
    made_with = {
        "definition": DEFINITION,
        "roleArn": REGISTRATION.role_arn,
        "loggingConfiguration": {
            "level": level,
            "includeExecutionData": False,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": REGISTRATION.log_group_arn + ":*"}}],
        },
        "tracingConfiguration": {"enabled": True},
    }
    arn = MACHINES + "abc"
    flows = StepFunctionsFlows(sfn, MACHINES, kind, Registration(REGISTRATION.role_arn, log_group))
    stub.add_client_error("describe_state_machine", "StateMachineDoesNotExist")
    stub.add_response(
        "create_state_machine",
        {"stateMachineArn": arn, "creationDate": at(0)},
        {
            "name": "orchestra-local-abc",
            "type": kind,
            "tags": [{"key": "orchestra:workflow", "value": "abc"}],
            **made_with,
        },
    )
    assert flows.put("abc", DEFINITION) is True
    before = {
        "stateMachineArn": arn,
        "name": "orchestra-local-abc",
        "definition": OTHER,
        "roleArn": REGISTRATION.role_arn,
        "type": kind,
        "creationDate": at(0),
    }
    stub.add_response("describe_state_machine", before, {"stateMachineArn": arn})
    stub.add_response("update_state_machine", {"updateDate": at(0)}, {"stateMachineArn": arn, **made_with})
    assert flows.put("abc", DEFINITION) is True


def test_a_machine_with_another_role_is_updated(flows: StepFunctionsFlows, sfn: SFNClient) -> None:
    flows.put("abc", DEFINITION)
    other = Registration("arn:aws:iam::123456789012:role/other", REGISTRATION.log_group_arn)
    assert StepFunctionsFlows(sfn, MACHINES, registration=other).put("abc", DEFINITION) is True
    assert sfn.describe_state_machine(stateMachineArn=flows.machine_arn("abc"))["roleArn"] == other.role_arn


def test_no_machine_is_made_where_none_may_be(sfn: SFNClient) -> None:
    flows = StepFunctionsFlows(sfn, MACHINES)
    with pytest.raises(Refused) as error:
        flows.admit("abc")
    with pytest.raises(Refused, match="makes no state machines"):
        flows.put("abc", DEFINITION)
    assert str(error.value) == (
        "engine: this deployment makes no state machines of registered workflows; set orchestra:registerFlows to true"
        " in Pulumi.<stack>.yaml and deploy it, or declare the workflow"
    )
    assert sfn.list_state_machines()["stateMachines"] == []


def test_a_name_that_is_too_long(flows: StepFunctionsFlows) -> None:
    flows.admit("w" * 64)
    with pytest.raises(InvalidRequest) as error:
        flows.admit("w" * 65)
    assert str(error.value) == (
        f"name: its state machine would be 'orchestra-local-{'w' * 65}', which is 81 characters, and the limit is 80;"
        " give the workflow a shorter name"
    )


def test_a_machine_keeps_its_type(flows: StepFunctionsFlows, sfn: SFNClient) -> None:
    flows.put("abc", DEFINITION)
    with pytest.raises(Conflict) as error:
        StepFunctionsFlows(sfn, MACHINES, "EXPRESS", REGISTRATION).put("abc", OTHER)
    assert str(error.value) == (
        "name: the state machine of 'abc' is STANDARD, and flows are EXPRESS now; a machine keeps its type, so register"
        " under another name"
    )


# -- executions --------------------------------------------------------------------------------------------------------


def test_an_execution_is_started_found_and_stopped(flows: StepFunctionsFlows) -> None:
    flows.put("abc", DEFINITION)
    assert flows.find("abc", "r") is None
    started_at = flows.start("abc", "r", '{"a":1}')
    assert started_at is not None
    running = Execution(
        workflow="abc", run_id="r", status=ExecutionStatus.RUNNING, started_at=started_at, input='{"a":1}'
    )
    assert flows.find("abc", "r") == running
    assert flows.definition(running) == DEFINITION
    assert flows.start("abc", "r", '{"a":2}') is None
    flows.stop(running)
    ended = flows.find("abc", "r")
    assert ended is not None
    assert ended.status is ExecutionStatus.ABORTED
    assert ended.finished_at is not None
    flows.start("abc", "r2", "null")
    assert sorted((each.run_id, each.status.value, each.input) for each in flows.executions("abc")) == [
        ("r", "ABORTED", None),
        ("r2", "RUNNING", None),
    ]


def test_a_workflow_without_a_machine_has_no_executions(flows: StepFunctionsFlows) -> None:
    assert list(flows.executions("abc")) == []
    assert flows.find("abc", "r") is None
    with pytest.raises(NotFound) as error:
        flows.start("abc", "r", "null")
    assert str(error.value) == NO_MACHINE


def test_an_execution_as_aws_describes_it(flows: StepFunctionsFlows, stub: Stubber) -> None:
    stub.add_response(
        "describe_execution",
        {
            "executionArn": EXECUTION,
            "stateMachineArn": MACHINES + "abc",
            "name": "r",
            "status": "FAILED",
            "startDate": at(1_001),
            "stopDate": at(2_002),
            "redriveDate": at(1_500),
            "redriveCount": 2,
            "input": "null",
            "error": "Boom",
            "cause": "it broke",
        },
        {"executionArn": EXECUTION},
    )
    assert flows.find("abc", "r") == Execution(
        workflow="abc",
        run_id="r",
        status=ExecutionStatus.FAILED,
        started_at=1_001,
        finished_at=2_002,
        redrives=2,
        redriven_at=1_500,
        input="null",
        error="Boom",
        cause="it broke",
    )


@pytest.mark.parametrize("payloads", [False, True])
def test_a_history_as_aws_tells_it(flows: StepFunctionsFlows, stub: Stubber, *, payloads: bool) -> None:
    given: dict[str, Any] = {"input": '{"run_id":"r","task_id":"A"}'} if payloads else {}
    returned: dict[str, Any] = {"output": "[1]"} if payloads else {}
    told: list[dict[str, Any]] = [
        {"type": "ExecutionStarted", "executionStartedEventDetails": {"roleArn": "arn"}},
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "A"}},
        {"type": "LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails": {"resource": "arn", **given}},
        {"type": "LambdaFunctionStarted"},
        {"type": "LambdaFunctionFailed", "lambdaFunctionFailedEventDetails": {"error": "Boom", "cause": "{}"}},
        {"type": "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails": returned},
        {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "A"}},
        {"type": "ExecutionRedriven", "executionRedrivenEventDetails": {"redriveCount": 1}},
    ]
    events = [{"id": n + 1, "previousEventId": n, "timestamp": at(1_000 + n), **each} for n, each in enumerate(told)]
    asked = {"executionArn": EXECUTION, "includeExecutionData": payloads, "maxResults": 1_000}
    stub.add_response("get_execution_history", {"events": events[:3], "nextToken": "more"}, asked)
    stub.add_response("get_execution_history", {"events": events[3:]}, {**asked, "nextToken": "more"})
    more: list[dict[str, Any]] = [
        {},
        {"state": "A"},
        {"task": "A" if payloads else None},
        {},
        {"error": "Boom", "cause": "{}"},
        {"output": "[1]" if payloads else None},
        {"state": "A"},
        {},
    ]
    assert list(flows.history(RUN, payloads=payloads)) == [
        Event(id=n + 1, previous=n, type=each["type"], at=1_000 + n, **more[n]) for n, each in enumerate(told)
    ]


def test_an_expression_that_fails_is_of_the_state_that_its_event_names(
    flows: StepFunctionsFlows, stub: Stubber
) -> None:
    """As recorded on AWS: it follows the event before its state was entered, which is another task's.

    Source: LocalStack's test_assign_reference_variables.snapshot.json, test_undefined_reference.
    """
    failure = {"error": "States.QueryEvaluationError", "cause": "it returned nothing"}
    told: list[tuple[int, str, dict[str, Any]]] = [
        (0, "TaskStateEntered", {"stateEnteredEventDetails": {"name": "A"}}),
        (1, "TaskStateExited", {"stateExitedEventDetails": {"name": "A"}}),
        (2, "TaskStateEntered", {"stateEnteredEventDetails": {"name": "B"}}),
        (2, "EvaluationFailed", {"evaluationFailedEventDetails": {**failure, "location": "Arguments", "state": "B"}}),
        (4, "ExecutionFailed", {"executionFailedEventDetails": failure}),
    ]
    events = [
        {"id": n + 1, "previousEventId": previous, "timestamp": at(1_000), "type": type_, **details}
        for n, (previous, type_, details) in enumerate(told)
    ]
    stub.add_response("get_execution_history", {"events": events})
    failed = replace(
        RUN, status=ExecutionStatus.FAILED, finished_at=2_000, error=failure["error"], cause=failure["cause"]
    )
    workflow = Workflow("abc", {"A": Task("a"), "B": Task("b", after=["A"])})
    run, tasks = executions.read(failed, "v", workflow, flows.history(failed))
    assert run.error == Failure(failure["error"], failure["cause"], "B")
    assert [task.status for task in tasks.values()] == [TaskStatus.SUCCEEDED, TaskStatus.FAILED]


@pytest.mark.parametrize("given", ["{", "[]", "{}", '{"task_id":1}', "[" * 100_000])
def test_a_payload_that_names_no_task(flows: StepFunctionsFlows, stub: Stubber, given: str) -> None:
    event = {
        "id": 1,
        "type": "LambdaFunctionScheduled",
        "timestamp": at(0),
        "lambdaFunctionScheduledEventDetails": {"resource": "arn", "input": given},
    }
    stub.add_response("get_execution_history", {"events": [event]})
    assert [found.task for found in flows.history(RUN, payloads=True)] == [None]


def test_a_stop_says_who_asked_for_it(flows: StepFunctionsFlows, stub: Stubber) -> None:
    asked = {"executionArn": EXECUTION, "cause": "canceled by orchestra"}
    stub.add_response("stop_execution", {"stopDate": at(7_000)}, asked)
    flows.stop(RUN)


def test_an_execution_that_has_ended_is_left(flows: StepFunctionsFlows, stub: Stubber) -> None:
    stub.add_client_error("stop_execution", "ValidationException", "Execution is SUCCEEDED and cannot be stopped")
    flows.stop(RUN)


def test_a_redrive(flows: StepFunctionsFlows, stub: Stubber) -> None:
    stub.add_response("redrive_execution", {"redriveDate": at(7_000)}, {"executionArn": EXECUTION})
    assert flows.redrive(RUN) == 7_000


@pytest.mark.parametrize("code", ["ExecutionNotRedrivable", "ExecutionLimitExceeded"])
def test_a_redrive_that_cannot_be(flows: StepFunctionsFlows, stub: Stubber, code: str) -> None:
    stub.add_client_error("redrive_execution", code, "it exceeded\n14 days")
    with pytest.raises(Conflict) as error:
        flows.redrive(RUN)
    assert str(error.value) == "run_id: Step Functions cannot redrive 'r': it exceeded 14 days"


# -- errors ------------------------------------------------------------------------------------------------------------


def calls(flows: StepFunctionsFlows) -> dict[str, Callable[[], object]]:
    return {
        "describe_execution": lambda: flows.find("abc", "r"),
        "describe_state_machine_for_execution": lambda: flows.definition(RUN),
        "get_execution_history": lambda: list(flows.history(RUN)),
        "list_executions": lambda: list(flows.executions("abc")),
        "start_execution": lambda: flows.start("abc", "r", "null"),
        "stop_execution": lambda: flows.stop(RUN),
        "redrive_execution": lambda: flows.redrive(RUN),
        "describe_state_machine": lambda: flows.put("abc", DEFINITION),
    }


@pytest.mark.parametrize("operation", calls(StepFunctionsFlows(None, MACHINES)))  # type: ignore[arg-type]
def test_what_the_deployment_does_not_allow(flows: StepFunctionsFlows, stub: Stubber, operation: str) -> None:
    stub.add_client_error(operation, "AccessDeniedException", "User is not authorized")
    with pytest.raises(Refused) as error:
        calls(flows)[operation]()
    name = "".join(word.title() for word in operation.split("_"))
    assert str(error.value) == (
        f"engine: the Orchestrator is not allowed {name} for 'abc'; its policy belongs to the deployment: deploy the"
        " program again"
    )


@pytest.mark.parametrize("operation", calls(StepFunctionsFlows(None, MACHINES)))  # type: ignore[arg-type]
def test_an_error_that_nobody_who_asks_can_mend_is_raised(
    flows: StepFunctionsFlows, stub: Stubber, operation: str
) -> None:
    stub.add_client_error(operation, "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        calls(flows)[operation]()


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [
        ("ExecutionLimitExceeded", Refused, "engine: Step Functions takes no more: a million"),
        ("StateMachineDeleting", NotFound, NO_MACHINE),
    ],
)
def test_a_start_that_is_refused(
    flows: StepFunctionsFlows, stub: Stubber, code: str, kind: type[Refused], line: str
) -> None:
    stub.add_client_error("start_execution", code, "a million")
    with pytest.raises(kind) as error:
        flows.start("abc", "r", "null")
    assert str(error.value) == line


def test_a_definition_that_step_functions_refuses(flows: StepFunctionsFlows, stub: Stubber) -> None:
    stub.add_client_error("describe_state_machine", "StateMachineDoesNotExist")
    stub.add_client_error("create_state_machine", "InvalidDefinition", "SCHEMA_VALIDATION_FAILED:\n  no state A")
    with pytest.raises(InvalidRequest) as error:
        flows.put("abc", DEFINITION)
    assert str(error.value) == "definition: Step Functions refuses it: SCHEMA_VALIDATION_FAILED: no state A"
