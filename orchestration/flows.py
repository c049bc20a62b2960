"""State machines and their executions: the port through which Step Functions is asked, and its adapter.

A workflow's machine is named by it, and an execution by its run, so that both are found without anything being stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from orchestration.errors import Conflict, InvalidRequest, NotFound, Refused
from orchestration.executions import Event, Execution, ExecutionStatus
from orchestration.settings import MachineType, Registration

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import LoggingConfigurationTypeDef

CAUSE = "canceled by orchestra"
MAX_NAME_CHARS = 80
"""Of a state machine. Source: docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html."""
PAGE = 1_000
SCHEDULED = frozenset({"LambdaFunctionScheduled", "TaskScheduled"})
DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
NO_EXECUTION = frozenset({"ExecutionDoesNotExist", "StateMachineDoesNotExist"})


class Flows(Protocol):
    """Each workflow's state machine, by the workflow's name. Refused says in one line what whoever asked can do."""

    def find(self, workflow: str, run_id: str) -> Execution | None: ...

    def definition(self, execution: Execution) -> str:
        """Return the definition that an execution runs, which need not be its machine's any more."""

    def history(self, execution: Execution, *, payloads: bool = False) -> Iterator[Event]:
        """Yield what has happened, in its order. What is in payloads is with it only if they are asked for."""

    def executions(self, workflow: str) -> Iterator[Execution]:
        """Yield all executions, the one that moved last first: by when it ended, or else by when it was started."""

    def start(self, workflow: str, run_id: str, text: str) -> int | None:
        """Start an execution and return its time; None if there is one of this name that is not the same."""

    def stop(self, execution: Execution) -> None:
        """End an execution, if it has not ended yet."""

    def redrive(self, execution: Execution) -> int:
        """Let an execution go on where it ended, and return the time. Raises Conflict, with the reason."""

    def admit(self, workflow: str) -> None:
        """Raise Refused if no machine may be made of a workflow of this name."""

    def put(self, workflow: str, definition: str) -> bool:
        """Make or update the machine, and tell whether that changed anything. Raises Refused."""

    def machine_arn(self, workflow: str) -> str: ...


class StepFunctionsFlows:
    """`prefix` is what the ARN of every machine begins with: that of the workflow W is `<prefix>W`."""

    def __init__(
        self, client: SFNClient, prefix: str, kind: MachineType = "STANDARD", registration: Registration | None = None
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._kind: MachineType = kind
        self._registration = registration

    def machine_arn(self, workflow: str) -> str:
        return self._prefix + workflow

    def find(self, workflow: str, run_id: str) -> Execution | None:
        with _refusing(workflow):
            try:
                found: Any = self._client.describe_execution(executionArn=self._execution_arn(workflow, run_id))
            except ClientError as exc:
                if exc.response["Error"]["Code"] in NO_EXECUTION:
                    return None
                raise
        return _execution(workflow, found)

    def definition(self, execution: Execution) -> str:
        with _refusing(execution.workflow):
            return self._client.describe_state_machine_for_execution(executionArn=self._arn(execution))["definition"]

    def history(self, execution: Execution, *, payloads: bool = False) -> Iterator[Event]:
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self._arn(execution), includeExecutionData=payloads, PaginationConfig={"PageSize": PAGE}
        )
        with _refusing(execution.workflow):
            for page in pages:
                yield from (_event(event) for event in page["events"])

    def executions(self, workflow: str) -> Iterator[Execution]:
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self.machine_arn(workflow), PaginationConfig={"PageSize": PAGE}
        )
        with _refusing(workflow):
            try:
                for page in pages:
                    yield from (_execution(workflow, item) for item in page["executions"])
            except ClientError as exc:
                if exc.response["Error"]["Code"] not in NO_EXECUTION:
                    raise

    def start(self, workflow: str, run_id: str, text: str) -> int | None:
        with _refusing(workflow):
            try:
                started = self._client.start_execution(
                    stateMachineArn=self.machine_arn(workflow), name=run_id, input=text
                )
            except ClientError as exc:
                if exc.response["Error"]["Code"] == "ExecutionAlreadyExists":
                    return None
                raise
        return _ms(started["startDate"])

    def stop(self, execution: Execution) -> None:
        with _refusing(execution.workflow):
            try:
                self._client.stop_execution(executionArn=self._arn(execution), cause=CAUSE)
            except ClientError as exc:
                # What AWS says of one that has ended is not documented. Whoever asks looks at it again in any case.
                if exc.response["Error"]["Code"] != "ValidationException":
                    raise

    def redrive(self, execution: Execution) -> int:
        with _refusing(execution.workflow):
            try:
                return _ms(self._client.redrive_execution(executionArn=self._arn(execution))["redriveDate"])
            except ClientError as exc:
                error = exc.response["Error"]
                if error["Code"] not in {"ExecutionNotRedrivable", "ExecutionLimitExceeded"}:
                    raise
                raise Conflict(f"run_id: Step Functions cannot redrive {execution.run_id!r}: {_line(error)}") from None

    def admit(self, workflow: str) -> None:
        self._require_registration()
        name = self._name(workflow)
        if len(name) > MAX_NAME_CHARS:
            raise InvalidRequest(
                f"name: its state machine would be {name!r}, which is {len(name)} characters, and the limit is"
                f" {MAX_NAME_CHARS}; give the workflow a shorter name"
            )

    def put(self, workflow: str, definition: str) -> bool:
        registration = self._require_registration()
        with _refusing(workflow):
            current = self._current(workflow)
            if current is None:
                self._client.create_state_machine(
                    name=self._name(workflow),
                    type=self._kind,
                    definition=definition,
                    roleArn=registration.role_arn,
                    loggingConfiguration=self._logging(registration),
                    tracingConfiguration={"enabled": True},
                    tags=[{"key": "orchestra:workflow", "value": workflow}],
                )
                return True
            if current["type"] != self._kind:
                raise Conflict(
                    f"name: the state machine of {workflow!r} is {current['type']}, and flows are {self._kind} now;"
                    " a machine keeps its type, so register under another name"
                )
            if (current["definition"], current["roleArn"]) == (definition, registration.role_arn):
                return False
            self._client.update_state_machine(
                stateMachineArn=self.machine_arn(workflow),
                definition=definition,
                roleArn=registration.role_arn,
                loggingConfiguration=self._logging(registration),
                tracingConfiguration={"enabled": True},
            )
        return True

    def _require_registration(self) -> Registration:
        if self._registration is None:
            raise Refused(
                "engine: this deployment makes no state machines of registered workflows; set"
                " orchestra:registerFlows to true in Pulumi.<stack>.yaml and deploy it, or declare the workflow"
            )
        return self._registration

    def _name(self, workflow: str) -> str:
        return self.machine_arn(workflow).rpartition(":")[2]

    def _current(self, workflow: str) -> Mapping[str, Any] | None:
        try:
            return self._client.describe_state_machine(stateMachineArn=self.machine_arn(workflow))
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "StateMachineDoesNotExist":
                raise
            return None

    def _logging(self, registration: Registration) -> LoggingConfigurationTypeDef:
        group = registration.log_group_arn.removesuffix(":*") + ":*"
        return {
            # Nothing else tells of an Express execution; a Standard one's history is kept without a log.
            "level": "ALL" if self._kind == "EXPRESS" else "ERROR",
            "includeExecutionData": False,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
        }

    def _arn(self, execution: Execution) -> str:
        return self._execution_arn(execution.workflow, execution.run_id)

    def _execution_arn(self, workflow: str, run_id: str) -> str:
        return f"{self.machine_arn(workflow).replace(':stateMachine:', ':execution:')}:{run_id}"


@contextmanager
def _refusing(workflow: str) -> Iterator[None]:
    """Turn the errors of AWS that the deployment is to blame for into a line about it. Others pass."""
    try:
        yield
    except ClientError as exc:
        error = exc.response["Error"]
        match error["Code"]:
            case "StateMachineDoesNotExist" | "StateMachineDeleting":
                raise NotFound(
                    f"workflow: {workflow!r} has no state machine; deploy the program again, or register the workflow"
                    " with `orchestra register FILE --engine stepfunctions`"
                ) from None
            case "ExecutionLimitExceeded" | "StateMachineLimitExceeded":
                raise Refused(f"engine: Step Functions takes no more: {_line(error)}") from None
            case "InvalidDefinition":
                raise InvalidRequest(f"definition: Step Functions refuses it: {_line(error)}") from None
            case code if code in DENIED:
                raise Refused(
                    f"engine: the Orchestrator is not allowed {exc.operation_name} for {workflow!r}; its policy belongs"
                    " to the deployment: deploy the program again"
                ) from None
        raise


def _execution(workflow: str, found: Mapping[str, Any]) -> Execution:
    return Execution(
        workflow=workflow,
        run_id=found["name"],
        status=ExecutionStatus(found["status"]),
        started_at=_ms(found["startDate"]),
        finished_at=_ms(found["stopDate"]) if found.get("stopDate") else None,
        redrives=found.get("redriveCount", 0),
        redriven_at=_ms(found["redriveDate"]) if found.get("redriveDate") else None,
        input=found.get("input"),
        output=found.get("output"),
        error=found.get("error"),
        cause=found.get("cause"),
    )


def _event(found: Mapping[str, Any]) -> Event:
    # Each has one field of details, whose name begins with its type.
    details: Mapping[str, Any] = next((value for name, value in found.items() if name.endswith("EventDetails")), {})
    return Event(
        id=found["id"],
        previous=found.get("previousEventId", 0),
        type=found["type"],
        at=_ms(found["timestamp"]),
        # Of an expression that failed: AWS has its event follow the one before its state was entered.
        state=details.get("name") or details.get("state"),
        task=_task(details["input"]) if found["type"] in SCHEDULED and "input" in details else None,
        output=details.get("output"),
        error=details.get("error"),
        cause=details.get("cause"),
    )


def _task(text: str) -> str | None:
    """Return the task that the event names which a function is given."""
    with suppress(ValueError, RecursionError):
        given = json.loads(text)
        if isinstance(given, dict) and isinstance(given.get("task_id"), str):
            return str(given["task_id"])
    return None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _line(error: Mapping[str, Any]) -> str:
    """Return what AWS says in one line."""
    return re.sub(r"\s+", " ", str(error.get("Message") or error["Code"]))[:300]
