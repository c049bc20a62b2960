"""CloudWatch log groups."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from local.handlers.base import Handler, Inputs, Outputs, Scope
from local.pulumi_runtime import Registered


class LogGroup(Handler):
    type = "aws:cloudwatch/logGroup:LogGroup"
    name_limit = 512

    def create(self, scope: Scope, inputs: Inputs) -> Registered:
        logs = scope.aws.client("logs")
        # A group that a function's log made before its own group was there is taken over.
        found = logs.describe_log_groups(logGroupNamePrefix=inputs["name"])["logGroups"]
        if not any(group["logGroupName"] == inputs["name"] for group in found):
            logs.create_log_group(logGroupName=inputs["name"], tags=inputs.get("tags") or {})
        _set_retention(logs, inputs)
        arn = scope.aws.arn("logs", f"log-group:{inputs['name']}")
        return Registered(inputs["name"], {"arn": arn, "name": inputs["name"]})

    def update(self, scope: Scope, current: Registered, inputs: Inputs, changed: Collection[str]) -> Outputs:  # noqa: ARG002
        _set_retention(scope.aws.client("logs"), inputs)
        return dict(current.outputs)

    def delete(self, scope: Scope, current: Registered) -> None:
        scope.aws.client("logs").delete_log_group(logGroupName=current.id)


def _set_retention(logs: Any, inputs: Inputs) -> None:
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=inputs["name"], retentionInDays=inputs["retentionInDays"])
    else:
        logs.delete_retention_policy(logGroupName=inputs["name"])
