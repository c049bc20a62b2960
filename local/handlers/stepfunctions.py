"""State machines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope
from local.pulumi_runtime import Registered


class StateMachine(Handler):
    type = "aws:sfn/stateMachine:StateMachine"
    name_limit = 80
    replacing = ("name", "type")

    def unrecorded(self, scope: Scope, inputs: Inputs) -> Iterable[Registered]:
        return [Registered(scope.aws.arn("states", f"stateMachine:{inputs['name']}"), {})]

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        made = scope.aws.client("stepfunctions").create_state_machine(
            name=inputs["name"], type=inputs.get("type") or "STANDARD", **_definition(inputs)
        )
        arn = made["stateMachineArn"]
        return Registered(arn, {"arn": arn, "name": inputs["name"], "status": "ACTIVE"})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        scope.aws.client("stepfunctions").update_state_machine(stateMachineArn=current.id, **_definition(inputs))
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("stepfunctions").delete_state_machine(stateMachineArn=current.id)


def _definition(inputs: Inputs) -> dict[str, Any]:
    request: dict[str, Any] = {"definition": inputs["definition"], "roleArn": inputs["roleArn"]}
    logging = inputs.get("loggingConfiguration")
    if logging:
        request["loggingConfiguration"] = _logging(logging)
    if inputs.get("tracingConfiguration"):
        request["tracingConfiguration"] = {"enabled": bool(inputs["tracingConfiguration"].get("enabled"))}
    return request


def _logging(logging: Mapping[str, Any]) -> dict[str, Any]:
    destination = logging.get("logDestination")
    return {
        "level": logging.get("level") or "OFF",
        "includeExecutionData": bool(logging.get("includeExecutionData")),
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}] if destination else [],
    }
