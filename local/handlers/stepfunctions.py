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
        tags = [{"key": key, "value": value} for key, value in (inputs.get("tags") or {}).items()]
        made = scope.aws.client("stepfunctions").create_state_machine(
            name=inputs["name"], type=inputs.get("type") or "STANDARD", tags=tags, **_definition(inputs)
        )
        outputs = {"arn": made["stateMachineArn"], "name": inputs["name"], "status": "ACTIVE"}
        return Registered(made["stateMachineArn"], outputs | _published(made))

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:
        client = scope.aws.client("stepfunctions")
        if "tags" in changed:
            tags = inputs.get("tags") or {}
            found = client.list_tags_for_resource(resourceArn=current.id)["tags"]
            gone = [tag["key"] for tag in found if tag["key"] not in tags]
            client.untag_resource(resourceArn=current.id, tagKeys=gone)
            kept = [{"key": key, "value": value} for key, value in tags.items()]
            client.tag_resource(resourceArn=current.id, tags=kept)
        made = client.update_state_machine(stateMachineArn=current.id, **_definition(inputs))
        return {**current.outputs, **_published(made)}

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("stepfunctions").delete_state_machine(stateMachineArn=current.id)


def _definition(inputs: Inputs) -> dict[str, Any]:
    """Return everything that can be updated, also where it is left out: what it was before would remain."""
    version = {"publish": True} if inputs.get("publish") else {}
    if version and inputs.get("versionDescription"):
        version["versionDescription"] = inputs["versionDescription"]
    return {
        "definition": inputs["definition"],
        "roleArn": inputs["roleArn"],
        "loggingConfiguration": _logging(inputs.get("loggingConfiguration") or {}),
        "tracingConfiguration": {"enabled": bool((inputs.get("tracingConfiguration") or {}).get("enabled"))},
        **version,
    }


def _published(made: Mapping[str, Any]) -> Outputs:
    return {name: made[name] for name in ("stateMachineVersionArn",) if name in made}


def _logging(logging: Mapping[str, Any]) -> dict[str, Any]:
    destination = logging.get("logDestination")
    return {
        "level": logging.get("level") or "OFF",
        "includeExecutionData": bool(logging.get("includeExecutionData")),
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}] if destination else [],
    }
